#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ingest/references.h"

#define WHOLE BF_REFERENCE_WHOLE
#define MISSING BF_REFERENCE_MISSING
#define PAST BF_REFERENCE_PAST
enum { IDR = 5, P = 0x41, B = 0x01 }; /* NAL headers: B is referred to by nobody */

struct picture {
    unsigned header, frame_num; /* 0 .. 15 */
    bool goes_back;
    enum bf_reference expected;
};

static void walk(const struct picture *list, size_t n, bool gaps_allowed)
{
    const struct bf_sps sps = { .frame_num_bits = 4, .frame_num_gaps = gaps_allowed };
    struct bf_references r = { 0 };

    for (size_t i = 0; i < n; i++) {
        /* ue(0), ue(0), ue(0), four bits of frame_num: seven bits and one more */
        const uint8_t nal[] = { (uint8_t)list[i].header, (uint8_t)(0xe0 | list[i].frame_num << 1), 0x80 };
        const struct bf_au au = { .idr = list[i].header == IDR,
                                  .has_slice = true,
                                  .slice = { .data = nal, .size = sizeof nal, .type = nal[0] & 0x1f } };

        assert_int_equal(bf_references_next(&r, &sps, &au, list[i].goes_back), list[i].expected);
    }
}

#define WALK(list, gaps_allowed) walk(list, BF_COUNT_OF(list), gaps_allowed)

static void whole_streams(void **state)
{
    static const struct picture with_b[] = {
        { IDR, 0, false, WHOLE }, { P, 1, false, WHOLE }, { B, 2, false, WHOLE },   { B, 2, false, WHOLE },
        { P, 2, false, WHOLE },   { P, 3, false, WHOLE }, { IDR, 0, false, WHOLE }, { P, 1, false, WHOLE },
    };
    struct picture wraps[40] = { { IDR, 0, false, WHOLE } };

    (void)state;
    for (unsigned i = 1; i < BF_COUNT_OF(wraps); i++)
        wraps[i] = (struct picture){ P, i % 16, false, WHOLE };
    WALK(with_b, false);
    WALK(wraps, false);
}

static void one_is_missing(void **state)
{
    static const struct picture of_the_middle[] = {
        { IDR, 0, false, WHOLE }, { P, 1, false, WHOLE },   { P, 3, false, MISSING },
        { P, 4, false, MISSING }, { IDR, 0, false, WHOLE }, { P, 1, false, WHOLE },
    };
    static const struct picture of_the_idr[] = {
        { IDR, 0, false, WHOLE },
        { P, 1, false, WHOLE },
        { P, 2, false, WHOLE },
        { P, 1, false, MISSING },
    };
    static const struct picture that_nobody_needs[] = {
        { IDR, 0, false, WHOLE }, { P, 1, false, WHOLE }, { P, 2, false, WHOLE }, /* a B of number 2 was lost */
    };
    static const struct picture on_purpose[] = {
        { IDR, 0, false, WHOLE },
        { P, 1, false, WHOLE },
        { P, 5, false, WHOLE },
    };

    (void)state;
    WALK(of_the_middle, false);
    WALK(of_the_idr, false);
    WALK(that_nobody_needs, false);
    WALK(on_purpose, true);
}

static void late_and_repeated(void **state)
{
    static const struct picture list[] = {
        { IDR, 0, false, WHOLE }, { P, 1, false, WHOLE }, { P, 1, true, PAST },    { P, 2, false, WHOLE },
        { P, 4, false, MISSING }, { P, 3, true, PAST },   { P, 5, true, MISSING }, /* the clock shakes: it is the next one nevertheless */
        { P, 6, false, MISSING },
    };

    (void)state;
    WALK(list, false);
}

static void cut_off(void **state)
{
    const struct bf_sps sps = { .frame_num_bits = 16 };
    const struct bf_au none = { .has_slice = true, .slice = { .data = (const uint8_t[]){ P }, .size = 1, .type = 1 } };
    struct bf_references r = { 0 };

    (void)state;
    assert_int_equal(bf_references_next(&r, &sps, &none, true), BF_REFERENCE_WHOLE);
    r.broken = true;
    assert_int_equal(bf_references_next(&r, &sps, &none, false), BF_REFERENCE_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_streams),
        cmocka_unit_test(one_is_missing),
        cmocka_unit_test(late_and_repeated),
        cmocka_unit_test(cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
