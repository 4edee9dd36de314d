/* /live: parts and segments, those included that are still being made. */
#include "gateway/media.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "gateway/media_types.h"
#include "stream/layout.h"

static int refuse(struct bf_request *r, const struct bf_live_session *s, int error)
{
    if (error == -ERANGE)
        return bf_problem_for(r, 404, "not_found", 0, 0, "There is no such media in this session yet.");
    return bf_media_refuse(r, error, bf_live_target_s(s) * BF_LIFE_FAILED, "");
}

static const char *immutable(char buf[static 64], unsigned max_age_s)
{
    snprintf(buf, 64, "public, max-age=%u, immutable", max_age_s);
    return buf;
}

static int send_slice(struct bf_request *r, const struct bf_live_session *s, const struct bf_live_slice *slice,
                      const struct bf_response *a)
{
    char name[BF_NAME_SIZE];

    if (slice->blob != NULL)
        return bf_send_blob(r, slice->blob, a);
    bf_segment_name(name, slice->msn);
    return bf_send_file(r, bf_live_dir(s), name, slice->offset, slice->length, a);
}

static int get_part(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    struct bf_live_slice slice = { 0 };
    char cache[64];
    int status;

    if (bf_media_acquire(r, BF_LIFE_FAILED, &s, &status) < 0)
        return status;
    int failed = bf_live_part(r->app->live, s, r->params.number, &slice);
    if (failed < 0)
        return refuse(r, s, failed);
    const struct bf_response a = { .type = BF_TYPE_MEDIA,
                                   .cache = immutable(cache, bf_live_target_s(s) * BF_LIFE_BLOCKING) };
    status = send_slice(r, s, &slice, &a);
    bf_blob_unref(slice.blob);
    return status;
}

/* --- a segment that grows --- */

/* Each part as one chunk, as soon as it is whole (6.2.6). What cannot be brought to its end is cut off, so that the
 * client does not take it for the segment. */
static void send_parts(struct bf_request *r, struct bf_live_session *s, struct bf_live_slice *slice)
{
    int failed = 0;

    for (size_t index = 1; failed == 0; index++) {
        failed = bf_send_chunk(r, slice->blob->data, slice->blob->size);
        bf_metrics_sent(r->app->metrics, slice->blob->size);
        bf_blob_unref(BF_TAKE(slice->blob));
        if (failed == 0)
            failed = bf_live_growing(r->app->live, s, r->params.number, index, slice);
    }
    if (failed != -ENODATA || bf_send_end(r) < 0)
        r->close = true;
}

static int send_growing(struct bf_request *r, struct bf_live_session *s)
{
    struct bf_live_slice slice = { 0 };
    char cache[64];
    int failed = bf_live_growing(r->app->live, s, r->params.number, 0, &slice);

    if (failed < 0)
        return refuse(r, s, failed);
    const struct bf_response a = { .status = 200,
                                   .type = BF_TYPE_MEDIA,
                                   .cache = immutable(cache, bf_live_target_s(s) * BF_LIFE_BLOCKING),
                                   .chunked = true };
    if (bf_respond_head(r, &a) == 0 && r->method != BF_HEAD)
        send_parts(r, s, &slice);
    bf_blob_unref(slice.blob);
    return a.status;
}

static int get_segment(struct bf_request *r)
{
    _cleanup_(bf_live_unrefp) struct bf_live_session *s = NULL;
    struct bf_live_slice slice = { 0 };
    char cache[64];
    int status;

    if (bf_media_acquire(r, BF_LIFE_FAILED, &s, &status) < 0)
        return status;
    int failed = bf_live_segment(r->app->live, s, r->params.number, &slice);
    if (failed == -EINPROGRESS)
        return send_growing(r, s);
    if (failed < 0)
        return refuse(r, s, failed);
    /* It is going to be removed, and this is when at the earliest (6.2.2). */
    return send_slice(r, s, &slice,
                      &(struct bf_response){
                          .type = BF_TYPE_MEDIA, .cache = immutable(cache, slice.ttl_s), .expires_s = slice.ttl_s });
}

const struct bf_http_route bf_routes_segments[] = {
    { BF_GET, "/live/{camera}/{session}/part-{number}.m4s", get_part },
    { BF_GET, "/live/{camera}/{session}/seg-{number}.m4s", get_segment },
    { 0 },
};
