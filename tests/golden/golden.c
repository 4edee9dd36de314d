#include "golden.h"

#include "base/cleanup.h"
#include "fixture.h"

#include "camera.pb-c.h"

const struct golden golden_files[] = {
    { "camera-state.envelope", BF_MSG_CAMERA_STATE, 0 },
    { "camera-state.will.envelope", BF_MSG_CAMERA_STATE, 1 },
    { "camera-desired.envelope", BF_MSG_CAMERA_DESIRED, 0 },
    { "ingest-state.envelope", BF_MSG_INGEST_STATE, 0 },
    { "ingest-desired.envelope", BF_MSG_INGEST_DESIRED, 0 },
    { "janitor-state.envelope", BF_MSG_JANITOR_STATE, 0 },
    { "janitor-desired.envelope", BF_MSG_JANITOR_DESIRED, 0 },
    { "janitor-command.envelope", BF_MSG_JANITOR_COMMAND, 0 },
    { "janitor-reply.envelope", BF_MSG_JANITOR_REPLY, 0 },
    { "gateway-state.envelope", BF_MSG_GATEWAY_STATE, 0 },
    { "gateway-command.envelope", BF_MSG_GATEWAY_COMMAND, 0 },
    { "gateway-reply.envelope", BF_MSG_GATEWAY_REPLY, 0 },
    { "event.envelope", BF_MSG_EVENT, 0 },
    { "trust.bundle", BF_MSG_TYPES, 0 },
};
const size_t golden_n = BF_COUNT_OF(golden_files);

static void make_will(Belfry__V1__CameraState *state)
{
    state->node->online = 0;
    state->header->channel = BELFRY__V1__CHANNEL__CHANNEL_WILL;
    state->header->sequence = 1;
    state->header->ttl_ms = 0;
}

uint8_t *golden_make(const struct golden *g, size_t *ret_size)
{
    ProtobufCMessage *m;

    if (g->type == BF_MSG_TYPES)
        return fx_seal_bundle(fx_bundle(), ret_size);
    m = fx_message(g->type);
    if (g->will)
        make_will((Belfry__V1__CameraState *)m);
    return fx_seal(g->type, m, fx_sender(g->type), ret_size);
}
