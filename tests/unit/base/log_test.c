#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

static char line[8192];

/* What a call writes to stderr; it must be one line. */
#define CAPTURE(...)                                                                                                   \
    do {                                                                                                               \
        int ends[2], before = dup(STDERR_FILENO);                                                                      \
        assert_int_equal(pipe(ends), 0);                                                                               \
        dup2(ends[1], STDERR_FILENO);                                                                                  \
        __VA_ARGS__;                                                                                                   \
        dup2(before, STDERR_FILENO);                                                                                   \
        close(before);                                                                                                 \
        close(ends[1]);                                                                                                \
        ssize_t n_ = read(ends[0], line, sizeof line - 1);                                                             \
        close(ends[0]);                                                                                                \
        line[n_ < 0 ? 0 : n_] = '\0';                                                                                  \
    } while (0)

static const char *after_time(void)
{
    assert_memory_equal(line, "time=20", 7);
    char *space = strchr(line, ' ');
    assert_non_null(space);
    return space + 1;
}

static void a_line_is_logfmt(void **state)
{
    (void)state;
    bf_log_init("belfry-camera", "yard", BF_LOG_INFO);

    CAPTURE(bf_info("started", "port=%d name=%s", 7, "x"));
    assert_string_equal(after_time(), "level=info service=belfry-camera node=yard msg=\"started\" port=7 name=x\n");
    CAPTURE(bf_err("cannot \"go\"", NULL));
    assert_string_equal(after_time(), "level=error service=belfry-camera node=yard msg=\"cannot \\\"go\\\"\"\n");
    CAPTURE(bf_debug("quiet", NULL));
    assert_string_equal(line, "");

    bf_log_init(NULL, NULL, BF_LOG_DEBUG);
    CAPTURE(bf_debug("loud", NULL));
    assert_string_equal(after_time(), "level=debug msg=\"loud\"\n");
}

static void a_line_stays_one_line(void **state)
{
    (void)state;
    char huge[6000];
    memset(huge, 'h', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    bf_log_init(NULL, NULL, BF_LOG_INFO);

    CAPTURE(bf_info("m", "a=%s", "1\n2\r\033[31m\x7f"));
    assert_string_equal(after_time(), "level=info msg=\"m\" a=1?2??[31m?\n");
    CAPTURE(bf_info("m", "a=%s", huge));
    assert_true(strlen(line) <= 2048);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    CAPTURE(bf_info(huge, "a=%s", huge));
    assert_true(strlen(line) <= 2048);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void logging_leaves_errno_alone(void **state)
{
    (void)state;
    errno = EDOM;
    CAPTURE(bf_warning("m", NULL));
    CAPTURE(errno = EDOM; close(STDERR_FILENO); bf_warning("m", NULL); assert_int_equal(errno, EDOM));
}

static void quotes_are_closed_and_cut(void **state)
{
    (void)state;
    char buf[12];

    assert_string_equal(bf_log_quote(buf, sizeof buf, "plain"), "\"plain\"");
    assert_string_equal(bf_log_quote(buf, sizeof buf, "\"b\\c\nd"), "\"\\\"b\\\\c\\nd\"");
    assert_string_equal(bf_log_quote(buf, sizeof buf, "0123456789"), "\"012345678\"");
    assert_string_equal(bf_log_quote(buf, sizeof buf, "01234567\"9"), "\"01234567\""); /* no half escape */
    assert_string_equal(bf_log_quote(buf, sizeof buf, NULL), "\"\"");
    assert_string_equal(bf_log_quote(buf, 3, "abc"), "\"\"");
    assert_string_equal(bf_log_quote(buf, 2, "abc"), "");
}

static void levels_have_names(void **state)
{
    (void)state;
    static const char *const names[] = { "debug", "info", "warning", "error" };
    enum bf_log_level level;

    for (size_t i = 0; i < BF_COUNT_OF(names); i++) {
        assert_int_equal(bf_log_level_parse(&level, names[i]), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(bf_log_level_parse(&level, "loud"), -EINVAL);
    assert_int_equal(bf_log_level_parse(&level, NULL), -EINVAL);
    assert_int_equal(level, BF_LOG_ERROR);
}

static void a_limit_lets_one_through(void **state)
{
    (void)state;
    struct bf_log_limit limit = { 0 };
    uint64_t suppressed = 99;

    assert_int_equal(bf_log_allow(&limit, 1000, 60000, &suppressed), 1);
    assert_int_equal(suppressed, 0);
    for (uint64_t now = 1001; now < 1005; now++)
        assert_int_equal(bf_log_allow(&limit, now, 60000, &suppressed), 0);
    assert_int_equal(bf_log_allow(&limit, 60999, 60000, &suppressed), 0);
    assert_int_equal(bf_log_allow(&limit, 61000, 60000, &suppressed), 1);
    assert_int_equal(suppressed, 5);
    assert_int_equal(bf_log_allow(&limit, 121000, 60000, &suppressed), 1);
    assert_int_equal(suppressed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_logfmt),           cmocka_unit_test(a_line_stays_one_line),
        cmocka_unit_test(logging_leaves_errno_alone), cmocka_unit_test(quotes_are_closed_and_cut),
        cmocka_unit_test(levels_have_names),          cmocka_unit_test(a_limit_lets_one_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
