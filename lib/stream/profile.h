/* The latency profiles: how long parts and segments are. Pure; a table that gateway, ingest and configuration share. */
#ifndef BELFRY_STREAM_PROFILE_H
#define BELFRY_STREAM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session.pb-c.h"

#define BF_PROFILE_NAMES "realtime|balanced|economy"

struct bf_profile {
    Belfry__V1__Profile id;
    const char *name;     /* as in belfry.yml and in the API */
    uint32_t part_frames; /* length of a part in frames; 0: part_ms says it */
    uint32_t part_ms;
    uint32_t segment_ms;
    bool lists_parts; /* false: parts are how ingest writes, but players are told of segments only */
};

const struct bf_profile *bf_profile_of(Belfry__V1__Profile id); /* NULL: none of ours */
const struct bf_profile *bf_profile_named(const char *name);    /* NULL: none of ours, or name is NULL */

/* Length of a part at `fps` frames per second; `fps` 0 counts as 30. Never under BF_PART_MS_MIN: more requests than
 * that a second cost more than they gain. */
#define BF_PART_MS_MIN 33
uint32_t bf_profile_part_ms(const struct bf_profile *p, uint32_t fps);

/* What a camera encodes when asked for an IDR every `gop_ms`, and ingest expects: the whole frames in it, 1 at least; 0
 * where either is 0. */
uint32_t bf_gop_frames(uint32_t gop_ms, uint32_t fps);

#endif
