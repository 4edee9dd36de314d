/* What a reader knows of a session: the sum of its journal's records. Pure; feed it records in order. Used by the
 * gateway (playlists, part lookup), the janitor (what may go, what to archive) and ingest at restart. Not thread safe:
 * the owner locks. */
#ifndef BELFRY_STREAM_SESSION_VIEW_H
#define BELFRY_STREAM_SESSION_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "journal.pb-c.h"

struct bf_part_view {
    uint64_t counter, msn, offset, length, capture_us, decode_time_90k;
    uint64_t written_us; /* by ingest's clock; 0: not known */
    uint32_t duration_90k, frames;
    bool independent;
};

struct bf_segment_view {
    uint64_t msn;
    size_t first_part, n_parts;   /* index into parts */
    uint64_t bytes, duration_90k; /* so far; final when complete */
    uint64_t capture_us; /* of its first part; of a gap the end of what is before it, 0 at the very beginning */
    unsigned init_index; /* into inits */
    bool complete, discontinuity, gap;
    uint8_t sha256[32], link[32]; /* when complete and not a gap */
};

struct bf_init_view {
    char file[40];
    char codecs[32];
    uint32_t width, height, frame_rate_milli;
};

struct bf_session_view {
    bool started, ended;
    char camera[BF_ID_SIZE];
    char session_id[BF_ULID_SIZE];
    char ingest[BF_ID_SIZE];
    uint64_t started_at_ms, ended_at_ms;
    bool record;
    Belfry__V1__Profile profile;
    uint32_t part_target_us, target_duration_s, segment_us, window_ms;
    char end_reason[49];
    uint8_t chain_head[32];          /* link of the newest complete segment; before the first that of SessionStart */
    uint64_t next_msn, next_counter; /* of the next segment (after an open one) and the next part */
    struct bf_init_view *inits;
    size_t n_inits;
    struct bf_segment_view *segments;
    size_t n_segments; /* msn = segments[0].msn + index */
    struct bf_part_view *parts;
    size_t n_parts;                               /* counter = parts[0].counter + index */
    uint64_t revision;                            /* +1 per applied record */
    size_t segments_room, parts_room, inits_room; /* allocation, private */
};

void bf_session_view_init(struct bf_session_view *v);
void bf_session_view_done(struct bf_session_view *v);
/* Applies one record; -EBADMSG (view unchanged) when it does not follow from the ones before: wrong msn or counter
 * order, part before init, an offset or a sum that does not fit, Init, Gap or SessionEnd while a segment is open,
 * anything after SessionEnd; and for values out of their form: ids, init names and codecs, hashes that are not 32
 * bytes. Links and signatures are kept, not checked. -ENOMEM. */
int bf_session_view_apply(struct bf_session_view *v, const Belfry__V1__Record *record);
/* Forgets complete segments with msn below `msn` and their parts (a live reader's memory stays bounded). */
void bf_session_view_forget(struct bf_session_view *v, uint64_t msn);

const struct bf_part_view *bf_session_view_part(const struct bf_session_view *v, uint64_t counter);   /* or NULL */
const struct bf_segment_view *bf_session_view_segment(const struct bf_session_view *v, uint64_t msn); /* or NULL */
const struct bf_segment_view *bf_session_view_open_segment(const struct bf_session_view *v);          /* or NULL */
/* First msn that a live playlist lists now: the last segments that cover window_ms, never fewer than three target
 * durations (rfc8216bis 6.2.2). */
uint64_t bf_session_view_window_start(const struct bf_session_view *v);
/* First msn that must stay on disk: window start less what a client may still ask for (rfc8216bis 6.2.2: a segment's
 * duration plus the longest playlist that listed it), plus ten seconds. */
uint64_t bf_session_view_keep_start(const struct bf_session_view *v);
/* The rule behind it: a segment stays while less than this is complete after it, in 90 kHz ticks. */
uint64_t bf_session_view_keep_90k(const struct bf_session_view *v);

#endif
