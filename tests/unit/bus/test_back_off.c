/* Pauses between attempts to reach the broker: within their bounds for every outcome of the dice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/back_off.h"

static uint64_t longest(const struct bf_back_off *b, uint64_t floor_ms, uint64_t max_ms)
{
    return bf_back_off_ms(b, floor_ms, max_ms, UINT32_MAX);
}

static void test_between_floor_and_ceiling(void **state)
{
    struct bf_back_off b = { 0 };

    (void)state;
    for (unsigned n = 0; n < 100; n++) {
        bf_back_off_failed(&b, false, false);
        assert_int_equal(bf_back_off_ms(&b, 100, 0, 0), 100);
        assert_int_equal(longest(&b, 100, 0), n < 5 ? 2000u << n : 60000u);
    }
    assert_int_equal(bf_back_off_ms(&b, 100, 0, UINT32_MAX / 2), 30049);
}

/* The broker was away for however long: who must renew a lease is back within its share of it. */
static void test_never_outlasts_its_share_of_the_lease(void **state)
{
    static const uint64_t leases_ms[] = { 1000, 3000, 10000, 30000, 600000 };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(leases_ms); i++) {
        struct bf_back_off b = { 0 };

        for (unsigned n = 0; n < 1000; n++) {
            uint64_t share = leases_ms[i] / 6;

            bf_back_off_failed(&b, n == 0, true); /* a steady one is lost, then nothing answers */
            assert_true(longest(&b, 100, share) <= leases_ms[i] / 3);
            assert_true(longest(&b, 100, share) <= BF_BACK_OFF_MAX_MS);
            assert_true(bf_back_off_ms(&b, 100, share, 0) == 100);
        }
    }
}

static void test_the_floor_holds(void **state)
{
    const struct bf_back_off b = { .failures = 3 };

    (void)state;
    assert_int_equal(longest(&b, 1000, 166), 1000);
    assert_int_equal(bf_back_off_ms(&b, 1000, 166, 0), 1000);
}

/* Somebody who takes this node's place again and again is not answered in kind. */
static void test_brief_connections_make_it_slow(void **state)
{
    struct bf_back_off b = { 0 };

    (void)state;
    for (unsigned n = 1; n <= BF_BACK_OFF_BRIEF_MAX; n++) {
        bf_back_off_failed(&b, true, false);
        assert_int_equal(longest(&b, 100, 1600), 1600);
    }
    for (unsigned n = 0; n < 10; n++)
        bf_back_off_failed(&b, true, false);
    assert_int_equal(longest(&b, 100, 1600), 60000);
    bf_back_off_failed(&b, false, false); /* a failed attempt in between changes nothing */
    assert_int_equal(longest(&b, 100, 1600), 60000);
    bf_back_off_failed(&b, true, true);
    assert_int_equal(longest(&b, 100, 1600), 1600);
    assert_int_equal(b.failures, 1);
    assert_int_equal(b.brief, 0);
}

/* A publication of this very turn of the loop is later than the loop's time. */
static void test_silence_is_never_below_zero(void **state)
{
    static const struct {
        uint64_t now_ms, heard_at_ms, asked_at_ms, expected_ms;
    } rows[] = {
        { 9000, 4000, 3000, 5000 }, { 9000, 4000, 6000, 3000 }, { 9000, 4000, 9000, 0 },
        { 9000, 4000, 9003, 0 },    { 9000, 9001, 4000, 0 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        assert_int_equal(bf_silence_ms(rows[i].now_ms, rows[i].heard_at_ms, rows[i].asked_at_ms), rows[i].expected_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between_floor_and_ceiling),
        cmocka_unit_test(test_never_outlasts_its_share_of_the_lease),
        cmocka_unit_test(test_the_floor_holds),
        cmocka_unit_test(test_brief_connections_make_it_slow),
        cmocka_unit_test(test_silence_is_never_below_zero),
    };

    return cmocka_run_group_tests_name("back_off", tests, NULL, NULL);
}
