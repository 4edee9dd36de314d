/* Who waits for the orchestrator on the loop, and who has given up meanwhile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/gateway_internal.h"
#include "orch_world.h"

static struct world w;
static struct bf_gateway gateway;
static uv_loop_t loop;

static void never(void *user, struct bf_call *call)
{
    (void)user;
    fail_msg("a call of kind %d has reached the loop", (int)call->kind);
}

static int setup(void **state)
{
    (void)state;
    world_make(&w);
    memset(&gateway, 0, sizeof gateway);
    gateway.orch = w.o;
    uv_loop_init(&loop);
    assert_int_equal(bf_calls_new(&gateway.app.calls, &loop, never, NULL), 0);
    assert_int_equal(bf_metrics_new(&gateway.app.metrics, NULL, 0), 0);
    all_online(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bf_gateway_drop_pending(&gateway);
    free(gateway.pending);
    bf_metrics_free(gateway.app.metrics);
    bf_calls_free(gateway.app.calls);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    world_done(&w);
    return 0;
}

/* Waits as an HTTP thread does, from the loop on. */
static struct bf_call *waits_for_start(uint64_t *ret_ticket)
{
    struct bf_call *call = bf_call_new(BF_CALL_START);

    *ret_ticket = bf_gateway_add_pending(&gateway, call, NULL, false);
    start(&w, "door", SESSION_A, *ret_ticket);
    return call;
}

static void gives_up(struct bf_call *call)
{
    assert_int_equal(bf_calls_ask(gateway.app.calls, call, 0), -ETIMEDOUT);
    bf_call_unref(call);
}

static void test_who_has_given_up_takes_no_room(void **state)
{
    uint64_t ticket;

    (void)state;
    for (size_t i = 0; i < BF_ORCH_WAITERS_MAX; i++)
        gives_up(waits_for_start(&ticket));
    struct bf_call *call = waits_for_start(&ticket);
    assert_int_equal(w.answers, 0); /* no "busy" */
    assert_int_equal(gateway.n_pending, 1);
    assert_int_equal(gateway.pending[0].ticket, ticket);
    stop(&w, "door", 0);
    assert_int_equal(w.answers, 2); /* of the request that began it, and of the last */
    bf_call_unref(call);
}

static void test_who_waits_stays(void **state)
{
    struct bf_call *calls[3];
    uint64_t ticket;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        calls[i] = waits_for_start(&ticket);
    gives_up(calls[1]);
    bf_gateway_add_pending(&gateway, NULL, &(struct bf_asker){ 0 }, true);
    assert_int_equal(gateway.n_pending, 3);
    assert_ptr_equal(gateway.pending[0].call, calls[0]);
    assert_ptr_equal(gateway.pending[1].call, calls[2]);
    assert_null(gateway.pending[2].call);
    bf_call_unref(calls[0]);
    bf_call_unref(calls[2]);
}

/* What became of a start is counted though whoever asked has left. */
static void test_a_start_that_nobody_waits_for_is_counted(void **state)
{
    const struct bf_orch_answer started = { .camera = "door", .took_ms = 450, .result.outcome = BF_OUTCOME_STARTED },
                                failed = { .camera = "door", .result.outcome = BF_OUTCOME_STEP_TIMEOUT },
                                stopped = { .camera = "door", .result.outcome = BF_OUTCOME_STOPPED };

    (void)state;
    bf_gateway_answer(&gateway, &started);
    bf_gateway_answer(&gateway, &failed);
    bf_gateway_answer(&gateway, &stopped);
    struct bf_blob *text = bf_metrics_render(gateway.app.metrics, 0);
    assert_non_null(text);
    assert_non_null(strstr((const char *)text->data, "belfry_start_seconds_count 1\n"));
    assert_non_null(strstr((const char *)text->data, "belfry_starts_failed_total 1\n"));
    bf_blob_unref(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_has_given_up_takes_no_room),
        TEST(test_who_waits_stays),
        TEST(test_a_start_that_nobody_waits_for_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
