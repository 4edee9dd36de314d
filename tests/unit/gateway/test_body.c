#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "gateway/body.h"
#include "stream/profile.h"

struct values {
    bool flag, flag_given;
    uint32_t number;
    char text[9], word[BF_BODY_WORD_SIZE];
};

static int parse(struct values *v, const char *text, struct bf_body_error *e)
{
    const struct bf_body_field fields[] = {
        { .name = "flag", .type = BF_BODY_BOOL, .value = &v->flag, .given = &v->flag_given },
        { .name = "number", .type = BF_BODY_NUMBER, .value = &v->number, .min = 10, .max = 20, .even = true },
        { .name = "text", .type = BF_BODY_TEXT, .value = v->text, .min = 1, .max = 8 },
        { .name = "profile", .type = BF_BODY_WORD, .value = v->word, .words = BF_PROFILE_NAMES },
    };

    *v = (struct values){ .number = 7 };
    return bf_body_parse(text, strlen(text), fields, BF_COUNT_OF(fields), e);
}

static void takes_what_is_in_the_table(void **state)
{
    struct bf_body_error e;
    struct values v;

    (void)state;
    assert_int_equal(parse(&v, "", &e), 0);
    assert_int_equal(parse(&v, "{}", &e), 0);
    assert_int_equal(v.number, 7);
    assert_false(v.flag_given);
    assert_string_equal(v.word, "");
    assert_int_equal(
        parse(&v, "{\"flag\": true, \"number\": 12, \"text\": \"M\xc3\xbc\", \"profile\": \"economy\"}", &e), 0);
    assert_true(v.flag && v.flag_given);
    assert_int_equal(v.number, 12);
    assert_string_equal(v.text, "M\xc3\xbc");
    assert_string_equal(v.word, "economy");
}

static void names_what_it_refuses(void **state)
{
    static const struct {
        const char *text, *field, *accepted;
    } table[] = {
        { "{\"flag\": 1}", "flag", "true or false" },
        { "{\"number\": 11}", "number", "an even whole number from 10 to 20" },
        { "{\"number\": 22}", "number", "an even whole number from 10 to 20" },
        { "{\"number\": 12.0}", "number", "an even whole number from 10 to 20" },
        { "{\"text\": \"\"}", "text", "a text of 1 to 8 bytes without control characters" },
        { "{\"text\": \"a\\u0007\"}", "text", "a text of 1 to 8 bytes without control characters" },
        { "{\"text\": \"123456789\"}", "text", "a text of 1 to 8 bytes without control characters" },
        { "{\"profile\": \"fast\"}", "profile", "realtime, balanced or economy" },
        { "{\"profile\": \"\"}", "profile", "realtime, balanced or economy" },
        { "{\"profile\": \"real\"}", "profile", "realtime, balanced or economy" },
        { "{\"profile\": \"realtime|balanced\"}", "profile", "realtime, balanced or economy" },
        { "{\"profile\": \"realtime realtime realtime realtime\"}", "profile", "realtime, balanced or economy" },
        { "{\"profile\": null}", "profile", "realtime, balanced or economy" },
        { "{\"profile\": [\"realtime\"]}", "profile", "realtime, balanced or economy" },
        { "{\"colour\": 1}", "colour", "flag, number, text, profile" },
        { "[]", "", "a JSON object of at most 16384 bytes" },
        { "{\"flag\": true, \"flag\": true}", "", "a JSON object of at most 16384 bytes" },
        { "[[[[[1]]]]]", "", "a JSON object of at most 16384 bytes" },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_body_error e;
        struct values v;

        if (parse(&v, table[i].text, &e) != -EBADMSG)
            fail_msg("taken: %s", table[i].text);
        assert_string_equal(e.field, table[i].field);
        assert_string_equal(e.accepted, table[i].accepted);
        assert_true(e.detail[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_in_the_table),
        cmocka_unit_test(names_what_it_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
