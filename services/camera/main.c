/* belfry-camera: one camera, from its sensor to ingest.
 *
 * Reads  belfry/v1/<site>/camera/<id>/desired   what it should be doing, with a lease
 * Tells  belfry/v1/<site>/camera/<id>/state     what it does, retained; also the last will
 *        belfry/v1/<site>/camera/<id>/evt       alarms
 * Sends  MPEG-TS over SRT or UDP to the endpoint of the session. Listens nowhere. */
#include "base/cleanup.h"
#include "camera/camera.h"

static const struct bf_route routes[] = {
    { BF_MSG_CAMERA_DESIRED, BF_ROLE_CAMERA, BF_FROM_OWN_TOPIC, bf_camera_on_desired },
};

static const struct bf_service_def camera = {
    .program = "belfry-camera",
    .summary = "Captures, encodes and sends one camera's pictures while a gateway wants them.",
    .role = BF_ROLE_CAMERA,
    .routes = routes,
    .n_routes = BF_COUNT_OF(routes),
    .start = bf_camera_start,
    .drain = bf_camera_drain,
    .free = bf_camera_free,
    .with_state = bf_camera_with_state,
    .drain_ms = 3000,
};

int main(int argc, char **argv)
{
    return bf_service_main(argc, argv, &camera);
}
