/* Cameras that start for their first viewer: whose request starts one, what the others are told, and when it is idle. */
#include "http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define IDLE_MS 20000
#define INDEX "GET /live/door/index.m3u8 HTTP/1.1\r\n" HOST

/* --- whose request starts it, pure --- */

static struct bf_camera_config cameras[] = {
    { .id = (char *)"door", .on_demand = true, .idle_timeout_ms = IDLE_MS },
    { .id = (char *)"yard" },
    { .id = (char *)"gate", .on_demand = true, .idle_timeout_ms = IDLE_MS },
};
static struct bf_config config = { .cameras = cameras, .n_cameras = 3 };
static struct bf_demand *d;

static int setup(void **state)
{
    (void)state;
    return bf_demand_new(&d, &config, 2);
}

static int teardown(void **state)
{
    (void)state;
    bf_demand_free(d);
    return 0;
}

static void test_which_cameras(void **state)
{
    (void)state;
    assert_non_null(bf_demand_of(d, "door"));
    assert_non_null(bf_demand_of(d, "gate"));
    assert_null(bf_demand_of(d, "yard"));
    assert_null(bf_demand_of(d, "nosuch"));
    assert_null(bf_demand_of(NULL, "door"));
    bf_demand_by_hand(NULL, true);
}

static void test_idle(void **state)
{
    struct bf_demand_camera *door = bf_demand_of(d, "door");

    (void)state;
    bf_demand_seen(door, 1000);
    assert_false(bf_demand_is_idle(door, 1000));
    assert_false(bf_demand_is_idle(door, 999)); /* another thread was quicker */
    assert_false(bf_demand_is_idle(door, 1000 + IDLE_MS - 1));
    assert_true(bf_demand_is_idle(door, 1000 + IDLE_MS));
    bf_demand_seen(door, 1000 + IDLE_MS);
    assert_false(bf_demand_is_idle(door, 1000 + IDLE_MS));
}

static void test_few_may_wait(void **state)
{
    struct bf_demand_camera *door = bf_demand_of(d, "door"), *gate = bf_demand_of(d, "gate");

    (void)state;
    assert_int_equal(bf_demand_enter(d, door, false, 1), BF_DEMAND_START);
    assert_int_equal(bf_demand_enter(d, door, true, 1), BF_DEMAND_START);
    assert_int_equal(bf_demand_enter(d, door, true, 1), BF_DEMAND_FULL);
    bf_demand_leave(d, door, false, 2);
    assert_int_equal(bf_demand_enter(d, gate, false, 2), BF_DEMAND_START);
    assert_int_equal(bf_demand_enter(d, gate, false, 2), BF_DEMAND_FULL);
    assert_int_equal(bf_demand_enter(d, door, false, 2), BF_DEMAND_FULL);
    bf_demand_leave(d, gate, false, 3);
    assert_int_equal(bf_demand_enter(d, door, false, 3), BF_DEMAND_START);
}

static void test_a_slow_camera_keeps_no_other_from_starting(void **state)
{
    struct bf_demand_camera *door = bf_demand_of(d, "door"), *gate = bf_demand_of(d, "gate");

    (void)state;
    assert_int_equal(bf_demand_enter(d, door, false, 1), BF_DEMAND_START);
    assert_int_equal(bf_demand_enter(d, door, false, 1), BF_DEMAND_START);
    assert_int_equal(bf_demand_enter(d, gate, false, 1), BF_DEMAND_START);
    assert_int_equal(bf_demand_enter(d, gate, false, 1), BF_DEMAND_FULL);
    bf_demand_leave(d, gate, false, 2);
    assert_int_equal(bf_demand_enter(d, gate, false, 2), BF_DEMAND_START);
}

static void test_a_pause_after_a_failure(void **state)
{
    struct bf_demand_camera *door = bf_demand_of(d, "door"), *gate = bf_demand_of(d, "gate");

    (void)state;
    assert_int_equal(bf_demand_enter(d, door, false, 1), BF_DEMAND_START);
    bf_demand_leave(d, door, true, 100);
    assert_int_equal(bf_demand_enter(d, door, false, 100 + BF_DEMAND_PAUSE_MS - 1), BF_DEMAND_PAUSE);
    assert_int_equal(bf_demand_enter(d, gate, false, 100), BF_DEMAND_START);
    assert_int_equal(bf_demand_enter(d, door, false, 100 + BF_DEMAND_PAUSE_MS), BF_DEMAND_START);
}

