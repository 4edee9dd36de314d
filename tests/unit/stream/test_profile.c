#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "stream/profile.h"

static void by_number_and_by_name(void **state)
{
    char names[64] = "";

    (void)state;
    for (int id = BELFRY__V1__PROFILE__PROFILE_REALTIME; id <= BELFRY__V1__PROFILE__PROFILE_ECONOMY; id++) {
        const struct bf_profile *p = bf_profile_of((Belfry__V1__Profile)id);

        assert_non_null(p);
        assert_ptr_equal(bf_profile_named(p->name), p);
        strcat(names, names[0] == '\0' ? "" : "|");
        strcat(names, p->name);
    }
    assert_string_equal(names, BF_PROFILE_NAMES); /* what belfry.yml and the API accept is what there is */
    assert_null(bf_profile_of(BELFRY__V1__PROFILE__PROFILE_UNSPECIFIED));
    assert_null(bf_profile_of((Belfry__V1__Profile)4));
    assert_null(bf_profile_named("fast"));
    assert_null(bf_profile_named(""));
    assert_null(bf_profile_named(NULL));
}

static void two_frames_at_any_rate(void **state)
{
    static const struct {
        const char *profile;
        uint32_t fps, part_ms;
    } table[] = {
        { "realtime", 30, 67 },  { "realtime", 0, 67 },   { "realtime", 25, 80 },  { "realtime", 60, 33 },
        { "realtime", 120, 33 }, { "realtime", 5, 400 },  { "realtime", 1, 2000 }, { "balanced", 30, 200 },
        { "balanced", 5, 200 },  { "economy", 120, 500 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++)
        assert_int_equal(bf_profile_part_ms(bf_profile_named(table[i].profile), table[i].fps), table[i].part_ms);
}

static void a_gop_is_whole_frames(void **state)
{
    static const struct {
        uint32_t gop_ms, fps, frames;
    } table[] = { { 1000, 30, 30 }, { 500, 30, 15 }, { 500, 25, 12 }, { 500, 15, 7 },
                  { 500, 1, 1 },    { 0, 30, 0 },    { 500, 0, 0 },   { 10000, 120, 1200 } };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++)
        assert_int_equal(bf_gop_frames(table[i].gop_ms, table[i].fps), table[i].frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_number_and_by_name),
        cmocka_unit_test(two_frames_at_any_rate),
        cmocka_unit_test(a_gop_is_whole_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
