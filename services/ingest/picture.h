/* The H.264 parameter sets of a stream: the newest seen, and those in use since the last IDR that changed them. */
#ifndef BELFRY_INGEST_PICTURE_H
#define BELFRY_INGEST_PICTURE_H

#include <stdbool.h>

#include "media/h264.h"

#define BF_PARAMETER_SET_MAX 1024 /* bytes; an SPS with VUI has some forty */

struct bf_parameter_set {
    uint8_t data[BF_PARAMETER_SET_MAX];
    size_t size;
};

struct bf_picture {
    struct bf_parameter_set seen_sps, seen_pps;
    struct bf_parameter_set used_sps, used_pps;
    struct bf_sps sps; /* of used_sps */
};

/* Keeps the parameter sets of an access unit; one that does not parse, or is too long, changes nothing. */
void bf_picture_see(struct bf_picture *p, const struct bf_au *au);
bool bf_picture_known(const struct bf_picture *p);   /* an SPS and a PPS have been seen */
bool bf_picture_changed(const struct bf_picture *p); /* ... and are not those in use */
void bf_picture_use(struct bf_picture *p);           /* from now on those seen are in use */
/* What the SPS says that a frame lasts, in 90 kHz ticks; 0 where it says nothing, or nothing between 1 and 120 a
 * second. */
uint32_t bf_sps_frame_90k(const struct bf_sps *sps);
struct bf_nal bf_picture_sps(const struct bf_picture *p);
struct bf_nal bf_picture_pps(const struct bf_picture *p);

#endif
