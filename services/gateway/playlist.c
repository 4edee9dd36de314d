#include "gateway/playlist.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "stream/layout.h"

#define TICKS_PER_S 90000u
#define SKIP_UNTIL_TARGETS 6 /* CAN-SKIP-UNTIL, in target durations (4.4.3.8: at least six) */
#define PARTS_TARGETS 3      /* parts are listed for the last three target durations (6.2.2) … */
#define PARTS_SEGMENTS 3     /* … and three segments: readers take either for the limit */
#define HOLD_BACK_PARTS 3    /* PART-HOLD-BACK, in part targets */
#define ADVANCE_SEGMENTS 2   /* how far ahead a client may ask (6.2.5.2) */

static uint64_t target_90k(const struct bf_session_view *v)
{
    return (uint64_t)v->target_duration_s * TICKS_PER_S;
}

/* Segments that the playlist lists: from this index to the end. */
static size_t first_listed(const struct bf_session_view *v)
{
    uint64_t start = bf_session_view_window_start(v);

    for (size_t i = 0; i < v->n_segments; i++)
        if (v->segments[i].msn >= start)
            return i;
    return v->n_segments;
}

/* How long the playlist goes on after the beginning of segment `index`. */
static uint64_t to_end_90k(const struct bf_session_view *v, size_t index)
{
    uint64_t sum = 0;

    for (size_t i = index; i < v->n_segments; i++)
        sum += v->segments[i].duration_90k;
    return sum;
}

/* --- blocking reload --- */

static uint64_t complete_count(const struct bf_session_view *v)
{
    return bf_session_view_open_segment(v) == NULL ? v->next_msn : v->next_msn - 1;
}

/* Advance Part Limit (6.2.5.2): three seconds' worth of parts, or three where a part is a second or more. */
static uint64_t advance_part_limit(const struct bf_session_view *v)
{
    if (v->part_target_us >= 1000000)
        return 3;
    return (3000000 + v->part_target_us - 1) / v->part_target_us;
}

/* Is part `part` of segment `msn`, or anything later, in the playlist? */
static bool has_part(const struct bf_session_view *v, uint64_t msn, uint64_t part)
{
    const struct bf_segment_view *s = bf_session_view_segment(v, msn);
    const struct bf_segment_view *open = bf_session_view_open_segment(v);
    uint64_t open_msn = complete_count(v);

    if (msn > open_msn)
        return false;
    if (msn == open_msn)
        return open != NULL && part < open->n_parts;
    if (s == NULL || part < s->n_parts)
        return true;
    /* Beyond the last part of a finished segment stands for the first part of the next one. */
    return msn + 1 < open_msn || open != NULL;
}

static enum bf_reload refuse_far_ahead(const struct bf_session_view *v, const struct bf_hls_query *q,
                                       struct bf_error *e)
{
    uint64_t open_msn = complete_count(v);
    const struct bf_segment_view *open = bf_session_view_open_segment(v);
    uint64_t parts = open == NULL ? 0 : open->n_parts;
    uint64_t limit = advance_part_limit(v);

    /* The last segment has msn open_msn - 1. */
    if (q->msn > open_msn && q->msn - open_msn > ADVANCE_SEGMENTS - 1) {
        bf_fail(e, -EINVAL, "_HLS_msn=%" PRIu64 " is more than %d segments after the last one, %" PRId64, q->msn,
                ADVANCE_SEGMENTS, (int64_t)open_msn - 1);
        return BF_RELOAD_REFUSE;
    }
    if (!q->has_part || q->msn < open_msn)
        return BF_RELOAD_WAIT;
    uint64_t known = q->msn == open_msn ? parts : 0; /* of a segment that has not begun none are known */
    if (q->part >= known && q->part - known >= limit) {
        bf_fail(e, -EINVAL, "_HLS_part=%" PRIu64 " is more than %" PRIu64 " parts after the last one", q->part, limit);
        return BF_RELOAD_REFUSE;
    }
    return BF_RELOAD_WAIT;
}

enum bf_reload bf_playlist_reload(const struct bf_session_view *v, const struct bf_hls_query *q, struct bf_error *e)
{
    if (v->ended)
        return BF_RELOAD_READY; /* with ENDLIST the directives are to be ignored */
    if (q->has_part && !q->has_msn) {
        bf_fail(e, -EINVAL, "_HLS_part needs _HLS_msn beside it");
        return BF_RELOAD_REFUSE;
    }
    if (!bf_playlist_playable(v))
        return BF_RELOAD_WAIT;
    if (!q->has_msn)
        return BF_RELOAD_READY;

    bool there = q->has_part ? has_part(v, q->msn, q->part) : q->msn < complete_count(v);
    return there ? BF_RELOAD_READY : refuse_far_ahead(v, q, e);
}

bool bf_playlist_playable(const struct bf_session_view *v)
{
    return v->started && (v->n_parts > 0 || v->ended);
}

/* --- the media playlist --- */

