/* /api/v1/events: what changes, as it changes. */
#include "gateway/request.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define HEARTBEAT_MS 15000 /* shows both ends, and what is between them, that the connection lives */
#define LOOK_MS 2000

BF_DEFINE_CLEANUP(struct bf_call, bf_call_unref)

/* Everything as it is now, as the events that would have led here. */
static int send_present(struct bf_request *r)
{
    _cleanup_(bf_call_unrefp) struct bf_call *call = bf_call_new(BF_CALL_PRESENT);

    if (call == NULL || bf_calls_ask(r->app->calls, call, LOOK_MS) < 0 || call->body == NULL)
        return -EPIPE;
    return bf_send(r, call->body, strlen(call->body));
}

static int send_next(struct bf_request *r, uint64_t *at)
{
    static const char heartbeat[] = ": still here\n\n";
    _cleanup_(bf_blob_unrefp) struct bf_blob *event = NULL;

    switch (bf_events_next(r->app->events, at, HEARTBEAT_MS, &event)) {
    case 0:
        return bf_send(r, event->data, event->size);
    case -ETIMEDOUT:
        return bf_send(r, heartbeat, sizeof heartbeat - 1);
    case -EOVERFLOW: /* too slow for the ring: begin again with what is so now */
        *at = bf_events_head(r->app->events);
        return send_present(r);
    default:
        return -ESHUTDOWN;
    }
}

static int listen_on(struct bf_request *r)
{
    static const char retry[] = "retry: 2000\n\n";
    const struct bf_response head = {
        .status = 200, .type = "text/event-stream", .cache = "no-cache, no-transform", .event_stream = true
    };
    uint64_t at = bf_events_head(r->app->events); /* before the present, so that nothing falls between */

    if (bf_respond_head(r, &head) < 0 || r->method == BF_HEAD)
        return 200;
    if (bf_send(r, retry, sizeof retry - 1) == 0 && send_present(r) == 0)
        while (send_next(r, &at) == 0)
            continue;
    return 200;
}

static int get_events(struct bf_request *r)
{
    int status;

    if (atomic_fetch_add(&r->app->listeners, 1) >= r->app->max_listeners)
        status = bf_problem_for(r, 503, "too_many_listeners", 10, 0,
                                "As many clients listen to events as this gateway takes; see gateway.threads.");
    else
        status = listen_on(r);
    atomic_fetch_sub(&r->app->listeners, 1);
    return status;
}

const struct bf_http_route bf_routes_events[] = {
    { BF_GET, "/api/v1/events", get_events },
    { 0 },
};
