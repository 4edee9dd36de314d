/* The whole path on a thread of its own: datagrams on loopback in, a judged session directory out. Waits are for events
 * of the worker, with a deadline that only a failure reaches. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "ingest/worker.h"
#include "media/ts.h"

#define DEADLINE_MS 10000

struct bench {
    struct bf_worker *worker;
    struct bf_transport *sender;
    struct bf_ts_writer *writer;
    int wake_fd;
    struct bf_worker_counters counters;
    bool ended;
};

static void wake(void *user)
{
    uint64_t one = 1;

    if (write(((struct bench *)user)->wake_fd, &one, sizeof one) < 0)
        abort();
}

static int listen_somewhere(struct bench *b, enum bf_transport_kind kind, unsigned silence_ms, uint16_t *ret_port)
{
    struct bf_error e;

    for (uint16_t port = 23000; port < 23100; port++) {
        const struct bf_transport_options o = {
            .kind = kind,
            .host = "127.0.0.1",
            .port = port,
            .latency_ms = 20,
            .passphrase = kind == BF_TRANSPORT_SRT ? "0123456789abcdef0123456789abcdef" : NULL,
            .timeout_ms = silence_ms,
        };
        int r = bf_worker_listen(b->worker, &o, &e);

        *ret_port = port;
        if (r != -EADDRINUSE)
            return r;
    }
    return -EADDRINUSE;
}

static void dial_as(struct bench *b, enum bf_transport_kind kind, uint16_t port, uint64_t fencing_token)
{
    const struct bf_transport_options o = {
        .kind = kind,
        .host = "127.0.0.1",
        .port = port,
        .latency_ms = 20,
        .passphrase = kind == BF_TRANSPORT_SRT ? "0123456789abcdef0123456789abcdef" : NULL,
        .fencing_token = fencing_token,
        .timeout_ms = DEADLINE_MS,
    };
    struct bf_error e;

    assert_int_equal(bf_transport_dial(&b->sender, &o, &e), 0);
    assert_int_equal(bf_ts_writer_new(&b->writer, b->sender, &e), 0);
}

static void dial(struct bench *b, enum bf_transport_kind kind, uint16_t port)
{
    dial_as(b, kind, port, 0);
}

static void hang_up(struct bench *b)
{
    bf_ts_writer_free(b->writer);
    bf_transport_free(b->sender);
    b->writer = NULL;
    b->sender = NULL;
}

static uint16_t begin_as(struct bench *b, const struct place *p, enum bf_transport_kind kind, const char *profile,
                         bool stated, unsigned silence_ms)
{
    struct bf_worker_options o = {
        .site = "home",
        .node = TEST_NODE,
        .camera = TEST_CAMERA,
        .session_id = TEST_SESSION,
        .record = true,
        .profile = bf_profile_named(profile),
        .window_ms = 12000,
        .fps = stated ? 30 : 0,
        .gop_frames = stated ? 30 : 0,
        .media_fd = p->media_fd,
        .key = p->key,
        .wake = wake,
        .user = b,
    };
    uint16_t port;

    *b = (struct bench){ .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    assert_int_equal(bf_worker_new(&b->worker, &o), 0);
    assert_int_equal(listen_somewhere(b, kind, silence_ms, &port), 0);
    assert_int_equal(bf_worker_start(b->worker), 0);
    dial(b, kind, port);
    return port;
}

static uint16_t begin(struct bench *b, const struct place *p, enum bf_transport_kind kind, bool stated,
                      unsigned silence_ms)
{
    return begin_as(b, p, kind, "balanced", stated, silence_ms);
}

static void take_events(struct bench *b)
{
    struct bf_worker_event event;

    while (bf_worker_poll(b->worker, &event) == 0) {
        if (event.kind == BF_WORKER_SYNC)
            assert_int_equal(bf_sync_run(&event.sync), 0);
        if (event.kind == BF_WORKER_ENDED)
            b->ended = true;
        else
            b->counters = event.counters;
    }
}

/* Until so many parts are there, or the worker has ended. */
static void wait_for(struct bench *b, uint64_t parts)
{
    struct pollfd p = { .fd = b->wake_fd, .events = POLLIN };
    uint64_t n;

    for (take_events(b); !b->ended && b->counters.parts < parts; take_events(b)) {
        if (poll(&p, 1, DEADLINE_MS) != 1)
            fail_msg("waited for part %llu, there are %llu", (unsigned long long)parts,
                     (unsigned long long)b->counters.parts);
        assert_int_equal(read(b->wake_fd, &n, sizeof n), sizeof n);
    }
}

