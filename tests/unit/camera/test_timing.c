/* Cadence and moments of capture: pure arithmetic on time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/moment.h"
#include "camera/pace.h"
#include "camera/stop.h"

static void grid_does_not_drift(void **state)
{
    struct bf_pace p;

    (void)state;
    bf_pace_init(&p, 30, 1000);
    for (uint64_t i = 0; i < 30 * 3600; i++) {
        uint64_t due = bf_pace_next(&p, 1000 + i * 1000000 / 30);
        assert_int_equal(due, 1000 + i * 1000000 / 30);
    }
    assert_int_equal(p.missed, 0);
}

static void missed_ticks_are_left_out(void **state)
{
    /* now, then what is due and how many were missed by then; 25 fps, ticks at 0, 40000, 80000, … */
    static const struct {
        uint64_t now_us, due_us, missed;
    } rows[] = {
        { 0, 0, 0 },           { 100, 40000, 0 },     { 79999, 80000, 0 },
        { 120001, 120000, 0 }, { 160500, 160000, 0 }, { 400000, 400000, 5 },
        { 400001, 440000, 5 }, { 559999, 520000, 6 }, { 560000, 560000, 6 },
    };
    struct bf_pace p;

    (void)state;
    bf_pace_init(&p, 25, 0);
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        assert_int_equal(bf_pace_next(&p, rows[i].now_us), rows[i].due_us);
        assert_int_equal(p.missed, rows[i].missed);
    }
}

static void too_many_pictures_are_not_admitted(void **state)
{
    struct bf_pace p;
    unsigned admitted = 0;

    (void)state;
    bf_pace_init(&p, 30, 0);
    for (uint64_t t = 0; t < 10000000; t += 1000) /* a driver at 1000 fps */
        admitted += bf_pace_admit(&p, t);
    assert_in_range(admitted, 300, 600);
}

static void an_even_camera_keeps_every_picture(void **state)
{
    static const uint64_t intervals_us[] = { 33333, 33000, 34000, 40000, 100000 };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(intervals_us); i++) {
        struct bf_pace p;
        bf_pace_init(&p, 30, 0);
        for (uint64_t k = 0; k < 300; k++)
            assert_true(bf_pace_admit(&p, k * intervals_us[i] + (k % 2) * 5000)); /* with 5 ms of jitter */
    }
}

static void moments(void **state)
{
    static const struct {
        uint64_t sensor_us;
        struct bf_now now;
        struct bf_moment moment;
    } rows[] = {
        /* monotonic, the machine never slept */
        { 990000, { 5000000, 1000000, 1000000 }, { 4990000, 990000 } },
        /* boot time, slept for 100 s */
        { 101000000 - 20000, { 5000000, 1000000, 101000000 }, { 4980000, 980000 } },
        /* monotonic, slept for 100 s */
        { 985000, { 5000000, 1000000, 101000000 }, { 4985000, 985000 } },
        /* none, the future, too old: now */
        { 0, { 5000000, 1000000, 1000000 }, { 5000000, 1000000 } },
        { 1000001, { 5000000, 1000000, 1000000 }, { 5000000, 1000000 } },
        { 1, { 5000000, 3000000, 3000000 }, { 5000000, 3000000 } },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_moment m = bf_moment_of(rows[i].sensor_us, &rows[i].now);
        assert_int_equal(m.capture_us, rows[i].moment.capture_us);
        assert_int_equal(m.mono_us, rows[i].moment.mono_us);
    }
}

static void a_raised_flag_ends_every_wait(void **state)
{
    struct bf_stop s;
    uint64_t before_us = bf_mono_us();

    (void)state;
    assert_int_equal(bf_stop_init(&s), 0);
    assert_int_equal(bf_stop_wait_until(&s, before_us + 20000), 0);
    assert_in_range(bf_mono_us() - before_us, 20000, 1000000);

    bf_stop_raise(&s);
    bf_stop_raise(&s);
    before_us = bf_mono_us();
    assert_int_equal(bf_stop_wait_until(&s, before_us + 60000000), -ECANCELED);
    assert_int_equal(bf_stop_wait_until(&s, 0), -ECANCELED);
    assert_int_equal(bf_stop_wait_fd(&s, s.fd, before_us + 60000000), -ECANCELED); /* before any descriptor */
    assert_in_range(bf_mono_us() - before_us, 0, 1000000);
    bf_stop_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_does_not_drift),
        cmocka_unit_test(missed_ticks_are_left_out),
        cmocka_unit_test(too_many_pictures_are_not_admitted),
        cmocka_unit_test(an_even_camera_keeps_every_picture),
        cmocka_unit_test(moments),
        cmocka_unit_test(a_raised_flag_ends_every_wait),
    };

    return cmocka_run_group_tests_name("camera.timing", tests, NULL, NULL);
}
