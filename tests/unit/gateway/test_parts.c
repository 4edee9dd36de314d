/* The small parts: origins, bodies, events, calls, metrics, intents. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "gateway/body.h"
#include "gateway/calls.h"
#include "gateway/events.h"
#include "gateway/guard.h"
#include "gateway/intents.h"
#include "gateway/metrics.h"
#include "media_dir.h"

/* --- where a request comes from --- */

static void test_guard(void **state)
{
    static char listed[] = "https://example.org";
    static char *const allowed[] = { listed };
    static const struct {
        const char *origin, *host, *fetch_site;
        bool changes, expected;
    } table[] = {
        { NULL, "cam:8080", NULL, true, true }, /* curl */
        { "http://evil.example", "cam:8080", "cross-site", false, true },
        { "http://evil.example", "cam:8080", "cross-site", true, false },
        { "http://evil.example", "cam:8080", NULL, true, false },
        { "http://cam:8080", "cam:8080", "same-origin", true, true },
        { "http://cam:8080", "cam:8080", NULL, true, true },
        { "http://CAM:8080", "cam:8080", NULL, true, true },
        { "https://cam", "cam", NULL, true, true },
        { "http://cam:8081", "cam:8080", NULL, true, false },
        { "http://cam", "cam:8080", NULL, true, false },
        { "http://cam:8080.evil", "cam:8080", NULL, true, false },
        { "ftp://cam:8080", "cam:8080", NULL, true, false },
        { "null", "cam:8080", NULL, true, false },
        { "http://sub.cam", "cam", "same-site", true, false },
        { NULL, "cam", "cross-site", true, false }, /* no Origin, but the browser says so */
        { NULL, "cam", "same-site", true, false },
        { NULL, "cam", "none", true, true },
        { NULL, "cam", "same-origin", true, true },
        { "https://example.org", "cam", "cross-site", true, true },
        { "https://example.org.evil", "cam", "cross-site", true, false },
        { "https://EXAMPLE.org", "cam", "cross-site", true, false },
        { "http://x", NULL, NULL, true, false },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        const struct bf_guard_request r = { table[i].origin, table[i].host, table[i].fetch_site, table[i].changes };
        if (bf_guard_allows(&r, allowed, 1) != table[i].expected)
            fail_msg("row %zu", i);
    }
    assert_true(bf_guard_listed("https://example.org", allowed, 1));
    assert_false(bf_guard_listed("https://example.or", allowed, 1));
    assert_false(bf_guard_listed(NULL, allowed, 1));
}

/* --- bodies --- */

static struct {
    bool flag, flag_given;
    uint32_t number;
    char text[11];
} taken;

static int parse(const char *text, struct bf_body_error *e)
{
    const struct bf_body_field fields[] = {
        { .name = "flag", .type = BF_BODY_BOOL, .value = &taken.flag, .given = &taken.flag_given },
        { .name = "number", .type = BF_BODY_NUMBER, .value = &taken.number, .min = 64, .max = 1920, .even = true },
        { .name = "text", .type = BF_BODY_TEXT, .value = taken.text, .min = 1, .max = 10 },
    };

    memset(&taken, 0, sizeof taken);
    return bf_body_parse(text, strlen(text), fields, BF_COUNT_OF(fields), e);
}

static void test_good_bodies(void **state)
{
    struct bf_body_error e;

    (void)state;
    assert_int_equal(parse("", &e), 0);
    assert_int_equal(parse("{}", &e), 0);
    assert_false(taken.flag_given);
    assert_int_equal(parse("{\"flag\": true, \"number\": 640, \"text\": \"T\xc3\xbcr\"}", &e), 0);
    assert_true(taken.flag && taken.flag_given);
    assert_int_equal(taken.number, 640);
    assert_string_equal(taken.text, "T\xc3\xbcr");
}

