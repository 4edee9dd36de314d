/* Frames in, one CMAF part out. The newest frame is held back from the muxer, not from the viewer: what it lasts is
 * known when the next has come, or its part is closed. One thread. */
#ifndef BELFRY_INGEST_PART_MAKER_H
#define BELFRY_INGEST_PART_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/intake.h"
#include "ingest/picture.h"
#include "ingest/session_dir.h"
#include "media/cmaf.h"

struct bf_part_maker {
    struct bf_cmaf *cmaf; /* NULL until the picture is known */
    struct bf_part part;  /* of the frames that the muxer has; frames 0: none */
    uint64_t refused;     /* frames that the muxer did not take */

    uint8_t *held; /* the newest frame */
    size_t held_size, held_room;
    struct bf_timing held_timing;
    bool held_idr, holds;
};

void bf_part_maker_done(struct bf_part_maker *m);

/* A muxer for the parameter sets in use; what was in the making is dropped. */
int bf_part_maker_picture(struct bf_part_maker *m, const struct bf_picture *p);

/* The frame that is held lasts so long and goes to the muxer. Nothing where none is held. -ENOMEM. */
int bf_part_maker_release(struct bf_part_maker *m, uint32_t duration_90k);
/* The same, lasting up to `dts_90k`. */
int bf_part_maker_release_until(struct bf_part_maker *m, int64_t dts_90k);
int bf_part_maker_hold(struct bf_part_maker *m, const struct bf_access_unit *au, const struct bf_timing *timing,
                       bool idr);

/* The part, its last frame lasting so long; borrowed until the next call, and m->part describes it until
 * bf_part_maker_next. -ENODATA: there is none. */
int bf_part_maker_close(struct bf_part_maker *m, uint32_t last_90k, const uint8_t **ret, size_t *ret_size);
/* Forgets the part that was closed, or was in the making. */
void bf_part_maker_next(struct bf_part_maker *m);

#endif
