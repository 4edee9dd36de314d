/* /live: playlists, manifests and init segments of sessions that run or have just ended. Everything below a session's
 * address is immutable but these two, so it is cached long and by anybody (rfc8216bis appendix B.1). */
#include "gateway/media.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/media_types.h"
#include "stream/layout.h"

#define IMMUTABLE "public, max-age=3600, immutable"

int bf_media_refuse(struct bf_request *r, int error, unsigned life_s, const char *why)
{
    char detail[sizeof((struct bf_error *)NULL)->text + 2];

    switch (error) {
    case -EINVAL:
    case -ERANGE:
        snprintf(detail, sizeof detail, "%s.", why);
        return bf_problem_for(r, 400, "bad_directive", 0, error == -EINVAL ? life_s : 0, detail);
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
        return bf_problem_for(r, 404, "not_found", 0, life_s, "There is no such media in this session (any more).");
    }
}

/* Whose going away is waited for, where the camera runs for its viewers only. */
static void note_presence(struct bf_request *r, struct bf_live_session *s)
{
    struct bf_demand_camera *demand = bf_demand_of(r->app->demand, r->params.camera);

    if (demand != NULL && r->method == BF_GET && !bf_live_ended(s))
        bf_demand_seen(demand, bf_mono_ms());
}

int bf_media_acquire(struct bf_request *r, unsigned life_s, struct bf_live_session **ret, int *ret_status)
{
    int failed = bf_live_acquire(r->app->live, r->params.camera, r->params.session, ret);

    if (failed < 0)
        *ret_status = bf_problem_for(r, 404, "no_such_session", 0, life_s,
                                     "There is no such session; index.m3u8 of the camera leads to the present one.");
    else
        note_presence(r, *ret);
    return failed;
}

/* --- the camera's stable addresses --- */

static int nothing_live(struct bf_request *r)
{
    return bf_problem(r, 404, "nothing_live",
                      bf_config_camera(r->app->config, r->params.camera) == NULL
                          ? "No camera of that id is configured here."
                          : "Nothing is live on this camera; POST to its /stream starts it.");
}

static int respond_text(struct bf_request *r, const char *type, const struct bf_blob *text, bool gzip,
                        unsigned max_age_s)
{
    char cache[48];

    snprintf(cache, sizeof cache, "public, max-age=%u", max_age_s);
    return bf_respond(r, &(struct bf_response){
                             .status = 200,
                             .type = type,
                             .body = text->data,
                             .size = text->size,
                             .cache = max_age_s == 0 ? "no-cache" : cache,
                             .encoding = gzip ? "gzip" : NULL,
                             .vary_encoding = true,
                         });
}

static bool takes_gzip(const struct bf_request *r)
{
    return bf_accepts_gzip(bf_request_header(r, "Accept-Encoding"));
}

/* The camera's present session; one that starts on demand is brought up. 0, or the status of the answer. */
static int acquire_current(struct bf_request *r, struct bf_live_session **ret)
{
    if (bf_live_acquire_current(r->app->live, r->params.camera, ret) < 0) {
        int status = bf_demand_answer(r);
        if (status > 0)
            return status;
        if (status < 0 || bf_live_acquire_current(r->app->live, r->params.camera, ret) < 0)
            return nothing_live(r);
    }
    note_presence(r, *ret);
    return 0;
}

static int get_index(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    _cleanup_(bf_blob_unrefp) struct bf_blob *text = NULL;
    bool gzip = takes_gzip(r);
    int status = acquire_current(r, &s);

    if (status != 0)
        return status;
    int failed = bf_live_index(s, gzip, &text);
    if (failed == -ENOENT)
        return nothing_live(r);
    return failed < 0 ? bf_media_refuse(r, failed, 0, "") : respond_text(r, BF_TYPE_PLAYLIST, text, gzip, 0);
}

static int get_current_manifest(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    char location[BF_ID_SIZE + BF_ULID_SIZE + 32];

    int status = acquire_current(r, &s);
    if (status != 0)
        return status;
    snprintf(location, sizeof location, "/live/%s/%s/manifest.mpd", r->params.camera, bf_live_id(s));
    return bf_respond(r, &(struct bf_response){ .status = 307, .location = location });
}

/* --- the session's playlist and manifest --- */

static void count_viewer(struct bf_request *r)
{
    bf_metrics_viewer(r->app->metrics, r->params.camera, bf_request_address(r), bf_request_header(r, "User-Agent"),
                      bf_mono_ms());
}

static int get_playlist(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    _cleanup_(bf_blob_unrefp) struct bf_blob *text = NULL;
    bool gzip = takes_gzip(r), heeded;
    struct bf_hls_query q = { 0 };
    struct bf_error e = { "" };
    int status;

    bool readable = bf_hls_query_parse(&q, r->query, &e) == 0;
    if (bf_media_acquire(r, q.has_msn ? BF_LIFE_BLOCKING_FAILED : BF_LIFE_FAILED, &s, &status) < 0)
        return status;
    /* With ENDLIST, directives are ignored whatever they say (6.2.5.2). Target durations are not under a second. */
    if (!readable && !bf_live_ended(s))
        return bf_media_refuse(r, -EINVAL, BF_LIFE_BLOCKING_FAILED, e.text);
    count_viewer(r);
    int failed = bf_live_playlist(r->app->live, s, &q, gzip, &text, &heeded, &e);
    uint32_t target_s = bf_live_target_s(s);
    if (failed < 0)
        return bf_media_refuse(r, failed, target_s * (heeded ? BF_LIFE_BLOCKING_FAILED : BF_LIFE_FAILED), e.text);
    return respond_text(r, BF_TYPE_PLAYLIST, text, gzip, heeded ? target_s * BF_LIFE_BLOCKING : target_s / 2);
}

static int get_manifest(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    _cleanup_(bf_blob_unrefp) struct bf_blob *text = NULL;
    bool gzip = takes_gzip(r);
    int status;

    if (bf_media_acquire(r, BF_LIFE_FAILED, &s, &status) < 0)
        return status;
    count_viewer(r);
    int failed = bf_live_manifest(r->app->live, s, gzip, &text);
    uint32_t target_s = bf_live_target_s(s);
    if (failed < 0)
        return bf_media_refuse(r, failed, target_s * BF_LIFE_FAILED, "");
    return respond_text(r, BF_TYPE_MANIFEST, text, gzip, target_s / 2);
}

/* --- files of the session --- */

static int send_named(struct bf_request *r, const char *name, const char *type)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    int status;

    if (bf_media_acquire(r, BF_LIFE_FAILED, &s, &status) < 0)
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
        return bf_media_refuse(r, -ENOENT, BF_LIFE_FAILED, "");
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
    { BF_GET, "/live/{camera}/manifest.mpd", get_current_manifest },
    { BF_GET, "/live/{camera}/{session}/media.m3u8", get_playlist },
    { BF_GET, "/live/{camera}/{session}/manifest.mpd", get_manifest },
    { BF_GET, "/live/{camera}/{session}/init.mp4", get_first_init },
    { BF_GET, "/live/{camera}/{session}/init-{number}.mp4", get_init },
    { BF_GET, "/live/{camera}/{session}/snapshot-{number}.jpg", get_snapshot },
    { 0 },
};
