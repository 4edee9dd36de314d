/* Live media over real sockets: lifetimes in caches, segments that grow, DASH's addresses. */
#include "http_world.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- lifetimes --- */

static void test_lifetimes(void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *cache;
    } rows[] = { /* with a target duration of one second */
                 { LIVE "media.m3u8", 200, "no-cache" },
                 { LIVE "media.m3u8?_HLS_msn=0", 200, "public, max-age=6" },
                 { LIVE "media.m3u8?_HLS_skip=YES", 200, "no-cache" },
                 { LIVE "media.m3u8?_HLS_part=0", 400, "public, max-age=4" },
                 { LIVE "media.m3u8?_HLS_msn=x", 400, "public, max-age=4" },
                 { LIVE "media.m3u8?_HLS_msn=3", 400, "no-store" }, /* a moment later it is right */
                 { LIVE "media.m3u8?_HLS_msn=1&_HLS_part=40", 400, "no-store" },
                 { "/live/door/01HZZZZZZZZZZZZZZZZZZZZZZB/media.m3u8", 404, "public, max-age=1" },
                 { "/live/door/01HZZZZZZZZZZZZZZZZZZZZZZB/media.m3u8?_HLS_msn=1", 404, "public, max-age=4" },
                 { LIVE "part-1.m4s", 200, "public, max-age=6, immutable" },
                 { LIVE "part-6.m4s", 404, "no-store" },
                 { LIVE "seg-5.m4s", 404, "no-store" },
                 { LIVE "init.mp4", 200, "public, max-age=3600, immutable" },
                 { LIVE "manifest.mpd", 200, "no-cache" },
                 { "/live/door/manifest.mpd", 307, "no-store" },
                 { "/live/door/index.m3u8", 200, "no-cache" },
                 { "/api/v1/time", 200, "no-store" }
    };
    char request[300], line[80];

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].path);
        snprintf(line, sizeof line, "\r\nCache-Control: %s\r\n", rows[i].cache);
        const char *answer = ask(request);
        if (status_of(answer) != rows[i].status || !has(answer, line))
            fail_msg("%s: expected %d, %s; got\n%s", rows[i].path, rows[i].status, rows[i].cache, answer);
    }
}

static void test_a_segment_says_when_it_goes(void **state)
{
    unsigned max_age;

    (void)state;
    const char *answer = get(LIVE "seg-0.m4s");
    assert_int_equal(
        sscanf(strstr(answer, "Cache-Control: "), "Cache-Control: public, max-age=%u, immutable", &max_age), 1);
    assert_in_range(max_age, 10, 60);
    assert_true(has(answer, "\r\nExpires: ") && has(answer, "\r\nContent-Length: 5000\r\n"));
}

static void test_gzip(void **state)
{
    static const char *const paths[] = { LIVE "media.m3u8", LIVE "manifest.mpd", "/live/door/index.m3u8" };
    char request[300];

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(paths); i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n", paths[i]);
        const char *answer = ask(request);
        assert_true(has(answer, "Content-Encoding: gzip\r\n") && has(answer, "Vary: Origin, Accept-Encoding\r\n"));
        assert_memory_equal(strstr(answer, "\r\n\r\n") + 4, "\x1f\x8b", 2);
    }
}

/* --- DASH's addresses --- */

static void test_manifest(void **state)
{
    (void)state;
    const char *answer = get(LIVE "manifest.mpd");
    assert_true(has(answer, "Content-Type: application/dash+xml\r\n") && has(answer, "media=\"seg-$Number$.m4s\""));
    answer = get("/live/door/manifest.mpd");
    assert_true(has(answer, "\r\nLocation: " LIVE "manifest.mpd\r\n"));
    assert_int_equal(status_of(get("/live/yard/manifest.mpd")), 404);
}

