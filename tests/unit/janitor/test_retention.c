#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "janitor/retention.h"

#define DAY_MS 86400000ull
#define NOW (1000 * DAY_MS)
#define MANY 4

static const struct bf_kept kept[MANY] = {
    { .ended_at_ms = NOW - 40 * DAY_MS, .bytes = 100, .protected = true },
    { .ended_at_ms = NOW - 30 * DAY_MS, .bytes = 200 },
    { .ended_at_ms = NOW - 10 * DAY_MS, .bytes = 300 },
    { .ended_at_ms = NOW + 10 * DAY_MS, .bytes = 400 }, /* by a clock that was ahead */
};

static const struct {
    const char *what;
    struct bf_retention retention;
    bool trusted;
    size_t next;
} cases[] = {
    { "no limits", { 0, 0 }, true, MANY },
    { "young enough", { 30, 0 }, true, MANY },
    { "too old", { 29, 0 }, true, 1 },
    { "too old, but the clock is not trusted", { 29, 0 }, false, MANY },
    { "everything too old but what is protected or of the future", { 1, 0 }, true, 1 },
    { "just fits", { 0, 1000 }, true, MANY },
    { "too much: the oldest that is not protected", { 0, 999 }, true, 1 },
    { "too much needs no clock", { 0, 1 }, false, 1 },
};

static void test_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(cases); i++) {
        size_t next = bf_retention_next(&cases[i].retention, kept, MANY, NOW, cases[i].trusted);
        if (next != cases[i].next)
            fail_msg("%s: %zu, expected %zu", cases[i].what, next, cases[i].next);
    }
    assert_int_equal(bf_retention_next(&cases[7].retention, NULL, 0, NOW, true), 0);
}

/* Applied until nothing has to go: the sum fits, what is protected stays, the newest stays longest. */
static void test_rounds(void **state)
{
    (void)state;
    struct bf_kept left[MANY];
    size_t n = MANY;
    for (size_t i = 0; i < MANY; i++)
        left[i] = kept[i];
    const struct bf_retention r = { .max_bytes = 500 };
    for (size_t next; (next = bf_retention_next(&r, left, n, NOW, true)) < n; n--)
        for (size_t i = next; i + 1 < n; i++)
            left[i] = left[i + 1];
    assert_int_equal(n, 2);
    assert_true(left[0].protected);
    assert_int_equal(left[1].bytes, 400);
    assert_false(bf_retention_stuck(&r, left, n));
}

static void test_stuck(void **state)
{
    (void)state;
    const struct bf_retention r = { .max_bytes = 99 };
    assert_true(bf_retention_stuck(&r, kept, 1));
    assert_false(bf_retention_stuck(&r, kept, 2));
    assert_int_equal(bf_retention_next(&r, kept, 1, NOW, true), 1);
}

static void test_clock(void **state)
{
    (void)state;
    struct bf_clock_guard g = { 0 };
    assert_true(bf_clock_guard_check(&g, NOW, 1000, true));
    assert_true(bf_clock_guard_check(&g, NOW + 10000, 11000, true));
    assert_true(bf_clock_guard_check(&g, NOW + 20000 + BF_CLOCK_JUMP_MS, 21000, true)); /* slewed: within bounds */

    uint64_t ahead = NOW + 365 * DAY_MS;
    assert_false(bf_clock_guard_check(&g, ahead, 31000, true));
    assert_false(bf_clock_guard_check(&g, ahead + BF_CLOCK_PROBATION_MS - 1, 31000 + BF_CLOCK_PROBATION_MS - 1, true));
    assert_true(bf_clock_guard_check(&g, ahead + BF_CLOCK_PROBATION_MS, 31000 + BF_CLOCK_PROBATION_MS, true));
    assert_false(bf_clock_guard_check(&g, NOW, 32000 + BF_CLOCK_PROBATION_MS, true)); /* back again */
}

static void test_clock_without_time_server(void **state)
{
    (void)state;
    struct bf_clock_guard g = { 0 };
    assert_false(bf_clock_guard_check(&g, NOW, 1000, false));
    assert_true(bf_clock_guard_check(&g, NOW + BF_CLOCK_PROBATION_MS, 1000 + BF_CLOCK_PROBATION_MS, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_next), cmocka_unit_test(test_rounds),
                                        cmocka_unit_test(test_stuck), cmocka_unit_test(test_clock),
                                        cmocka_unit_test(test_clock_without_time_server) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
