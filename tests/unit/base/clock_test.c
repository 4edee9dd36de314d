#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

static void rfc3339_shows_utc_with_milliseconds(void **state)
{
    (void)state;
    static const struct {
        uint64_t unix_ms;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 999, "1970-01-01T00:00:00.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 1769860800123, "2026-01-31T12:00:00.123Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "9999-12-31T23:59:59.999Z" },
        { UINT64_MAX, "9999-12-31T23:59:59.999Z" },
    };

    setenv("TZ", "Asia/Kathmandu", 1);
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        char buf[25];
        assert_string_equal(bf_rfc3339(buf, rows[i].unix_ms), rows[i].text);
    }
}

static void clocks_go_on_and_agree_on_units(void **state)
{
    (void)state;
    uint64_t mono_us = bf_mono_us(), mono_ms = bf_mono_ms(), boot_ms = bf_boot_ms();
    uint64_t unix_s = (uint64_t)time(NULL), unix_ms = bf_unix_ms(), unix_us = bf_unix_us();

    assert_true(mono_ms >= mono_us / 1000 && mono_ms - mono_us / 1000 < 60000);
    assert_true(boot_ms >= mono_us / 1000); /* the boot-time clock counts sleep too */
    assert_true(unix_ms / 1000 + 1 >= unix_s && unix_ms / 1000 - unix_s < 60);
    assert_true(unix_us / 1000 >= unix_ms);
    assert_true(bf_mono_us() >= mono_us);
}

static void synced_can_be_said(void **state)
{
    (void)state;
    setenv("BELFRY_CLOCK_SYNCED", "1", 1);
    assert_true(bf_clock_synced());
    setenv("BELFRY_CLOCK_SYNCED", "0", 1);
    assert_false(bf_clock_synced());
    unsetenv("BELFRY_CLOCK_SYNCED");
    bool as_the_kernel_says = bf_clock_synced();
    setenv("BELFRY_CLOCK_SYNCED", "perhaps", 1);
    assert_int_equal(bf_clock_synced(), as_the_kernel_says);
    unsetenv("BELFRY_CLOCK_SYNCED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_shows_utc_with_milliseconds),
        cmocka_unit_test(clocks_go_on_and_agree_on_units),
        cmocka_unit_test(synced_can_be_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
