#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ingest/timeline.h"

#define NONE INT64_MIN
#define TOP (INT64_C(1) << 33)
#define DROPPED (-1)

struct step {
    int64_t pts, dts; /* as received */
    bool idr;
    int64_t out_dts;   /* DROPPED: refused */
    int64_t out_delay; /* pts - dts */
    bool discontinuity;
};

static void walk(struct bf_timeline *t, const struct step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        const struct bf_au_times au = { .pts_90k = s->pts, .dts_90k = s->dts, .arrival_us = 1 };
        struct bf_timing timing;

        bool taken = bf_timeline_next(t, &au, s->idr, &timing);
        if (taken != (s->out_dts != DROPPED))
            fail_msg("step %zu: taken %d", i, taken);
        if (!taken)
            continue;
        if (timing.dts_90k != s->out_dts || timing.pts_90k - timing.dts_90k != s->out_delay ||
            timing.discontinuity != s->discontinuity)
            fail_msg("step %zu: dts %lld, delay %lld, discontinuity %d", i, (long long)timing.dts_90k,
                     (long long)(timing.pts_90k - timing.dts_90k), timing.discontinuity);
    }
}

#define WALK(steps) walk(&t, steps, BF_COUNT_OF(steps))

static void begins_with_an_idr(void **state)
{
    static const struct step steps[] = {
        { 5000, 5000, false, DROPPED, 0, false }, { 8000, 8000, false, DROPPED, 0, false },
        { 11000, 11000, true, 0, 0, false },      { 14000, 14000, false, 3000, 0, false },
        { 17000, 17000, true, 6000, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void wraps_at_33_bits(void **state)
{
    static const struct step steps[] = {
        { TOP - 4000, TOP - 4000, true, 0, 0, false }, { TOP - 1000, TOP - 1000, false, 3000, 0, false },
        { 2000, 2000, false, 6000, 0, false },         { 5000, 5000, true, 9000, 0, false },
        { 8000, 8000, false, 12000, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

/* Three days of one frame a second: three wraps, and never a break. */
static void wraps_again_and_again(void **state)
{
    struct bf_timeline t;
    struct bf_timing timing;

    (void)state;
    bf_timeline_init(&t, 90000, 0, false);
    for (int64_t i = 0; i < 3 * 86400; i++) {
        int64_t raw = (TOP - 90001 + i * 90000) & (TOP - 1);
        const struct bf_au_times au = { .pts_90k = raw, .dts_90k = raw };

        assert_true(bf_timeline_next(&t, &au, i % 10 == 0, &timing));
        assert_false(timing.discontinuity);
        assert_int_equal(timing.dts_90k, i * 90000);
    }
}

static void jump_forward_is_a_discontinuity_at_the_next_idr(void **state)
{
    static const struct step steps[] = {
        { 0, 0, true, 0, 0, false },
        { 3000, 3000, false, 3000, 0, false },
        { 900000, 900000, false, DROPPED, 0, false },
        { 903000, 903000, false, DROPPED, 0, false },
        { 906000, 906000, true, 6000, 0, true }, /* right behind the last frame */
        { 909000, 909000, false, 9000, 0, false },
        { 912000, 912000, true, 12000, 0, false }, /* told once */
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void jump_back_is_a_discontinuity(void **state)
{
    static const struct step steps[] = {
        { 900000, 900000, true, 0, 0, false },
        { 903000, 903000, false, 3000, 0, false },
        { 100, 100, true, 6000, 0, true }, /* the sender has started again, with an IDR */
        { 3100, 3100, false, 9000, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void gaps_up_to_the_threshold_are_kept(void **state)
{
    static const struct step steps[] = {
        { 0, 0, true, 0, 0, false },
        { 90000, 90000, false, 90000, 0, false }, /* one second late: late, not wrong */
        { 180001, 180001, false, DROPPED, 0, false },
        { 180100, 180100, true, 93000, 0, true },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void threshold_grows_with_the_frame(void **state)
{
    static const struct step steps[] = {
        { 0, 0, true, 0, 0, false },
        { 180000, 180000, false, 180000, 0, false }, /* one frame in two seconds */
        { 540000, 540000, false, 540000, 0, false }, /* one left out */
        { 1260000, 1260000, true, 720000, 0, true }, /* more than three */
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 180000, 0, false);
    WALK(steps);
}

static void equal_and_slightly_earlier_times_move_up(void **state)
{
    static const struct step steps[] = {
        { 0, 0, true, 0, 0, false },           { 3000, 3000, false, 3000, 0, false },
        { 3000, 3000, false, 3001, 0, false }, /* the same again */
        { 2000, 2000, false, 3002, 0, false }, /* earlier */
        { 6000, 6000, false, 6000, 0, false }, /* nothing is left of it */
        { 9000, 9000, false, 9000, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void jitter_is_kept(void **state)
{
    static const struct step steps[] = {
        { 0, 0, true, 0, 0, false },
        { 3400, 3400, false, 3400, 0, false },
        { 5700, 5700, false, 5700, 0, false },
        { 9900, 9900, false, 9900, 0, false },
        { 12000, 12000, false, 12000, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void missing_timestamps(void **state)
{
    static const struct step steps[] = {
        { 0, 0, true, 0, 0, false },
        { NONE, NONE, false, 3000, 0, false },
        { NONE, 6000, false, 6000, 0, false },
        { 9100, NONE, false, 9100, 0, false },
        { NONE, NONE, false, 12100, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void presentation_behind_decoding(void **state)
{
    static const struct step steps[] = {
        { 6000, 0, true, 0, 6000, false },
        { 12000, 3000, false, 3000, 9000, false },
        { 6000, 6000, false, 6000, 0, false },
        { TOP - 1, 9000, false, 9000, 0, false },         /* before decoding: not believed */
        { 12000 + 90001, 12000, false, 12000, 0, false }, /* too far behind: not believed */
        { 15000 + 90000, 15000, false, 15000, 90000, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    WALK(steps);
}

static void goes_on_behind_what_was_there(void **state)
{
    static const struct step steps[] = {
        { 100, 100, false, DROPPED, 0, false },
        { 3100, 3100, true, 123456, 0, true },
        { 6100, 6100, false, 126456, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 123456, true);
    WALK(steps);
}

static void break_waits_for_an_idr(void **state)
{
    static const struct step before[] = { { 0, 0, true, 0, 0, false }, { 3000, 3000, false, 3000, 0, false } };
    static const struct step after[] = {
        { 6000, 6000, false, DROPPED, 0, false },
        { 9000, 9000, true, 6000, 0, true },
        { 12000, 12000, false, 9000, 0, false },
    };
    struct bf_timeline t;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    bf_timeline_break(&t); /* before anything came it means nothing */
    WALK(before);
    bf_timeline_break(&t);
    bf_timeline_break(&t);
    WALK(after);
}

static void measures_the_frame(void **state)
{
    struct bf_timeline t;
    struct bf_timing timing;

    (void)state;
    bf_timeline_init(&t, 3000, 0, false);
    for (int64_t i = 0; i < 30; i++) {
        const struct bf_au_times au = { .pts_90k = i * 3600, .dts_90k = i * 3600 }; /* 25, not 30 frames a second */

        assert_true(bf_timeline_next(&t, &au, i == 0, &timing));
    }
    assert_int_equal(t.frame_90k, 3600);

    bf_timeline_init(&t, 3000, 0, false);
    for (int64_t i = 0; i < 30; i++) {
        int64_t jitter = i % 3 == 0 ? 100 : i % 3 == 1 ? -90 : 20;
        const struct bf_au_times au = { .pts_90k = i * 3000 + 100 + jitter, .dts_90k = i * 3000 + 100 + jitter };

        assert_true(bf_timeline_next(&t, &au, i == 0, &timing));
    }
    assert_int_equal(t.frame_90k, 3000); /* what was stated holds */
}

static void capture_time(void **state)
{
    static const struct {
        uint64_t sent, expected;
    } table[] = {
        { 0, 1700000000000000 },
        { 1699999999900000, 1699999999900000 },
        { 1, 1 }, /* a clock that was not set: the sender's word all the same */
        { UINT64_C(4102444800000001), 1700000000000000 },
        { UINT64_MAX, 1700000000000000 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        const struct bf_au_times au = { .capture_us = table[i].sent, .arrival_us = 1700000000000000 };
        struct bf_timeline t;
        struct bf_timing timing;

        bf_timeline_init(&t, 3000, 0, false);
        assert_true(bf_timeline_next(&t, &au, true, &timing));
        assert_int_equal(timing.capture_us, table[i].expected);
    }
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(bf_distance_33(0, 1), 1);
    assert_int_equal(bf_distance_33(1, 0), -1);
    assert_int_equal(bf_distance_33(TOP - 1, 0), 1);
    assert_int_equal(bf_distance_33(0, TOP - 1), -1);
    assert_int_equal(bf_distance_33(0, TOP / 2 - 1), TOP / 2 - 1);
    assert_int_equal(bf_distance_33(0, TOP / 2), -TOP / 2);
    assert_int_equal(bf_distance_33(5 * TOP + 7, 9), 2); /* an unwrapped time against a received one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_an_idr),
        cmocka_unit_test(wraps_at_33_bits),
        cmocka_unit_test(wraps_again_and_again),
        cmocka_unit_test(jump_forward_is_a_discontinuity_at_the_next_idr),
        cmocka_unit_test(jump_back_is_a_discontinuity),
        cmocka_unit_test(gaps_up_to_the_threshold_are_kept),
        cmocka_unit_test(threshold_grows_with_the_frame),
        cmocka_unit_test(equal_and_slightly_earlier_times_move_up),
        cmocka_unit_test(jitter_is_kept),
        cmocka_unit_test(missing_timestamps),
        cmocka_unit_test(presentation_behind_decoding),
        cmocka_unit_test(goes_on_behind_what_was_there),
        cmocka_unit_test(break_waits_for_an_idr),
        cmocka_unit_test(measures_the_frame),
        cmocka_unit_test(capture_time),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
