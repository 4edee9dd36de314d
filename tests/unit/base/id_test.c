#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/id.h"

static void ids_are_short_and_plain(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool valid;
    } rows[] = {
        { "a", true },
        { "cam-1", true },
        { "0123456789abcdefghijklmnopqrstuv", true },
        { "-", true },
        { NULL, false },
        { "", false },
        { "0123456789abcdefghijklmnopqrstuvw", false },
        { "Cam", false },
        { "cam_1", false },
        { "cam 1", false },
        { "cam/1", false },
        { "..", false },
        { "+", false },
        { "#", false },
        { "cam\n", false },
        { "k\xc3\xbc", false },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        assert_int_equal(bf_id_valid(rows[i].id), rows[i].valid);
}

static void ulid_holds_its_time(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *start;
    } rows[] = {
        { 0, "0000000000" },
        { 1469918176385, "01ARYZ6S41" }, /* the specification's example */
        { (UINT64_C(1) << 48) - 1, "7ZZZZZZZZZ" },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        char id[BF_ULID_SIZE];
        bf_ulid_make(id, rows[i].ms);
        assert_int_equal(strlen(id), BF_ULID_LENGTH);
        assert_true(bf_ulid_valid(id));
        assert_memory_equal(id, rows[i].start, 10);
        assert_int_equal(bf_ulid_time_ms(id), rows[i].ms);
    }
}

static void ulids_differ_and_sort_by_time(void **state)
{
    (void)state;
    char earlier[BF_ULID_SIZE], later[BF_ULID_SIZE];

    for (uint64_t ms = 1700000000000; ms < 1700000001000; ms++) {
        bf_ulid_make(earlier, ms);
        bf_ulid_make(later, ms);
        assert_string_not_equal(earlier, later);
        bf_ulid_make(later, ms + 1);
        assert_true(strcmp(earlier, later) < 0);
    }
}

/* Each of the 16 random digits takes each of the 32 values: no bit of the ten random bytes is left out or stuck. */
static void ulid_uses_all_random_bits(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint32_t seen[16] = { 0 };

    for (int i = 0; i < 2000; i++) {
        char id[BF_ULID_SIZE];
        bf_ulid_make(id, 0);
        for (size_t k = 0; k < 16; k++)
            seen[k] |= 1U << (strchr(alphabet, id[10 + k]) - alphabet);
    }
    for (size_t k = 0; k < 16; k++)
        assert_int_equal(seen[k], UINT32_MAX);
}

static void ulid_form_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "01ARYZ6S41TSV4RRFFQ69G5FA",
        "01ARYZ6S41TSV4RRFFQ69G5FAVA",
        "81ARYZ6S41TSV4RRFFQ69G5FAV",
        "01aryz6s41tsv4rrffq69g5fav",
        "01ARYZ6S41TSV4RRFFQ69G5FAU",
        "01ARYZ6S41TSV4RRFFQ69G5F/V",
        "01ARYZ6S41TSV4RRFFQ69G5FAI",
        "01ARYZ6S41TSV4RRFFQ69G5FAL",
        "01ARYZ6S41TSV4RRFFQ69G5FAO",
    };

    assert_true(bf_ulid_valid("01ARYZ6S41TSV4RRFFQ69G5FAV"));
    assert_false(bf_ulid_valid(NULL));
    for (size_t i = 0; i < BF_COUNT_OF(bad); i++)
        assert_false(bf_ulid_valid(bad[i]));
}

static void random_fills_all(void **state)
{
    (void)state;
    uint8_t a[1000] = { 0 }, b[1000] = { 0 };

    assert_int_equal(bf_random(a, sizeof a), 0);
    assert_int_equal(bf_random(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 900, b + 900, 100);
    assert_int_equal(bf_random(a, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_short_and_plain),       cmocka_unit_test(ulid_holds_its_time),
        cmocka_unit_test(ulids_differ_and_sort_by_time), cmocka_unit_test(ulid_uses_all_random_bits),
        cmocka_unit_test(ulid_form_is_strict),           cmocka_unit_test(random_fills_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