static void test_bad_bodies(void **state)
{
    static const struct {
        const char *text, *field, *accepted;
    } table[] = {
        { "{\"flg\": true}", "flg", "flag, number, text" },
        { "{\"flag\": 1}", "flag", "true or false" },
        { "{\"flag\": null}", "flag", "true or false" },
        { "{\"number\": \"640\"}", "number", "from 64 to 1920" },
        { "{\"number\": 640.0}", "number", "whole number" },
        { "{\"number\": 62}", "number", "from 64 to 1920" },
        { "{\"number\": 1922}", "number", "from 64 to 1920" },
        { "{\"number\": 641}", "number", "even" },
        { "{\"number\": -640}", "number", "from 64" },
        { "{\"number\": 99999999999999999999}", "", "JSON" },
        { "{\"text\": \"\"}", "text", "1 to 10" },
        { "{\"text\": \"12345678901\"}", "text", "1 to 10" },
        { "{\"text\": \"a\\nb\"}", "text", "control" },
        { "{\"text\": \"a\\u0000b\"}", "", "JSON" },
        { "{\"text\": [\"a\"]}", "text", "text" },
        { "{\"flag\": true, \"flag\": false}", "", "JSON" },
        { "[]", "", "object" },
        { "true", "", "JSON" },
        { "{", "", "JSON" },
        { "{} {}", "", "JSON" },
        { "[[[[[[[[]]]]]]]]", "", "JSON" },
        { "{\"text\": \"\xff\"}", "", "JSON" },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_body_error e;

        if (parse(table[i].text, &e) != -EBADMSG || strcmp(e.field, table[i].field) != 0 ||
            strstr(e.accepted, table[i].accepted) == NULL || e.detail[0] == '\0')
            fail_msg("%s: field \"%s\", accepted \"%s\"", table[i].text, e.field, e.accepted);
    }
}

static void test_deep_bodies_do_not_recurse(void **state)
{
    char *text = malloc(BF_BODY_MAX + 2);
    struct bf_body_error e;

    (void)state;
    memset(text, '[', BF_BODY_MAX + 1);
    assert_int_equal(bf_body_parse(text, BF_BODY_MAX, NULL, 0, &e), -EBADMSG);
    assert_int_equal(bf_body_parse(text, BF_BODY_MAX + 1, NULL, 0, &e), -EBADMSG);
    free(text);
}

/* --- events --- */

static void test_events(void **state)
{
    struct bf_events *events;
    struct bf_blob *got;

    (void)state;
    assert_int_equal(bf_events_new(&events), 0);
    uint64_t at = bf_events_head(events);
    assert_int_equal(bf_events_next(events, &at, 1, &got), -ETIMEDOUT);
    bf_events_publish(events, "camera", "{\"id\":\"door\"}");
    assert_int_equal(bf_events_next(events, &at, 1, &got), 0);
    assert_string_equal(got->data, "event: camera\ndata: {\"id\":\"door\"}\n\n");
    bf_blob_unref(got);
    for (int i = 0; i < 1000; i++)
        bf_events_publish(events, "camera", "{}");
    assert_int_equal(bf_events_next(events, &at, 1, &got), -EOVERFLOW);
    bf_events_shut(events);
    at = bf_events_head(events);
    assert_int_equal(bf_events_next(events, &at, 60000, &got), -ESHUTDOWN);
    bf_events_free(events);
}

/* --- calls --- */

struct caller {
    struct bf_calls *calls;
    struct bf_call *call;
    uint64_t timeout_ms;
    int result;
    pthread_t thread;
    atomic_bool done;
    uv_async_t wake; /* the loop has to look whether it is done */
};

static void *call_thread(void *user)
{
    struct caller *c = user;

    c->result = bf_calls_ask(c->calls, c->call, c->timeout_ms);
    c->done = true;
    uv_async_send(&c->wake);
    return NULL;
}

static bool is_done(void *user)
{
    return ((struct caller *)user)->done;
}

static struct bf_call *kept;

static void answer_or_keep(void *user, struct bf_call *call)
{
    (void)user;
    if (call->kind == BF_CALL_STOP) {
        kept = bf_call_ref(call);
        return;
    }
    call->status = 200;
    snprintf(call->detail, sizeof call->detail, "for %s", call->camera);
    bf_call_answer(call);
}

static bool is_kept(void *user)
{
    (void)user;
    return kept != NULL;
}

static void look(uv_async_t *handle)
{
    (void)handle;
}

static void begin_call(struct caller *c, uv_loop_t *loop, struct bf_calls *calls, enum bf_call_kind kind,
                       uint64_t timeout_ms)
{
    *c = (struct caller){ .calls = calls, .call = bf_call_new(kind), .timeout_ms = timeout_ms };
    snprintf(c->call->camera, sizeof c->call->camera, "door");
    uv_async_init(loop, &c->wake, look);
    assert_int_equal(pthread_create(&c->thread, NULL, call_thread, c), 0);
}

