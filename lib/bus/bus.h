/* A node on the bus: signs and publishes, verifies and dispatches, birth and last will. Loop thread only. */
#ifndef BELFRY_BUS_BUS_H
#define BELFRY_BUS_BUS_H

#include <uv.h>

#include "bus/keys.h"
#include "bus/mqtt.h"
#include "bus/verify.h"

struct bf_bus;

enum bf_from {
    BF_FROM_OWN_TOPIC, /* desired, cmd, rsp of this node */
    BF_FROM_EVERY_NODE /* that channel of every node of `topic_role` in the trust bundle (state, evt) */
};

/* One message, one handler: the table both subscribes and dispatches. */
struct bf_route {
    enum bf_message_type type;
    enum bf_role topic_role;
    enum bf_from from;
    void (*handle)(void *user, const struct bf_incoming *m);
};

struct bf_twin {
    uint64_t epoch; /* its start counter: a later start with a higher one takes its place */
    bool yields;    /* this process leaves the broker to it, for BF_BUS_AWAY_MS or until bf_bus_come_back */
};
#define BF_BUS_AWAY_MS (10 * 60 * 1000)

struct bf_bus_options {
    const char *site;
    const char *node;
    enum bf_role role;
    const struct bf_key *key;     /* borrowed for the bus's life; may be rotated meanwhile (keys.h) */
    const struct bf_trust *trust; /* borrowed; replaced with bf_bus_set_trust */
    uint64_t epoch;               /* persisted start counter */
    const uint8_t *boot_id;       /* 16 bytes, copied */
    struct bf_mqtt_options mqtt;
    const struct bf_route *routes; /* static */
    size_t n_routes;
    /* Packs this node's state by calling `pack(pack_user, message)` once; `offline` for the last will and the good-bye.
     * NULL for nodes without a state (operators). */
    int (*with_state)(void *user, bool offline, int (*pack)(void *pack_user, ProtobufCMessage *m), void *pack_user);
    void (*connected)(void *user);    /* optional, after the birth was published */
    void (*disconnected)(void *user); /* optional */
    /* Optional: every message that was refused (belfryctl watch). The bus logs refusals itself, once a minute and cause. */
    void (*refused)(void *user, const char *topic, enum bf_refusal why, const struct bf_error *e);
    /* Optional: another process with this node's id and key has been connected in between. */
    void (*twin)(void *user, const struct bf_twin *twin);
    /* Optional: a message was refused since its sender's clock and this one's are too far apart. Never for a retained one:
     * that may only be old. */
    void (*clock_gap)(void *user, const struct bf_clock_gap *gap);
    void *user;
};

int bf_bus_new(struct bf_bus **ret, uv_loop_t *loop, const struct bf_bus_options *o, struct bf_error *e);
int bf_bus_start(struct bf_bus *b);
bool bf_bus_connected(const struct bf_bus *b);
void bf_bus_set_trust(struct bf_bus *b, const struct bf_trust *trust);
/* Ends the connection in order and makes a new one, with the TLS files as they are now and a last will that `key` signs
 * as it is now. */
void bf_bus_renew(struct bf_bus *b);
/* Ends the absence of one that left the broker to its twin: connects now, and looks again. Else without effect. */
void bf_bus_come_back(struct bf_bus *b);

/* The lease that this node's connection has to keep alive: see bf_mqtt_set_lease. */
void bf_bus_set_lease(struct bf_bus *b, uint32_t lease_ms);

/* Where to send, beyond what the message's row says. */
struct bf_address {
    enum bf_role topic_role;
    const char *topic_id;             /* node whose topic it is */
    const char *recipient;            /* NULL: "*" */
    const uint8_t *recipient_boot_id; /* desired, cmd: 16 bytes; NULL elsewhere */
    uint32_t ttl_ms;
};

/* Fills m's header (its first field; any value there is ignored and left as it was), checks the ranges as a receiver
 * would, packs, signs, publishes QoS 1. `ret_message_id` (16 bytes) may be NULL. -ENOTCONN; -EMSGSIZE beyond 16 KiB;
 * -EINVAL for what every receiver would refuse (logged, with the field); -ENOBUFS when too much is unacknowledged. */
int bf_bus_send(struct bf_bus *b, enum bf_message_type type, const struct bf_address *to, ProtobufCMessage *m,
                uint8_t *ret_message_id);
/* Publishes this node's state now (retained). The service skeleton also does so every 5 s. */
int bf_bus_send_state(struct bf_bus *b);
int bf_bus_send_event(struct bf_bus *b, ProtobufCMessage *event);
/* Answers a cmd on its sender's rsp topic and keeps the answer: a duplicate of the cmd gets it again from the bus,
 * without the handler. */
int bf_bus_reply(struct bf_bus *b, const struct bf_incoming *cmd, enum bf_message_type type, ProtobufCMessage *m);

/* The same for an answer that takes longer than its handler: keep the asker, answer later. */
struct bf_asker {
    char node[BF_ID_SIZE];
    uint8_t message_id[16];
};
struct bf_asker bf_asker_of(const struct bf_incoming *cmd);
int bf_bus_reply_to(struct bf_bus *b, const struct bf_asker *asker, enum bf_message_type type, ProtobufCMessage *m);

/* Counts a refusal that only the handler can decide (lease epoch). */
void bf_bus_refuse(struct bf_bus *b, const struct bf_incoming *m, enum bf_refusal why);
uint64_t bf_bus_refusals(const struct bf_bus *b, enum bf_refusal why);
struct bf_mqtt_counters bf_bus_mqtt_counters(const struct bf_bus *b);
uint64_t bf_bus_twins(const struct bf_bus *b); /* how often one was met */

/* Publishes the good-bye (what the last will would say), disconnects in order, calls done. Never started: calls done
 * before it returns. */
void bf_bus_stop(struct bf_bus *b, unsigned timeout_ms, void (*done)(void *user), void *user);
/* After done, or before bf_bus_start. NULL is fine. */
void bf_bus_free(struct bf_bus *b);

#endif