static void send_frames(struct bench *b, const struct frames *f, size_t from, size_t to, int64_t shift)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(
            bf_ts_write(b->writer, f->units[i].data, f->units[i].size, f->units[i].times.dts_90k + shift, f->idr[i]),
            0);
}

static const struct bf_worker_end *finish(struct bench *b)
{
    bf_worker_stop(b->worker, "stopped");
    wait_for(b, UINT64_MAX);
    return bf_worker_end(b->worker);
}

static void release(struct bench *b)
{
    bf_worker_free(b->worker);
    hang_up(b);
    close(b->wake_fd);
}

static void a_session(const struct place *p, enum bf_transport_kind kind)
{
    struct frames f = frames_make(160, 128, 72, 30);
    struct bench b;

    begin(&b, p, kind, true, 5000);
    send_frames(&b, &f, 0, 30, 900000); /* no more at once than a socket's buffer holds */
    wait_for(&b, 5);
    send_frames(&b, &f, 30, 60, 900000);
    wait_for(&b, 10);
    send_frames(&b, &f, 60, 72, 900000);
    wait_for(&b, 12);
    const struct bf_worker_end *end = finish(&b);
    assert_null(end->failure);
    assert_true(end->begun && end->closed);
    assert_int_equal(end->segments, 3);
    assert_int_equal(b.counters.packager.discontinuities, 0);

    struct bf_session_view v = judge(p);
    assert_true(v.ended);
    assert_string_equal(v.end_reason, "stopped");
    assert_int_equal(v.profile, BELFRY__V1__PROFILE__PROFILE_BALANCED);
    assert_int_equal(v.part_target_us, 216217);
    assert_int_equal(v.target_duration_s, 2);
    assert_int_equal(v.segment_us, 1000000);
    assert_int_equal(v.parts[0].capture_us, 1700000000000000); /* through SEI, TS and SRT */
    assert_int_equal(v.n_parts, 12);
    assert_memory_equal(end->chain_head, v.chain_head, 32);
    assert_int_equal(decoded_frames(p, "init.mp4", 0, 2), 72);
    bf_session_view_done(&v);
    release(&b);
    frames_free(&f);
}

static void over_udp(void **state)
{
    a_session(*state, BF_TRANSPORT_UDP);
}

static void over_srt(void **state)
{
    a_session(*state, BF_TRANSPORT_SRT);
}

/* The sender goes and comes back with another clock: one discontinuity. */
static void sender_comes_back(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 60, 30);
    struct bench b;

    uint16_t port = begin(&b, p, BF_TRANSPORT_SRT, true, 5000);
    send_frames(&b, &f, 0, 45, 0);
    wait_for(&b, 7);
    hang_up(&b);
    wait_for(&b, 8); /* what was waiting for more frames comes out */
    dial(&b, BF_TRANSPORT_SRT, port);
    send_frames(&b, &f, 0, 60, 123456789);
    wait_for(&b, 18);
    assert_null(finish(&b)->failure);
    assert_int_equal(b.counters.packager.discontinuities, 1);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_segments, 4);
    assert_true(v.segments[2].discontinuity);
    bf_session_view_done(&v);
    release(&b);
    frames_free(&f);
}

