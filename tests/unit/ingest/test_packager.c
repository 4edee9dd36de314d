#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "ingest/packager.h"

struct seen {
    unsigned parts, segments, refusals, recoveries;
};

static void on_part(void *user)
{
    ((struct seen *)user)->parts++;
}

static void on_segment(void *user, struct bf_sync *sync)
{
    ((struct seen *)user)->segments++;
    assert_int_equal(bf_sync_run(sync), 0);
}

static void on_storage(void *user, int code)
{
    struct seen *s = user;

    if (code == 0)
        s->recoveries++;
    else
        s->refusals++;
}

static const struct bf_packager_events events = { .part = on_part, .segment = on_segment, .storage = on_storage };

struct bench {
    struct bf_session_dir *dir;
    struct bf_packager *packager;
    struct seen seen;
};

static void begin(struct bench *b, const struct place *p)
{
    struct bf_packager_options o = { .frame_90k = FRAME_90K, .events = &events, .user = &b->seen };

    *b = (struct bench){ 0 };
    assert_int_equal(session_open(p, false, 0, &b->dir), 0);
    bf_shape_of(&o.shape, 200, 1000, 90000, FRAME_90K);
    o.dir = b->dir;
    assert_int_equal(bf_packager_new(&b->packager, &o), 0);
}

static void feed(struct bench *b, const struct frames *f, size_t from, size_t to, int64_t shift)
{
    for (size_t i = from; i < to; i++) {
        struct bf_access_unit au = f->units[i];

        au.times.dts_90k = (au.times.dts_90k + shift) & ((INT64_C(1) << 33) - 1);
        au.times.pts_90k = au.times.dts_90k;
        assert_int_equal(bf_packager_add(b->packager, &au), 0);
    }
}

static struct bf_packager_counters crash(struct bench *b)
{
    struct bf_packager_counters c = bf_packager_counters(b->packager);

    bf_packager_free(b->packager);
    bf_session_dir_free(b->dir);
    return c;
}

static struct bf_packager_counters finish(struct bench *b)
{
    assert_int_equal(bf_packager_pause(b->packager), 0);
    assert_int_equal(bf_session_dir_end(b->dir, "stopped", 1700000060000), 0);
    return crash(b);
}

static void steady_stream(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 90, 30);
    struct bench b;

    begin(&b, p);
    for (size_t i = 0; i < f.n; i++) {
        feed(&b, &f, i, i + 1, 0);
        assert_int_equal(b.seen.parts, (i + 1) / 6); /* a part is out with its last frame, none is held back */
    }
    assert_int_equal(b.seen.segments, 2); /* the third ends when it is known that there is no more */
    struct bf_packager_counters c = finish(&b);
    assert_int_equal(b.seen.segments, 3);
    assert_int_equal(c.dropped + c.corrupt + c.lost + c.discontinuities + c.forced_cuts + c.gaps, 0);

    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_segments, 3);
    assert_int_equal(v.n_parts, 15);
    assert_int_equal(v.n_inits, 1);
    assert_int_equal(v.inits[0].width, 320);
    assert_int_equal(v.inits[0].height, 240);
    assert_int_equal(v.inits[0].frame_rate_milli, 30000);
    assert_true(v.ended);
    for (size_t i = 0; i < v.n_parts; i++) {
        assert_int_equal(v.parts[i].duration_90k, 18000);
        assert_int_equal(v.parts[i].decode_time_90k, 18000 * i);
        assert_int_equal(v.parts[i].capture_us, 1700000000000000 + 33333 * 6 * i);
        assert_int_equal(v.parts[i].independent, i % 5 == 0);
    }
    assert_int_equal(decoded_frames(p, "init.mp4", 0, 2), 90);
    bf_session_view_done(&v);
    frames_free(&f);
}

