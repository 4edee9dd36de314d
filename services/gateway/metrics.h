/* What the gateway counts, in Prometheus' text format (version 0.0.4). Any thread. */
#ifndef BELFRY_GATEWAY_METRICS_H
#define BELFRY_GATEWAY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "bus/verify.h"
#include "gateway/blob.h"
#include "gateway/router.h"

struct bf_metrics;

/* `routes` is borrowed; requests that no route takes are counted under "other". */
int bf_metrics_new(struct bf_metrics **ret, const struct bf_http_route *const *routes, size_t n_routes);
void bf_metrics_free(struct bf_metrics *m); /* NULL is fine */

void bf_metrics_request(struct bf_metrics *m, size_t route, int status); /* route n_routes: other */
void bf_metrics_sent(struct bf_metrics *m, uint64_t bytes);
void bf_metrics_started(struct bf_metrics *m, uint64_t took_ms);
void bf_metrics_start_failed(struct bf_metrics *m);
/* Somebody asked for that camera's playlist: a viewer, recognised by address and browser for ten seconds. */
void bf_metrics_viewer(struct bf_metrics *m, const char *camera, const char *address, const char *agent,
                       uint64_t now_ms);

struct bf_camera_gauge {
    char id[BF_ID_SIZE];
    bool online, live;
};

/* Levels that the loop thread takes once a second. */
struct bf_gauges {
    const struct bf_camera_gauge *cameras; /* borrowed for the call */
    size_t n_cameras;
    unsigned ingest_online, janitor_online, streams_live, sessions_followed, recordings, requests_waiting;
    bool bus_connected;
    uint64_t refusals[BF_REFUSALS];
};
int bf_metrics_set(struct bf_metrics *m, const struct bf_gauges *g); /* copies */

struct bf_blob *bf_metrics_render(struct bf_metrics *m, uint64_t now_ms); /* NULL: no memory */

#endif
