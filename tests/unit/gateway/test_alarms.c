/* What listeners are told of a node's standing: once when it begins, once when it ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/gateway_internal.h"
#include "orch_world.h"

static struct world w;
static struct bf_gateway gateway;
static uint64_t at;

static int setup(void **state)
{
    (void)state;
    world_make(&w);
    memset(&gateway, 0, sizeof gateway);
    gateway.orch = w.o;
    assert_int_equal(bf_events_new(&gateway.app.events), 0);
    all_online(&w);
    at = bf_events_head(gateway.app.events);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bf_events_free(gateway.app.events);
    world_done(&w);
    return 0;
}

/* As on a state of the camera that carries this last error. */
static void camera_says(const char *code, const char *phase)
{
    const struct bf_standing before = bf_gateway_standing(&gateway, BF_ROLE_CAMERA, "door");
    const struct bf_node_report report = { .error_code = code, .error_detail = "start counter 7, ours 8" };

    w.error = code;
    camera_is(&w, phase, NULL);
    bf_gateway_tell_standing(&gateway, BF_ROLE_CAMERA, "door", before, &report);
}

static void assert_told(const char *active)
{
    struct bf_blob *event;

    assert_int_equal(bf_events_next(gateway.app.events, &at, 0, &event), 0);
    const char *text = (const char *)event->data;
    assert_memory_equal(text, "event: alarm\n", 13);
    assert_non_null(strstr(text, "\"node\":\"door\""));
    assert_non_null(strstr(text, "\"code\":\"node_cloned\""));
    assert_non_null(strstr(text, active));
    bf_blob_unref(event);
}

static void assert_quiet(void)
{
    struct bf_blob *event;

    assert_int_equal(bf_events_next(gateway.app.events, &at, 0, &event), -ETIMEDOUT);
}

static void test_a_cloned_node(void **state)
{
    (void)state;
    camera_says("node_cloned", "off");
    assert_told("\"active\":true");
    camera_says("node_cloned", "off");
    assert_quiet();
    camera_says("", "lost"); /* a last will tells of the time when the connection was made */
    assert_quiet();
    camera_says("", "off");
    assert_told("\"active\":false");
    camera_says("", "off");
    assert_quiet();
}

static void test_a_node_that_had_left_to_its_copy(void **state)
{
    (void)state;
    camera_says("node_yields", "off");
    assert_told("start counter 7, ours 8");
    camera_says("node_cloned", "off"); /* the other one of the two */
    assert_quiet();
}

static void test_other_errors_are_none(void **state)
{
    (void)state;
    camera_says("source_failed", "off");
    camera_says("clock_gap", "off");
    assert_quiet();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_cloned_node),
        TEST(test_a_node_that_had_left_to_its_copy),
        TEST(test_other_errors_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