static void first_frame_out_is_the_first_idr(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 50, 30);
    struct bench b;

    begin(&b, p);
    feed(&b, &f, 10, 50, 0);
    struct bf_packager_counters c = finish(&b);
    assert_int_equal(c.dropped, 20);
    assert_int_equal(c.discontinuities, 0);
    struct bf_session_view v = judge(p);
    assert_true(v.parts[0].independent);
    assert_int_equal(v.parts[0].capture_us, 1700000000000000 + 33333 * 30);
    assert_int_equal(v.parts[0].decode_time_90k, 0);
    assert_int_equal(decoded_frames(p, "init.mp4", 0, 0), 20);
    bf_session_view_done(&v);
    frames_free(&f);
}

static void clock_wraps(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 60, 30);
    struct bench b;

    begin(&b, p);
    feed(&b, &f, 0, 60, (INT64_C(1) << 33) - 50 * FRAME_90K);
    assert_int_equal(finish(&b).discontinuities, 0);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_segments, 2);
    assert_int_equal(v.parts[9].decode_time_90k, 9 * 18000);
    bf_session_view_done(&v);
    frames_free(&f);
}

/* The sender's clock jumps in the middle of a GOP: frames until the next IDR are dropped, which then stands right
 * behind what was before, marked. */
static void clock_jumps(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 120, 30);
    struct bench b;

    begin(&b, p);
    feed(&b, &f, 0, 40, 0);
    feed(&b, &f, 40, 120, 7777777);
    struct bf_packager_counters c = finish(&b);
    assert_int_equal(c.discontinuities, 1);
    assert_int_equal(c.dropped, 20);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_segments, 4);
    assert_int_equal(v.segments[1].duration_90k, 10 * FRAME_90K);
    assert_true(v.segments[2].discontinuity);
    assert_false(v.segments[1].discontinuity);
    assert_int_equal(v.parts[v.segments[2].first_part].decode_time_90k, 40 * FRAME_90K);
    assert_int_equal(v.parts[v.segments[2].first_part].capture_us, 1700000000000000 + 33333 * 60);
    assert_int_equal(decoded_frames(p, "init.mp4", 0, 3), 100);
    bf_session_view_done(&v);
    frames_free(&f);
}

static void silence_flushes(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 60, 30);
    struct bench b;

    begin(&b, p);
    feed(&b, &f, 0, 8, 0);
    assert_int_equal(b.seen.parts, 1);
    assert_int_equal(bf_packager_pause(b.packager), 0);
    assert_int_equal(b.seen.parts, 2); /* the two frames that were waiting for more */
    assert_int_equal(b.seen.segments, 1);
    assert_int_equal(bf_packager_pause(b.packager), 0);
    assert_int_equal(b.seen.parts, 2);
    feed(&b, &f, 30, 60, 0);
    assert_int_equal(finish(&b).discontinuities, 1);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_segments, 2);
    assert_true(v.segments[1].discontinuity);
    bf_session_view_done(&v);
    frames_free(&f);
}

static void new_parameters_need_a_new_init(void **state)
{
    struct place *p = *state;
    struct frames small = frames_make(320, 240, 45, 30), large = frames_make(640, 480, 45, 30);
    struct bench b;

    begin(&b, p);
    feed(&b, &small, 0, 45, 0);
    feed(&b, &large, 0, 45, 45 * FRAME_90K);
    assert_int_equal(finish(&b).discontinuities, 1);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_inits, 2);
    assert_string_equal(v.inits[1].file, "init-1.mp4");
    assert_int_equal(v.inits[1].width, 640);
    assert_int_equal(v.n_segments, 4);
    assert_int_equal(v.segments[1].init_index, 0);
    assert_true(v.segments[2].discontinuity);
    assert_int_equal(v.segments[2].init_index, 1);
    assert_int_equal(decoded_frames(p, "init.mp4", 0, 1), 45);
    assert_int_equal(decoded_frames(p, "init-1.mp4", 2, 3), 45);
    bf_session_view_done(&v);
    frames_free(&small);
    frames_free(&large);
}