/* Seconds with six decimals, rounded down: a part must not look longer than PART-TARGET (4.4.4.9). */
static void add_seconds(struct bf_text *t, uint64_t ticks)
{
    uint64_t us = ticks * 100 / 9;

    bf_text_add(t, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void add_us(struct bf_text *t, uint64_t us)
{
    bf_text_add(t, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

uint64_t bf_playlist_skippable(const struct bf_session_view *v)
{
    uint64_t boundary = SKIP_UNTIL_TARGETS * target_90k(v);
    uint64_t left = 0, skipped = 0;
    size_t first = first_listed(v);

    for (size_t i = first; i < v->n_segments; i++)
        left += v->segments[i].complete ? v->segments[i].duration_90k : 0;
    for (size_t i = first; i < v->n_segments && v->segments[i].complete; i++) {
        left -= v->segments[i].duration_90k;
        if (left < boundary)
            break;
        skipped++;
    }
    return skipped;
}

static void add_header(struct bf_text *t, const struct bf_session_view *v)
{
    bf_text_add(t, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:%" PRIu32 "\n", v->target_duration_s);
    bf_text_add(t, "#EXT-X-SERVER-CONTROL:");
    if (!v->ended)
        bf_text_add(t, "CAN-BLOCK-RELOAD=YES,");
    bf_text_add(t, "CAN-SKIP-UNTIL=%" PRIu32 ".0,PART-HOLD-BACK=", v->target_duration_s * SKIP_UNTIL_TARGETS);
    add_us(t, (uint64_t)v->part_target_us * HOLD_BACK_PARTS);
    bf_text_add(t, "\n#EXT-X-PART-INF:PART-TARGET=");
    add_us(t, v->part_target_us);
    bf_text_add(t, "\n");
}

static void add_parts(struct bf_text *t, const struct bf_session_view *v, const struct bf_segment_view *s)
{
    for (size_t i = 0; i < s->n_parts; i++) {
        const struct bf_part_view *p = &v->parts[s->first_part + i];

        bf_text_add(t, "#EXT-X-PART:DURATION=");
        add_seconds(t, p->duration_90k);
        bf_text_add(t, ",URI=\"part-%" PRIu64 ".m4s\"%s\n", p->counter, p->independent ? ",INDEPENDENT=YES" : "");
    }
}

static bool has_parts_listed(const struct bf_session_view *v, size_t index)
{
    if (!v->segments[index].complete)
        return true;
    return v->n_segments - index <= PARTS_SEGMENTS && to_end_90k(v, index) <= PARTS_TARGETS * target_90k(v);
}

static void add_segment(struct bf_text *t, const struct bf_session_view *v, size_t index, bool with_map)
{
    const struct bf_segment_view *s = &v->segments[index];
    char name[BF_NAME_SIZE], time[25];

    if (s->discontinuity)
        bf_text_add(t, "#EXT-X-DISCONTINUITY\n");
    if (with_map && s->init_index < v->n_inits)
        bf_text_add(t, "#EXT-X-MAP:URI=\"%s\"\n", v->inits[s->init_index].file);
    if (s->capture_us != 0)
        bf_text_add(t, "#EXT-X-PROGRAM-DATE-TIME:%s\n", bf_rfc3339(time, s->capture_us / 1000));
    if (has_parts_listed(v, index))
        add_parts(t, v, s);
    if (!s->complete)
        return;
    bf_text_add(t, "%s#EXTINF:", s->gap ? "#EXT-X-GAP\n" : "");
    add_seconds(t, s->duration_90k);
    bf_segment_name(name, s->msn);
    bf_text_add(t, ",\n%s\n", name);
}

static uint64_t discontinuities_before(const struct bf_session_view *v, size_t index)
{
    uint64_t n = 0;

    for (size_t i = 0; i < index; i++)
        n += v->segments[i].discontinuity;
    return n;
}

void bf_playlist_media(struct bf_text *t, const struct bf_session_view *v, uint64_t gone_discontinuities, bool delta)
{
    size_t first = first_listed(v);
    uint64_t msn = first < v->n_segments ? v->segments[first].msn : v->next_msn;
    uint64_t skipped = delta ? bf_playlist_skippable(v) : 0;

    add_header(t, v);
    bf_text_add(t, "#EXT-X-MEDIA-SEQUENCE:%" PRIu64 "\n", msn);
    bf_text_add(t, "#EXT-X-DISCONTINUITY-SEQUENCE:%" PRIu64 "\n",
                gone_discontinuities + discontinuities_before(v, first));
    if (skipped > 0)
        bf_text_add(t, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%" PRIu64 "\n", skipped);

    for (size_t i = first + (size_t)skipped; i < v->n_segments; i++) {
        bool first_here = i == first; /* after a skip the client still has the map of what was skipped */
        bool other_map = i > 0 && v->segments[i].init_index != v->segments[i - 1].init_index;
        add_segment(t, v, i, first_here || other_map);
    }
    if (v->ended)
        bf_text_add(t, "#EXT-X-ENDLIST\n");
    else
        bf_text_add(t, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-%" PRIu64 ".m4s\"\n", v->next_counter);
}

/* --- the multivariant playlist --- */

uint64_t bf_playlist_bandwidth(const struct bf_session_view *v)
{
    uint64_t peak = 0;

    for (size_t i = 0; i < v->n_segments; i++) {
        const struct bf_segment_view *s = &v->segments[i];
        uint64_t rate = s->duration_90k == 0 ? 0 : s->bytes * 8 * TICKS_PER_S / s->duration_90k;
        if (rate > peak)
            peak = rate;
    }
    return peak;
}

void bf_playlist_index(struct bf_text *t, const struct bf_session_view *v)
{
    const struct bf_init_view *init = v->n_inits == 0 ? NULL : &v->inits[v->n_inits - 1];
    uint64_t bandwidth = bf_playlist_bandwidth(v);

    bf_text_add(t, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    bf_text_add(t, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRIu64, bandwidth + bandwidth / 10 + 1); /* room for what comes */
    if (init != NULL) {
        bf_text_add(t, ",CODECS=\"%s\",RESOLUTION=%" PRIu32 "x%" PRIu32, init->codecs, init->width, init->height);
        if (init->frame_rate_milli != 0)
            bf_text_add(t, ",FRAME-RATE=%" PRIu32 ".%03" PRIu32, init->frame_rate_milli / 1000,
                        init->frame_rate_milli % 1000);
    }
    bf_text_add(t, "\n%s/media.m3u8\n", v->session_id);
}
