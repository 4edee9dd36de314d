#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ingest/intake.h"

static const uint8_t bytes[16] = { 1 };

static int add(struct bf_intake *k, int64_t dts, bool idr, size_t size, uint32_t *frame, uint32_t *gop)
{
    const struct bf_access_unit au = { .data = bytes, .size = size, .times = { .dts_90k = dts, .pts_90k = dts } };

    return bf_intake_add(k, &au, idr, frame, gop);
}

static int count(void *user, const struct bf_access_unit *au)
{
    assert_memory_equal(au->data, bytes, au->size);
    assert_ptr_not_equal(au->data, bytes);
    ++*(unsigned *)user;
    return 0;
}

/* A sender that counts in milliseconds, and the same with a frame missing. */
static void rounded_timestamps_give_the_true_rate(void **state)
{
    static const struct {
        unsigned missing;
        uint32_t frame;
    } table[] = { { 99, 3000 }, { 5, 2970 } };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_intake *k = NULL;
        uint32_t frame = 0, gop = 0;
        int r = 0;

        assert_int_equal(bf_intake_new(&k), 0);
        for (unsigned n = 0; n <= 15 && r == 0; n++)
            if (n != table[i].missing)
                r = add(k, n * 1000 / 30 * 90, n % 15 == 0, 16, &frame, &gop);
        assert_int_equal(r, 1);
        assert_int_equal(gop, 45000);
        assert_int_equal(frame, table[i].frame);
        bf_intake_free(k);
    }
}

static void finds_frame_and_gop(void **state)
{
    static const struct {
        int64_t first;
        uint32_t frame;
        unsigned gop_frames, kept;
        uint32_t gop_90k;
    } table
        [] = {
            { 0, 3000, 30, 31, 90000 },
            { 12345, 3600, 25, 26, 90000 },
            { (INT64_C(1) << 33) - 9000, 3000, 30, 31, 90000 },
            { 0, 3003, 60, 61, 180180 },
            { 0, 3600, 250, 64, 0 }, /* longer than is waited: 2.5 s, then it counts as not known */
            { 0, 90000, 1, 2, 90000 },
        };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_intake *k = NULL;
        uint32_t frame = 0, gop = 77;
        unsigned n = 0, kept = 0;
        int r;

        assert_int_equal(bf_intake_new(&k), 0);
        assert_int_equal(add(k, 1, false, 16, &frame, &gop), 0); /* before the first IDR */
        do
            r = add(k, (table[i].first + (int64_t)n * table[i].frame) & ((INT64_C(1) << 33) - 1),
                    n % table[i].gop_frames == 0, 16, &frame, &gop);
        while (r == 0 && ++n < 1000);
        assert_int_equal(r, 1);
        assert_int_equal(frame, table[i].frame);
        assert_int_equal(gop, table[i].gop_90k);
        assert_int_equal(bf_intake_each(k, count, &kept), 0);
        assert_int_equal(kept, table[i].kept);
        bf_intake_free(k);
    }
}

/* A source that says no times cannot make it wait for ever. */
static void gives_up_without_timestamps(void **state)
{
    struct bf_intake *k = NULL;
    uint32_t frame = 7, gop = 77;
    unsigned n = 0;

    (void)state;
    assert_int_equal(bf_intake_new(&k), 0);
    while (add(k, INT64_MIN, n % 30 == 0, 16, &frame, &gop) == 0)
        n++;
    assert_int_equal(n, 511);
    assert_int_equal(frame, 0);
    assert_int_equal(gop, 0);
    bf_intake_free(k);
}

static void begins_again_after_a_break(void **state)
{
    struct bf_intake *k = NULL;
    uint32_t frame, gop;
    unsigned kept = 0;

    (void)state;
    assert_int_equal(bf_intake_new(&k), 0);
    assert_int_equal(add(k, 0, true, 16, &frame, &gop), 0);
    assert_int_equal(add(k, 3000, false, 16, &frame, &gop), 0);
    bf_intake_reset(k);
    assert_int_equal(add(k, 6000, false, 16, &frame, &gop), 0);
    assert_int_equal(add(k, 900000, true, 16, &frame, &gop), 0);
    assert_int_equal(add(k, 945000, true, 16, &frame, &gop), 1);
    assert_int_equal(gop, 45000);
    assert_int_equal(bf_intake_each(k, count, &kept), 0);
    assert_int_equal(kept, 2);
    bf_intake_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_frame_and_gop),
        cmocka_unit_test(rounded_timestamps_give_the_true_rate),
        cmocka_unit_test(gives_up_without_timestamps),
        cmocka_unit_test(begins_again_after_a_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
