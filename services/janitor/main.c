/* belfry-janitor: the only service that deletes anything, and the one that makes recordings.
 *
 * Reads  belfry/v1/<site>/janitor/<id>/desired    what is to become of which session, with a lease
 *        belfry/v1/<site>/janitor/<id>/cmd        delete, protect, snapshot
 *        belfry/v1/<site>/ingest/<id>/state       which sessions still run
 * Tells  belfry/v1/<site>/janitor/<id>/state      what it does, retained; also the last will
 *        belfry/v1/<site>/janitor/<id>/evt        recording ready, session purged, recording deleted, alarms
 *        belfry/v1/<site>/gateway/<id>/rsp        answers
 * Files  <media>/<camera>/<session>/              deletes segments, adds vod.m3u8, download.mp4, poster.jpg,
 * recording */
#include "base/cleanup.h"
#include "janitor/janitor.h"

static const struct bf_route routes[] = {
    { BF_MSG_JANITOR_DESIRED, BF_ROLE_JANITOR, BF_FROM_OWN_TOPIC, bf_janitor_on_desired },
    { BF_MSG_JANITOR_COMMAND, BF_ROLE_JANITOR, BF_FROM_OWN_TOPIC, bf_janitor_on_command },
    { BF_MSG_INGEST_STATE, BF_ROLE_INGEST, BF_FROM_EVERY_NODE, bf_janitor_on_ingest_state },
};

static const struct bf_service_def janitor = {
    .program = "belfry-janitor",
    .summary = "Trims live streams, makes recordings of those that are kept, deletes what nobody wants.",
    .role = BF_ROLE_JANITOR,
    .routes = routes,
    .n_routes = BF_COUNT_OF(routes),
    .start = bf_janitor_start,
    .drain = bf_janitor_drain,
    .free = bf_janitor_free,
    .with_state = bf_janitor_with_state,
    .connected = bf_janitor_connected,
    .reload = bf_janitor_reload,
    .drain_ms = 5000,
};

int main(int argc, char **argv)
{
    return bf_service_main(argc, argv, &janitor);
}
