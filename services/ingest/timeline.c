#include "ingest/timeline.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_FRAME_90K 3000
#define SPAN_33 (INT64_C(1) << 33)
#define LEAST_DELTAS 5
#define LATEST_CAPTURE_US UINT64_C(4102444800000000) /* the year 2100: beyond it a clock is not set */

int64_t bf_distance_33(int64_t from, int64_t to)
{
    int64_t distance = (int64_t)((uint64_t)to - (uint64_t)from) & (SPAN_33 - 1);

    return distance < SPAN_33 / 2 ? distance : distance - SPAN_33;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

uint32_t bf_median(uint32_t *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

void bf_timeline_init(struct bf_timeline *t, uint32_t frame_90k, int64_t first_90k, bool resumed)
{
    *t = (struct bf_timeline){
        .frame_90k = frame_90k != 0 ? frame_90k : DEFAULT_FRAME_90K,
        .waiting = true,
        .broken = resumed,
        .next_90k = first_90k,
        .last_90k = first_90k - 1,
    };
}

void bf_timeline_break(struct bf_timeline *t)
{
    /* Nothing has come yet: the first access unit is a beginning, not a discontinuity. */
    if (t->waiting)
        return;
    t->waiting = true;
    t->broken = true;
}

/* A stated frame rate holds until the measured one says something else for a while: single late frames say nothing. */
static void measure(struct bf_timeline *t, int64_t delta_90k)
{
    uint32_t sorted[BF_TIMELINE_DELTAS];

    t->deltas[t->delta_at] = (uint32_t)delta_90k;
    t->delta_at = (t->delta_at + 1) % BF_TIMELINE_DELTAS;
    if (t->n_deltas < BF_TIMELINE_DELTAS)
        t->n_deltas++;
    if (t->n_deltas < LEAST_DELTAS)
        return;

    memcpy(sorted, t->deltas, sizeof sorted);
    uint32_t median = bf_median(sorted, t->n_deltas);
    uint32_t off = median > t->frame_90k ? median - t->frame_90k : t->frame_90k - median;
    if (off > t->frame_90k / 16)
        t->frame_90k = median;
}

static int64_t gap_90k(const struct bf_timeline *t)
{
    int64_t frames = 3 * (int64_t)t->frame_90k;

    return frames > BF_TIMELINE_GAP_90K ? frames : BF_TIMELINE_GAP_90K;
}

/* The sender's decode time; where it says none, that of presentation; where neither, one frame after the last. */
static int64_t claimed(const struct bf_timeline *t, const struct bf_au_times *au)
{
    if (au->dts_90k != INT64_MIN)
        return au->dts_90k;
    if (au->pts_90k != INT64_MIN)
        return au->pts_90k;
    return t->raw_90k + t->frame_90k;
}

static int64_t reorder_90k(const struct bf_au_times *au)
{
    if (au->pts_90k == INT64_MIN || au->dts_90k == INT64_MIN)
        return 0;
    int64_t delay = bf_distance_33(au->dts_90k, au->pts_90k);

    return delay >= 0 && delay <= BF_TIMELINE_REORDER_90K ? delay : 0;
}

bool bf_timeline_goes_back(const struct bf_timeline *t, const struct bf_au_times *au)
{
    int64_t step = bf_distance_33(t->raw_90k, claimed(t, au));

    return step <= 0 && step >= -BF_TIMELINE_JITTER_90K;
}

bool bf_timeline_next(struct bf_timeline *t, const struct bf_au_times *au, bool idr, struct bf_timing *ret)
{
    int64_t step = bf_distance_33(t->raw_90k, claimed(t, au));
    int64_t dts = t->raw_90k + step + t->offset_90k;

    if (!t->waiting && (step > gap_90k(t) || dts < t->last_90k - BF_TIMELINE_JITTER_90K))
        bf_timeline_break(t);
    if (t->waiting && !idr)
        return false;

    bool discontinuity = t->waiting && t->broken;
    t->raw_90k += step;
    if (t->waiting) {
        t->offset_90k = t->next_90k - t->raw_90k;
        dts = t->next_90k;
        t->waiting = t->broken = false;
    } else {
        if (step > 0)
            measure(t, step);
        if (dts <= t->last_90k)
            dts = t->last_90k + 1;
    }

    t->last_90k = dts;
    t->next_90k = dts + t->frame_90k;
    *ret = (struct bf_timing){
        .dts_90k = dts,
        .pts_90k = dts + reorder_90k(au),
        .capture_us = au->capture_us != 0 && au->capture_us < LATEST_CAPTURE_US ? au->capture_us : au->arrival_us,
        .discontinuity = discontinuity,
    };
    return true;
}