static void test_a_stop_by_hand_holds_against_those_who_watch(void **state)
{
    struct bf_demand_camera *door = bf_demand_of(d, "door");

    (void)state;
    bf_demand_by_hand(door, true);
    assert_int_equal(bf_demand_enter(d, door, true, 1), BF_DEMAND_STOPPED);
    assert_int_equal(bf_demand_enter(d, door, false, 1), BF_DEMAND_START); /* one who comes anew ends it */
    bf_demand_leave(d, door, false, 1);
    assert_int_equal(bf_demand_enter(d, door, true, 1), BF_DEMAND_START);
    bf_demand_leave(d, door, false, 1);
    bf_demand_by_hand(door, true);
    bf_demand_by_hand(door, false);
    assert_int_equal(bf_demand_enter(d, door, true, 1), BF_DEMAND_START);
}

/* --- over real sockets --- */

static int on_demand_begin(void **state)
{
    http_world_begin(state);
    t.camera.on_demand = true;
    t.camera.idle_timeout_ms = IDLE_MS;
    bf_live_set_current(t.app.live, "door", "");
    t.call_is_live = true;
    return bf_demand_new(&t.app.demand, &t.config, 1);
}

static void test_the_first_viewer_starts_it(void **state)
{
    (void)state;
    const char *a = ask(INDEX "\r\n");
    assert_int_equal(status_of(a), 200);
    assert_true(has(a, BUILDER_SESSION "/media.m3u8\n"));
    assert_int_equal(t.calls, 1);
    assert_true(t.want.on_demand);
    assert_false(t.want.record);
    assert_int_equal(status_of(ask(INDEX "\r\n")), 200);
    assert_int_equal(t.calls, 1);
    assert_true(has(get("/metrics"), "belfry_on_demand_total{reason=\"started\"} 1\n"));
}

static void test_the_manifest_starts_it_too(void **state)
{
    (void)state;
    const char *a = get("/live/door/manifest.mpd");
    assert_int_equal(status_of(a), 307);
    assert_true(has(a, "Location: " LIVE "manifest.mpd\r\n"));
    assert_int_equal(t.calls, 1);
}

static void test_what_starts_nothing(void **state)
{
    static const char *const requests[] = {
        "HEAD /live/door/index.m3u8 HTTP/1.1\r\n" HOST "\r\n",
        "OPTIONS /live/door/index.m3u8 HTTP/1.1\r\n" HOST "\r\n",
        INDEX "Sec-Fetch-Site: cross-site\r\n\r\n",
        INDEX "Sec-Fetch-Site: same-site\r\n\r\n",
        INDEX "Origin: http://evil.example\r\n\r\n",
        "GET /live/yard/index.m3u8 HTTP/1.1\r\n" HOST "\r\n",
        "GET /live/door/01HZZZZZZZZZZZZZZZZZZZZZZB/media.m3u8 HTTP/1.1\r\n" HOST "\r\n",
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(requests); i++)
        assert_in_range(status_of(ask(requests[i])), 204, 404);
    assert_int_equal(t.calls, 0);
    assert_true(has(get("/metrics"), "belfry_on_demand_total{reason=\"foreign_origin\"} 3\n"));
    assert_int_equal(status_of(ask(INDEX "Sec-Fetch-Site: same-origin\r\n\r\n")), 200);
    assert_int_equal(t.calls, 1);
}

static void test_it_does_not_come_up(void **state)
{
    (void)state;
    t.status = 502;
    t.call_is_live = false;
    const char *a = ask(INDEX "\r\n");
    assert_int_equal(status_of(a), 503);
    assert_true(has(a, "Retry-After: 5\r\n") && has(a, "\"code\":\"not_started\"") && has(a, "\"detail\":\"No.\""));
    a = ask(INDEX "\r\n"); /* and not again at once */
    assert_int_equal(status_of(a), 503);
    assert_true(has(a, "Retry-After: 5\r\n"));
    assert_int_equal(t.calls, 1);
    assert_true(has(get("/metrics"), "belfry_on_demand_total{reason=\"failed\"} 2\n"));
}

static void test_what_says_nothing_of_the_camera_makes_no_pause(void **state)
{
    static const struct {
        int status;
        const char *code, *retry_after;
        enum bf_demand_verdict then;
    } table[] = {
        { 503, "busy", "Retry-After: 1\r\n", BF_DEMAND_START },
        { 409, "cancelled", "Retry-After: 1\r\n", BF_DEMAND_START },
        { 503, "ending", "Retry-After: 1\r\n", BF_DEMAND_START },
        { 503, "camera_offline", "Retry-After: 5\r\n", BF_DEMAND_PAUSE },
    };
    struct bf_demand_camera *door = bf_demand_of(t.app.demand, "door");

    (void)state;
    t.call_is_live = false;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        t.status = table[i].status;
        t.code = table[i].code;
        const char *a = ask(INDEX "\r\n");
        assert_int_equal(status_of(a), 503);
        if (!has(a, table[i].retry_after) || !has(a, "\"code\":\"not_started\""))
            fail_msg("%s: %s", table[i].code, a);
        assert_int_equal(bf_demand_enter(t.app.demand, door, false, bf_mono_ms()), table[i].then);
        if (table[i].then == BF_DEMAND_START)
            bf_demand_leave(t.app.demand, door, false, 0);
    }
}

