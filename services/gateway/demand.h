/* Cameras that start for their first viewer and stop after their last (cameras[].on_demand): when a viewer was there last,
 * and what keeps a viewer's request from starting anything just now. Times are monotonic ms. Any thread. */
#ifndef BELFRY_GATEWAY_DEMAND_H
#define BELFRY_GATEWAY_DEMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/config.h"

/* After a start that failed: players ask every second, and each start costs two nodes. */
#define BF_DEMAND_PAUSE_MS 5000

struct bf_demand;
/* `c` is borrowed. `most_waiting`: requests that may wait for a start at a time, over all cameras; beside
 * them the first of each camera may. */
int bf_demand_new(struct bf_demand **ret, const struct bf_config *c, unsigned most_waiting);
void bf_demand_free(struct bf_demand *d); /* NULL is fine */

/* A camera that is configured and on demand; NULL otherwise. Valid as long as d. */
struct bf_demand_camera *bf_demand_of(struct bf_demand *d, const char *camera);

/* A viewer is there now. */
void bf_demand_seen(struct bf_demand_camera *c, uint64_t now_ms);
/* Nobody has been there for the camera's idle_timeout_ms. */
bool bf_demand_is_idle(const struct bf_demand_camera *c, uint64_t now_ms);

enum bf_demand_verdict {
    BF_DEMAND_START,   /* go on; call bf_demand_leave when it has come up, or has not */
    BF_DEMAND_STOPPED, /* somebody has stopped it, and this viewer was there then */
    BF_DEMAND_PAUSE,   /* the last start has failed less than BF_DEMAND_PAUSE_MS ago */
    BF_DEMAND_FULL     /* as many requests wait for a start as may */
};
/* May a viewer's request start it? `known`: the viewer has been asking without a pause. One who comes anew also ends what
 * a stop by hand began. */
enum bf_demand_verdict bf_demand_enter(struct bf_demand *d, struct bf_demand_camera *c, bool known, uint64_t now_ms);
void bf_demand_leave(struct bf_demand *d, struct bf_demand_camera *c, bool failed, uint64_t now_ms);

/* A start (false) or a stop (true) by hand: a stop holds against all who are watching. NULL is fine. */
void bf_demand_by_hand(struct bf_demand_camera *c, bool stopped);

#endif
