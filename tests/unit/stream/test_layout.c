#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "stream/layout.h"

static void formats(void **state)
{
    char name[BF_NAME_SIZE];

    (void)state;
    bf_segment_name(name, 0);
    assert_string_equal(name, "seg-0.m4s");
    bf_segment_name(name, UINT64_MAX);
    assert_string_equal(name, "seg-18446744073709551615.m4s");
    bf_init_name(name, 0);
    assert_string_equal(name, "init.mp4");
    bf_init_name(name, 4294967295U);
    assert_string_equal(name, "init-4294967295.mp4");
}

static void parses_segments(void **state)
{
    static const struct {
        const char *name;
        bool valid;
        uint64_t msn;
    } table[] = {
        { "seg-0.m4s", true, 0 },
        { "seg-10.m4s", true, 10 },
        { "seg-18446744073709551615.m4s", true, UINT64_MAX },
        { "seg-18446744073709551616.m4s", false, 0 },
        { "seg-99999999999999999999.m4s", false, 0 },
        { "seg-00.m4s", false, 0 },
        { "seg-01.m4s", false, 0 },
        { "seg-.m4s", false, 0 },
        { "seg-+1.m4s", false, 0 },
        { "seg--1.m4s", false, 0 },
        { "seg- 1.m4s", false, 0 },
        { "seg-1.m4s ", false, 0 },
        { "seg-1.m4s/", false, 0 },
        { "seg-1.mp4", false, 0 },
        { "seg-1", false, 0 },
        { "seg-0x1.m4s", false, 0 },
        { "Seg-1.m4s", false, 0 },
        { "part-1.m4s", false, 0 },
        { "../seg-1.m4s", false, 0 },
        { "", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        uint64_t msn = 77;

        assert_int_equal(bf_segment_name_parse(table[i].name, &msn), table[i].valid);
        assert_int_equal(msn, table[i].valid ? table[i].msn : 77);
    }
}

static void parses_parts(void **state)
{
    uint64_t counter = 77;

    (void)state;
    assert_true(bf_part_name_parse("part-123.m4s", &counter));
    assert_int_equal(counter, 123);
    assert_false(bf_part_name_parse("part-.m4s", &counter));
    assert_false(bf_part_name_parse("part-1.2.m4s", &counter));
    assert_false(bf_part_name_parse("seg-1.m4s", &counter));
    assert_int_equal(counter, 123);
}

static void parses_inits(void **state)
{
    unsigned index = 77;

    (void)state;
    assert_true(bf_init_name_parse("init.mp4", &index));
    assert_int_equal(index, 0);
    assert_true(bf_init_name_parse("init-4294967295.mp4", &index));
    assert_int_equal(index, 4294967295U);
    assert_false(bf_init_name_parse("init-0.mp4", &index));
    assert_false(bf_init_name_parse("init-4294967296.mp4", &index));
    assert_false(bf_init_name_parse("init-.mp4", &index));
    assert_false(bf_init_name_parse("init1.mp4", &index));
    assert_false(bf_init_name_parse("init.mp4.tmp", &index));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(parses_segments),
        cmocka_unit_test(parses_parts),
        cmocka_unit_test(parses_inits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
