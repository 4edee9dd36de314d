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
#include "scratch.h"
#include "service/options.h"

#define MAX_ARGS 6

struct row {
    const char *args[MAX_ARGS];
    int result;
    const char *error;
    struct bf_options expected;
};

static int parse(struct bf_options *ret, const char *const args[MAX_ARGS], struct bf_error *e)
{
    char *argv[MAX_ARGS + 2] = { (char *)(uintptr_t) "belfry-test" };
    int argc = 1;
    for (; args[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    return bf_options_parse(ret, argc, argv, e);
}

static const char *or_none(const char *s)
{
    return s != NULL ? s : "(none)";
}

static void command_lines_are_parsed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { { NULL }, 0, "", { BF_MODE_RUN, NULL, NULL } },
        { { "--config", "a.yml", "--node", "cam-1" }, 0, "", { BF_MODE_RUN, "a.yml", "cam-1" } },
        { { "--config=a.yml", "--check" }, 0, "", { BF_MODE_CHECK, "a.yml", NULL } },
        { { "--health" }, 0, "", { BF_MODE_HEALTH, NULL, NULL } },
        { { "--version" }, 0, "", { BF_MODE_VERSION, NULL, NULL } },
        { { "--help" }, 0, "", { BF_MODE_HELP, NULL, NULL } },
        { { "--config" }, -EINVAL, "--config: expected a value after it", { 0 } },
        { { "--check", "--node" }, -EINVAL, "--node: expected a value after it", { 0 } },
        { { "--nonsense" }, -EINVAL, "--nonsense: unknown option", { 0 } },
        { { "-x" }, -EINVAL, "-x: unknown option", { 0 } },
        { { "--node", "Cam" }, -EINVAL, "--node: expected 1 to 32 characters of a-z, 0-9 and -", { 0 } },
        { { "--check", "more" }, -EINVAL, "more: expected no arguments but options", { 0 } },
        { { "more", "--check" }, -EINVAL, "more: expected no arguments but options", { 0 } },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_options o = { 0 };
        struct bf_error e = { "" };
        assert_int_equal(parse(&o, rows[i].args, &e), rows[i].result);
        assert_string_equal(e.text, rows[i].error);
        assert_int_equal(o.mode, rows[i].expected.mode);
        assert_string_equal(or_none(o.config), or_none(rows[i].expected.config));
        assert_string_equal(or_none(o.node), or_none(rows[i].expected.node));
    }
}

static void print_usage(void *user)
{
    (void)user;
    bf_options_usage(stdout, "belfry-test", "does a test");
}

static void usage_names_every_option(void **state)
{
    (void)state;
    static const char *const words[] = {
        "belfry-test: does a test\n", "--config FILE", "--node ID", "--check", "--health", "--version", "--help", "78"
    };
    const char *text = scratch_capture(STDOUT_FILENO, print_usage, NULL);

    for (size_t i = 0; i < BF_COUNT_OF(words); i++)
        assert_non_null(strstr(text, words[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_parsed),
        cmocka_unit_test(usage_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
