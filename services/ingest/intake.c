#include "ingest/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNITS_MAX 512 /* 120 frames a second for longer than is waited */
#define PADDING 64    /* readers of bit streams look a little beyond the end */

struct bf_intake {
    struct bf_access_unit units[UNITS_MAX];
    size_t n_units, bytes;
};

int bf_intake_new(struct bf_intake **ret)
{
    struct bf_intake *k = calloc(1, sizeof *k);

    if (k == NULL)
        return -ENOMEM;
    *ret = k;
    return 0;
}

void bf_intake_reset(struct bf_intake *k)
{
    for (size_t i = 0; i < k->n_units; i++)
        free((uint8_t *)(uintptr_t)k->units[i].data);
    k->n_units = k->bytes = 0;
}

void bf_intake_free(struct bf_intake *k)
{
    if (k == NULL)
        return;
    bf_intake_reset(k);
    free(k);
}

static int keep(struct bf_intake *k, const struct bf_access_unit *au)
{
    uint8_t *copy = calloc(1, au->size + PADDING);

    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, au->data, au->size);
    k->units[k->n_units] = *au;
    k->units[k->n_units++].data = copy;
    k->bytes += au->size;
    return 0;
}

/* Ticks from the first kept unit to the n-th; 0 where timestamps are missing or go back. */
static int64_t since_first(const struct bf_intake *k, size_t n)
{
    int64_t first = k->units[0].times.dts_90k, to = k->units[n].times.dts_90k;
    int64_t distance = first == INT64_MIN || to == INT64_MIN ? 0 : bf_distance_33(first, to);

    return distance > 0 ? distance : 0;
}

/* The mean where it is near the median: senders that count in milliseconds give 2970 and 3060 for 3000. Frames that are
 * missing would spoil it. */
static uint32_t frame_90k(const struct bf_intake *k)
{
    uint32_t deltas[UNITS_MAX];
    size_t n = 0;

    for (size_t i = 1; i < k->n_units; i++) {
        int64_t delta = since_first(k, i) - since_first(k, i - 1);

        if (delta > 0 && delta <= BF_INTAKE_WAIT_90K)
            deltas[n++] = (uint32_t)delta;
    }
    if (n == 0)
        return 0;

    uint32_t median = bf_median(deltas, n);
    int64_t mean = (since_first(k, k->n_units - 1) + (int64_t)n / 2) / (int64_t)n;
    return llabs(mean - median) <= median / 16 ? (uint32_t)mean : median;
}

int bf_intake_add(struct bf_intake *k, const struct bf_access_unit *au, bool idr, uint32_t *ret_frame_90k,
                  uint32_t *ret_gop_90k)
{
    if (k->n_units == 0 && !idr)
        return 0;
    int r = keep(k, au);
    if (r != 0)
        return r;

    int64_t length = since_first(k, k->n_units - 1);
    bool whole_gop = idr && length > 0;
    if (!whole_gop && length < BF_INTAKE_WAIT_90K && k->n_units < UNITS_MAX && k->bytes < BF_INTAKE_BYTES)
        return 0;

    *ret_frame_90k = frame_90k(k);
    *ret_gop_90k = whole_gop ? (uint32_t)length : 0;
    return 1;
}

int bf_intake_each(const struct bf_intake *k, int (*fn)(void *user, const struct bf_access_unit *au), void *user)
{
    int r = 0;

    for (size_t i = 0; i < k->n_units && r == 0; i++)
        r = fn(user, &k->units[i]);
    return r;
}
