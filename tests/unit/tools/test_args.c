#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "belfryctl/args.h"

static const struct {
    const char *text;
    int result;
    uint64_t ms;
} durations[] = {
    { "0s", 0, 0 },
    { "500ms", 0, 500 },
    { "30s", 0, 30000 },
    { "15m", 0, 900000 },
    { "24h", 0, 86400000 },
    { "7d", 0, 604800000 },
    { "7", -EINVAL, 0 },
    { "", -EINVAL, 0 },
    { "d", -EINVAL, 0 },
    { "-1s", -EINVAL, 0 },
    { "1.5h", -EINVAL, 0 },
    { "1 h", -EINVAL, 0 },
    { "1w", -EINVAL, 0 },
    { "99999999999999999999s", -EINVAL, 0 },
    { "9999999999999999999d", -ERANGE, 0 },
};

static void test_durations(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(durations); i++) {
        uint64_t ms = 12345;
        int r = ctl_parse_duration(&ms, durations[i].text);
        if (r != durations[i].result || ms != (r == 0 ? durations[i].ms : 12345))
            fail_msg("%s: %d, %llu ms", durations[i].text, r, (unsigned long long)ms);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_int_equal(ctl_parse_number(&n, "65535", 1, 65535), 0);
    assert_int_equal(n, 65535);
    assert_int_equal(ctl_parse_number(&n, "65536", 1, 65535), -ERANGE);
    assert_int_equal(ctl_parse_number(&n, "0", 1, 65535), -ERANGE);
    assert_int_equal(ctl_parse_number(&n, "+1", 1, 65535), -EINVAL);
    assert_int_equal(ctl_parse_number(&n, " 1", 1, 65535), -EINVAL);
    assert_int_equal(ctl_parse_number(&n, "1x", 1, 65535), -EINVAL);
    assert_int_equal(ctl_parse_number(&n, "99999999999999999999", 0, UINT64_MAX), -ERANGE);
    assert_int_equal(n, 65535);
}

struct values {
    bool flag;
    const char *id;
    struct ctl_list list;
    uint64_t number, duration;
};

static int parse(struct values *v, struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_option options[] = {
        { "flag", CTL_FLAG, &v->flag, NULL, "", 0, 0 },
        { "id", CTL_ID, &v->id, "ID", "", 0, 0 },
        { "item", CTL_LIST, &v->list, "X", "", 0, 0 },
        { "number", CTL_NUMBER, &v->number, "N", "", 1, 10 },
        { "time", CTL_DURATION, &v->duration, "T", "", 100, 1000 },
    };
    const struct ctl_usage usage = { "test WORD", "", options, BF_COUNT_OF(options), 1, 1 };
    return ctl_parse(ctl, &usage, argc, argv);
}

#define PARSE(v, ...)                                                                                                  \
    __extension__({                                                                                                    \
        struct ctl ctl_ = { .site_dir = "." };                                                                         \
        char *argv_[] = { (char *)"test", __VA_ARGS__, NULL };                                                         \
        parse((v), &ctl_, (int)BF_COUNT_OF(argv_) - 1, argv_);                                                         \
    })

static void test_options(void **state)
{
    (void)state;
    struct values v = { 0 };
    char *argv[] = { (char *)"test",   (char *)"word",   (char *)"--flag",     (char *)"--id=front", (char *)"--item",
                     (char *)"a",      (char *)"--item", (char *)"b",          (char *)"--number",   (char *)"3",
                     (char *)"--time", (char *)"1s",     (char *)"--site-dir", (char *)"/srv",       NULL };
    struct ctl ctl = { .site_dir = "." };
    int word = parse(&v, &ctl, 14, argv);
    assert_true(word > 0);
    assert_string_equal(argv[word], "word");
    assert_true(v.flag);
    assert_string_equal(v.id, "front");
    assert_int_equal(v.list.n, 2);
    assert_string_equal(v.list.item[1], "b");
    assert_int_equal(v.number, 3);
    assert_int_equal(v.duration, 1000);
    assert_string_equal(ctl.site_dir, "/srv");
}

static void test_refused(void **state)
{
    (void)state;
    struct values v = { 0 };
    assert_int_equal(PARSE(&v, (char *)"word", (char *)"--id", (char *)"Front"), -EINVAL);
    assert_int_equal(PARSE(&v, (char *)"word", (char *)"--number", (char *)"11"), -EINVAL);
    assert_int_equal(PARSE(&v, (char *)"word", (char *)"--time", (char *)"2s"), -EINVAL);
    assert_int_equal(PARSE(&v, (char *)"word", (char *)"--unknown"), -EINVAL);
    assert_int_equal(PARSE(&v, (char *)"word", (char *)"--id"), -EINVAL);
    assert_int_equal(PARSE(&v, (char *)"word", (char *)"another"), -EINVAL);
    assert_int_equal(PARSE(&v, (char *)"--flag"), -EINVAL);
    assert_int_equal(PARSE(&v, (char *)"--help"), -ECANCELED);
    assert_int_equal(ctl_parse_exit(-ECANCELED), 0);
    assert_int_equal(ctl_parse_exit(-EINVAL), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_durations), cmocka_unit_test(test_numbers),
                                        cmocka_unit_test(test_options), cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
