#include "ingest/packager.h"

#include <errno.h>
#include <stdlib.h>

#include "ingest/part_maker.h"
#include "ingest/picture.h"
#include "ingest/references.h"
#include "ingest/segmenter.h"
#include "media/h264.h"

#define TICKS_PER_S 90000
#define GAPS_MAX 30           /* target durations that are told as gaps; a longer hole is a discontinuity as well */
#define ROOM_TO_GO_ON 1048576 /* beside the reserve, so that a full disk is not full again with the next part */

struct bf_packager {
    struct bf_session_dir *dir;
    const struct bf_packager_events *events;
    void *user;

    struct bf_timeline timeline;
    struct bf_segmenter segmenter;
    struct bf_picture picture; /* parameter sets */
    struct bf_references references;
    struct bf_part_maker maker;

    bool discontinuity; /* before the next part */
    bool init_owed;     /* the init segment in use is not on disk yet */

    int refused;      /* why the storage refuses, 0 while it does not */
    bool retrying;    /* ... and the next part will show whether it still does */
    int64_t told_90k; /* up to where parts and gaps account for the timeline */
    struct bf_packager_counters counters;
};

int bf_packager_new(struct bf_packager **ret, const struct bf_packager_options *o)
{
    const struct bf_session_place *place = bf_session_dir_place(o->dir);
    struct bf_packager *p = calloc(1, sizeof *p);

    if (p == NULL)
        return -ENOMEM;
    p->dir = o->dir;
    p->events = o->events;
    p->user = o->user;
    p->told_90k = (int64_t)place->next_90k;
    bf_timeline_init(&p->timeline, o->frame_90k, (int64_t)place->next_90k, place->resumed);
    bf_segmenter_init(&p->segmenter, &o->shape);
    *ret = p;
    return 0;
}

void bf_packager_free(struct bf_packager *p)
{
    if (p == NULL)
        return;
    bf_part_maker_done(&p->maker);
    free(p);
}

struct bf_packager_counters bf_packager_counters(const struct bf_packager *p)
{
    struct bf_packager_counters c = p->counters;

    c.dropped += p->maker.refused;
    return c;
}

/* ---- storage that refuses ---- */

static bool storing(const struct bf_packager *p)
{
    return p->refused == 0 || p->retrying;
}

static const char *why_refused(const struct bf_packager *p)
{
    return bf_disk_full(p->refused) ? "disk_full" : "storage_failed";
}

/* Tells the first refusal; what was being made is lost. Out of memory is no matter of the storage. */
static int refuse(struct bf_packager *p, int code)
{
    if (code == -ENOMEM)
        return code;
    bool first = p->refused == 0;
    p->refused = code;
    p->retrying = false;
    bf_part_maker_next(&p->maker);
    bf_segmenter_end(&p->segmenter, p->timeline.frame_90k);
    if (first)
        p->events->storage(p->user, code);
    return 0;
}

static int end_segment(struct bf_packager *p)
{
    struct bf_sync sync;
    int r = bf_session_dir_end_segment(p->dir, &sync);

    if (r == 0)
        p->events->segment(p->user, &sync);
    return r;
}

/* Gap records from what is accounted for up to `until_90k`, each no longer than a segment may be. */
static int tell_gaps(struct bf_packager *p, int64_t until_90k)
{
    int64_t most = (int64_t)p->segmenter.shape.target_duration_s * TICKS_PER_S;

    for (unsigned n = 0; p->told_90k < until_90k; n++) {
        int64_t length = until_90k - p->told_90k < most ? until_90k - p->told_90k : most;

        if (n == GAPS_MAX) {
            p->told_90k = until_90k;
            p->discontinuity = true;
            break;
        }
        int r = bf_session_dir_gap(p->dir, (uint64_t)length, why_refused(p));
        if (r != 0)
            return r;
        p->told_90k += length;
        p->counters.gaps++;
    }
    return 0;
}

/* Before an IDR: is there room again, and can the journal account for what was lost? */
static bool storage_works_again(struct bf_packager *p, const struct bf_timing *timing)
{
    if (bf_session_dir_room(p->dir, ROOM_TO_GO_ON) != 0)
        return false;
    if (bf_session_dir_place(p->dir)->segment_open && end_segment(p) != 0)
        return false;
    if (tell_gaps(p, timing->dts_90k) != 0)
        return false;

    p->retrying = true;
    return true;
}

/* ---- making parts ---- */

static void part_is_there(struct bf_packager *p)
{
    const struct bf_part *part = &p->maker.part;

    p->counters.discontinuities += part->discontinuity;
    p->told_90k = part->decode_time_90k + part->duration_90k;
    p->discontinuity = false;
    bf_part_maker_next(&p->maker);
    if (p->retrying) {
        p->refused = 0;
        p->retrying = false;
        p->events->storage(p->user, 0);
    }
    p->events->part(p->user);
}

static int close_part(struct bf_packager *p, uint32_t last_90k)
{
    struct bf_part *part = &p->maker.part;
    const uint8_t *data;
    size_t size;

    int r = bf_part_maker_close(&p->maker, last_90k, &data, &size);
    if (r == -ENODATA)
        return 0;
    if (r != 0)
        return r;

    part->discontinuity = p->discontinuity;
    r = bf_session_dir_part(p->dir, data, size, part);
    if (r != 0) {
        p->counters.lost += part->frames;
        return refuse(p, r);
    }
    part_is_there(p);
    return 0;
}