static void test_time(void **state)
{
    unsigned year, month, day, hour, minute, second, ms;
    int end = 0;

    (void)state;
    const char *answer = ask("GET /api/v1/time HTTP/1.1\r\n" HOST "Origin: https://example.org\r\n\r\n");
    assert_true(has(answer, "Access-Control-Allow-Origin: https://example.org\r\n"));
    assert_true(has(answer, "Content-Type: text/plain"));
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    assert_int_equal(
        sscanf(body, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ%n", &year, &month, &day, &hour, &minute, &second, &ms, &end), 7);
    assert_int_equal(end, strlen(body));
}

/* --- a segment that grows --- */

static bool one_waits(void *user)
{
    (void)user;
    return bf_live_waiting(t.app.live) == 1;
}

static void give_way(uv_idle_t *idle)
{
    (void)idle;
    sched_yield();
}

/* What happens in other threads does not wake the loop: it must not block. */
static void spin_until(bool (*done)(void *user), void *user)
{
    uv_idle_t idle;

    uv_idle_init(&t.loop, &idle);
    uv_idle_start(&idle, give_way);
    run_until(&t.loop, done, user);
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

static bool has_an_answer(void *user)
{
    return ((struct client *)user)->size > 0;
}

static void build_two_parts_and_end(struct client *c)
{
    spin_until(one_waits, NULL);
    assert_int_equal(c->size, 0); /* held: it has not begun */
    build_part(&t.media.builder, 18000, true, 1000);
    spin_until(has_an_answer, c);
    build_part(&t.media.builder, 18000, false, 500);
    build_segment_end(&t.media.builder);
    end(c);
}

/* The body behind the header; chunks joined where it is chunked. -1: it was cut off. */
static long body_of(const struct client *c, uint8_t *ret, bool chunked)
{
    const char *at = strstr(c->answer, "\r\n\r\n") + 4, *stop = c->answer + c->size;
    long size = 0;

    if (!chunked) {
        memcpy(ret, at, (size_t)(stop - at));
        return stop - at;
    }
    for (unsigned length; sscanf(at, "%x\r\n", &length) == 1; at += length + 2) {
        at = strstr(at, "\r\n") + 2;
        if (length == 0)
            return size;
        memcpy(ret + size, at, length);
        size += length;
    }
    return -1;
}

static void check_body(const struct client *c, bool chunked, long expected)
{
    static uint8_t body[sizeof((struct client *)NULL)->answer];

    assert_int_equal(body_of(c, body, chunked), expected);
    for (long i = 0; i < expected; i++)
        assert_int_equal(body[i], (uint8_t)(1 + i)); /* of segment 1 */
}

static void test_parts_as_chunks(void **state)
{
    static struct client c;

    (void)state;
    begin(&c, "GET " LIVE "seg-1.m4s HTTP/1.1\r\n" HOST "Range: bytes=0-9\r\n\r\n", NULL);
    build_two_parts_and_end(&c);
    assert_int_equal(status_of(c.answer), 200); /* of what has no length no range can be given */
    assert_true(has(c.answer, "\r\nTransfer-Encoding: chunked\r\n") && !has(c.answer, "Content-Length"));
    assert_true(has(c.answer, "\r\nContent-Type: video/mp4\r\n"));
    assert_non_null(memmem(c.answer, c.size, "\r\n3e8\r\n", 7)); /* each part is one chunk */
    assert_non_null(memmem(c.answer, c.size, "\r\n1f4\r\n", 7));
    check_body(&c, true, 1500);
}

static void test_older_clients_get_no_chunks(void **state)
{
    static struct client c;

    (void)state;
    begin(&c, "GET " LIVE "seg-1.m4s HTTP/1.0\r\nHost: cam\r\nConnection: keep-alive\r\n\r\n", NULL);
    build_two_parts_and_end(&c);
    assert_false(has(c.answer, "Transfer-Encoding") || has(c.answer, "Content-Length"));
    assert_true(has(c.answer, "\r\nConnection: close\r\n"));
    check_body(&c, false, 1500);
}

static void test_the_connection_goes_on_behind_the_chunks(void **state)
{
    static struct client c;

    (void)state;
    begin(&c, "GET " LIVE "seg-1.m4s HTTP/1.1\r\nHost: cam\r\n\r\nGET /nothing HTTP/1.1\r\n" HOST "\r\n", NULL);
    build_two_parts_and_end(&c);
    assert_true(has(c.answer, "\r\nConnection: keep-alive\r\n"));
    assert_non_null(memmem(c.answer, c.size, "\r\n0\r\n\r\nHTTP/1.1 404 Not Found\r\n", 30));
}

static void test_head_of_a_segment_that_grows(void **state)
{
    (void)state;
    build_part(&t.media.builder, 18000, true, 1000);
    uv_run(&t.loop, UV_RUN_ONCE);
    const char *answer = ask("HEAD " LIVE "seg-1.m4s HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(status_of(answer), 200);
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

/* A body that cannot be brought to its end must not look like the whole segment. */
static void test_a_session_that_goes_cuts_the_body(void **state)
{
    static struct client c;

    (void)state;
    begin(&c, "GET " LIVE "seg-1.m4s HTTP/1.1\r\n" HOST "\r\n", NULL);
    spin_until(one_waits, NULL);
    build_part(&t.media.builder, 18000, true, 1000);
    spin_until(has_an_answer, &c);
    media_dir_purge(&t.media, "door");
    end(&c);
    assert_int_equal(status_of(c.answer), 200);
    check_body(&c, true, -1);
}

static void test_a_segment_that_never_begins(void **state)
{
    static struct client c;

    (void)state;
    begin(&c, "GET " LIVE "seg-1.m4s HTTP/1.1\r\n" HOST "\r\n", NULL);
    spin_until(one_waits, NULL);
    build_end(&t.media.builder, "stopped");
    end(&c);
    assert_int_equal(status_of(c.answer), 404);
    assert_true(has(c.answer, "\r\nCache-Control: public, max-age=1\r\n"));
}

static void test_directives_after_the_end(void **state)
{
    (void)state;
    test_a_segment_that_never_begins(state); /* until the end has been read */
    const char *answer = get(LIVE "media.m3u8?_HLS_msn=x&_HLS_part=");
    assert_int_equal(status_of(answer), 200);
    assert_true(has(answer, "#EXT-X-ENDLIST\n"));
}

static void test_ranges_of_parts_in_memory(void **state)
{
    (void)state;
    const char *answer = ask("GET " LIVE "part-3.m4s HTTP/1.1\r\n" HOST "Range: bytes=-5\r\n\r\n");
    assert_int_equal(status_of(answer), 206);
    assert_true(has(answer, "Content-Range: bytes 995-999/1000\r\n") && has(answer, "Content-Length: 5\r\n"));
    assert_int_equal((uint8_t)strstr(answer, "\r\n\r\n")[4], (uint8_t)(3995 & 0xff));
    answer = ask("GET " LIVE "part-3.m4s HTTP/1.1\r\n" HOST "Range: bytes=1000-\r\n\r\n");
    assert_int_equal(status_of(answer), 416);
    assert_true(has(answer, "Content-Range: bytes */1000\r\n"));
    answer = ask("GET " LIVE "part-3.m4s HTTP/1.1\r\n" HOST "Range: bytes=1-2\r\nIf-Range: \"x\"\r\n\r\n");
    assert_int_equal(status_of(answer), 200);
    answer = ask("HEAD " LIVE "part-3.m4s HTTP/1.1\r\n" HOST "\r\n");
    assert_true(has(answer, "Content-Length: 1000\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_world_begin, http_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lifetimes),
        TEST(test_a_segment_says_when_it_goes),
        TEST(test_gzip),
        TEST(test_manifest),
        TEST(test_time),
        TEST(test_parts_as_chunks),
        TEST(test_older_clients_get_no_chunks),
        TEST(test_the_connection_goes_on_behind_the_chunks),
        TEST(test_head_of_a_segment_that_grows),
        TEST(test_a_session_that_goes_cuts_the_body),
        TEST(test_a_segment_that_never_begins),
        TEST(test_directives_after_the_end),
        TEST(test_ranges_of_parts_in_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
