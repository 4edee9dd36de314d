/* What the gateway counts, in Prometheus' text format (version 0.0.4). Any thread. */
#ifndef BELFRY_GATEWAY_METRICS_H
#define BELFRY_GATEWAY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "bus/verify.h"
#include "gateway/admission.h"
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
/* Somebody asked for that camera's playlist: a viewer, recognised by address and browser for ten seconds. True where it
 * has been. */
bool bf_metrics_viewer(struct bf_metrics *m, const char *camera, const char *address, const char *agent,
                       uint64_t now_ms);

/* What was refused for want of a worker, and who was cut off. */
enum bf_http_event {
    BF_HTTP_REFUSED_VIEWERS, /* as many media connections as there may be */
    BF_HTTP_REFUSED_BUSY,    /* no worker but those kept for health */
    BF_HTTP_CUT_HEADER,      /* its first header took too long */
    BF_HTTP_CUT_SILENT,      /* silent, while others came */
    BF_HTTP_CUT_IDLE,        /* idle, while others waited for a worker */
    BF_HTTP_CUT_BODY,        /* its body took too long */
    BF_HTTP_CUT_READER,      /* did not take what it had asked for */
    BF_HTTP_REPLAYED,        /* with an Idempotency-Key: the answer that was kept */
    BF_HTTP_JOINED,          /* waited for the answer to the first with its key */
    BF_HTTP_KEY_REUSED,      /* its key stands for another request */
    BF_HTTP_DEMAND_STARTED,  /* a viewer's request started the camera, or waited for that */
    BF_HTTP_DEMAND_LATE,     /* it had not come up by the time a viewer may wait */
    BF_HTTP_DEMAND_FAILED,   /* it did not come up, or failed just before */
    BF_HTTP_DEMAND_FULL,     /* as many viewers wait for a start as may */
    BF_HTTP_DEMAND_STOPPED,  /* stopped by hand, and the viewer was there then */
    BF_HTTP_DEMAND_FOREIGN,  /* a page of another origin: starts nothing */
    BF_HTTP_EVENTS
};
void bf_metrics_http_event(struct bf_metrics *m, enum bf_http_event event);
/* Levels: connections of each kind, workers, those of them that are free. */
void bf_metrics_connections(struct bf_metrics *m, const unsigned counts[static BF_CONN_KINDS], unsigned workers,
                            unsigned free_workers);

struct bf_camera_gauge {
    char id[BF_ID_SIZE];
    bool online, live;
};

/* Levels that the loop thread takes once a second. */
struct bf_gauges {
    const struct bf_camera_gauge *cameras; /* borrowed for the call */
    size_t n_cameras;
    unsigned superseded[BF_ROLE_JANITOR + 1]; /* nodes that obey another gateway, by role */
    uint64_t lease_epoch;
    unsigned ingest_online, janitor_online, streams_live, sessions_followed, recordings, requests_waiting;
    bool bus_connected;
    uint64_t refusals[BF_REFUSALS];
};
int bf_metrics_set(struct bf_metrics *m, const struct bf_gauges *g); /* copies */

struct bf_blob *bf_metrics_render(struct bf_metrics *m, uint64_t now_ms); /* NULL: no memory */

#endif
