#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "belfryctl/decode_input.h"

static const struct {
    const char *line;
    int result;
    const char *topic;
    const char *bytes;
} lines[] = {
    { "6869\n", 0, NULL, "hi" },
    { "6869\r\n", 0, NULL, "hi" },
    { "6869", 0, NULL, "hi" },
    { "4A4b", 0, NULL, "JK" },
    { "belfry/v1/home/camera/front/state 6869\n", 0, "belfry/v1/home/camera/front/state", "hi" },
    { "2026-11-22 belfry/v1/x 6869", 0, "2026-11-22 belfry/v1/x", "hi" },
    { "\n", -ENODATA, NULL, NULL },
    { "", -ENODATA, NULL, NULL },
    { "686", -EBADMSG, NULL, NULL },
    { "hello", -EBADMSG, NULL, NULL },
    { "topic ", -EBADMSG, NULL, NULL },
    { "topic 68 zz", -EBADMSG, NULL, NULL },
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(lines); i++) {
        char line[80];
        const char *topic = NULL;
        _cleanup_(bf_freep) uint8_t *data = NULL;
        size_t size = 0;
        snprintf(line, sizeof line, "%s", lines[i].line);
        int r = ctl_decode_line(line, &topic, &data, &size);
        if (r != lines[i].result)
            fail_msg("%s: %d", lines[i].line, r);
        if (r < 0)
            continue;
        assert_int_equal(size, strlen(lines[i].bytes));
        assert_memory_equal(data, lines[i].bytes, size);
        assert_int_equal(topic == NULL, lines[i].topic == NULL);
        if (topic != NULL)
            assert_string_equal(topic, lines[i].topic);
    }
}

struct seen {
    unsigned messages, bad;
    size_t bad_line, last_size;
    char topic[64];
};

static void on_message(void *user, const char *topic, const uint8_t *data, size_t size)
{
    struct seen *seen = user;
    (void)data;
    seen->messages++;
    seen->last_size = size;
    snprintf(seen->topic, sizeof seen->topic, "%s", topic != NULL ? topic : "-");
}

static void on_bad(void *user, size_t line)
{
    struct seen *seen = user;
    seen->bad++;
    seen->bad_line = line;
}

static int run(const void *data, size_t size, struct seen *seen)
{
    FILE *f = fmemopen((void *)data, size, "r");
    assert_non_null(f);
    int r = ctl_decode_stream(f, on_message, on_bad, seen);
    fclose(f);
    return r;
}

static void test_stream_of_lines(void **state)
{
    (void)state;
    static const char text[] = "a/b 00ff\n\n0102\nnonsense\n03";
    struct seen seen = { 0 };
    assert_int_equal(run(text, sizeof text - 1, &seen), 0);
    assert_int_equal(seen.messages, 3);
    assert_int_equal(seen.bad, 1);
    assert_int_equal(seen.bad_line, 4);
    assert_string_equal(seen.topic, "-");
}

static void test_binary(void **state)
{
    (void)state;
    static const char envelope[] = "\x0a\x2f"
                                   "application/vnd.belfry.camera-state.v1+protobuf"
                                   "\x12\x03\x0a\x0a\x0a";
    struct seen seen = { 0 };
    assert_int_equal(run(envelope, sizeof envelope - 1, &seen), 0);
    assert_int_equal(seen.messages, 1);
    assert_int_equal(seen.last_size, sizeof envelope - 1);
    assert_int_equal(run("\n\n\n", 3, &seen), -EBADMSG);
    assert_int_equal(seen.messages, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_stream_of_lines),
                                        cmocka_unit_test(test_binary) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
