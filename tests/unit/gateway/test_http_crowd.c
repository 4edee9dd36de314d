/* The server with more clients than workers: who gets one, and who goes on all the same. It has 16 workers, eight of them
 * for whoever stays. */
#include "http_world.h"

#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define HELD "GET " LIVE "media.m3u8?_HLS_msn=1&_HLS_part=0 HTTP/1.1\r\n" HOST "\r\n"

static int visit(const char *says)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(bf_http_server_port(t.server)),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, says, strlen(says), MSG_NOSIGNAL), strlen(says));
    return fd;
}

static void give_way(uv_idle_t *idle)
{
    (void)idle;
    sched_yield();
}

/* Runs the loop until as many requests as that are held. */
static void until_held(unsigned n)
{
    uv_idle_t idle;

    uv_idle_init(&t.loop, &idle);
    uv_idle_start(&idle, give_way);
    for (uint64_t until_ms = bf_mono_ms() + 5000; bf_live_waiting(t.app.live) != n;) {
        assert_true(bf_mono_ms() < until_ms);
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

static void test_the_silent_hold_no_worker(void **state)
{
    int silent[64];

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(silent); i++)
        silent[i] = visit(i % 2 == 0 ? "" : "GET /healthz HTTP/1.1\r\nX-Slow: ");
    assert_int_equal(status_of(get("/healthz")), 200);
    const char *metrics = get("/metrics");
    assert_true(has(metrics, "belfry_http_connections{kind=\"silent\"} 64\n"));
    assert_true(has(metrics, "belfry_http_workers 16\n"));
    for (size_t i = 0; i < BF_COUNT_OF(silent); i++)
        close(silent[i]);
}

static void test_a_reserve_is_left_to_control_and_health(void **state)
{
    static struct client viewers[8];

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(viewers); i++)
        begin(&viewers[i], HELD, NULL);
    until_held(BF_COUNT_OF(viewers));

    const char *a = get(LIVE "media.m3u8");
    assert_int_equal(status_of(a), 503);
    assert_true(has(a, "\"code\":\"too_many_viewers\"") && has(a, "Retry-After: ") && has(a, "Connection: close\r\n"));
    assert_int_equal(status_of(get("/healthz")), 200);
    assert_int_equal(status_of(get("/api/v1/cameras/door")), 200);
    a = get("/metrics");
    assert_true(has(a, "belfry_http_connections{kind=\"media\"} 8\n"));
    assert_true(has(a, "belfry_http_refused_total{reason=\"viewers\"} 1\n"));

    build_part(&t.media.builder, 18000, true, 777);
    for (size_t i = 0; i < BF_COUNT_OF(viewers); i++) {
        end(&viewers[i]);
        assert_int_equal(status_of(viewers[i].answer), 200);
    }
    assert_int_equal(status_of(get(LIVE "media.m3u8")), 200);
}

static void test_idle_connections_make_way(void **state)
{
    int idle[40];

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(idle); i++) {
        char c;
        idle[i] = visit("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(recv(idle[i], &c, 1, 0), 1);
    }
    assert_int_equal(status_of(get("/api/v1/cameras/door")), 200);
    for (size_t i = 0; i < BF_COUNT_OF(idle); i++)
        close(idle[i]);
}

static void test_the_end_waits_for_nobody(void **state)
{
    (void)state;
    int silent = visit(""), half = visit("GET / HT"), kept = visit("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    int listens = visit("GET /api/v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
    uint64_t began_ms = bf_mono_ms();

    bf_calls_shut(t.app.calls);
    bf_live_shut(t.app.live);
    bf_events_shut(t.app.events);
    bf_http_server_stop(BF_TAKE(t.server));
    assert_true(bf_mono_ms() - began_ms < 1500);
    close(silent);
    close(half);
    close(kept);
    close(listens);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_world_begin, http_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_silent_hold_no_worker),
        TEST(test_a_reserve_is_left_to_control_and_health),
        TEST(test_idle_connections_make_way),
        TEST(test_the_end_waits_for_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