static void corrupt_frames_are_left_out(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 90, 30);
    struct bench b;

    begin(&b, p);
    f.units[10].corrupt = true;
    f.units[60].corrupt = true; /* an IDR: nothing can be made of what follows */
    feed(&b, &f, 0, 90, 0);
    struct bf_packager_counters c = finish(&b);
    assert_int_equal(c.corrupt, 2);
    assert_int_equal(c.dropped, 29);
    struct bf_session_view v = judge(p);
    uint64_t frames = 0;
    for (size_t i = 0; i < v.n_parts; i++)
        frames += v.parts[i].frames;
    assert_int_equal(frames, 59);
    bf_session_view_done(&v);
    frames_free(&f);
}

/* Whole access units that a network lost, overtook or repeated: what refers to them is passed on, and counted. */
static void missing_references_are_counted(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 120, 30);
    struct bench b;

    begin(&b, p);
    feed(&b, &f, 0, 20, 0);
    feed(&b, &f, 21, 60, 0); /* 21 to 29 refer to 20 by way of the one before */
    assert_int_equal(bf_packager_counters(b.packager).damaged, 9);
    feed(&b, &f, 60, 70, 0);
    feed(&b, &f, 69, 70, 0); /* again */
    feed(&b, &f, 68, 69, 0); /* late */
    feed(&b, &f, 70, 90, 0);
    assert_int_equal(bf_packager_counters(b.packager).damaged, 9);
    assert_int_equal(bf_packager_counters(b.packager).dropped, 2);
    feed(&b, &f, 91, 120, 0); /* without the IDR */
    struct bf_packager_counters c = finish(&b);
    assert_int_equal(c.damaged, 9 + 29);
    assert_int_equal(c.discontinuities, 0);
    struct bf_session_view v = judge(p);
    bf_session_view_done(&v);
    frames_free(&f);
}

static void garbage_is_dropped(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 30, 30);
    uint8_t noise[512];
    struct bench b;

    begin(&b, p);
    srand(3);
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)rand();
        memcpy(noise, "\0\0\0\1", 4);
        const struct bf_access_unit au = { .data = noise,
                                           .size = (size_t)rand() % 400,
                                           .times = { .dts_90k = rand(), .pts_90k = rand() } };
        assert_int_equal(bf_packager_add(b.packager, &au), 0);
    }
    assert_int_equal(b.seen.parts, 0);
    feed(&b, &f, 0, 30, 0);
    finish(&b);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_parts, 5);
    bf_session_view_done(&v);
    frames_free(&f);
}

/* Killed in the middle of a segment and desired again: the same journal goes on, behind a discontinuity. */
static void goes_on_after_a_crash(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(320, 240, 90, 30);
    struct bench b;

    begin(&b, p);
    feed(&b, &f, 0, 45, 0);
    crash(&b); /* parts 0..6, three frames lost */
    begin(&b, p);
    assert_true(bf_session_dir_place(b.dir)->resumed);
    assert_int_equal(bf_session_dir_place(b.dir)->parts, 7);
    feed(&b, &f, 50, 90, 4000000);
    assert_int_equal(finish(&b).discontinuities, 1);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_segments, 3);
    assert_int_equal(v.n_parts, 12);
    assert_int_equal(v.n_inits, 2);
    assert_true(v.segments[2].discontinuity);
    assert_int_equal(v.parts[7].decode_time_90k, 7 * 18000);
    assert_int_equal(decoded_frames(p, "init-1.mp4", 2, 2), 30);
    bf_session_view_done(&v);
    frames_free(&f);
}

#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_PLACE(steady_stream),
        AT_PLACE(first_frame_out_is_the_first_idr),
        AT_PLACE(clock_wraps),
        AT_PLACE(clock_jumps),
        AT_PLACE(silence_flushes),
        AT_PLACE(new_parameters_need_a_new_init),
        AT_PLACE(corrupt_frames_are_left_out),
        AT_PLACE(missing_references_are_counted),
        AT_PLACE(garbage_is_dropped),
        AT_PLACE(goes_on_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
