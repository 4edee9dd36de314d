/* belfry-gateway: the only HTTP server and the only orchestrator.
 *
 * Reads  belfry/v1/<site>/{camera,ingest,janitor}/<id>/state   who is there and what they do
 *        belfry/v1/<site>/{camera,ingest,janitor}/<id>/evt     recordings made and deleted, alarms
 *        belfry/v1/<site>/gateway/<id>/cmd                     start, stop, status for operators
 *        belfry/v1/<site>/gateway/<id>/rsp                     the janitor's answers
 * Tells  belfry/v1/<site>/{camera,ingest,janitor}/<id>/desired what each node should be doing, with a lease
 *        belfry/v1/<site>/janitor/<id>/cmd                     delete, protect, snapshot
 *        belfry/v1/<site>/gateway/<id>/state                   its streams, retained; also the last will
 * Serves HTTP on gateway.listen. Reads the media directory; never writes there.
 *
 * With gateway.media_only it serves what others bring up: no broker, no key, no orders; see media_only.c. */
#include "base/cleanup.h"
#include "gateway/gateway.h"

static const struct bf_route routes[] = {
    { BF_MSG_CAMERA_STATE, BF_ROLE_CAMERA, BF_FROM_EVERY_NODE, bf_gateway_on_camera_state },
    { BF_MSG_INGEST_STATE, BF_ROLE_INGEST, BF_FROM_EVERY_NODE, bf_gateway_on_ingest_state },
    { BF_MSG_JANITOR_STATE, BF_ROLE_JANITOR, BF_FROM_EVERY_NODE, bf_gateway_on_janitor_state },
    { BF_MSG_EVENT, BF_ROLE_CAMERA, BF_FROM_EVERY_NODE, bf_gateway_on_event },
    { BF_MSG_EVENT, BF_ROLE_INGEST, BF_FROM_EVERY_NODE, bf_gateway_on_event },
    { BF_MSG_EVENT, BF_ROLE_JANITOR, BF_FROM_EVERY_NODE, bf_gateway_on_event },
    { BF_MSG_JANITOR_REPLY, BF_ROLE_GATEWAY, BF_FROM_OWN_TOPIC, bf_gateway_on_janitor_reply },
    { BF_MSG_GATEWAY_COMMAND, BF_ROLE_GATEWAY, BF_FROM_OWN_TOPIC, bf_gateway_on_command },
};

static const struct bf_service_def gateway = {
    .program = "belfry-gateway",
    .summary = "Serves players and the REST API, and orders streams up and down.",
    .role = BF_ROLE_GATEWAY,
    .routes = routes,
    .n_routes = BF_COUNT_OF(routes),
    .start = bf_gateway_start,
    .drain = bf_gateway_drain,
    .free = bf_gateway_free,
    .with_state = bf_gateway_with_state,
    .connected = bf_gateway_connected,
    .disconnected = bf_gateway_disconnected,
    .clock_gap = bf_gateway_on_clock_gap,
    .drain_ms = 6000, /* a connection that idles gives its thread back within two seconds */
    .alone = bf_gateway_alone,
    .probe = bf_gateway_probe,
};

int main(int argc, char **argv)
{
    return bf_service_main(argc, argv, &gateway);
}
