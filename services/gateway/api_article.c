/* The two routes of the article that this system grew out of, with its JSON, for clients written for it. They act on
 * the default camera, and they take POST only: what changes state does not answer to GET. */
#include "gateway/request.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "gateway/want.h"

#define MARGIN_MS 2000

BF_DEFINE_CLEANUP(struct bf_call, bf_call_unref)

static int respond(struct bf_request *r, int status, json_t *json)
{
    _cleanup_(bf_freep) char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return bf_respond(
        r, &(struct bf_response){
               .status = status, .type = "application/json", .body = text, .size = text == NULL ? 0 : strlen(text) });
}

static int respond_error(struct bf_request *r, int status, const char *message)
{
    return respond(r, status, json_pack("{s:s, s:s}", "status", "error", "message", message));
}

/* A call about the default camera, answered; NULL: the client has been told why not, *ret_status how. */
static struct bf_call *ask(struct bf_request *r, enum bf_call_kind kind, uint64_t timeout_ms, int *ret_status)
{
    const struct bf_config *c = r->app->config;
    const struct bf_camera_config *camera = c->n_cameras == 0 ? NULL : &c->cameras[0];

    if (c->gateway.default_camera != NULL)
        camera = bf_config_camera(c, c->gateway.default_camera);
    struct bf_call *call = camera == NULL ? NULL : bf_call_new(kind);
    if (call == NULL) {
        *ret_status =
            respond_error(r, camera == NULL ? 404 : 503, camera == NULL ? "No camera is configured" : "No memory");
        return NULL;
    }
    snprintf(call->camera, sizeof call->camera, "%s", camera->id);
    call->want = bf_want_of(camera);
    if (bf_calls_ask(r->app->calls, call, timeout_ms + MARGIN_MS) < 0) {
        *ret_status = respond_error(r, 503, "The gateway is busy");
        bf_call_unref(call);
        return NULL;
    }
    return call;
}

static int post_start(struct bf_request *r)
{
    int status;
    char url[80];
    _cleanup_(bf_call_unrefp) struct bf_call *call =
        ask(r, BF_CALL_START, r->app->config->gateway.start_timeout_ms, &status);

    if (call == NULL)
        return status;
    if (call->status >= 400)
        return respond_error(r, call->status, call->detail);
    snprintf(url, sizeof url, "/live/%s/index.m3u8", call->camera);
    return respond(
        r, 200, json_pack("{s:s, s:s}", "status", "Video streaming service started successfully", "stream_url", url));
}

static int post_stop(struct bf_request *r)
{
    int status;
    _cleanup_(bf_call_unrefp) struct bf_call *call =
        ask(r, BF_CALL_STOP, r->app->config->gateway.stop_timeout_ms, &status);

    if (call == NULL)
        return status;
    if (call->status >= 400)
        return respond_error(r, call->status, call->detail);
    return respond(r, 200, json_pack("{s:s}", "status", "Video streaming service stopped successfully"));
}

const struct bf_http_route bf_routes_article[] = {
    { BF_POST, "/start-streaming-service", post_start },
    { BF_POST, "/stop-streaming-service", post_stop },
    { 0 },
};
