#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ingest/reconcile.h"

static void fates(void **state)
{
    static const char *const listed[] = { "other", "mine" }, *const not_listed[] = { "other" };
    static const struct {
        enum bf_presence presence;
        enum bf_fate when_listed, when_not;
    } table[] = {
        { BF_PRESENT_RUNNING, BF_FATE_KEEP, BF_FATE_STOP },
        { BF_PRESENT_ENDING, BF_FATE_KEEP, BF_FATE_KEEP },
        { BF_PRESENT_OVER, BF_FATE_KEEP, BF_FATE_FORGET },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        const struct bf_present present = { "mine", table[i].presence };

        assert_int_equal(bf_fate_of(&present, listed, 2), table[i].when_listed);
        assert_int_equal(bf_fate_of(&present, not_listed, 1), table[i].when_not);
        assert_int_equal(bf_fate_of(&present, NULL, 0), table[i].when_not);
    }
}

static void new_ones(void **state)
{
    static const struct bf_present present[] = { { "a", BF_PRESENT_RUNNING }, { "b", BF_PRESENT_OVER } };

    (void)state;
    assert_false(bf_is_new("a", present, 2));
    assert_false(bf_is_new("b", present, 2)); /* over, and never started again */
    assert_true(bf_is_new("c", present, 2));
    assert_true(bf_is_new("a", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fates),
        cmocka_unit_test(new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
