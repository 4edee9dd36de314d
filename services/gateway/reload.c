#include "gateway/playlist.h"

#include <errno.h>
#include <inttypes.h>

#include "stream/profile.h"

#define US_PER_S 1000000
#define ADVANCE_SEGMENTS 2 /* how far ahead a client may ask (6.2.5.2) … */
#define ADVANCE_S 3        /* … and how many seconds of parts, or parts where one lasts a second or more */

bool bf_playlist_lists_parts(const struct bf_session_view *v)
{
    const struct bf_profile *p = bf_profile_of(v->profile);

    return p == NULL || p->lists_parts;
}

bool bf_playlist_has_media(const struct bf_session_view *v)
{
    if (bf_playlist_lists_parts(v)) {
        for (size_t i = 0; i < v->n_parts; i++)
            if (v->parts[i].independent)
                return true;
        return false;
    }
    for (size_t i = 0; i < v->n_segments; i++)
        if (v->segments[i].complete && !v->segments[i].gap)
            return true;
    return false;
}

bool bf_playlist_playable(const struct bf_session_view *v)
{
    return v->started && (v->ended || bf_playlist_has_media(v));
}

/* Also the number of the open segment, or of the next one while none is open. */
static uint64_t complete_count(const struct bf_session_view *v)
{
    return bf_session_view_open_segment(v) == NULL ? v->next_msn : v->next_msn - 1;
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

/* Does part `part` exceed the last one, of `known` in the same segment, by more than the Advance Part Limit? */
static bool exceeds_parts(const struct bf_session_view *v, uint64_t part, uint64_t known)
{
    if (part < known)
        return false;
    uint64_t ahead = part - known < UINT32_MAX ? part - known + 1 : UINT32_MAX;

    if (v->part_target_us >= US_PER_S)
        return ahead > ADVANCE_S;
    return ahead * v->part_target_us > (uint64_t)ADVANCE_S * US_PER_S;
}

/* What is not there yet: is it near enough to be waited for? */
static enum bf_reload judge_distance(const struct bf_session_view *v, const struct bf_hls_query *q, struct bf_error *e)
{
    uint64_t open_msn = complete_count(v); /* the last whole segment has the number before it */
    const struct bf_segment_view *open = bf_session_view_open_segment(v);

    if (q->msn > open_msn && q->msn - open_msn > ADVANCE_SEGMENTS - 1) {
        bf_fail(e, -ERANGE, "_HLS_msn=%" PRIu64 " is more than %d segments after the last one, %" PRId64, q->msn,
                ADVANCE_SEGMENTS, (int64_t)open_msn - 1);
        return BF_RELOAD_TOO_EARLY;
    }
    if (!q->has_part || q->msn < open_msn)
        return BF_RELOAD_WAIT;
    uint64_t known = open != NULL && q->msn == open_msn ? open->n_parts : 0; /* none, of one that has not begun */
    if (exceeds_parts(v, q->part, known)) {
        bf_fail(e, -ERANGE, "_HLS_part=%" PRIu64 " is further ahead than %d seconds", q->part, ADVANCE_S);
        return BF_RELOAD_TOO_EARLY;
    }
    return BF_RELOAD_WAIT;
}

bool bf_playlist_heeds(const struct bf_session_view *v, const struct bf_hls_query *q)
{
    return (q->has_msn || q->has_part) && !v->ended && bf_playlist_lists_parts(v);
}

enum bf_reload bf_playlist_reload(const struct bf_session_view *v, const struct bf_hls_query *q, struct bf_error *e)
{
    enum bf_reload otherwise = bf_playlist_playable(v) ? BF_RELOAD_READY : BF_RELOAD_WAIT;

    if (!v->started || !bf_playlist_heeds(v, q))
        return otherwise;
    if (!q->has_msn) {
        bf_fail(e, -EINVAL, "_HLS_part needs _HLS_msn beside it");
        return BF_RELOAD_REFUSE;
    }
    bool there = q->has_part ? has_part(v, q->msn, q->part) : q->msn < complete_count(v);
    return there ? otherwise : judge_distance(v, q, e);
}
