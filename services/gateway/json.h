/* The JSON that the API speaks of. New references. */
#ifndef BELFRY_GATEWAY_JSON_H
#define BELFRY_GATEWAY_JSON_H

#include <jansson.h>

#include "gateway/orchestrator.h"
#include "gateway/recordings.h"
#include "service/config.h"

json_t *bf_json_recording(const struct bf_recording *r);
json_t *bf_json_stream(const struct bf_orch *o, const struct bf_stream *s);

/* What a camera's own state says, beyond what the orchestrator keeps. Zero: nothing is known. */
struct bf_camera_facts {
    char source[33], encoder[33];
    uint32_t width, height, fps, bitrate_kbps;
    struct bf_fact_counter {
        char name[49];
        uint64_t value;
    } counters[64];
    size_t n_counters;
};
/* `with_counters` false: only what is worth an event when it changes. */
json_t *bf_json_camera(const struct bf_orch *o, const struct bf_camera_config *c, const struct bf_camera_facts *f,
                       bool with_counters);

#endif
