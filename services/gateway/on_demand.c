/* A viewer who finds nothing live on a camera that starts on demand: starts it and waits, for a bounded time. The one
 * exception to the rule that GET changes nothing, made by the configuration (docs/security.md). */
#include "gateway/media.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/guard.h"
#include "gateway/want.h"

#define WAIT_MS 5000 /* of a viewer, which holds a worker meanwhile; most cameras are up within one second */
#define RETRY_STARTING_S 1
#define RETRY_FAILED_S (BF_DEMAND_PAUSE_MS / 1000)

BF_DEFINE_CLEANUP(struct bf_call, bf_call_unref)

static int refuse(struct bf_request *r, enum bf_http_event event, const char *code, unsigned retry_s, const char *why)
{
    bf_metrics_http_event(r->app->metrics, event);
    return bf_problem_for(r, 503, code, retry_s, 0, why);
}

/* A page elsewhere could name this address in an image of its own. */
static bool is_foreign(const struct bf_request *r)
{
    const struct bf_config *c = r->app->config;
    const struct bf_guard_request q = {
        .origin = bf_request_header(r, "Origin"),
        .host = bf_request_header(r, "Host"),
        .fetch_site = bf_request_header(r, "Sec-Fetch-Site"),
        .changes_state = true,
    };

    return !bf_guard_allows(&q, c->gateway.cors, c->gateway.n_cors);
}

/* Refusals that say nothing of the camera. */
static bool may_ask_again(const struct bf_call *call)
{
    static const char *const codes[] = { "busy", "cancelled", "ending", "no_memory" };

    for (size_t i = 0; i < BF_COUNT_OF(codes); i++)
        if (strcmp(call->code, codes[i]) == 0)
            return true;
    return false;
}

/* 0: it is live. -EINPROGRESS: not yet. -EIO: it is not going to be; -EAGAIN: the gateway is to blame, or a stop.
 * *ret_why says why of these two. */
static int start_and_wait(struct bf_request *r, const struct bf_camera_config *c, char *ret_why, size_t size)
{
    _cleanup_(bf_call_unrefp) struct bf_call *call = bf_call_new(BF_CALL_START);

    snprintf(ret_why, size, "The gateway is busy.");
    if (call == NULL)
        return -EAGAIN;
    snprintf(call->camera, sizeof call->camera, "%s", c->id);
    call->want = bf_want_of(c);
    call->want.on_demand = true;
    int asked = bf_calls_ask(r->app->calls, call, WAIT_MS);
    if (asked == -ETIMEDOUT)
        return -EINPROGRESS;
    if (asked < 0)
        return -EAGAIN;
    if (call->status < 400)
        return 0;
    snprintf(ret_why, size, "%s", call->detail);
    return may_ask_again(call) ? -EAGAIN : -EIO;
}

static int start(struct bf_request *r, struct bf_demand_camera *demand, const struct bf_camera_config *c)
{
    char why[400];
    int result = start_and_wait(r, c, why, sizeof why);

    bf_demand_leave(r->app->demand, demand, result == -EIO, bf_mono_ms());
    if (result == -EINPROGRESS)
        return refuse(r, BF_HTTP_DEMAND_LATE, "starting", RETRY_STARTING_S, "The camera is starting; ask again.");
    if (result < 0)
        return refuse(r, BF_HTTP_DEMAND_FAILED, "not_started", result == -EIO ? RETRY_FAILED_S : RETRY_STARTING_S, why);
    bf_metrics_http_event(r->app->metrics, BF_HTTP_DEMAND_STARTED);
    return 0;
}

int bf_demand_answer(struct bf_request *r)
{
    const struct bf_camera_config *c = bf_config_camera(r->app->config, r->params.camera);
    struct bf_demand_camera *demand = bf_demand_of(r->app->demand, r->params.camera);
    uint64_t now_ms = bf_mono_ms();

    if (demand == NULL || r->method != BF_GET)
        return -ENOENT;
    if (is_foreign(r)) {
        bf_metrics_http_event(r->app->metrics, BF_HTTP_DEMAND_FOREIGN);
        return -ENOENT;
    }
    bool known =
        bf_metrics_viewer(r->app->metrics, c->id, bf_request_address(r), bf_request_header(r, "User-Agent"), now_ms);
    switch (bf_demand_enter(r->app->demand, demand, known, now_ms)) {
    case BF_DEMAND_START:
        return start(r, demand, c);
    case BF_DEMAND_STOPPED:
        bf_metrics_http_event(r->app->metrics, BF_HTTP_DEMAND_STOPPED);
        return -ENOENT;
    case BF_DEMAND_PAUSE:
        return refuse(r, BF_HTTP_DEMAND_FAILED, "not_started", RETRY_FAILED_S,
                      "The camera has failed to start a moment ago; its stream at /api/v1/cameras says why.");
    default:
        return refuse(r, BF_HTTP_DEMAND_FULL, "starting", RETRY_STARTING_S,
                      "As many viewers wait for a camera to start as this gateway lets wait; ask again.");
    }
}
