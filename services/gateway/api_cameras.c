/* /api/v1/cameras: what there is, what it does, start, stop, snapshot. */
#include "gateway/request.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "gateway/want.h"
#include "stream/profile.h"

#define LOOK_MS 2000 /* the loop answers at once */
#define SNAPSHOT_MS 8000
#define GOP_MS_MIN 100
#define GOP_MS_MAX 10000
#define OF_A_SENDER 2  /* fields that concern the session and not the pictures */
#define MARGIN_MS 2000 /* beyond the orchestrator's own deadlines: it answers, this only guards */

BF_DEFINE_CLEANUP(struct bf_call, bf_call_unref)

static int no_such_camera(struct bf_request *r)
{
    return bf_problem_for(r, 404, "no_such_camera", 0, 1, "No camera of that id is configured here.");
}

static int ask(struct bf_request *r, enum bf_call_kind kind, uint64_t timeout_ms)
{
    _cleanup_(bf_call_unrefp) struct bf_call *call = bf_call_new(kind);

    if (kind != BF_CALL_CAMERAS && bf_config_camera(r->app->config, r->params.camera) == NULL)
        return no_such_camera(r);
    if (call == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the request.");
    memcpy(call->camera, r->params.camera, sizeof call->camera);
    return bf_ask_and_respond(r, call, timeout_ms);
}

static int get_cameras(struct bf_request *r)
{
    return ask(r, BF_CALL_CAMERAS, LOOK_MS);
}

static int get_camera(struct bf_request *r)
{
    return ask(r, BF_CALL_CAMERA, LOOK_MS);
}

static int get_stream(struct bf_request *r)
{
    return ask(r, BF_CALL_STREAM, LOOK_MS);
}

static int delete_stream(struct bf_request *r)
{
    return ask(r, BF_CALL_STOP, r->app->config->gateway.stop_timeout_ms + MARGIN_MS);
}

static int post_snapshot(struct bf_request *r)
{
    return ask(r, BF_CALL_SNAPSHOT, SNAPSHOT_MS);
}

static int gop_too_long(struct bf_request *r, const struct bf_want *w)
{
    struct bf_body_error e = { .field = "gop_ms" };
    uint32_t most = bf_want_gop_max_ms(w);

    snprintf(e.accepted, sizeof e.accepted, "a whole number from %d to %u", GOP_MS_MIN, most);
    snprintf(e.detail, sizeof e.detail, "gop_ms is %u, but a segment of profile %s lasts %u ms and begins with an IDR",
             w->gop_ms, bf_want_profile_name(w), most);
    return bf_problem_body(r, &e);
}

/* What a start may ask of this camera. One that sends by itself takes no wishes about its pictures: the profile is how
 * its stream is cut. */
static int read_want(struct bf_request *r, const struct bf_camera_config *c, struct bf_want *w)
{
    char profile[BF_BODY_WORD_SIZE];
    const struct bf_body_field fields[] = {
        { .name = "record", .type = BF_BODY_BOOL, .value = &w->record },
        { .name = "profile", .type = BF_BODY_WORD, .value = profile, .words = BF_PROFILE_NAMES },
        { .name = "width", .type = BF_BODY_NUMBER, .value = &w->width, .min = 64, .max = c->max_width, .even = true },
        { .name = "height",
          .type = BF_BODY_NUMBER,
          .value = &w->height,
          .min = 64,
          .max = c->max_height,
          .even = true },
        { .name = "fps", .type = BF_BODY_NUMBER, .value = &w->fps, .min = 1, .max = c->max_fps },
        { .name = "bitrate_kbps",
          .type = BF_BODY_NUMBER,
          .value = &w->bitrate_kbps,
          .min = 64,
          .max = c->max_bitrate_kbps },
        { .name = "gop_ms", .type = BF_BODY_NUMBER, .value = &w->gop_ms, .min = GOP_MS_MIN, .max = GOP_MS_MAX },
    };

    *w = bf_want_of(c);
    snprintf(profile, sizeof profile, "%s", c->profile);
    int failed = bf_request_json(r, fields, c->input == NULL ? BF_COUNT_OF(fields) : OF_A_SENDER);
    if (failed != 0)
        return failed;
    w->profile = bf_profile_named(profile)->id;
    return w->gop_ms > bf_want_gop_max_ms(w) ? gop_too_long(r, w) : 0;
}

static int post_stream(struct bf_request *r)
{
    const struct bf_camera_config *c = bf_config_camera(r->app->config, r->params.camera);
    if (c == NULL)
        return no_such_camera(r);
    _cleanup_(bf_call_unrefp) struct bf_call *call = bf_call_new(BF_CALL_START);
    if (call == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the request.");

    memcpy(call->camera, r->params.camera, sizeof call->camera);
    int failed = read_want(r, c, &call->want);
    if (failed != 0)
        return failed;
    return bf_ask_and_respond(r, call, r->app->config->gateway.start_timeout_ms + MARGIN_MS);
}

const struct bf_http_route bf_routes_cameras[] = {
    { BF_GET, "/api/v1/cameras", get_cameras },
    { BF_GET, "/api/v1/cameras/{camera}", get_camera },
    { BF_GET, "/api/v1/cameras/{camera}/stream", get_stream },
    { BF_POST, "/api/v1/cameras/{camera}/stream", post_stream },
    { BF_DELETE, "/api/v1/cameras/{camera}/stream", delete_stream },
    { BF_POST, "/api/v1/cameras/{camera}/snapshot", post_snapshot },
    { 0 },
};