static void end_call(struct caller *c, uv_loop_t *loop)
{
    run_until(loop, is_done, c);
    pthread_join(c->thread, NULL);
    uv_close((uv_handle_t *)&c->wake, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

static void test_calls(void **state)
{
    struct bf_calls *calls;
    struct caller c;
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(bf_calls_new(&calls, &loop, answer_or_keep, NULL), 0);

    begin_call(&c, &loop, calls, BF_CALL_CAMERA, 5000);
    end_call(&c, &loop);
    assert_int_equal(c.result, 0);
    assert_string_equal(c.call->detail, "for door");
    bf_call_unref(c.call);

    kept = NULL;
    begin_call(&c, &loop, calls, BF_CALL_STOP, 500); /* answered too late */
    run_until(&loop, is_kept, NULL);
    end_call(&c, &loop);
    assert_int_equal(c.result, -ETIMEDOUT);
    assert_false(bf_call_wanted(kept));
    bf_call_answer(kept);
    bf_call_unref(kept);
    bf_call_unref(c.call);

    bf_calls_shut(calls);
    begin_call(&c, &loop, calls, BF_CALL_CAMERA, 5000);
    end_call(&c, &loop);
    assert_int_equal(c.result, -ESHUTDOWN);
    bf_call_unref(c.call);
    bf_calls_free(calls);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* --- metrics --- */

static int nothing(struct bf_request *r)
{
    (void)r;
    return 0;
}

static void test_metrics(void **state)
{
    static const struct bf_http_route route = { BF_GET, "/x/{camera}", nothing };
    static const struct bf_http_route *const routes[] = { &route };
    static const struct bf_camera_gauge cameras[] = { { "door", true, true }, { "yard", false, false } };
    const struct bf_gauges gauges = { .cameras = cameras,
                                      .n_cameras = 2,
                                      .ingest_online = 1,
                                      .bus_connected = true,
                                      .refusals = { [BF_REFUSED_SIGNATURE] = 7 } };
    struct bf_metrics *m;

    (void)state;
    assert_int_equal(bf_metrics_new(&m, routes, 1), 0);
    assert_int_equal(bf_metrics_set(m, &gauges), 0);
    bf_metrics_request(m, 0, 200);
    bf_metrics_request(m, 0, 200);
    bf_metrics_request(m, SIZE_MAX, 400);
    bf_metrics_request(m, 0, 299); /* not one of ours */
    bf_metrics_started(m, 450);
    bf_metrics_started(m, 99999);
    bf_metrics_viewer(m, "door", "10.0.0.1", "a", 1000);
    bf_metrics_viewer(m, "door", "10.0.0.1", "a", 1500);
    bf_metrics_viewer(m, "door", "10.0.0.2", "a", 1500);
    bf_metrics_viewer(m, "door", "10.0.0.1", NULL, 1500);
    struct bf_blob *text = bf_metrics_render(m, 11200);
    assert_non_null(text);
    static const char *const lines[] = {
        "belfry_http_requests_total{method=\"GET\",route=\"/x/{camera}\",status=\"200\"} 2\n",
        "belfry_http_requests_total{method=\"other\",route=\"other\",status=\"400\"} 1\n",
        "belfry_http_requests_total{method=\"GET\",route=\"/x/{camera}\",status=\"0\"} 1\n",
        "belfry_start_seconds_bucket{le=\"0.4\"} 0\n",
        "belfry_start_seconds_bucket{le=\"0.5\"} 1\n",
        "belfry_start_seconds_bucket{le=\"+Inf\"} 2\n",
        "belfry_start_seconds_sum 100.449\n",
        "belfry_viewers{camera=\"door\"} 3\n",
        "belfry_camera_online{camera=\"yard\"} 0\n",
        "belfry_nodes_online{role=\"ingest\"} 1\n",
        "belfry_bus_refused_total{reason=\"refused_signature\"} 7\n",
    };
    for (size_t i = 0; i < BF_COUNT_OF(lines); i++)
        if (strstr(text->data, lines[i]) == NULL)
            fail_msg("missing: %s", lines[i]);
    bf_blob_unref(text);
    text = bf_metrics_render(m, 30000);
    assert_non_null(strstr(text->data, "belfry_viewers{camera=\"door\"} 0\n"));
    bf_blob_unref(text);
    bf_metrics_free(m);
}

/* The time of a thread that was slow is earlier than that which another has noted meanwhile. */
static void test_viewers_noted_at_a_later_moment(void **state)
{
    static const struct bf_camera_gauge cameras[] = { { "door", true, true } };
    const struct bf_gauges gauges = { .cameras = cameras, .n_cameras = 1 };
    struct bf_metrics *m;

    (void)state;
    assert_int_equal(bf_metrics_new(&m, NULL, 0), 0);
    assert_int_equal(bf_metrics_set(m, &gauges), 0);
    assert_false(bf_metrics_viewer(m, "door", "10.0.0.1", "a", 1000));
    assert_true(bf_metrics_viewer(m, "door", "10.0.0.1", "a", 999));
    struct bf_blob *text = bf_metrics_render(m, 999);
    assert_non_null(text);
    assert_non_null(strstr(text->data, "belfry_viewers{camera=\"door\"} 1\n"));
    bf_blob_unref(text);
    bf_metrics_free(m);
}

#define CROWD 40000 /* five times as many as there are places */

static unsigned count_known(struct bf_metrics *m, const char *agent, uint64_t now_ms)
{
    unsigned known = 0;

    for (unsigned i = 0; i < CROWD; i++) {
        char address[16];
        snprintf(address, sizeof address, "%u", i);
        known += bf_metrics_viewer(m, "door", address, agent, now_ms);
    }
    return known;
}

static void test_a_slow_thread_takes_nobodys_place(void **state)
{
    struct bf_metrics *m;

    (void)state;
    assert_int_equal(bf_metrics_new(&m, NULL, 0), 0);
    count_known(m, "first", 1000);
    unsigned known = count_known(m, "first", 1000);
    assert_in_range(known, 4096, 8192);
    count_known(m, "later", 999);
    assert_int_equal(count_known(m, "first", 1000), known);
    bf_metrics_free(m);
}

/* --- intents --- */

static void test_intents(void **state)
{
    struct media_dir dir; /* any directory will do */
    struct bf_intent *list = NULL;
    struct bf_intent one = { .camera = "door",
                             .session = BUILDER_SESSION,
                             .ingest = "ingest-1",
                             .stopping = true,
                             .want = { .record = true, .width = 640, .gop_ms = 500 } };
    struct bf_error e = { "" };
    size_t n = 9;

    (void)state;
    media_dir_make(&dir);
    assert_int_equal(bf_intents_load(dir.dirfd, &list, &n, &e), 0);
    assert_int_equal(n, 0);
    assert_int_equal(bf_intents_store(dir.dirfd, &one, 1), 0);
    assert_int_equal(bf_intents_load(dir.dirfd, &list, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].session, BUILDER_SESSION);
    assert_string_equal(list[0].ingest, "ingest-1");
    assert_true(list[0].stopping && list[0].want.record);
    assert_int_equal(list[0].want.width, 640);
    assert_int_equal(list[0].want.gop_ms, 500);
    free(list);
    assert_int_equal(bf_intents_store(dir.dirfd, NULL, 0), 0);
    list = NULL;
    assert_int_equal(bf_intents_load(dir.dirfd, &list, &n, &e), 0);
    assert_int_equal(n, 0);
    free(list);
    media_dir_remove(&dir);
}

static void test_damaged_intents_are_put_aside(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\": 2, \"streams\": []}",
        "{\"version\": 1}",
        "{\"version\": 1, \"streams\": [{\"camera\": \"../x\"}]}",
        "{\"version\":1,\"streams\":[{\"camera\":\"../x\",\"session\":\"" BUILDER_SESSION "\",\"ingest\":\"i\","
        "\"stopping\":false,\"record\":false,\"width\":0,\"height\":0,\"fps\":0,\"bitrate_kbps\":0,\"gop_ms\":0}]}",
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(bad); i++) {
        struct media_dir dir;
        struct bf_intent *list = NULL;
        struct bf_error e = { "" };
        size_t n = 0;

        media_dir_make(&dir);
        int fd = openat(dir.dirfd, BF_INTENTS_NAME, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(write(fd, bad[i], strlen(bad[i])), strlen(bad[i]));
        close(fd);
        assert_int_equal(bf_intents_load(dir.dirfd, &list, &n, &e), -EBADMSG);
        assert_non_null(strstr(e.text, "put aside"));
        assert_int_equal(bf_intents_load(dir.dirfd, &list, &n, &e), 0); /* the next start finds nothing */
        assert_int_equal(faccessat(dir.dirfd, BF_INTENTS_NAME ".bad", F_OK, 0), 0);
        media_dir_remove(&dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_good_bodies),
        cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_deep_bodies_do_not_recurse),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_viewers_noted_at_a_later_moment),
        cmocka_unit_test(test_a_slow_thread_takes_nobodys_place),
        cmocka_unit_test(test_intents),
        cmocka_unit_test(test_damaged_intents_are_put_aside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
