/* For whoever runs it: liveness, readiness, metrics, and the description of all routes. */
#include "gateway/request.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/openapi.h"

static int respond_text(struct bf_request *r, const char *type, const char *text, size_t size)
{
    return bf_respond(r, &(struct bf_response){ .status = 200, .type = type, .body = text, .size = size });
}

static int get_health(struct bf_request *r)
{
    static const char well[] = "{\"status\":\"ok\"}";

    return respond_text(r, "application/json", well, sizeof well - 1);
}

static int get_ready(struct bf_request *r)
{
    static const char ready[] = "{\"status\":\"ready\"}";

    if (atomic_load(&r->app->ready))
        return respond_text(r, "application/json", ready, sizeof ready - 1);
    if (r->app->config->gateway.media_only)
        return bf_problem_for(r, 503, "not_ready", 1, 0, "The media directory cannot be read: nothing can be served.");
    if (atomic_load(&r->app->superseded))
        return bf_problem_for(
            r, 503, "superseded", 5, 0,
            "Another gateway orders the ingest nodes of this site, so nothing can be started here; the "
            "log and the cameras' details name it. One only may order: stop one of the two.");
    return bf_problem_for(r, 503, "not_ready", 1, 0,
                          atomic_load(&r->app->connected)
                              ? "No ingest node is online: nothing can be started."
                              : "There is no connection to the broker: nothing can be started.");
}

static int get_metrics(struct bf_request *r)
{
    _cleanup_(bf_blob_unrefp) struct bf_blob *text = bf_metrics_render(r->app->metrics, bf_mono_ms());

    if (text == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the metrics.");
    return respond_text(r, "text/plain; version=0.0.4; charset=utf-8", text->data, text->size);
}

static int get_openapi(struct bf_request *r)
{
    return bf_respond(r, &(struct bf_response){ .status = 200,
                                                .type = "application/json",
                                                .body = bf_openapi,
                                                .size = bf_openapi_size,
                                                .cache = "public, max-age=60" });
}

/* What clocks are set by, where a player must know which segment exists by now: xs:dateTime. */
static int get_time(struct bf_request *r)
{
    char now[25];

    bf_rfc3339(now, bf_unix_ms());
    return respond_text(r, "text/plain; charset=utf-8", now, sizeof now - 1);
}

const struct bf_http_route bf_routes_ops[] = {
    { BF_GET, "/api/v1/time", get_time }, { BF_GET, "/healthz", get_health },       { BF_GET, "/readyz", get_ready },
    { BF_GET, "/metrics", get_metrics },  { BF_GET, "/openapi.json", get_openapi }, { 0 },
};
