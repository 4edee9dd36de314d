/* The table of message types: what each is called on the wire, who may send it, on whose topic and channel, and the
 * check of its ranges. One row per message; subscriptions, dispatch, the broker's access list and topics.md follow it. */
#ifndef BELFRY_BUS_MESSAGE_H
#define BELFRY_BUS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/error.h"

#include "header.pb-c.h"

enum bf_role { BF_ROLE_NONE, BF_ROLE_CAMERA, BF_ROLE_INGEST, BF_ROLE_GATEWAY, BF_ROLE_JANITOR, BF_ROLE_OPERATOR };
enum bf_channel {
    BF_CHANNEL_NONE,
    BF_CHANNEL_STATE,
    BF_CHANNEL_DESIRED,
    BF_CHANNEL_CMD,
    BF_CHANNEL_RSP,
    BF_CHANNEL_EVT
};

enum bf_message_type {
    BF_MSG_CAMERA_STATE,
    BF_MSG_CAMERA_DESIRED,
    BF_MSG_INGEST_STATE,
    BF_MSG_INGEST_DESIRED,
    BF_MSG_JANITOR_STATE,
    BF_MSG_JANITOR_DESIRED,
    BF_MSG_JANITOR_COMMAND,
    BF_MSG_JANITOR_REPLY,
    BF_MSG_GATEWAY_STATE,
    BF_MSG_GATEWAY_COMMAND,
    BF_MSG_GATEWAY_REPLY,
    BF_MSG_EVENT,
    BF_MSG_TYPES /* count */
};

struct bf_message_row {
    enum bf_message_type type;
    const char *payload_type;                     /* "application/vnd.belfry.camera-state.v1+protobuf" */
    const ProtobufCMessageDescriptor *descriptor; /* its first field is `header` */
    uint32_t sender_roles;                        /* bits of the roles that may sign it */
    uint32_t topic_roles;                         /* bits of the roles on whose topics it travels */
    enum bf_channel channel;
    bool own_topic; /* the sender publishes on its own topic (state, evt), so sender == topic's id */
    int (*check)(const ProtobufCMessage *m, struct bf_error *e); /* ranges; 0 or -EBADMSG */
};

/* Where a message of the table keeps its header: the first field of every one. */
Belfry__V1__Header **bf_message_header(const ProtobufCMessage *m);
/* What a state says of its node, whatever the role; NULL for other messages. */
const Belfry__V1__NodeStatus *bf_message_node(const ProtobufCMessage *m);

const struct bf_message_row *bf_message_row(enum bf_message_type type);
const struct bf_message_row *bf_message_by_payload_type(const char *payload_type); /* NULL when unknown */

const char *bf_role_name(enum bf_role role);          /* "camera" … */
enum bf_role bf_role_parse(const char *word);         /* BF_ROLE_NONE when unknown */
const char *bf_channel_name(enum bf_channel channel); /* "state" … */
enum bf_channel bf_channel_parse(const char *word);

#endif
