/* What changes state, asked with an Idempotency-Key: carried out once, answered as often as it is asked. */
#include "gateway/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MARGIN_MS 4000 /* beyond what the first of them may take */

static int bad_key(struct bf_request *r)
{
    r->close = true; /* the body is unread */
    return bf_problem(r, 400, "bad_idempotency_key",
                      "Idempotency-Key is expected once, with 1 to %d printable ASCII characters, plain or as a quoted "
                      "string; a UUID will do.",
                      BF_IDEMPOTENCY_KEY_SIZE - 1);
}

/* There is no log-in: who calls is told by origin only, so that no page can ask with the key of another site's. */
static int identify(struct bf_request *r, const char *key, struct bf_idempotency_ask *ret)
{
    const char *origin = bf_request_header(r, "Origin");

    return bf_idempotency_ask_make(ret, origin == NULL ? "" : origin, key, bf_method_name(r->method), r->uri, r->body,
                                   r->body_size);
}

static int replay(struct bf_request *r, struct bf_answer *a)
{
    const struct bf_response response = {
        .status = a->status,
        .type = a->type[0] == '\0' ? NULL : a->type,
        .body = a->body,
        .size = a->size,
        .cache = a->cache[0] == '\0' ? NULL : a->cache,
        .location = a->location[0] == '\0' ? NULL : a->location,
        .allow = a->allow[0] == '\0' ? NULL : a->allow,
        .retry_after_s = a->retry_after_s,
    };
    int status = bf_respond(r, &response);

    bf_answer_done(a);
    return status;
}

static int carry_out(struct bf_request *r, const struct bf_http_route *route, size_t place)
{
    struct bf_answer answer = { 0 };

    r->answer = &answer;
    int status = route->handle(r);
    r->answer = NULL;
    bf_idempotency_leave(r->app->idempotency, place, &answer, bf_mono_ms());
    return status;
}

static uint64_t patience_ms(const struct bf_config *c)
{
    uint32_t start_ms = c->gateway.start_timeout_ms, stop_ms = c->gateway.stop_timeout_ms;

    return (start_ms > stop_ms ? start_ms : stop_ms) + MARGIN_MS;
}

static int decide(struct bf_request *r, const struct bf_http_route *route, const struct bf_idempotency_ask *ask)
{
    struct bf_answer answer = { 0 };
    size_t place = 0;

    switch (
        bf_idempotency_enter(r->app->idempotency, ask, bf_mono_ms(), patience_ms(r->app->config), &place, &answer)) {
    case BF_IDEMPOTENCY_FIRST:
        return carry_out(r, route, place);
    case BF_IDEMPOTENCY_REPLAYED:
        bf_metrics_http_event(r->app->metrics, BF_HTTP_REPLAYED);
        return replay(r, &answer);
    case BF_IDEMPOTENCY_JOINED:
        bf_metrics_http_event(r->app->metrics, BF_HTTP_JOINED);
        return replay(r, &answer);
    case BF_IDEMPOTENCY_OTHER:
        bf_metrics_http_event(r->app->metrics, BF_HTTP_KEY_REUSED);
        return bf_problem(r, 422, "idempotency_key_reused",
                          "This Idempotency-Key came with another request before (method, path and body are compared, "
                          "byte for byte): make a new key for each request.");
    case BF_IDEMPOTENCY_LATE:
        return bf_problem_for(r, 409, "still_running", 1, 0,
                              "The first request with this Idempotency-Key has not been answered yet; ask again.");
    default:
        return bf_problem_for(r, 503, "busy", 1, 0, "Too many requests with an Idempotency-Key are being carried out.");
    }
}

int bf_handle_once(struct bf_request *r, const struct bf_http_route *route)
{
    const char *header = bf_request_header(r, "Idempotency-Key");
    char key[BF_IDEMPOTENCY_KEY_SIZE];
    struct bf_idempotency_ask ask;

    if (header == NULL || (r->method & (BF_POST | BF_PATCH | BF_DELETE)) == 0)
        return route->handle(r);
    if (bf_request_header_count(r, "Idempotency-Key") > 1 || bf_idempotency_key_parse(key, header) < 0)
        return bad_key(r);

    _cleanup_(bf_freep) char *body = malloc(BF_BODY_MAX + 1);
    size_t size;
    if (body == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the body.");
    int failed = bf_request_body(r, body, &size);
    if (failed != 0)
        return failed;
    r->body = body;
    r->body_size = size;
    int status = identify(r, key, &ask) < 0
                     ? bf_problem(r, 503, "no_memory", "There is no memory to tell this request from others.")
                     : decide(r, route, &ask);
    r->body = NULL;
    return status;
}
