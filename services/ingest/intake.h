/* Keeps the first GOP of a source whose frame rate and distance of IDRs nobody stated, until both are known or it has
 * been waited for long enough: the session's constants must be right before its first record is written. */
#ifndef BELFRY_INGEST_INTAKE_H
#define BELFRY_INGEST_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/timeline.h"

/* A GOP that is longer counts as not known: viewers should not wait for more. */
#define BF_INTAKE_WAIT_90K 225000
#define BF_INTAKE_BYTES 8388608

struct bf_access_unit {
    const uint8_t *data;
    size_t size;
    struct bf_au_times times;
    bool corrupt;
};

struct bf_intake;

int bf_intake_new(struct bf_intake **ret);
void bf_intake_free(struct bf_intake *k);

/* Copies one access unit. 1: *ret_frame_90k and *ret_gop_90k (0: not known) say what was found, take the units out with
 * bf_intake_each. 0: not yet. -ENOMEM. What comes before the first IDR is dropped. */
int bf_intake_add(struct bf_intake *k, const struct bf_access_unit *au, bool idr, uint32_t *ret_frame_90k,
                  uint32_t *ret_gop_90k);
/* The source broke off: what was kept is dropped. */
void bf_intake_reset(struct bf_intake *k);
/* Calls fn for each kept unit in order until it fails; returns that. */
int bf_intake_each(const struct bf_intake *k, int (*fn)(void *user, const struct bf_access_unit *au), void *user);

#endif
