#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ingest/segmenter.h"
#include "stream/profile.h"

/* ---- the constants ---- */

static void shapes(void **state)
{
    static const struct {
        uint32_t part_ms, segment_ms, gop_ms, frame_90k;
        uint32_t part_90k, part_target_us, segment_90k, segment_us, target_duration_s;
    } table[] = {
        { 200, 1000, 1000, 3000, 18000, 216217, 78750, 1000000, 2 }, /* 30 frames a second */
        { 200, 1000, 500, 3000, 18000, 216217, 78750, 1000000, 2 },
        { 200, 1000, 2000, 3000, 18000, 216217, 157500, 2000000, 3 }, /* the GOP is the segment */
        { 200, 1000, 700, 3000, 18000, 216217, 55125, 700000, 2 },    /* one is nearer than two */
        { 200, 1000, 990, 3000, 18000, 216217, 78750, 1000000, 2 },   /* measured a little off: 30 frames */
        { 200, 2000, 1000, 3000, 18000, 216217, 157500, 2000000, 3 },
        { 200, 500, 500, 3000, 18000, 216217, 39375, 500000, 1 },
        { 200, 10000, 10000, 3000, 18000, 216217, 787500, 10000000, 11 },
        { 200, 1000, 0, 3000, 18000, 216217, 88500, 10000000, 10 },   /* a GOP that is not known */
        { 200, 1000, 1000, 1500, 18000, 216217, 78750, 1000000, 2 },  /* 60 */
        { 200, 1000, 1000, 3600, 18000, 216217, 78750, 1000000, 2 },  /* 25 */
        { 200, 1000, 1000, 3750, 18750, 225226, 78750, 1000000, 2 },  /* 24: five frames are nearest */
        { 200, 1000, 1001, 3003, 18018, 216433, 78829, 1001000, 2 },  /* 29.97 */
        { 80, 500, 480, 3600, 7200, 86487, 37800, 480000, 1 },        /* 25: twelve frames within half a second */
        { 67, 500, 500, 3000, 6000, 72073, 39375, 500000, 1 },        /* two frames */
        { 33, 1000, 1000, 3000, 3000, 36037, 78750, 1000000, 2 },     /* one */
        { 200, 1000, 1000, 22500, 22500, 270271, 78750, 1000000, 2 }, /* 4: no part is shorter than a frame */
        { 200, 1000, 1000, 90000, 90000, 1081082, 45000, 1000000, 2 },
        { 667, 500, 333, 30000, 60000, 720721, 45000, 666666, 1 }, /* 3: no part is longer than the segment */
        { 2000, 500, 1000, 90000, 90000, 1081082, 45000, 1000000, 2 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_shape s;

        bf_shape_of(&s, table[i].part_ms, table[i].segment_ms, table[i].gop_ms * 90, table[i].frame_90k);
        if (s.part_90k != table[i].part_90k || s.part_target_us != table[i].part_target_us ||
            s.segment_90k != table[i].segment_90k || s.segment_us != table[i].segment_us ||
            s.target_duration_s != table[i].target_duration_s)
            fail_msg("row %zu: part %u, target %u us, segment %u, %u us, at most %u s", i, s.part_90k, s.part_target_us,
                     s.segment_90k, s.segment_us, s.target_duration_s);
        assert_true(s.part_min_90k < s.part_90k && s.part_90k < s.part_target_90k);
        assert_true((uint64_t)s.part_min_90k * 10000 >= (uint64_t)s.part_target_us * 9 * 85); /* really 85 % */
        assert_true((uint64_t)s.part_target_90k * 100 <= (uint64_t)s.part_target_us * 9);
    }
}

static void kept_constants_rule_parts_and_segments(void **state)
{
    struct bf_shape s;

    (void)state;
    bf_shape_of(&s, 200, 2000, 180000, 3000);
    bf_shape_keep(&s, 150000, 4, 1000000);
    assert_int_equal(s.part_target_90k, 13500);
    assert_int_equal(s.part_90k, 12487); /* the middle of what is allowed */
    assert_int_equal(s.target_duration_s, 4);
    assert_int_equal(s.segment_us, 1000000);
    assert_int_equal(s.segment_max_90k, 4 * 90000 + 44999);

    bf_shape_of(&s, 200, 1000, 90000, 3000);
    struct bf_shape same = s;
    bf_shape_keep(&same, s.part_target_us, s.target_duration_s, s.segment_us);
    assert_memory_equal(&same, &s, sizeof s);
}

/* ---- cutting ---- */

struct totals {
    unsigned segments, parts, short_parts, long_parts, independent_parts, forced;
    uint64_t longest_segment_90k, sum_90k;
    unsigned shortest_frames, most_frames;
};

struct cutter {
    struct bf_segmenter s;
    uint32_t frame_90k;
    struct totals t;
    unsigned frames; /* in the open part */
    bool independent;
    int64_t start_90k, last_90k;
    uint64_t segment_90k;
    uint32_t previous_90k; /* duration of the part that was closed last, 0 at a segment's start */
    bool previous_independent;
};

/* What a checker of rfc8216bis 4.4.4.9 says: too short is a part that is neither the last of its segment nor
 * independent. */
static void judge_previous(struct cutter *c, bool last_of_segment)
{
    if (c->previous_90k != 0 && !last_of_segment && !c->previous_independent &&
        (uint64_t)c->previous_90k * 10000 < (uint64_t)c->s.shape.part_target_us * 9 * 85)
        c->t.short_parts++;
    c->previous_90k = 0;
}

static void close_part(struct cutter *c, uint32_t last_90k)
{
    judge_previous(c, false);
    c->previous_90k = (uint32_t)(c->last_90k - c->start_90k) + last_90k;
    c->previous_independent = c->independent;
    c->segment_90k += c->previous_90k;
    c->t.sum_90k += c->previous_90k;
    c->t.parts++;
    c->t.independent_parts += c->independent;
    c->t.long_parts += (uint64_t)c->previous_90k * 100 > (uint64_t)c->s.shape.part_target_us * 9;
    if (c->t.shortest_frames == 0 || c->frames < c->t.shortest_frames)
        c->t.shortest_frames = c->frames;
    if (c->frames > c->t.most_frames)
        c->t.most_frames = c->frames;
    c->frames = 0;
}

static void end_segment(struct cutter *c)
{
    judge_previous(c, true);
    if (c->segment_90k > c->t.longest_segment_90k)
        c->t.longest_segment_90k = c->segment_90k;
    c->segment_90k = 0;
    c->t.segments++;
}

static void feed(struct cutter *c, int64_t dts, bool idr, bool discontinuity)
{
    struct bf_cut cut = bf_segmenter_next(&c->s, dts, idr, discontinuity, c->frame_90k);

    if (cut.part_before)
        close_part(c, cut.before_last_90k);
    if (cut.segment_before)
        end_segment(c);
    c->t.forced += cut.forced;
    if (c->frames++ == 0) {
        c->start_90k = dts;
        c->independent = idr;
    }
    c->last_90k = dts;
    if (cut.part_after)
        close_part(c, cut.after_last_90k);
}

static void finish(struct cutter *c)
{
    uint32_t last = bf_segmenter_end(&c->s, c->frame_90k);

    if (c->frames > 0)
        close_part(c, last);
    end_segment(c);
}

static void begin(struct cutter *c, uint32_t part_ms, uint32_t segment_ms, uint32_t gop_ms, uint32_t frame_90k)
{
    struct bf_shape shape;

    *c = (struct cutter){ .frame_90k = frame_90k };
    bf_shape_of(&shape, part_ms, segment_ms, gop_ms * 90, frame_90k);
    bf_segmenter_init(&c->s, &shape);
}

/* Steady streams: so many segments and parts, every part within 85 % and 100 % of PART-TARGET, none forced. */
static void steady(void **state)
{
    static const struct {
        uint32_t part_ms, segment_ms, frame_90k;
        unsigned gop_frames, frames, segments, parts, frames_a_part;
    } table[] = {
        { 200, 1000, 3000, 30, 300, 10, 50, 6 },
        { 200, 1000, 3000, 15, 300, 10, 50, 6 }, /* an IDR inside a segment: no shorter part before it */
        { 200, 2000, 3000, 30, 300, 5, 50, 6 },
        { 100, 1000, 3000, 30, 300, 10, 100, 3 },
        { 200, 1000, 3600, 25, 250, 10, 50, 5 },
        { 200, 1000, 1500, 60, 600, 10, 50, 12 },
        { 200, 1000, 22500, 4, 40, 10, 40, 1 },
        { 33, 1000, 3000, 30, 90, 3, 90, 1 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct cutter c;

        begin(&c, table[i].part_ms, table[i].segment_ms, table[i].gop_frames * table[i].frame_90k / 90,
              table[i].frame_90k);
        for (unsigned n = 0; n < table[i].frames; n++)
            feed(&c, (int64_t)n * table[i].frame_90k, n % table[i].gop_frames == 0, false);
        finish(&c);
        if (c.t.segments != table[i].segments || c.t.parts != table[i].parts)
            fail_msg("row %zu: %u segments, %u parts", i, c.t.segments, c.t.parts);
        assert_int_equal(c.t.shortest_frames, table[i].frames_a_part);
        assert_int_equal(c.t.most_frames, table[i].frames_a_part);
        assert_int_equal(c.t.short_parts, 0);
        assert_int_equal(c.t.long_parts, 0);
        assert_int_equal(c.t.forced, 0);
    }
}

/* A sensor's clock shakes by up to a tenth of a frame: still nothing that a player would refuse. */
static void shaking(void **state)
{
    static const uint32_t part_ms[] = { 100, 200, 333, 500 };

    (void)state;
    srand(7);
    for (size_t i = 0; i < BF_COUNT_OF(part_ms); i++) {
        struct cutter c;

        begin(&c, part_ms[i], 1000, 1000, 3000);
        for (int n = 0; n < 3000; n++)
            feed(&c, n * 3000 + rand() % 600 - 300, n % 30 == 0, false);
        finish(&c);
        assert_int_equal(c.t.segments, 100);
        assert_int_equal(c.t.short_parts, 0);
        assert_int_equal(c.t.long_parts, 0);
        assert_int_equal(c.t.forced, 0);
        assert_true(c.t.longest_segment_90k <= c.s.shape.segment_max_90k);
    }
}

/* ---- the profiles, at every frame rate, for minutes, with a clock that shakes and a rate that is a little off ---- */

struct long_run {
    uint32_t fps;
    Belfry__V1__Profile profile;
    int off_permille; /* of a frame: how much longer the source's frames really are */
    int shake_permille;
};

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Feeds `frames` frames; returns how far, at most, the sum of what the parts say they last is off the clock. */
static uint64_t run_long(struct cutter *c, const struct long_run *l, unsigned frames)
{
    const struct bf_profile *profile = bf_profile_of(l->profile);
    uint32_t frame_90k = 90000 / l->fps, gop = bf_gop_frames(profile->segment_ms, l->fps);
    int64_t real = frame_90k * INT64_C(1000) + (int64_t)frame_90k * l->off_permille;
    int shake = (int)frame_90k * l->shake_permille / 1000;
    uint64_t worst_90k = 0;
    struct bf_shape shape;

    *c = (struct cutter){ .frame_90k = frame_90k };
    bf_shape_of(&shape, bf_profile_part_ms(profile, l->fps), profile->segment_ms, gop * frame_90k, frame_90k);
    bf_segmenter_init(&c->s, &shape);
    for (unsigned n = 0; n < frames; n++) {
        int64_t dts = n * real / 1000 + (shake > 0 ? rand() % (2 * shake) : 0);
        unsigned parts = c->t.parts;

        feed(c, dts, n % gop == 0, false);
        if (c->t.parts == parts)
            continue;
        uint64_t off = distance(c->t.sum_90k, (uint64_t)((n + (c->frames == 0)) * real / 1000));
        worst_90k = off > worst_90k ? off : worst_90k;
    }
    finish(c);
    return worst_90k;
}

static void check_long(const struct long_run *l)
{
    const struct bf_profile *profile = bf_profile_of(l->profile);
    unsigned gop = bf_gop_frames(profile->segment_ms, l->fps), gops = 120;
    struct cutter c;

    uint64_t off_90k = run_long(&c, l, gops * gop);
    uint64_t whole = (uint64_t)c.s.shape.segment_us * 9 / 100;
    unsigned a_segment = (unsigned)((whole + 45000 / l->fps) / (gop * (90000 / l->fps)));

    if (c.t.short_parts != 0 || c.t.long_parts != 0 || c.t.forced != 0 || c.t.segments != gops / a_segment)
        fail_msg("%s, %u fps, %d off, %d shaking: %u short, %u long, %u forced, %u segments", profile->name, l->fps,
                 l->off_permille, l->shake_permille, c.t.short_parts, c.t.long_parts, c.t.forced, c.t.segments);
    if (off_90k > c.s.shape.part_target_90k)
        fail_msg("%s, %u fps, %d off, %d shaking: told %u ticks off", profile->name, l->fps, l->off_permille,
                 l->shake_permille, (unsigned)off_90k);
    assert_true(c.t.longest_segment_90k <= c.s.shape.segment_max_90k);
}

static void profiles_hold_for_every_frame_rate(void **state)
{
    static const int off[] = { 0, -50, -1, 1, 50 }, shake[] = { 0, 1, 20, 100 };

    (void)state;
    srand(23);
    for (uint32_t fps = 1; fps <= 120; fps++)
        for (int p = BELFRY__V1__PROFILE__PROFILE_REALTIME; p <= BELFRY__V1__PROFILE__PROFILE_ECONOMY; p++)
            for (size_t i = 0; i < BF_COUNT_OF(off) * BF_COUNT_OF(shake); i++)
                check_long(&(struct long_run){ fps, (Belfry__V1__Profile)p, off[i % BF_COUNT_OF(off)],
                                               shake[i / BF_COUNT_OF(off)] });
}

/* No rhythm at all: PART-TARGET and TARGETDURATION hold whatever comes. */
static void chaos(void **state)
{
    (void)state;
    srand(11);
    for (int round = 0; round < 200; round++) {
        struct cutter c;
        int64_t dts = 0;

        begin(&c, 50 + (uint32_t)(rand() % 400), 500 + (uint32_t)(rand() % 3000), (uint32_t)(rand() % 3000), 3000);
        for (int n = 0; n < 500; n++) {
            feed(&c, dts, n == 0 || rand() % 40 == 0, rand() % 100 == 0);
            dts += 1 + rand() % (rand() % 20 == 0 ? 90000 : 6000);
        }
        finish(&c);
        assert_int_equal(c.t.long_parts, 0);
        assert_true(c.t.longest_segment_90k <= c.s.shape.segment_max_90k);
    }
}

static void late_frame_closes_the_part_before_it(void **state)
{
    struct cutter c;

    (void)state;
    begin(&c, 200, 1000, 1000, 3000);
    feed(&c, 0, true, false);
    feed(&c, 3000, false, false);
    struct bf_cut cut = bf_segmenter_next(&c.s, 30000, false, false, 3000);
    assert_true(cut.part_before);
    assert_int_equal(cut.before_last_90k, c.s.shape.part_target_90k - 3000); /* as long as a part may be */
    assert_false(cut.segment_before);
    assert_false(cut.part_after);
}

static void idr_begins_a_segment_a_little_early(void **state)
{
    static const struct {
        int64_t idr_at;
        bool segment;
    } table[] = { { 78749, false }, { 78750, true }, { 90000, true } };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct cutter c;

        begin(&c, 200, 1000, 1000, 3000);
        for (int64_t n = 0; n < 26; n++)
            feed(&c, n * 3000, n == 0, false);
        struct bf_cut cut = bf_segmenter_next(&c.s, table[i].idr_at, true, false, 3000);
        assert_int_equal(cut.segment_before, table[i].segment);
        assert_int_equal(cut.part_before, table[i].segment); /* two frames are no whole part: the IDR goes into it */
    }
}

static void idr_in_a_segment_begins_a_part_if_that_may_end(void **state)
{
    struct bf_segmenter s;
    struct bf_shape shape;

    (void)state;
    bf_shape_of(&shape, 200, 2000, 90000, 3000);
    shape.part_90k = 19500; /* so that a part of six frames stays open */
    bf_segmenter_init(&s, &shape);
    for (int64_t n = 0; n < 6; n++)
        bf_segmenter_next(&s, n * 3000, n == 0, false, 3000);
    struct bf_cut cut = bf_segmenter_next(&s, 18000, true, false, 3000);
    assert_true(cut.part_before);
    assert_int_equal(cut.before_last_90k, 3000);
    assert_false(cut.segment_before);
}

/* IDRs much further apart than was said: segments are cut without one, and the next IDR begins a new one. */
static void forced_cut(void **state)
{
    struct cutter c;

    (void)state;
    begin(&c, 200, 1000, 1000, 3000);
    for (int n = 0; n < 600; n++)
        feed(&c, n * 3000, n % 200 == 0, false);
    finish(&c);
    assert_true(c.t.longest_segment_90k <= c.s.shape.segment_max_90k);
    assert_int_equal(c.t.forced, 6); /* GOPs of 6.67 s in pieces of at most 2.49 s */
    assert_int_equal(c.t.segments, 9);
    assert_int_equal(c.t.independent_parts, 3);
    assert_int_equal(c.t.short_parts, 0);
}

static void discontinuity_ends_part_and_segment(void **state)
{
    struct cutter c;

    (void)state;
    begin(&c, 200, 1000, 1000, 3000);
    for (int64_t n = 0; n < 9; n++)
        feed(&c, n * 3000, n == 0, false);
    struct bf_cut cut = bf_segmenter_next(&c.s, 27000, true, true, 3000);
    assert_true(cut.part_before);
    assert_int_equal(cut.before_last_90k, 3000);
    assert_true(cut.segment_before);
    assert_false(cut.forced);
}

static void ends_only_what_is_open(void **state)
{
    struct cutter c;

    (void)state;
    begin(&c, 200, 1000, 1000, 3000);
    assert_int_equal(bf_segmenter_end(&c.s, 3000), 0);
    for (int64_t n = 0; n < 8; n++)
        feed(&c, n * 3000, n == 0, false);
    assert_int_equal(bf_segmenter_end(&c.s, 3000), 3000);
    assert_int_equal(bf_segmenter_end(&c.s, 3000), 0);
    struct bf_cut cut = bf_segmenter_next(&c.s, 24000, true, true, 3000);
    assert_false(cut.part_before);
    assert_false(cut.segment_before); /* it has ended already */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(kept_constants_rule_parts_and_segments),
        cmocka_unit_test(steady),
        cmocka_unit_test(shaking),
        cmocka_unit_test(profiles_hold_for_every_frame_rate),
        cmocka_unit_test(chaos),
        cmocka_unit_test(late_frame_closes_the_part_before_it),
        cmocka_unit_test(idr_begins_a_segment_a_little_early),
        cmocka_unit_test(idr_in_a_segment_begins_a_part_if_that_may_end),
        cmocka_unit_test(forced_cut),
        cmocka_unit_test(discontinuity_ends_part_and_segment),
        cmocka_unit_test(ends_only_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
