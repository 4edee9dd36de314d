/* How a session divides into DASH periods. Pure: built from the journal alone, record by record, so that every gateway,
 * and one that has just started, says the same.
 *
 * A DASH client computes from a period's start, its first number and one duration which segment exists at which time of
 * day, and where it lies in the media. Both must hold for every segment of the period. Where one stops holding (another
 * init segment, a discontinuity, a gap, a segment that is much longer or shorter, a clock that drifts or is set) a new
 * period begins. What has been said of earlier segments never changes. */
#ifndef BELFRY_GATEWAY_PERIODS_H
#define BELFRY_GATEWAY_PERIODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/session_view.h"

struct bf_period {
    uint64_t first_msn;   /* its first segment */
    uint64_t end_msn;     /* one after its last; UINT64_MAX while it goes on */
    uint64_t start_us;    /* on the session's own timeline, which begins at origin_us */
    uint64_t length_us;   /* of its media, once it has ended */
    uint64_t media_90k;   /* decode time of its first sample */
    uint64_t segment_90k; /* what each of its segments is said to last */
    uint64_t capture_us;  /* of its first frame; 0: the sender's clock cannot be held against ours */
    unsigned init_index;
};

struct bf_periods {
    uint64_t origin_us; /* Unix time of the beginning of the timeline, whole milliseconds */
    struct bf_period *list;
    size_t n, room;
    uint64_t next_msn; /* of the first segment that has not been taken */
    unsigned late;     /* segments in a row that came later than their period says */
};

/* Zero-initialise. To be called after every record that `v` has applied. -ENOMEM: the record's segment is taken with
 * the next one. */
int bf_periods_take(struct bf_periods *p, const struct bf_session_view *v);
/* Drops periods that have ended before segment `msn`, but never the last. */
void bf_periods_forget(struct bf_periods *p, uint64_t msn);
void bf_periods_done(struct bf_periods *p);
/* How long the period's media is up to the end of segment `s`, one of its own. */
uint64_t bf_period_media_us(const struct bf_period *p, const struct bf_session_view *v,
                            const struct bf_segment_view *s);

#endif
