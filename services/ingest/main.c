/* belfry-ingest: receives one MPEG-TS stream per session and writes it as CMAF into the stream directory. */
#include "base/cleanup.h"
#include "ingest/ingest.h"

static const struct bf_route routes[] = {
    { BF_MSG_INGEST_DESIRED, BF_ROLE_INGEST, BF_FROM_OWN_TOPIC, bf_ingest_on_desired },
};

static const struct bf_service_def ingest = {
    .program = "belfry-ingest",
    .summary = "receives MPEG-TS over SRT or UDP and writes CMAF into the stream directory",
    .role = BF_ROLE_INGEST,
    .routes = routes,
    .n_routes = BF_COUNT_OF(routes),
    .start = bf_ingest_start,
    .drain = bf_ingest_drain,
    .free = bf_ingest_free,
    .with_state = bf_ingest_with_state,
    .connected = bf_ingest_connected,
    .drain_ms = 5000,
};

int main(int argc, char **argv)
{
    return bf_service_main(argc, argv, &ingest);
}
