/* What the HTTP threads share: nothing here changes while the server runs, and everything it points at
 * is thread safe. */
#ifndef BELFRY_GATEWAY_APP_H
#define BELFRY_GATEWAY_APP_H

#include <stdatomic.h>

#include "gateway/calls.h"
#include "gateway/demand.h"
#include "gateway/events.h"
#include "gateway/idempotency.h"
#include "gateway/live.h"
#include "gateway/metrics.h"
#include "gateway/recordings.h"
#include "gateway/router.h"
#include "service/config.h"

#define BF_ROUTES_MAX 64

struct bf_app {
    const struct bf_config *config;
    const struct bf_http_route *routes[BF_ROUTES_MAX]; /* every route, group after group */
    size_t n_routes;
    struct bf_http_route refused[BF_ROUTES_MAX]; /* media only: in place of what would change something */
    struct bf_live *live;
    struct bf_recordings *recordings;
    struct bf_events *events;
    struct bf_metrics *metrics;
    struct bf_calls *calls;
    struct bf_idempotency *idempotency;
    struct bf_demand *demand;   /* NULL: media only */
    int media_dirfd, web_dirfd; /* web_dirfd -1: there are no pages */
    unsigned max_listeners;     /* of events at a time: each holds a thread */
    atomic_uint listeners;
    atomic_bool ready; /* the loop says: broker connected, an ingest node online; media only: the directory is there */
    atomic_bool connected;
    atomic_bool superseded; /* an ingest node obeys another gateway */
};

/* Fills app->routes. */
void bf_routes_collect(struct bf_app *app);
/* Then, for a gateway that serves media only: whatever changes state answers 405 and names the gateway to ask. */
void bf_routes_refuse_changes(struct bf_app *app);

/* The groups; one file each. A route without a handler ends a group. */
extern const struct bf_http_route bf_routes_cameras[], bf_routes_recordings[], bf_routes_events[], bf_routes_article[],
    bf_routes_media[], bf_routes_segments[], bf_routes_recordings_media[], bf_routes_ops[], bf_routes_static[];

#endif
