#include "bus/message.h"

#include <string.h>

#include "base/cleanup.h"
#include "bus/limits.h"
#include "bus/limits_table.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"
#include "gateway.pb-c.h"
#include "ingest.pb-c.h"
#include "janitor.pb-c.h"

_Static_assert((int)BF_CHANNEL_STATE == BELFRY__V1__CHANNEL__CHANNEL_STATE &&
                   (int)BF_CHANNEL_EVT == BELFRY__V1__CHANNEL__CHANNEL_EVT,
               "channels of topics and of headers are numbered alike");

#define BIT(role) (UINT32_C(1) << (role))
#define CAMERA BIT(BF_ROLE_CAMERA)
#define INGEST BIT(BF_ROLE_INGEST)
#define GATEWAY BIT(BF_ROLE_GATEWAY)
#define JANITOR BIT(BF_ROLE_JANITOR)
#define OPERATOR BIT(BF_ROLE_OPERATOR)
#define SERVICES (CAMERA | INGEST | GATEWAY | JANITOR)

#define ROW(kind, word, message, senders, topics, on, own)                                                             \
    [kind] = { kind,                                                                                                   \
               "application/vnd.belfry." word ".v1+protobuf",                                                          \
               &belfry__v1__##message##__descriptor,                                                                   \
               senders,                                                                                                \
               topics,                                                                                                 \
               on,                                                                                                     \
               own,                                                                                                    \
               check_message }

static int check_message(const ProtobufCMessage *m, struct bf_error *e);

static const struct bf_message_row rows[BF_MSG_TYPES] = {
    ROW(BF_MSG_CAMERA_STATE, "camera-state", camera_state, CAMERA, CAMERA, BF_CHANNEL_STATE, true),
    ROW(BF_MSG_CAMERA_DESIRED, "camera-desired", camera_desired, GATEWAY, CAMERA, BF_CHANNEL_DESIRED, false),
    ROW(BF_MSG_INGEST_STATE, "ingest-state", ingest_state, INGEST, INGEST, BF_CHANNEL_STATE, true),
    ROW(BF_MSG_INGEST_DESIRED, "ingest-desired", ingest_desired, GATEWAY, INGEST, BF_CHANNEL_DESIRED, false),
    ROW(BF_MSG_JANITOR_STATE, "janitor-state", janitor_state, JANITOR, JANITOR, BF_CHANNEL_STATE, true),
    ROW(BF_MSG_JANITOR_DESIRED, "janitor-desired", janitor_desired, GATEWAY, JANITOR, BF_CHANNEL_DESIRED, false),
    ROW(BF_MSG_JANITOR_COMMAND, "janitor-command", janitor_command, GATEWAY, JANITOR, BF_CHANNEL_CMD, false),
    ROW(BF_MSG_JANITOR_REPLY, "janitor-reply", janitor_reply, JANITOR, GATEWAY, BF_CHANNEL_RSP, false),
    ROW(BF_MSG_GATEWAY_STATE, "gateway-state", gateway_state, GATEWAY, GATEWAY, BF_CHANNEL_STATE, true),
    ROW(BF_MSG_GATEWAY_COMMAND, "gateway-command", gateway_command, OPERATOR, GATEWAY, BF_CHANNEL_CMD, false),
    ROW(BF_MSG_GATEWAY_REPLY, "gateway-reply", gateway_reply, GATEWAY, OPERATOR, BF_CHANNEL_RSP, false),
    ROW(BF_MSG_EVENT, "event", event, SERVICES, SERVICES, BF_CHANNEL_EVT, true),
};

static const char *const role_names[] = {
    [BF_ROLE_CAMERA] = "camera",   [BF_ROLE_INGEST] = "ingest",     [BF_ROLE_GATEWAY] = "gateway",
    [BF_ROLE_JANITOR] = "janitor", [BF_ROLE_OPERATOR] = "operator",
};

static const char *const channel_names[] = {
    [BF_CHANNEL_STATE] = "state", [BF_CHANNEL_DESIRED] = "desired", [BF_CHANNEL_CMD] = "cmd",
    [BF_CHANNEL_RSP] = "rsp",     [BF_CHANNEL_EVT] = "evt",
};

const struct bf_message_row *bf_message_row(enum bf_message_type type)
{
    return (unsigned)type < BF_MSG_TYPES ? &rows[type] : NULL;
}

const struct bf_message_row *bf_message_by_payload_type(const char *payload_type)
{
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        if (strcmp(rows[i].payload_type, payload_type) == 0)
            return &rows[i];
    return NULL;
}

const Belfry__V1__NodeStatus *bf_message_node(const ProtobufCMessage *m)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "node");

    return f == NULL ? NULL : *(Belfry__V1__NodeStatus *const *)((const uint8_t *)m + f->offset);
}

static bool is_online(const ProtobufCMessage *m)
{
    const Belfry__V1__NodeStatus *node = bf_message_node(m);

    return node != NULL && node->online;
}

/* What a header must hold depends on the channel of its message. */
static int check_header(const struct bf_message_row *row, const Belfry__V1__Header *h, bool online, struct bf_error *e)
{
    bool will = h->channel == BELFRY__V1__CHANNEL__CHANNEL_WILL;
    bool directed = row->channel == BF_CHANNEL_DESIRED || row->channel == BF_CHANNEL_CMD;

    if (will ? row->channel != BF_CHANNEL_STATE : (int)h->channel != (int)row->channel)
        return bf_limit_fail(e, "header: channel", "the channel that this type travels on");
    if (will && online)
        return bf_limit_fail(e, "node: online", "false in a last will");
    if ((h->ttl_ms == 0) != will)
        return bf_limit_fail(e, "header: ttl_ms", will ? "0 in a last will" : "1 to 86400000");
    if (h->recipient_boot_id.len != 0 && !directed)
        return bf_limit_fail(e, "header: recipient_boot_id", "nothing on this channel");
    if ((h->in_reply_to.len != 0) != (row->channel == BF_CHANNEL_RSP))
        return bf_limit_fail(e, "header: in_reply_to", "16 bytes in a reply, nothing elsewhere");
    return 0;
}

static int check_message(const ProtobufCMessage *m, struct bf_error *e)
{
    int r = bf_limits_check(m, e);

    for (size_t i = 0; i < BF_COUNT_OF(rows) && r == 0; i++)
        if (rows[i].descriptor == m->descriptor)
            r = check_header(&rows[i], *bf_message_header(m), is_online(m), e);
    return r;
}

Belfry__V1__Header **bf_message_header(const ProtobufCMessage *m)
{
    return (Belfry__V1__Header **)((uintptr_t)m + m->descriptor->fields[0].offset);
}

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
    return i < n ? names[i] : NULL;
}

static unsigned index_of(const char *const *names, size_t n, const char *word)
{
    for (unsigned i = 1; i < n; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return 0;
}

const char *bf_role_name(enum bf_role role)
{
    return name_of(role_names, BF_COUNT_OF(role_names), role);
}

enum bf_role bf_role_parse(const char *word)
{
    return (enum bf_role)index_of(role_names, BF_COUNT_OF(role_names), word);
}

const char *bf_channel_name(enum bf_channel channel)
{
    return name_of(channel_names, BF_COUNT_OF(channel_names), channel);
}

enum bf_channel bf_channel_parse(const char *word)
{
    return (enum bf_channel)index_of(channel_names, BF_COUNT_OF(channel_names), word);
}