static int close_segment(struct bf_packager *p)
{
    int r = bf_session_dir_place(p->dir)->segment_open ? end_segment(p) : 0;

    return r == 0 ? 0 : refuse(p, r);
}

/* ---- the picture's parameters ---- */

static int write_init(struct bf_packager *p)
{
    const struct bf_sps *sps = &p->picture.sps;
    const uint8_t *data;
    size_t size;
    char codecs[12];

    bf_cmaf_init_segment(p->maker.cmaf, &data, &size);
    int r = bf_session_dir_init(p->dir, data, size, bf_sps_codecs(sps, codecs), sps->width, sps->height,
                                (uint32_t)(UINT64_C(90000000) / p->timeline.frame_90k));
    p->init_owed = r != 0;
    return r == 0 ? 0 : refuse(p, r);
}

/* A muxer for the parameter sets seen last. */
static int change_picture(struct bf_packager *p)
{
    bf_picture_use(&p->picture);
    p->init_owed = true;
    return bf_part_maker_picture(&p->maker, &p->picture);
}

/* ---- access units ---- */

static int end_here(struct bf_packager *p)
{
    bool part_open = p->segmenter.part_open;
    uint32_t last = bf_segmenter_end(&p->segmenter, p->timeline.frame_90k);

    int r = part_open ? close_part(p, last) : 0;
    return r == 0 && storing(p) ? close_segment(p) : r;
}

/* Cuts in front of the frame, as the segmenter says; otherwise the frame before it lasts up to this one. */
static int cut_before(struct bf_packager *p, const struct bf_cut *cut, const struct bf_timing *timing)
{
    int r = cut->part_before ? close_part(p, cut->before_last_90k)
                             : bf_part_maker_release_until(&p->maker, timing->dts_90k);

    if (r == 0 && cut->segment_before && storing(p))
        r = close_segment(p);
    p->counters.forced_cuts += cut->forced;
    return r;
}

static int package(struct bf_packager *p, const struct bf_access_unit *au, const struct bf_timing *timing, bool idr)
{
    struct bf_cut cut =
        bf_segmenter_next(&p->segmenter, timing->dts_90k, idr, timing->discontinuity, p->timeline.frame_90k);

    int r = cut_before(p, &cut, timing);
    p->discontinuity |= timing->discontinuity;
    if (r != 0)
        return r;
    if (!storing(p)) {
        p->counters.lost++;
        return 0;
    }
    r = bf_part_maker_hold(&p->maker, au, timing, idr);
    p->counters.damaged += r == 0 && p->references.broken;
    return r == 0 && cut.part_after ? close_part(p, cut.after_last_90k) : r;
}

/* An IDR whose parameters differ from those in use needs a new init segment, and is a discontinuity but for the first. */
static int take_parameters(struct bf_packager *p, struct bf_timing *timing)
{
    bool first = p->maker.cmaf == NULL;

    if (!first && !bf_picture_changed(&p->picture))
        return 0;
    int r = end_here(p); /* with the parameters that it was made with */
    if (r != 0)
        return r;
    timing->discontinuity |= !first;
    return change_picture(p);
}

/* Does media that begins or goes on here find room? 1, 0, or -ENOMEM. */
static int storage_ready(struct bf_packager *p, const struct bf_timing *timing, bool idr)
{
    if (!storing(p) && !(idr && storage_works_again(p, timing)))
        return 0;
    if (p->init_owed) {
        int r = write_init(p);
        if (r != 0)
            return r;
    }
    return storing(p);
}

/* A frame that has its place on the timeline. */
static int take(struct bf_packager *p, const struct bf_access_unit *unit, struct bf_timing *timing, bool idr)
{
    int r = idr ? take_parameters(p, timing) : 0;

    if (r != 0 && r != -ENOMEM) { /* parameters that the muxer refuses: perhaps the next IDR brings others */
        p->counters.dropped++;
        bf_timeline_break(&p->timeline);
        return 0;
    }
    if (r == 0)
        r = storage_ready(p, timing, idr);
    if (r == 1)
        return package(p, unit, timing, idr);
    p->discontinuity |= timing->discontinuity;
    p->counters.lost += r == 0;
    return r;
}

static bool is_overtaken(struct bf_packager *p, const struct bf_au *au, const struct bf_au_times *times)
{
    bool goes_back = bf_timeline_goes_back(&p->timeline, times);

    return au->has_slice && bf_references_next(&p->references, &p->picture.sps, au, goes_back) == BF_REFERENCE_PAST;
}

int bf_packager_add(struct bf_packager *p, const struct bf_access_unit *unit)
{
    struct bf_au_times times = unit->times;
    struct bf_timing timing;
    struct bf_au au;

    bf_au_scan(unit->data, unit->size, &au);
    if (unit->corrupt) {
        p->counters.corrupt++;
        if (au.idr)
            bf_timeline_break(&p->timeline); /* what follows refers to it */
        return 0;
    }
    bf_picture_see(&p->picture, &au);
    times.capture_us = au.capture_us;
    bool idr = au.idr && bf_picture_known(&p->picture);
    if (!au.has_slice || is_overtaken(p, &au, &times) || !bf_timeline_next(&p->timeline, &times, idr, &timing)) {
        p->counters.dropped++;
        return 0;
    }
    return take(p, unit, &timing, idr);
}

int bf_packager_pause(struct bf_packager *p)
{
    bf_timeline_break(&p->timeline);
    return end_here(p);
}
