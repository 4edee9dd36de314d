/* An even cadence on an absolute grid: errors of single waits do not add up, and ticks that were missed are left out
 * instead of being made up for in a burst. Pure: time is an argument (CLOCK_MONOTONIC, microseconds). */
#ifndef BELFRY_CAMERA_PACE_H
#define BELFRY_CAMERA_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct bf_pace {
    uint64_t start_us;
    uint64_t tick; /* number of the next one */
    uint32_t fps;
    uint64_t missed; /* ticks left out so far */
};

/* The first tick is at `now_us`. */
void bf_pace_init(struct bf_pace *p, uint32_t fps, uint64_t now_us);

/* When the next picture is due; counts it as taken. Whole ticks that lie before `now_us` are skipped. */
uint64_t bf_pace_next(struct bf_pace *p, uint64_t now_us);

/* For sources that keep time themselves: is a picture of moment `mono_us` wanted? One that comes more than half an
 * interval before its tick is not (the source is faster than asked); one that comes late moves the grid. */
bool bf_pace_admit(struct bf_pace *p, uint64_t mono_us);
/* When the tick that bf_pace_admit waits for is due. */
uint64_t bf_pace_due(const struct bf_pace *p);

#endif
