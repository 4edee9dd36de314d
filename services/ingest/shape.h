/* The lengths of a session's parts and segments. Constants once the session has begun: players give up when they change
 * (rfc8216bis 6.2.1). Pure. */
#ifndef BELFRY_INGEST_SHAPE_H
#define BELFRY_INGEST_SHAPE_H

#include <stdint.h>

/* TARGETDURATION of a source whose distance of IDRs is not known: what encoders do when nobody tells them (250 frames
 * at 25 a second), so that its segments too begin with an IDR. */
#define BF_TARGET_DURATION_UNKNOWN_S 10

struct bf_shape {
    uint32_t part_90k;        /* what a part is cut at: whole frames, the nearest number to what was asked */
    uint32_t part_target_90k; /* PART-TARGET, in whose allowed range a part of part_90k lies in the middle */
    uint32_t part_min_90k;    /* 85 % of PART-TARGET */
    uint32_t part_target_us;  /* PART-TARGET rounded up */
    uint32_t segment_90k;     /* from so much on a segment ends at the next IDR */
    uint32_t segment_us;      /* what it lasts then; of a GOP that is not known, what TARGETDURATION says */
    uint32_t segment_max_90k; /* what still rounds to TARGETDURATION */
    uint32_t target_duration_s;
};

/* `frame_90k` > 0; `gop_90k` 0: not known, else the nearest number of whole frames counts. A segment is the number of
 * whole GOPs nearest to `segment_ms`; TARGETDURATION is the longer of both, and one frame, rounded up. A part is never
 * longer than the segment. */
void bf_shape_of(struct bf_shape *ret, uint32_t part_ms, uint32_t segment_ms, uint32_t gop_90k, uint32_t frame_90k);

/* A session that goes on keeps the constants it began with. */
void bf_shape_keep(struct bf_shape *shape, uint32_t part_target_us, uint32_t target_duration_s, uint32_t segment_us);

#endif
