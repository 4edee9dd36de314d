#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "janitor/names.h"

static const struct {
    const char *name;
    enum bf_name_kind kind;
} cases[] = {
    { "seg-0.m4s", BF_NAME_MEDIA },
    { "seg-9.m4s", BF_NAME_MEDIA },
    { "seg-10.m4s", BF_NAME_MEDIA }, /* begun, not yet in the journal */
    { "seg-11.m4s", BF_NAME_FOREIGN },
    { "seg-00.m4s", BF_NAME_FOREIGN },
    { "seg--1.m4s", BF_NAME_FOREIGN },
    { "seg-18446744073709551616.m4s", BF_NAME_FOREIGN },
    { "seg-1.m4s~", BF_NAME_FOREIGN },
    { "part-1.m4s", BF_NAME_FOREIGN },
    { "init.mp4", BF_NAME_MEDIA },
    { "init-2.mp4", BF_NAME_MEDIA },
    { "init-3.mp4", BF_NAME_FOREIGN },
    { "journal", BF_NAME_JOURNAL },
    { "journal.bak", BF_NAME_FOREIGN },
    { ".deleted", BF_NAME_DELETED },
    { "vod.m3u8", BF_NAME_MADE },
    { "download.mp4", BF_NAME_MADE },
    { "poster.jpg", BF_NAME_MADE },
    { "recording", BF_NAME_MADE },
    { "snapshot-1700000000000.jpg", BF_NAME_MADE },
    { "snapshot-.jpg", BF_NAME_FOREIGN },
    { "snapshot-1.jpg.png", BF_NAME_FOREIGN },
    { "snapshot-x.jpg", BF_NAME_FOREIGN },
    { ".tmp-0123456789abcdef", BF_NAME_TEMPORARY },
    { ".tmp-0123456789abcde", BF_NAME_FOREIGN },
    { ".tmp-0123456789abcdef0", BF_NAME_FOREIGN },
    { ".tmp-download.mp4", BF_NAME_TEMPORARY },
    { ".tmp-recording", BF_NAME_TEMPORARY },
    { ".tmp-mine", BF_NAME_FOREIGN },
    { "holiday.mp4", BF_NAME_FOREIGN },
    { "..", BF_NAME_FOREIGN },
    { "", BF_NAME_FOREIGN },
};

static void test_kinds(void **state)
{
    (void)state;
    const struct bf_journal_extent extent = { .next_msn = 10, .n_inits = 2 };
    for (size_t i = 0; i < BF_COUNT_OF(cases); i++)
        if (bf_name_kind(cases[i].name, &extent) != cases[i].kind)
            fail_msg("%s: kind %d, expected %d", cases[i].name, bf_name_kind(cases[i].name, &extent), cases[i].kind);
}

static void test_snapshot_name(void **state)
{
    (void)state;
    char name[BF_SNAPSHOT_NAME_SIZE];
    const struct bf_journal_extent none = { 0 };
    bf_snapshot_name(name, UINT64_MAX);
    assert_string_equal(name, "snapshot-18446744073709551615.jpg");
    assert_int_equal(bf_name_kind(name, &none), BF_NAME_MADE);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds), cmocka_unit_test(test_snapshot_name) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
