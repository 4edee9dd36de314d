/* What must hold of every order that a gateway sends: the session was written down before its first message, so that a
 * restart finds what was half done. */
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bus/dsse.h"
#include "gateway/intents.h"
#include "sim.h"

#include "camera.pb-c.h"
#include "ingest.pb-c.h"

#define INTENTS_MAX (1 << 20)

ProtobufCMessage *sim_unpack(enum bf_message_type type, const uint8_t *envelope, size_t size)
{
    const struct bf_message_row *row = bf_message_row(type);
    _cleanup_(bf_freep) struct bf_dsse *d = NULL;
    size_t payload_size;

    if (bf_dsse_open(&d, envelope, size) < 0 || strcmp(bf_dsse_type(d), row->payload_type) != 0)
        return NULL;
    const uint8_t *payload = bf_dsse_payload(d, &payload_size);
    return protobuf_c_message_unpack(row->descriptor, NULL, payload_size, payload);
}

static void check_written(const struct sim_node *gateway, const char *session)
{
    _cleanup_(bf_freep) uint8_t *text = NULL;
    size_t size;

    int r = bf_read_file(gateway->state_dir, BF_INTENTS_NAME, INTENTS_MAX, &text, &size);
    if (r < 0 || strstr((const char *)text, session) == NULL)
        sim_violate("%s orders session %s, which its intents do not name", gateway->id, session);
}

void sim_check_order(const struct sim_node *gateway, const uint8_t *envelope, size_t size)
{
    ProtobufCMessage *camera = sim_unpack(BF_MSG_CAMERA_DESIRED, envelope, size);
    ProtobufCMessage *ingest = sim_unpack(BF_MSG_INGEST_DESIRED, envelope, size);
    const Belfry__V1__CameraDesired *one = (const Belfry__V1__CameraDesired *)camera;
    const Belfry__V1__IngestDesired *many = (const Belfry__V1__IngestDesired *)ingest;

    if (one != NULL && one->session != NULL)
        check_written(gateway, one->session->session_id);
    for (size_t i = 0; many != NULL && i < many->n_sessions; i++)
        check_written(gateway, many->sessions[i]->session_id);
    protobuf_c_message_free_unpacked(camera, NULL);
    protobuf_c_message_free_unpacked(ingest, NULL);
}
