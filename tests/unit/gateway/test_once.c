/* Idempotency-Key over real sockets: status, header and body as before, and one call however many ask. */
#include "http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STREAM "/api/v1/cameras/door/stream"
#define JSON(length, text) "Content-Type: application/json\r\nContent-Length: " length "\r\n\r\n" text
#define KEYED(key) "POST " STREAM " HTTP/1.1\r\n" HOST "Idempotency-Key: " key "\r\n"

static struct bf_call *held;

static bool is_held(void *user)
{
    (void)user;
    return held != NULL;
}

/* Everything but the time of the answer. */
static const char *without_date(const char *answer)
{
    static char text[4096];
    const char *date = strstr(answer, "Date: ");
    const char *rest = strstr(date, "\r\n");

    snprintf(text, sizeof text, "%.*s%s", (int)(date - answer), answer, rest);
    return text;
}

static void test_the_same_answer(void **state)
{
    char first[4096];

    (void)state;
    snprintf(first, sizeof first, "%s", without_date(ask(KEYED("a") JSON("2", "{}"))));
    assert_int_equal(status_of(first), 201);
    assert_true(has(first, "Location: " STREAM "?call=1\r\n") && has(first, "{\"answered\":true}"));
    assert_string_equal(without_date(ask(KEYED("a") JSON("2", "{}"))), first);
    assert_string_equal(without_date(ask(KEYED("\"a\"") JSON("2", "{}"))), first);
    assert_int_equal(t.calls, 1);
    assert_true(has(ask(KEYED("b") JSON("2", "{}")), "?call=2\r\n"));
    assert_true(has(ask("POST " STREAM " HTTP/1.1\r\n" HOST JSON("2", "{}")), "?call=3\r\n"));
}

static void test_the_body_still_counts(void **state)
{
    (void)state;
    assert_int_equal(status_of(ask(KEYED("a") JSON("28", "{\"record\":true,\"width\":1280}"))), 201);
    assert_true(t.want.record);
    assert_int_equal(t.want.width, 1280);
    const char *a = ask(KEYED("b") JSON("14", "{\"width\": 641}"));
    assert_int_equal(status_of(a), 400);
    assert_true(has(a, "\"field\":\"width\""));
    assert_int_equal(t.calls, 1);
}

static void test_another_request_with_the_same_key(void **state)
{
    (void)state;
    assert_int_equal(status_of(ask(KEYED("a") JSON("2", "{}"))), 201);
    const char *a = ask(KEYED("a") JSON("15", "{\"record\":true}"));
    assert_int_equal(status_of(a), 422);
    assert_true(has(a, "HTTP/1.1 422 Unprocessable Content\r\n") && has(a, "\"code\":\"idempotency_key_reused\""));
    a = ask("DELETE " STREAM " HTTP/1.1\r\n" HOST "Idempotency-Key: a\r\n\r\n");
    assert_int_equal(status_of(a), 422);
    a = ask("POST /stop-streaming-service HTTP/1.1\r\n" HOST "Idempotency-Key: a\r\n" JSON("2", "{}"));
    assert_int_equal(status_of(a), 422);
    assert_int_equal(t.calls, 1);
}

static void test_what_is_no_key(void **state)
{
    static const char *const requests[] = {
        KEYED("") JSON("2", "{}"),
        KEYED("\"\"") JSON("2", "{}"),
        KEYED("a b") JSON("2", "{}"),
        KEYED("01234567890123456789012345678901234567890123456789012345678901234") JSON("2", "{}"),
        KEYED("a\r\nIdempotency-Key: a") JSON("2", "{}"),
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(requests); i++) {
        const char *a = ask(requests[i]);
        if (status_of(a) != 400 || !has(a, "\"code\":\"bad_idempotency_key\""))
            fail_msg("%s: %s", requests[i], a);
    }
    assert_int_equal(t.calls, 0);
    assert_int_equal(status_of(ask("GET /healthz HTTP/1.1\r\n" HOST "Idempotency-Key: a b\r\n\r\n")), 200);
}

static void test_a_foreign_page_gets_nothing_kept(void **state)
{
    (void)state;
    assert_int_equal(status_of(ask(KEYED("a") JSON("2", "{}"))), 201);
    assert_int_equal(status_of(ask(KEYED("a") "Origin: http://evil.example\r\n" JSON("2", "{}"))), 403);
    assert_true(has(ask(KEYED("a") "Origin: https://example.org\r\n" JSON("2", "{}")), "?call=2\r\n"));
}

static void test_an_unavailable_one_is_tried_anew(void **state)
{
    (void)state;
    t.status = 503;
    assert_int_equal(status_of(ask(KEYED("a") JSON("2", "{}"))), 503);
    t.status = 0;
    assert_int_equal(status_of(ask(KEYED("a") JSON("2", "{}"))), 201);
    assert_int_equal(t.calls, 2);
}

static void test_they_join_while_it_runs(void **state)
{
    static struct client clients[4];
    char first[4096];

    (void)state;
    held = NULL;
    t.hold = &held;
    for (size_t i = 0; i < BF_COUNT_OF(clients); i++)
        begin(&clients[i], KEYED("a") JSON("2", "{}"), NULL);
    run_until(&t.loop, is_held, NULL);
    http_world_answer(held);
    bf_call_unref(held);
    for (size_t i = 0; i < BF_COUNT_OF(clients); i++) {
        end(&clients[i]);
        assert_int_equal(status_of(clients[i].answer), 201);
        if (i == 0)
            snprintf(first, sizeof first, "%s", without_date(clients[i].answer));
        assert_string_equal(without_date(clients[i].answer), first);
    }
    assert_int_equal(t.calls, 1);
    const char *a = get("/metrics");
    unsigned joined = 0, replayed = 0;
    sscanf(strstr(a, "{reason=\"joined\"}"), "{reason=\"joined\"} %u", &joined);
    sscanf(strstr(a, "{reason=\"replayed\"}"), "{reason=\"replayed\"} %u", &replayed);
    assert_int_equal(joined + replayed, 3);
}

static void test_cors_names_the_header(void **state)
{
    (void)state;
    const char *a = ask("OPTIONS " STREAM " HTTP/1.1\r\n" HOST "Origin: https://example.org\r\n"
                        "Access-Control-Request-Headers: idempotency-key\r\n\r\n");
    assert_true(has(a, "Access-Control-Allow-Headers: Content-Type, Idempotency-Key, Range\r\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_world_begin, http_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_same_answer),
        TEST(test_the_body_still_counts),
        TEST(test_another_request_with_the_same_key),
        TEST(test_what_is_no_key),
        TEST(test_a_foreign_page_gets_nothing_kept),
        TEST(test_an_unavailable_one_is_tried_anew),
        TEST(test_they_join_while_it_runs),
        TEST(test_cors_names_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
