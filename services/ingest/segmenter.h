/* Where parts and segments end. Pure.
 *
 * A part is closed right after the frame behind which another would cross its length by more than half a frame, so no
 * frame is held back; or before a frame that came too late to fit. The duration of a part's last sample is the nominal
 * one, moved so that every part of a steady stream lies within 85 % and 100 % of PART-TARGET (rfc8216bis 4.4.4.9), and
 * that the durations of all parts together follow the clock: what one part says too much the next ones say less.
 * An IDR begins a new segment once the segment is long enough (shape.h), and otherwise a new part, if the part before it
 * is then no shorter than 85 %. A segment that would outgrow what EXT-X-TARGETDURATION allows is cut
 * without an IDR; the next IDR then begins a new one. */
#ifndef BELFRY_INGEST_SEGMENTER_H
#define BELFRY_INGEST_SEGMENTER_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/shape.h"

struct bf_segmenter {
    struct bf_shape shape;
    bool segment_open, part_open;
    bool independent; /* the segment begins with an IDR */
    int64_t segment_start_90k;
    uint64_t segment_90k; /* sum of its closed parts */
    int64_t part_start_90k;
    int64_t told_90k; /* where the open part begins by what the parts before it say they last */
    int64_t last_90k; /* decode time of the newest frame */
};

/* What to do around one frame, in this order. */
struct bf_cut {
    bool part_before;         /* close the open part before this frame, */
    uint32_t before_last_90k; /* its last sample lasting so long */
    bool segment_before;      /* end the open segment before this frame */
    bool forced;              /* ... though this frame is no IDR */
    bool part_after;          /* close the part with this frame, */
    uint32_t after_last_90k;  /* which lasts so long */
};

void bf_segmenter_init(struct bf_segmenter *s, const struct bf_shape *shape);
struct bf_cut bf_segmenter_next(struct bf_segmenter *s, int64_t dts_90k, bool idr, bool discontinuity,
                                uint32_t frame_90k);
/* No more frames for now: part and segment, where open, end here. Returns what the last sample lasts. */
uint32_t bf_segmenter_end(struct bf_segmenter *s, uint32_t frame_90k);

#endif
