#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

struct row {
    const char *text;
    const char *cleaned; /* NULL: it is valid */
};

static const struct row rows[] = {
    { "", NULL },
    { "plain ~ text", NULL },
    { "K\xc3\xbc"
      "che \xe2\x82\xac \xf0\x9f\x93\xb7",
      NULL },
    { "\xc2\xa0", NULL },
    { "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", NULL },
    { "a\tb\nc\x7f", "a?b?c?" },
    { "\x1b[31m", "?[31m" },
    { "\xc2\x9b"
      "31m",
      "??31m" },                    /* C1: CSI in eight bits */
    { "\xc0\xaf", "??" },           /* overlong '/' */
    { "\xe0\x80\xaf", "???" },      /* overlong in three bytes */
    { "\xf0\x80\x80\xaf", "????" }, /* overlong in four */
    { "\xed\xa0\x80", "???" },      /* a surrogate */
    { "\xf4\x90\x80\x80", "????" }, /* beyond U+10FFFF */
    { "\xf5\x80\x80\x80", "????" },
    { "\x80\xbf", "??" }, /* continuation without a start */
    { "\xc3", "?" },      /* cut off */
    { "\xe2\x82", "??" },
    { "\xe2\x82x", "??x" },
    { "\xc3\xc3\xbc", "?\xc3\xbc" },
};

static void only_text_is_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        if (bf_text_valid(rows[i].text, 64) != (rows[i].cleaned == NULL))
            fail_msg("row %zu", i);
    assert_false(bf_text_valid(NULL, 64));
    assert_true(bf_text_valid("1234", 4));
    assert_false(bf_text_valid("12345", 4));
}

static void cleaning_makes_it_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        char text[64];
        strcpy(text, rows[i].text);
        bf_text_clean(text, strlen(text));
        assert_string_equal(text, rows[i].cleaned != NULL ? rows[i].cleaned : rows[i].text);
        assert_true(bf_text_valid(text, sizeof text));
    }
}

static void how_far_clocks_are_apart(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } apart[] = {
        { 0, "0 s ahead of" },
        { 10499, "10 s ahead of" },
        { -12600, "13 s behind" },
        { 3600000, "60 min ahead of" },
        { -3599600, "60 min behind" },
        { 86400000, "24 h ahead of" },
        { INT64_MIN, "106751991167 days behind" },
    };
    char buf[BF_TEXT_AHEAD_SIZE];

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(apart); i++)
        assert_string_equal(bf_text_ahead(buf, apart[i].ms), apart[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_text_is_valid),
        cmocka_unit_test(cleaning_makes_it_valid),
        cmocka_unit_test(how_far_clocks_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