/* A camera that was killed is back before anybody has noticed that it was gone: one discontinuity as well. */
static void sender_is_replaced(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 60, 30);
    struct bench b;

    uint16_t port = begin(&b, p, BF_TRANSPORT_SRT, true, 5000);
    send_frames(&b, &f, 0, 45, 0);
    wait_for(&b, 7);
    struct bench gone = { .sender = b.sender, .writer = b.writer };
    dial_as(&b, BF_TRANSPORT_SRT, port, 1);
    wait_for(&b, 8);
    send_frames(&b, &f, 0, 60, 123456789);
    wait_for(&b, 18);
    assert_null(finish(&b)->failure);
    assert_int_equal(b.counters.packager.discontinuities, 1);
    assert_int_equal(b.counters.packager.corrupt, 0);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.n_segments, 4);
    assert_true(v.segments[2].discontinuity);
    bf_session_view_done(&v);
    hang_up(&gone);
    release(&b);
    frames_free(&f);
}

static void silence_ends_part_and_segment(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 10, 30);
    struct bench b;

    begin(&b, p, BF_TRANSPORT_UDP, true, 200);
    send_frames(&b, &f, 0, 10, 0);
    wait_for(&b, 2); /* six frames, and four that nothing followed */
    struct bf_session_view v = judge(p);
    bf_session_view_done(&v);
    assert_null(finish(&b)->failure);
    release(&b);
    frames_free(&f);
}

/* Anything on the port: the session goes on. */
static void garbage_on_the_port(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 60, 30);
    uint8_t noise[BF_DATAGRAM_SIZE];
    struct bench b;

    begin(&b, p, BF_TRANSPORT_UDP, true, 5000);
    srand(5);
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)rand();
        if (round % 2 == 0) /* the form is right, what is in it is not */
            for (size_t i = 0; i < sizeof noise; i += 188)
                noise[i] = 0x47;
        assert_int_equal(bf_transport_send(b.sender, noise, round % 3 == 0 ? 100 : sizeof noise), 0);
    }
    send_frames(&b, &f, 0, 60, 0);
    wait_for(&b, 5);
    assert_null(finish(&b)->failure);
    struct bf_session_view v = judge(p);
    assert_true(v.n_parts >= 5);
    bf_session_view_done(&v);
    release(&b);
    frames_free(&f);
}

/* Nobody said what it sends: the first GOP tells, and nothing of it is lost. */
static void foreign_source(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 132, 60);
    struct bench b;

    begin(&b, p, BF_TRANSPORT_UDP, false, 5000);
    send_frames(&b, &f, 0, 61, 555555);
    wait_for(&b, 10);
    send_frames(&b, &f, 61, 100, 555555);
    wait_for(&b, 16);
    send_frames(&b, &f, 100, 132, 555555);
    wait_for(&b, 22);
    assert_null(finish(&b)->failure);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.target_duration_s, 3); /* a GOP of two seconds, and a frame */
    assert_int_equal(v.n_segments, 3);
    assert_int_equal(v.segments[0].duration_90k, 180000);
    assert_int_equal(decoded_frames(p, "init.mp4", 0, 2), 132);
    bf_session_view_done(&v);
    release(&b);
    frames_free(&f);
}

/* Two frames are what is measured: of a sender of 25 frames a second, 80 ms. */
static void realtime_follows_the_frame_rate_that_comes(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 36, 12);
    struct bench b;

    for (size_t i = 0; i < f.n; i++)
        f.units[i].times.dts_90k = f.units[i].times.dts_90k * 6 / 5;
    begin_as(&b, p, BF_TRANSPORT_UDP, "realtime", false, 5000);
    send_frames(&b, &f, 0, 36, 555555);
    wait_for(&b, 18);
    assert_null(finish(&b)->failure);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.profile, BELFRY__V1__PROFILE__PROFILE_REALTIME);
    assert_int_equal(v.part_target_us, 86487);
    assert_int_equal(v.segment_us, 480000);
    assert_int_equal(v.target_duration_s, 1);
    assert_int_equal(v.n_segments, 3);
    for (size_t i = 0; i < v.n_parts; i++) {
        assert_int_equal(v.parts[i].frames, 2);
        assert_int_equal(v.parts[i].duration_90k, 7200);
    }
    bf_session_view_done(&v);
    release(&b);
    frames_free(&f);
}

