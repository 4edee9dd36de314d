/* What a start may ask for, and what of it a camera is told, by the camera's configuration. Pure. */
#ifndef BELFRY_GATEWAY_WANT_H
#define BELFRY_GATEWAY_WANT_H

#include "gateway/orchestrator.h"
#include "service/config.h"

/* What a start that says nothing gets: record and profile as configured, zero for what the camera decides. */
struct bf_want bf_want_of(const struct bf_camera_config *c);

/* A GOP may last a segment of the profile and no longer: a segment begins with an IDR. */
uint32_t bf_want_gop_max_ms(const struct bf_want *w);
uint32_t bf_want_gop_ms(const struct bf_want *w, const struct bf_camera_config *c); /* asked for, else as configured */

/* Whether a session of the process before goes on: one of viewers does not where the camera is no longer on demand,
 * since nobody would end it. */
bool bf_want_goes_on(const struct bf_want *w, const struct bf_camera_config *c);

const char *bf_want_profile_name(const struct bf_want *w); /* NULL: none */

#endif
