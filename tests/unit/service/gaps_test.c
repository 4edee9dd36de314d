#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/cleanup.h"
#include "service/gaps.h"

#define HOUR_MS INT64_C(3600000)
#define NOW_MS UINT64_C(500) /* soon after the machine's start */

static struct bf_gaps gaps;

static int forget(void **state)
{
    (void)state;
    gaps = (struct bf_gaps){ .n = 0 };
    return 0;
}

static struct bf_gap_verdict judge(const char *node, int64_t ahead_ms, uint64_t now_ms)
{
    struct bf_clock_gap gap = { .ahead_ms = ahead_ms };

    snprintf(gap.node, sizeof gap.node, "%s", node);
    return bf_gaps_judge(&gaps, &gap, now_ms);
}

static void a_gap_is_told_at_once_and_then_now_and_then(void **state)
{
    (void)state;
    static const struct {
        const char *node;
        uint64_t after_ms;
        int64_t ahead_ms;
        bool report, hand_on;
    } rows[] = {
        { "cam-1", 0, HOUR_MS, true, true },
        { "cam-1", 1, HOUR_MS, false, false },
        { "cam-2", 1, HOUR_MS, true, true },
        { "cam-1", 999, -HOUR_MS, false, false },
        { "cam-1", 1000, -HOUR_MS, false, true },
        { "cam-1", 9999, -HOUR_MS, false, true },
        { "cam-1", 10000, HOUR_MS + BF_CLOCK_SKEW_MS, false, false },
        { "cam-1", 10001, HOUR_MS + BF_CLOCK_SKEW_MS + 1, true, false },
        { "cam-1", 20001, INT64_MIN, true, true },
        { "cam-1", 30001, INT64_MAX, true, true },
        { "cam-1", 90000, INT64_MAX, false, true },
        { "cam-1", 90001, INT64_MAX, true, false },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_gap_verdict v = judge(rows[i].node, rows[i].ahead_ms, NOW_MS + rows[i].after_ms);
        if (v.report != rows[i].report || v.hand_on != rows[i].hand_on)
            fail_msg("row %zu: report=%d hand_on=%d", i, v.report, v.hand_on);
    }
}

/* A sender that writes any date it likes, as fast as it can. */
static void dates_that_jump_about_do_not_flood(void **state)
{
    (void)state;
    unsigned reports = 0, handed_on = 0;

    for (uint64_t ms = 0; ms < 60000; ms += 10) {
        struct bf_gap_verdict v = judge("cam-1", (int64_t)(ms + 1) * HOUR_MS, NOW_MS + ms);
        reports += v.report;
        handed_on += v.hand_on;
    }
    assert_int_equal(reports, 6);
    assert_int_equal(handed_on, 60);
}

static void one_node_more_takes_the_place_of_the_oldest(void **state)
{
    (void)state;
    char node[16];

    for (unsigned i = 0; i <= BF_GAP_NODES; i++) {
        snprintf(node, sizeof node, "cam-%u", i);
        assert_true(judge(node, HOUR_MS, NOW_MS + i).report);
    }
    assert_int_equal(gaps.n, BF_GAP_NODES);
    assert_false(judge("cam-1", HOUR_MS, NOW_MS + BF_GAP_NODES).report);
    assert_false(judge("cam-256", HOUR_MS, NOW_MS + BF_GAP_NODES).report);
    assert_true(judge("cam-0", HOUR_MS, NOW_MS + BF_GAP_NODES).report);
}

#define TEST(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_gap_is_told_at_once_and_then_now_and_then),
        TEST(dates_that_jump_about_do_not_flood),
        TEST(one_node_more_takes_the_place_of_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
