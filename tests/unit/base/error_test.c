#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void fail_formats_and_returns_the_code(void **state)
{
    (void)state;
    struct bf_error e = { "before" };

    assert_int_equal(bf_fail(&e, -EINVAL, "port %d: %s", 0, "expected 1 to 65535"), -EINVAL);
    assert_string_equal(e.text, "port 0: expected 1 to 65535");
    assert_int_equal(bf_fail(NULL, -EIO, "nobody listens"), -EIO);
}

static void fail_may_quote_its_own_text(void **state)
{
    (void)state;
    struct bf_error e = { "inner" };

    bf_fail(&e, -EIO, "outer (%s)", e.text);
    assert_string_equal(e.text, "outer (inner)");
}

static void fail_in_puts_the_place_in_front(void **state)
{
    (void)state;
    struct bf_error e = { "not a number" };

    assert_int_equal(bf_fail_in(&e, -EINVAL, "port"), -EINVAL);
    assert_int_equal(bf_fail_in(&e, -EINVAL, "broker"), -EINVAL);
    assert_string_equal(e.text, "broker: port: not a number");
    assert_int_equal(bf_fail_in(NULL, -EINVAL, "broker"), -EINVAL);
}

static void long_texts_are_cut_at_the_end(void **state)
{
    (void)state;
    char filler[1024];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    struct bf_error e;

    bf_fail(&e, -EIO, "%s", filler);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    bf_fail_in(&e, -EIO, "place");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(e.text, "place: xxx", 10);

    for (size_t n = sizeof e.text - 4; n < sizeof e.text + 4; n++) { /* a place as long as everything */
        bf_fail(&e, -EIO, "tail");
        bf_fail_in(&e, -EIO, filler + sizeof filler - 1 - n);
        assert_true(strlen(e.text) < sizeof e.text);
        assert_memory_equal(e.text, "xxx", 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_formats_and_returns_the_code),
        cmocka_unit_test(fail_may_quote_its_own_text),
        cmocka_unit_test(fail_in_puts_the_place_in_front),
        cmocka_unit_test(long_texts_are_cut_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
