/* One connection to the broker, over paho's MQTTAsync with MQTT 5: connect with back-off (back_off.h, full jitter, own
 * loop: the last will is signed anew for each connection), re-subscription, a bounded inbound queue drained on the loop
 * thread, host name verification always on. The only module that names paho.
 *
 * The limits of AWS IoT Core hold here for every broker: QoS 1, payload at most 128 KiB, topic at most 256 bytes and 7
 * slashes, at most 8 filters per SUBSCRIBE and 50 in all, no wildcard, at most 64 publications unacknowledged (there:
 * 100) and, where it is asked for, 100 and 512 kB a second. What would break one never leaves, and is counted (over_limit).
 *
 * Everything below is called on, and calls back on, the thread that runs the loop. */
#ifndef BELFRY_BUS_MQTT_H
#define BELFRY_BUS_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"

struct bf_mqtt;

struct bf_mqtt_options {
    const char *host;
    uint16_t port;
    const char *client_id; /* = node id = certificate CN */
    const char *ca_file;   /* PEM; NULL: plain TCP, for tests on loopback only */
    const char *cert_file; /* PEM, client certificate */
    const char *key_file;  /* PEM, client key */
    const char *alpn;      /* NULL, or "x-amzn-mqtt-ca" for AWS IoT Core on 443 */
    unsigned keepalive_s;  /* 5..1200 */
    bool limit_rate;       /* at most 100 publications and 512 kB within any second, as AWS IoT Core takes them */
    uint32_t lease_ms;     /* that the connection has to keep alive; 0: none. See bf_mqtt_set_lease. */
};

struct bf_mqtt_events {
    /* Optional. Makes the last will for the next connection: topic is borrowed for the call, *ret_payload is malloc'd
     * and taken. */
    int (*will)(void *user, const char **ret_topic, uint8_t **ret_payload, size_t *ret_size);
    void (*connected)(void *user); /* subscribed to everything: publish the birth now */
    /* After a connection was lost, and after every attempt that failed. */
    void (*disconnected)(void *user, const char *reason, uint64_t retry_in_ms);
    void (*message)(void *user, const char *topic, const uint8_t *payload, size_t size, bool retained);
    /* Optional: the broker refused a publication, or it failed after bf_mqtt_publish had taken it. */
    void (*not_accepted)(void *user, const char *reason);
};

/* Copies the options and the filters. Connects from bf_mqtt_start on, for ever. Takes http_proxy and https_proxy out of
 * the environment: call before other threads read it. */
int bf_mqtt_new(struct bf_mqtt **ret, uv_loop_t *loop, const struct bf_mqtt_options *o, const char *const *filters,
                size_t n_filters, const struct bf_mqtt_events *events, void *user, struct bf_error *e);
int bf_mqtt_start(struct bf_mqtt *m);
bool bf_mqtt_connected(const struct bf_mqtt *m);

/* QoS 1. -ENOTCONN while there is no connection (nothing is kept: a stale command is worse than none), -ENOBUFS when too
 * many are unacknowledged or left within the last second, -EINVAL beyond another limit. */
int bf_mqtt_publish(struct bf_mqtt *m, const char *topic, const void *payload, size_t size, bool retain);

/* Replaces the filters: subscribes and unsubscribes at once where there is a connection. -EINVAL keeps the old ones. */
int bf_mqtt_set_filters(struct bf_mqtt *m, const char *const *filters, size_t n_filters, struct bf_error *e);

/* Disconnects in order (no last will) once nothing is unacknowledged, and connects again at once: with the TLS files as
 * they are now, and a last will made anew. Where there is no connection, the next one does all of that by itself. */
void bf_mqtt_renew(struct bf_mqtt *m);

/* A renewal whose DISCONNECT is not on its way yet is given up: the connection takes publications again. For a last word
 * before bf_mqtt_stop. Else without effect, also on one that is about to stay away. */
void bf_mqtt_stay(struct bf_mqtt *m);

/* Disconnects in order (no last will) and does not connect again for `ms`; bf_mqtt_renew and bf_mqtt_come_back end that
 * at once. */
void bf_mqtt_stay_away(struct bf_mqtt *m, uint64_t ms);
/* Without effect on one that does not stay away. */
void bf_mqtt_come_back(struct bf_mqtt *m);

/* From now on:
 * - no pause between two attempts is longer than a sixth of the lease (without one: 60 s), but for connections that are
 *   lost at once again and again: those wait up to 60 s all the same. The last renewal was up to a third of a lease ago
 *   when the broker went away; after an outage of another third and the longest pause a sixth is left for connecting.
 * - a connection on which something sent has not been acknowledged, and nothing was heard, for two leases (at least
 *   20 s), or for three keep-alives where that is less, is dead and made anew. */
void bf_mqtt_set_lease(struct bf_mqtt *m, uint32_t lease_ms);

/* Waits up to `timeout_ms` for acknowledgements, disconnects in order (no last will), then calls done on the loop, when
 * nothing of it is left there. Never started: calls done before it returns. */
void bf_mqtt_stop(struct bf_mqtt *m, unsigned timeout_ms, void (*done)(void *user), void *user);
/* After done, or before bf_mqtt_start, at once; at any other time the connection is cut and everything is released by
 * the loop's next turns. NULL is fine. */
void bf_mqtt_free(struct bf_mqtt *m);

struct bf_mqtt_counters {
    uint64_t connects, disconnects, received, dropped_inbound, published, publish_refused;
    uint64_t over_limit; /* of publish_refused: beyond what AWS IoT Core allows */
    uint64_t taken_over; /* of disconnects: the broker said that another connection took this one's place (0x8E) */
};
struct bf_mqtt_counters bf_mqtt_counters(const struct bf_mqtt *m);

#endif
