/* The server over real sockets: framing, paths, origins, media, waiting, ranges, pages. */
#include "http_world.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- tests --- */

static void test_statuses(void **state)
{
    static const struct {
        const char *request;
        int status;
    } table[] = {
        { "GET /healthz HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET /readyz HTTP/1.1\r\n" HOST "\r\n", 503 },
        { "GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /web/..%2findex.html HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /web/%00 HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "PUT /healthz HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 405 },
        { "POST /healthz HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 405 },
        { "GET /start-streaming-service HTTP/1.1\r\n" HOST "\r\n", 405 },
        { "TRACE / HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /api/v1/cameras/nosuch HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /api/v1/cameras/door HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET /api/v1/recordings HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET /api/v1/recordings?camera=a%2fb HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /api/v1/recordings/" BUILDER_SESSION " HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /openapi.json HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET /metrics HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET " LIVE "part-3.m4s HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET " LIVE "part-99.m4s HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET " LIVE "seg-0.m4s HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET " LIVE "seg-2.m4s HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET " LIVE "init.mp4 HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET " LIVE "init-1.mp4 HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET " LIVE "journal HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET " LIVE "media.m3u8?_HLS_part=1 HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET " LIVE "media.m3u8?_HLS_msn=77 HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET " LIVE "media.m3u8?_HLS_msn=x HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /live/door/01HZZZZZZZZZZZZZZZZZZZZZZB/media.m3u8 HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /live/yard/index.m3u8 HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET / HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET /web/js/a.js HTTP/1.1\r\n" HOST "\r\n", 200 },
        { "GET /web/js HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /web/js/ HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /web/.secret.txt HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /web/page.cgi HTTP/1.1\r\n" HOST "\r\n", 404 },
        { "GET /web/link.txt HTTP/1.1\r\n" HOST "\r\n", 404 },
        /* framing */
        { "POST /stop-streaming-service HTTP/1.1\r\n" HOST
          "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          400 },
        { "POST /stop-streaming-service HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411 },
        { "POST /stop-streaming-service HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", 400 },
        { "POST /stop-streaming-service HTTP/1.1\r\n" HOST "Content-Length: 5x\r\n\r\nabcde", 400 },
        { "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
        { "GET /healthz HTTP/2.0\r\n" HOST "\r\n", 505 },
        { "nonsense\r\n\r\n", 400 },
        { "POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST
          "Content-Type: application/json\r\nContent-Length: 16385\r\n\r\n",
          413 },
        { "POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST
          "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
          415 },
        { "POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST
          "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
          201 },
        { "POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST "Expect: 200-maybe\r\nContent-Type: application/json\r\n"
          "Content-Length: 2\r\n\r\n{}",
          417 },
        /* origins */
        { "POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST
          "Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n",
          403 },
        { "POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST
          "Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n",
          403 },
        { "POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST "Origin: http://cam:8080\r\nContent-Length: 0\r\n\r\n",
          201 },
        { "DELETE /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST "Origin: https://example.org\r\n\r\n", 200 },
        { "OPTIONS /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST "\r\n", 204 },
        { "OPTIONS /nothing HTTP/1.1\r\n" HOST "\r\n", 404 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        int status = status_of(ask(table[i].request));
        if (status != table[i].status)
            fail_msg("%s: expected %d, got %d", table[i].request, table[i].status, status);
    }
}

static void test_long_paths_and_many_headers(void **state)
{
    char request[12000];

    (void)state;
    snprintf(request, sizeof request, "GET /%01100d HTTP/1.1\r\n" HOST "\r\n", 0);
    assert_int_equal(status_of(ask(request)), 414);
    size_t n = (size_t)snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 80; i++)
        n += (size_t)snprintf(request + n, sizeof request - n, "X-%d: a\r\n", i);
    snprintf(request + n, sizeof request - n, "\r\n");
    assert_int_equal(status_of(ask(request)), 431);
}

static void test_problems_are_complete(void **state)
{
    (void)state;
    const char *a = ask("POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST
                        "Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"width\": 641}");
    assert_int_equal(status_of(a), 400);
    assert_true(has(a, "Content-Type: application/problem+json\r\n"));
    assert_true(has(a, "\"field\":\"width\"") && has(a, "\"accepted\":\"an even whole number from 64 to 1920\""));
    assert_true(has(a, "\"instance\":\"/api/v1/cameras/door/stream\"") && has(a, "\"title\":\"Bad Request\""));
    assert_true(has(a, "Cache-Control: no-store\r\n") && has(a, "X-Content-Type-Options: nosniff\r\n"));
    a = ask("PUT /healthz HTTP/1.1\r\n" HOST "\r\n");
    assert_true(has(a, "Allow: GET, HEAD, OPTIONS\r\n"));
}

static void test_body_reaches_the_loop(void **state)
{
    (void)state;
    const char *a = ask("POST /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                        "Content-Type: application/json\r\nContent-Length: 28\r\n\r\n{\"record\":true,\"width\":1280}");
    assert_true(has(a, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"));
    assert_true(t.want.record);
    assert_int_equal(t.want.width, 1280);
    assert_int_equal(t.want.height, 0);
}

static void test_cors(void **state)
{
    (void)state;
    const char *a = ask("GET " LIVE "media.m3u8 HTTP/1.1\r\n" HOST "Origin: https://example.org\r\n\r\n");
    assert_true(has(a, "Access-Control-Allow-Origin: https://example.org\r\n"));
    assert_true(has(a, "Vary: Origin, Accept-Encoding\r\n"));
    a = ask("GET " LIVE "media.m3u8 HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n\r\n");
    assert_int_equal(status_of(a), 200);
    assert_false(has(a, "Access-Control-Allow-Origin"));
    assert_true(has(a, "Vary: Origin"));
    a = ask("OPTIONS /api/v1/cameras/door/stream HTTP/1.1\r\n" HOST "Origin: https://example.org\r\n"
            "Access-Control-Request-Method: DELETE\r\n\r\n");
    assert_true(has(a, "Access-Control-Allow-Methods: GET, HEAD, POST, DELETE, OPTIONS\r\n"));
}

static void test_playlists(void **state)
{
    (void)state;
    const char *a = get("/live/door/index.m3u8");
    assert_true(has(a, "Content-Type: application/vnd.apple.mpegurl\r\n") && has(a, BUILDER_SESSION "/media.m3u8\n"));
    a = get(LIVE "media.m3u8");
    assert_true(has(a, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-5.m4s\"\n") && has(a, "Cache-Control: no-cache\r\n"));
    a = get(LIVE "media.m3u8?_HLS_msn=0&_HLS_part=4");
    assert_true(has(a, "Cache-Control: public, max-age=6\r\n"));
    a = ask("GET " LIVE "media.m3u8 HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n");
    assert_true(has(a, "Content-Encoding: gzip\r\n"));
    a = ask("HEAD " LIVE "media.m3u8 HTTP/1.1\r\n" HOST "\r\n");
    assert_true(has(a, "Content-Length: ") && !has(a, "#EXTM3U"));
}

static void test_media_and_ranges(void **state)
{
    (void)state;
    const char *a = get(LIVE "part-3.m4s");
    assert_true(has(a, "Content-Length: 1000\r\n") && has(a, "Content-Type: video/mp4\r\n"));
    const char *body = strstr(a, "\r\n\r\n") + 4;
    assert_int_equal((uint8_t)body[0], (uint8_t)(3000 & 0xff)); /* bytes say where they lie */
    assert_int_equal((uint8_t)body[999], (uint8_t)(3999 & 0xff));
    a = ask("GET " LIVE "seg-0.m4s HTTP/1.1\r\n" HOST "Range: bytes=-5\r\n\r\n");
    assert_int_equal(status_of(a), 206);
    assert_true(has(a, "Content-Range: bytes 4995-4999/5000\r\n") && has(a, "Content-Length: 5\r\n"));
    a = ask("GET " LIVE "seg-0.m4s HTTP/1.1\r\n" HOST "Range: bytes=5000-\r\n\r\n");
    assert_int_equal(status_of(a), 416);
    assert_true(has(a, "Content-Range: bytes */5000\r\n"));
    a = ask("GET " LIVE "seg-0.m4s HTTP/1.1\r\n" HOST "Range: bytes=0-1,3-4\r\n\r\n");
    assert_int_equal(status_of(a), 200);
}

static void test_entity_tags(void **state)
{
    char etag[80], request[400];

    (void)state;
    const char *a = get("/");
    assert_true(has(a, "Content-Security-Policy: default-src 'self'") && has(a, "Referrer-Policy: no-referrer\r\n"));
    assert_true(has(a, "Content-Type: text/html; charset=utf-8\r\n"));
    assert_int_equal(sscanf(strstr(a, "ETag: "), "ETag: %79s", etag), 1);
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\n" HOST "If-None-Match: %s\r\n\r\n", etag);
    a = ask(request);
    assert_int_equal(status_of(a), 304);
    assert_null(strstr(a, "doctype"));
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\n" HOST "If-Range: \"other\"\r\nRange: bytes=0-1\r\n\r\n");
    assert_int_equal(status_of(ask(request)), 200);
}

static bool waiting(void *user)
{
    (void)user;
    return bf_live_waiting(t.app.live) == 2;
}

static void give_way(uv_idle_t *idle)
{
    (void)idle;
    sched_yield();
}

static void test_held_requests_are_answered_by_the_next_part(void **state)
{
    static struct client part, playlist;
    uv_idle_t idle;

    (void)state;
    begin(&part, "GET " LIVE "part-5.m4s HTTP/1.1\r\n" HOST "\r\n", NULL);
    begin(&playlist, "GET " LIVE "media.m3u8?_HLS_msn=1&_HLS_part=0 HTTP/1.1\r\n" HOST "\r\n", NULL);
    uv_idle_init(&t.loop, &idle);
    uv_idle_start(&idle, give_way);
    run_until(&t.loop, waiting, NULL);
    uv_close((uv_handle_t *)&idle, NULL);
    assert_int_equal(part.size, 0); /* not one byte before the whole part is there */
    build_part(&t.media.builder, 18000, true, 777);
    end(&part);
    end(&playlist);
    assert_true(has(part.answer, "Content-Length: 777\r\n"));
    assert_true(has(playlist.answer, "URI=\"part-5.m4s\",INDEPENDENT=YES\n"
                                     "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-6.m4s\""));
}

static void test_two_requests_on_one_connection(void **state)
{
    static struct client c;

    (void)state;
    begin(&c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\n" HOST "\r\n", NULL);
    end(&c);
    assert_true(has(c.answer, "HTTP/1.1 200 OK\r\n") && has(c.answer, "Connection: keep-alive\r\n"));
    assert_true(has(c.answer, "HTTP/1.1 404 Not Found\r\n") && has(c.answer, "Connection: close\r\n"));
}

/* What follows a request whose framing is in doubt must never be taken for another request. */
static void test_nothing_hides_behind_a_bad_frame(void **state)
{
    static struct client c;

    (void)state;
    begin(&c,
          "POST /stop-streaming-service HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
          NULL);
    end(&c);
    assert_int_equal(status_of(c.answer), 400);
    assert_false(has(c.answer, "\"ok\""));
}

static bool present_was_asked(void *user)
{
    (void)user;
    return t.present_asked;
}

static void test_events(void **state)
{
    static struct client c;

    (void)state;
    begin(&c, "GET /api/v1/events HTTP/1.1\r\n" HOST "\r\n", "data: {\"id\":7}");
    static const char *const present = "event: camera\ndata: {}\n\n";
    run_until(&t.loop, present_was_asked, NULL); /* by then the listener has its place in the ring */
    bf_events_publish(t.app.events, "recording-deleted", "{\"id\":7}");
    end(&c);
    assert_true(has(c.answer, "Content-Type: text/event-stream\r\n"));
    assert_true(strstr(c.answer, present) < strstr(c.answer, "event: recording-deleted\ndata: {\"id\":7}\n\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_world_begin, http_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_statuses),
        TEST(test_long_paths_and_many_headers),
        TEST(test_problems_are_complete),
        TEST(test_body_reaches_the_loop),
        TEST(test_cors),
        TEST(test_playlists),
        TEST(test_media_and_ranges),
        TEST(test_entity_tags),
        TEST(test_held_requests_are_answered_by_the_next_part),
        TEST(test_two_requests_on_one_connection),
        TEST(test_nothing_hides_behind_a_bad_frame),
        TEST(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