/* Whatever is wanted after a restart: players know the constants that the session began with. */
static void a_session_that_goes_on_keeps_its_profile(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 30, 15);
    struct bf_session_dir *d = NULL;
    struct bench b;

    assert_int_equal(session_open(p, true, 0, &d), 0); /* balanced */
    bf_session_dir_free(d);
    begin_as(&b, p, BF_TRANSPORT_UDP, "realtime", true, 5000);
    send_frames(&b, &f, 0, 30, 0);
    wait_for(&b, 5);
    assert_null(finish(&b)->failure);
    struct bf_session_view v = judge(p);
    assert_int_equal(v.profile, BELFRY__V1__PROFILE__PROFILE_BALANCED);
    assert_int_equal(v.part_target_us, 216217);
    assert_int_equal(v.segment_us, 1000000);
    assert_int_equal(v.n_parts, 5);
    assert_int_equal(v.n_segments, 1); /* the IDR in its middle is half a second too early */
    bf_session_view_done(&v);
    release(&b);
    frames_free(&f);
}

static void ends_without_media(void **state)
{
    struct place *p = *state;
    struct bench b;

    begin(&b, p, BF_TRANSPORT_UDP, true, 5000);
    const struct bf_worker_end *end = finish(&b);
    assert_null(end->failure);
    assert_true(end->begun && end->closed);
    struct bf_session_view v = judge(p);
    assert_true(v.ended);
    assert_int_equal(v.n_segments, 0);
    bf_session_view_done(&v);
    release(&b);

    begin(&b, p, BF_TRANSPORT_UDP, false, 5000); /* a foreign one leaves nothing at all */
    end = finish(&b);
    assert_null(end->failure);
    assert_false(end->begun);
    release(&b);
}

static void the_same_session_twice(void **state)
{
    struct place *p = *state;
    struct bench b;

    begin(&b, p, BF_TRANSPORT_UDP, true, 5000);
    assert_null(finish(&b)->failure);
    release(&b);
    begin(&b, p, BF_TRANSPORT_UDP, true, 5000);
    wait_for(&b, UINT64_MAX);
    assert_string_equal(bf_worker_end(b.worker)->failure, "session_ended");
    assert_false(bf_worker_end(b.worker)->begun);
    release(&b);
}

static void freed_while_running(void **state)
{
    struct place *p = *state;
    struct frames f = frames_make(160, 128, 40, 30);
    struct bench b;

    begin(&b, p, BF_TRANSPORT_SRT, true, 5000);
    send_frames(&b, &f, 0, 40, 0);
    wait_for(&b, 5);
    release(&b);
    struct bf_session_view v = judge(p);
    assert_true(v.ended);
    assert_string_equal(v.end_reason, "shutdown");
    bf_session_view_done(&v);
    frames_free(&f);
}

#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_PLACE(over_udp),
        AT_PLACE(over_srt),
        AT_PLACE(sender_comes_back),
        AT_PLACE(sender_is_replaced),
        AT_PLACE(silence_ends_part_and_segment),
        AT_PLACE(garbage_on_the_port),
        AT_PLACE(foreign_source),
        AT_PLACE(realtime_follows_the_frame_rate_that_comes),
        AT_PLACE(a_session_that_goes_on_keeps_its_profile),
        AT_PLACE(ends_without_media),
        AT_PLACE(the_same_session_twice),
        AT_PLACE(freed_while_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
