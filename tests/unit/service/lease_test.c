#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "service/service.h"

struct seen {
    unsigned expired;
    uint64_t at_boot_ms;
};

static void note(void *user)
{
    struct seen *seen = user;
    seen->expired++;
    seen->at_boot_ms = bf_boot_ms();
}

static void close_all(uv_loop_t *loop, struct bf_lease_timer *t)
{
    bf_lease_timer_close(t, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void a_lease_runs_out_once_and_not_early(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct bf_lease_timer t;
    struct seen seen = { 0 };
    uv_loop_init(&loop);
    bf_lease_timer_init(&t, &loop, note, &seen);

    uint64_t start = bf_boot_ms();
    bf_lease_timer_renew(&t, 400); /* longer than one look */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.expired, 1);
    assert_true(seen.at_boot_ms - start >= 400);
    assert_true(seen.at_boot_ms >= t.deadline_boot_ms);

    uv_run(&loop, UV_RUN_DEFAULT); /* nothing is left to wait for */
    assert_int_equal(seen.expired, 1);
    close_all(&loop, &t);
}

struct renewal {
    uv_timer_t timer;
    struct bf_lease_timer *lease;
    struct seen *seen;
    unsigned left;
};

static void renew(uv_timer_t *timer)
{
    struct renewal *r = timer->data;
    assert_int_equal(r->seen->expired, 0);
    bf_lease_timer_renew(r->lease, 200);
    if (--r->left == 0)
        uv_close((uv_handle_t *)timer, NULL);
}

static void renewals_push_the_deadline(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct bf_lease_timer t;
    struct seen seen = { 0 };
    struct renewal r = { .lease = &t, .seen = &seen, .left = 6 };
    uv_loop_init(&loop);
    bf_lease_timer_init(&t, &loop, note, &seen);
    uv_timer_init(&loop, &r.timer);
    r.timer.data = &r;

    uint64_t start = bf_boot_ms();
    bf_lease_timer_renew(&t, 200);
    uv_timer_start(&r.timer, renew, 50, 50);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.expired, 1);
    assert_true(seen.at_boot_ms - start >= 490); /* six renewals 50 ms apart on another clock, then 200 ms */
    close_all(&loop, &t);
}

static void a_stopped_lease_does_not_run_out(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct bf_lease_timer t;
    struct seen seen = { 0 };
    uv_loop_init(&loop);
    bf_lease_timer_init(&t, &loop, note, &seen);

    bf_lease_timer_renew(&t, 20);
    bf_lease_timer_stop(&t);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.expired, 0);
    bf_lease_timer_renew(&t, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.expired, 1);
    close_all(&loop, &t);
}

/* The machine slept: the boot-time deadline has passed while the loop's clock stood still. */
static void a_deadline_passed_in_sleep_is_seen_at_the_next_look(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct bf_lease_timer t;
    struct seen seen = { 0 };
    uv_loop_init(&loop);
    bf_lease_timer_init(&t, &loop, note, &seen);

    uint64_t start = bf_boot_ms();
    bf_lease_timer_renew(&t, 600000);
    t.deadline_boot_ms = start;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.expired, 1);
    assert_true(seen.at_boot_ms - start < 10000);
    close_all(&loop, &t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_runs_out_once_and_not_early),
        cmocka_unit_test(renewals_push_the_deadline),
        cmocka_unit_test(a_stopped_lease_does_not_run_out),
        cmocka_unit_test(a_deadline_passed_in_sleep_is_seen_at_the_next_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
