/* Who owns a session's timestamps: turns what a sender claims into decode times that only ever go up, and says where
 * the claim broke. Pure: arrival times are arguments.
 *
 * - The 33 bits of MPEG-TS are unwrapped; a wrap is nothing special.
 * - A step back or a step forward beyond the gap threshold is a discontinuity: output goes on right behind the last
 *   frame, from the next IDR on, and everything before that IDR is dropped.
 * - Smaller steps are kept as they are (the sender was late, nothing is wrong); equal or slightly earlier timestamps
 *   are moved up to one tick after the last. */
#ifndef BELFRY_INGEST_TIMELINE_H
#define BELFRY_INGEST_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BF_TIMELINE_GAP_90K 90000     /* a larger step forward is a discontinuity (or three frames, if that is more) */
#define BF_TIMELINE_JITTER_90K 9000   /* a larger step back is a discontinuity */
#define BF_TIMELINE_REORDER_90K 90000 /* presentation later than that after decoding is not believed */
#define BF_TIMELINE_DELTAS 15

/* What came with one access unit. */
struct bf_au_times {
    int64_t pts_90k, dts_90k; /* 33 bits as received, INT64_MIN where there was none */
    uint64_t capture_us;      /* Unix time by the sender, 0 where there is none */
    uint64_t arrival_us;      /* Unix time at which it was here */
};

struct bf_timing {
    int64_t dts_90k, pts_90k; /* dts strictly above the one before; pts >= dts */
    uint64_t capture_us;
    bool discontinuity; /* before this access unit, which is an IDR then */
};

struct bf_timeline {
    uint32_t frame_90k; /* nominal duration of a frame: stated, then what is measured if that differs */
    bool waiting;       /* for an IDR */
    bool broken;        /* that IDR is a discontinuity */
    int64_t raw_90k;    /* unwrapped decode time of the last access unit, as the sender counts */
    int64_t offset_90k; /* output = raw + offset */
    int64_t next_90k;   /* end of the last access unit: where output goes on after a discontinuity */
    int64_t last_90k;   /* decode time of the last access unit */
    uint32_t deltas[BF_TIMELINE_DELTAS];
    size_t n_deltas, delta_at;
};

/* `frame_90k` 0: not known, 30 frames a second until measured. Output begins at `first_90k`; `resumed` when other media
 * is in front of it, so that the first access unit is a discontinuity. */
void bf_timeline_init(struct bf_timeline *t, uint32_t frame_90k, int64_t first_90k, bool resumed);

/* What comes next has nothing to do with what was before (sender left, silence, lost IDR). */
void bf_timeline_break(struct bf_timeline *t);

/* Is this access unit's decode time that of the one before, or so little earlier that only the network, or the sender's
 * clock, can have shaken it? */
bool bf_timeline_goes_back(const struct bf_timeline *t, const struct bf_au_times *au);

/* False: drop this access unit, an IDR has to come first. `idr`: decoding can start here. */
bool bf_timeline_next(struct bf_timeline *t, const struct bf_au_times *au, bool idr, struct bf_timing *ret);

/* Median of n > 0 durations; reorders them. */
uint32_t bf_median(uint32_t *values, size_t n);

/* Signed distance of two 33-bit timestamps, the shorter way round. */
int64_t bf_distance_33(int64_t from, int64_t to);

#endif