static void test_a_gateway_that_ends_makes_no_pause(void **state)
{
    struct bf_demand_camera *door = bf_demand_of(t.app.demand, "door");

    (void)state;
    bf_calls_shut(t.app.calls);
    const char *a = ask(INDEX "\r\n");
    assert_int_equal(status_of(a), 503);
    assert_true(has(a, "Retry-After: 1\r\n"));
    assert_int_equal(bf_demand_enter(t.app.demand, door, false, bf_mono_ms()), BF_DEMAND_START);
}

static struct bf_call *held;

static bool is_held(void *user)
{
    (void)user;
    return held != NULL;
}

static void test_no_more_wait_than_may(void **state)
{
    static struct client first;

    (void)state;
    held = NULL;
    t.hold = &held;
    begin(&first, INDEX "\r\n", NULL);
    run_until(&t.loop, is_held, NULL);
    const char *a = ask(INDEX "\r\n");
    assert_int_equal(status_of(a), 503);
    assert_true(has(a, "Retry-After: 1\r\n") && has(a, "\"code\":\"starting\""));
    http_world_answer(held);
    bf_call_unref(held);
    end(&first);
    assert_int_equal(status_of(first.answer), 200);
    assert_int_equal(t.calls, 1);
}

static void test_who_watched_when_it_was_stopped(void **state)
{
    (void)state;
    assert_int_equal(status_of(ask(INDEX "User-Agent: one\r\n\r\n")), 200);
    bf_demand_by_hand(bf_demand_of(t.app.demand, "door"), true);
    bf_live_set_current(t.app.live, "door", "");
    const char *a = ask(INDEX "User-Agent: one\r\n\r\n");
    assert_int_equal(status_of(a), 404);
    assert_true(has(a, "\"code\":\"nothing_live\""));
    assert_int_equal(t.calls, 1);
    assert_int_equal(status_of(ask(INDEX "User-Agent: two\r\n\r\n")), 200);
    assert_int_equal(t.calls, 2);
}

static void test_whose_presence_counts(void **state)
{
    struct bf_demand_camera *door = bf_demand_of(t.app.demand, "door");
    static const char *const requests[] = {
        INDEX "\r\n",
        "GET " LIVE "media.m3u8 HTTP/1.1\r\n" HOST "\r\n",
        "GET " LIVE "part-3.m4s HTTP/1.1\r\n" HOST "\r\n",
        "GET " LIVE "seg-0.m4s HTTP/1.1\r\n" HOST "\r\n",
        "GET " LIVE "manifest.mpd HTTP/1.1\r\n" HOST "\r\n",
        "GET /live/door/manifest.mpd HTTP/1.1\r\n" HOST "\r\n",
    };

    (void)state;
    bf_live_set_current(t.app.live, "door", BUILDER_SESSION);
    for (size_t i = 0; i < BF_COUNT_OF(requests); i++) {
        bf_demand_seen(door, 0);
        assert_true(bf_demand_is_idle(door, IDLE_MS));
        ask(requests[i]);
        if (bf_demand_is_idle(door, IDLE_MS))
            fail_msg("not counted: %s", requests[i]);
    }
    bf_demand_seen(door, 0);
    get("/api/v1/cameras/door");
    assert_true(bf_demand_is_idle(door, IDLE_MS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, on_demand_begin, http_world_end)
#define PURE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PURE(test_which_cameras),
        PURE(test_idle),
        PURE(test_few_may_wait),
        PURE(test_a_slow_camera_keeps_no_other_from_starting),
        PURE(test_a_pause_after_a_failure),
        PURE(test_a_stop_by_hand_holds_against_those_who_watch),
        TEST(test_the_first_viewer_starts_it),
        TEST(test_the_manifest_starts_it_too),
        TEST(test_what_starts_nothing),
        TEST(test_it_does_not_come_up),
        TEST(test_what_says_nothing_of_the_camera_makes_no_pause),
        TEST(test_a_gateway_that_ends_makes_no_pause),
        TEST(test_no_more_wait_than_may),
        TEST(test_who_watched_when_it_was_stopped),
        TEST(test_whose_presence_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
