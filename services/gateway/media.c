/* /live: playlists, parts, segments and init segments of sessions that run or have just ended. Everything below a
 * session's address is immutable but the playlist, so it is cached long and by anybody (rfc8216bis appendix B.1). */
#include "gateway/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/media_types.h"
#include "stream/layout.h"

#define IMMUTABLE "public, max-age=3600, immutable"
#define BLOCKING_TARGETS 6 /* lifetime of what answers a blocking request, in target durations */

BF_DEFINE_CLEANUP(struct bf_live_session, bf_live_unref)

/* What the live store could not give, as a problem. Missing media may be cached for a moment only: it may be there
 * then. */
static int refuse(struct bf_request *r, int error, const char *why)
{
    switch (error) {
    case -EINVAL:
        return bf_problem(r, 400, "bad_directive", "%s.", why);
    case -ETIMEDOUT:
        return bf_problem_for(r, 503, "nothing_new", 1, 0,
                              "Nothing new has come within three target durations: the camera may have stalled.");
    case -EBUSY:
        return bf_problem_for(r, 503, "too_many_waiting", 1, 0,
                              "As many requests wait for media as this gateway takes; see gateway.threads.");
    case -ESHUTDOWN:
        return bf_problem_for(r, 503, "ending", 2, 0, "The gateway is being stopped.");
    case -ENOMEM:
        return bf_problem_for(r, 503, "no_memory", 1, 0, "There is no memory for the answer.");
    default:
        return bf_problem_for(r, 404, "not_found", 0, 1, "There is no such media in this session (any more).");
    }
}

static int acquire(struct bf_request *r, struct bf_live_session **ret, int *ret_status)
{
    int failed = bf_live_acquire(r->app->live, r->params.camera, r->params.session, ret);

    if (failed < 0)
        *ret_status = bf_problem_for(r, 404, "no_such_session", 0, 1,
                                     "There is no such session; index.m3u8 of the camera leads to the present one.");
    return failed;
}

static int get_index(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    _cleanup_(bf_blob_unrefp) struct bf_blob *text = NULL;
    int failed = bf_live_acquire_current(r->app->live, r->params.camera, &s);

    if (failed == 0)
        failed = bf_live_index(r->app->live, s, &text);
    if (failed == -ENOENT)
        return bf_problem(r, 404, "nothing_live",
                          bf_config_camera(r->app->config, r->params.camera) == NULL
                              ? "No camera of that id is configured here."
                              : "Nothing is live on this camera; POST to its /stream starts it.");
    if (failed < 0)
        return refuse(r, failed, "");
    return bf_respond(
        r, &(struct bf_response){
               .status = 200, .type = BF_TYPE_PLAYLIST, .body = text->data, .size = text->size, .cache = "no-cache" });
}

static int respond_playlist(struct bf_request *r, const struct bf_live_session *s, const struct bf_hls_query *q,
                            bool gzip, const struct bf_blob *text)
{
    uint32_t target_s = bf_live_target_s(r->app->live, s);
    uint32_t max_age_s = q->has_msn ? target_s * BLOCKING_TARGETS : target_s / 2;
    char cache[48];

    snprintf(cache, sizeof cache, "public, max-age=%" PRIu32, max_age_s);
    return bf_respond(r, &(struct bf_response){
                             .status = 200,
                             .type = BF_TYPE_PLAYLIST,
                             .body = text->data,
                             .size = text->size,
                             .cache = max_age_s == 0 ? "no-cache" : cache,
                             .encoding = gzip ? "gzip" : NULL,
                             .vary_encoding = true,
                         });
}

static int get_playlist(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    _cleanup_(bf_blob_unrefp) struct bf_blob *text = NULL;
    bool gzip = bf_accepts_gzip(bf_request_header(r, "Accept-Encoding"));
    struct bf_hls_query q;
    struct bf_error e = { "" };
    int status;

    if (bf_hls_query_parse(&q, r->query, &e) < 0)
        return refuse(r, -EINVAL, e.text);
    if (acquire(r, &s, &status) < 0)
        return status;
    bf_metrics_viewer(r->app->metrics, r->params.camera, bf_request_address(r), bf_request_header(r, "User-Agent"),
                      bf_mono_ms());
    int failed = bf_live_playlist(r->app->live, s, &q, gzip, &text, &e);
    return failed < 0 ? refuse(r, failed, e.text) : respond_playlist(r, s, &q, gzip, text);
}

static int send_slice(struct bf_request *r, const struct bf_live_session *s, const struct bf_live_slice *slice,
                      const char *cache)
{
    char name[BF_NAME_SIZE];

    bf_segment_name(name, slice->msn);
    return bf_send_file(r, bf_live_dir(s), name, slice->offset, slice->length,
                        &(struct bf_response){ .type = BF_TYPE_MEDIA, .cache = cache });
}

static int get_part(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    struct bf_live_slice slice;
    char cache[56];
    int status;

    if (acquire(r, &s, &status) < 0)
        return status;
    int failed = bf_live_part(r->app->live, s, r->params.number, &slice);
    if (failed < 0)
        return refuse(r, failed, "");
    snprintf(cache, sizeof cache, "public, max-age=%" PRIu32 ", immutable",
             bf_live_target_s(r->app->live, s) * BLOCKING_TARGETS);
    return send_slice(r, s, &slice, cache);
}

static int get_segment(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    struct bf_live_slice slice;
    int status;

    if (acquire(r, &s, &status) < 0)
        return status;
    int failed = bf_live_segment(r->app->live, s, r->params.number, &slice);
    return failed < 0 ? refuse(r, failed, "") : send_slice(r, s, &slice, IMMUTABLE);
}

static int send_named(struct bf_request *r, const char *name, const char *type)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    int status;

    if (acquire(r, &s, &status) < 0)
        return status;
    return bf_send_whole_file(r, bf_live_dir(s), name, &(struct bf_response){ .type = type, .cache = IMMUTABLE });
}

static int get_first_init(struct bf_request *r)
{
    return send_named(r, "init.mp4", BF_TYPE_MEDIA);
}

static int get_init(struct bf_request *r)
{
    char name[BF_NAME_SIZE];

    if (r->params.number == 0 || r->params.number > UINT32_MAX)
        return refuse(r, -ENOENT, "");
    bf_init_name(name, (unsigned)r->params.number);
    return send_named(r, name, BF_TYPE_MEDIA);
}

static int get_snapshot(struct bf_request *r)
{
    char name[48];

    snprintf(name, sizeof name, "snapshot-%" PRIu64 ".jpg", r->params.number);
    return send_named(r, name, BF_TYPE_JPEG);
}

const struct bf_http_route bf_routes_media[] = {
    { BF_GET, "/live/{camera}/index.m3u8", get_index },
    { BF_GET, "/live/{camera}/{session}/media.m3u8", get_playlist },
    { BF_GET, "/live/{camera}/{session}/part-{number}.m4s", get_part },
    { BF_GET, "/live/{camera}/{session}/seg-{number}.m4s", get_segment },
    { BF_GET, "/live/{camera}/{session}/init.mp4", get_first_init },
    { BF_GET, "/live/{camera}/{session}/init-{number}.mp4", get_init },
    { BF_GET, "/live/{camera}/{session}/snapshot-{number}.jpg", get_snapshot },
    { 0 },
};
