#include "gateway/playlist.h"

#include <inttypes.h>

#include "base/clock.h"
#include "stream/layout.h"

#define TICKS_PER_S 90000u
#define SKIP_UNTIL_TARGETS 6 /* CAN-SKIP-UNTIL, in target durations (4.4.3.8: at least six) */
#define PARTS_TARGETS 3      /* parts are listed for the last three target durations (6.2.2) … */
#define PARTS_SEGMENTS 2     /* … and two whole segments before the open one: there are readers that count segments */
#define HOLD_BACK_PARTS 3    /* PART-HOLD-BACK, in part targets */
#define VERSION_MAP 6        /* section 8: no more than what the tags need */
#define VERSION_SKIP 9

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

uint64_t bf_playlist_skippable(const struct bf_session_view *v)
{
    uint64_t boundary = SKIP_UNTIL_TARGETS * target_90k(v);
    uint64_t left = 0, skipped = 0;
    size_t first = first_listed(v);

    if (!bf_playlist_lists_parts(v))
        return 0; /* CAN-SKIP-UNTIL is not offered */
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

uint32_t bf_playlist_segment_ttl_s(const struct bf_session_view *v, uint64_t msn)
{
    uint64_t keep = bf_session_view_keep_90k(v), after = 0;

    if (bf_session_view_segment(v, msn) == NULL)
        return 0;
    for (size_t i = 0; i < v->n_segments; i++)
        if (v->segments[i].complete && v->segments[i].msn > msn)
            after += v->segments[i].duration_90k;
    return after < keep ? (uint32_t)((keep - after) / TICKS_PER_S) : 0;
}

/* --- the media playlist --- */

static void add_us(struct bf_text *t, uint64_t us)
{
    bf_text_add(t, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void add_seconds(struct bf_text *t, uint64_t ticks)
{
    add_us(t, (ticks * 100 + 4) / 9);
}

/* Rounded up, lest 85 % of PART-TARGET show as less, but not beyond PART-TARGET itself (4.4.4.9). */
static uint64_t part_us(const struct bf_session_view *v, uint64_t ticks)
{
    uint64_t down = ticks * 100 / 9, up = (ticks * 100 + 8) / 9;

    return up > v->part_target_us ? down : up;
}

/* Economy promises nothing: some parsers take any EXT-X-SERVER-CONTROL for low latency, and a CDN need not know queries. */
static void add_control(struct bf_text *t, const struct bf_session_view *v)
{
    if (!bf_playlist_lists_parts(v))
        return;
    bf_text_add(t, "#EXT-X-SERVER-CONTROL:%sCAN-SKIP-UNTIL=%" PRIu32 ".0,PART-HOLD-BACK=",
                v->ended ? "" : "CAN-BLOCK-RELOAD=YES,", v->target_duration_s * SKIP_UNTIL_TARGETS);
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
        add_us(t, part_us(v, p->duration_90k));
        bf_text_add(t, ",URI=\"part-%" PRIu64 ".m4s\"%s\n", p->counter, p->independent ? ",INDEPENDENT=YES" : "");
    }
}

static bool has_parts_listed(const struct bf_session_view *v, size_t index)
{
    if (!bf_playlist_lists_parts(v))
        return false;
    if (!v->segments[index].complete)
        return true;
    size_t whole = v->n_segments - index - (bf_session_view_open_segment(v) != NULL);
    return whole <= PARTS_SEGMENTS && to_end_90k(v, index) <= PARTS_TARGETS * target_90k(v);
}

/* What applies to a segment stands before its first part (4.4.4.9). */
static void add_segment(struct bf_text *t, const struct bf_session_view *v, size_t index, bool with_map)
{
    const struct bf_segment_view *s = &v->segments[index];
    char name[BF_NAME_SIZE], time[25];

    if (!s->complete && !bf_playlist_lists_parts(v))
        return;
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

/* What comes next, so that it is asked for before it is there; and its map, where that is another one (appendix B.1). */
static void add_hints(struct bf_text *t, const struct bf_session_view *v)
{
    const struct bf_segment_view *last = v->n_segments == 0 ? NULL : &v->segments[v->n_segments - 1];

    if (last != NULL && last->init_index + 1 < v->n_inits)
        bf_text_add(t, "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"%s\"\n", v->inits[v->n_inits - 1].file);
    bf_text_add(t, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-%" PRIu64 ".m4s\"\n", v->next_counter);
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

    bf_text_add(t, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%" PRIu32 "\n",
                skipped > 0 ? VERSION_SKIP : VERSION_MAP, v->target_duration_s);
    add_control(t, v);
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
    else if (bf_playlist_lists_parts(v))
        add_hints(t, v);
}

/* --- the multivariant playlist --- */

uint64_t bf_playlist_bandwidth(const struct bf_session_view *v)
{
    uint64_t peak = 0;

    for (size_t i = 0; i < v->n_segments; i++) {
        const struct bf_segment_view *s = &v->segments[i];

        /* One that is open is still mostly its key frame. */
        if (s->duration_90k == 0 || (!s->complete && peak > 0))
            continue;
        uint64_t rate = s->bytes * 8 * TICKS_PER_S / s->duration_90k;
        if (rate > peak)
            peak = rate;
    }
    return peak;
}

/* Can every segment be decoded without the one before? Not one that had to be cut between two key frames. */
static bool segments_are_independent(const struct bf_session_view *v)
{
    for (size_t i = 0; i < v->n_segments; i++)
        if (v->segments[i].n_parts > 0 && !v->parts[v->segments[i].first_part].independent)
            return false;
    return true;
}

void bf_playlist_index(struct bf_text *t, const struct bf_session_view *v)
{
    const struct bf_init_view *init = v->n_inits == 0 ? NULL : &v->inits[v->n_inits - 1];
    uint64_t bandwidth = bf_playlist_bandwidth(v);

    bf_text_add(t, "#EXTM3U\n%s", segments_are_independent(v) ? "#EXT-X-INDEPENDENT-SEGMENTS\n" : "");
    bf_text_add(t, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRIu64, bandwidth + bandwidth / 10 + 1); /* room for what comes */
    if (init != NULL) {
        bf_text_add(t, ",CODECS=\"%s\",RESOLUTION=%" PRIu32 "x%" PRIu32, init->codecs, init->width, init->height);
        if (init->frame_rate_milli != 0)
            bf_text_add(t, ",FRAME-RATE=%" PRIu32 ".%03" PRIu32, init->frame_rate_milli / 1000,
                        init->frame_rate_milli % 1000);
    }
    bf_text_add(t, "\n%s/media.m3u8\n", v->session_id);
}
