/* What mqtt.c (life, publishing, ending) and mqtt_session.c (connecting, failing, listening) share. Loop thread only. */
#ifndef BELFRY_BUS_MQTT_INTERNAL_H
#define BELFRY_BUS_MQTT_INTERNAL_H

#include "bus/back_off.h"
#include "bus/mqtt.h"
#include "bus/mqtt_link.h"

enum bf_mqtt_phase {
    NEW,       /* not started */
    WAITING,   /* for the next attempt */
    RESOLVING, /* the host's name, off the loop: paho would do so under its lock */
    CONNECTING,
    SUBSCRIBING,
    UP,
    DRAINING, /* stopping or renewing: waits for acknowledgements */
    LEAVING,  /* stopping or renewing: DISCONNECT is on its way */
    CLOSING,  /* stopping: the client is being destroyed, then handles closed */
    CLOSED
};

struct bf_mqtt {
    struct bf_mqtt_options options; /* strings owned */
    char **filters;
    size_t n_filters;
    struct bf_mqtt_events events;
    void *user;

    uv_loop_t *loop;
    uv_async_t wake;
    uv_timer_t timer; /* what the phase waits for */
    uv_timer_t nudge;
    uv_getaddrinfo_t resolve;
    unsigned open_handles;
    bool resolving;

    enum bf_mqtt_phase phase;
    struct bf_inbox inbox;
    struct bf_link *link;
    uint64_t link_number, live; /* live: number of the link whose notes count; 0 = none */
    unsigned retiring;          /* links being destroyed on worker threads */
    bool due;                   /* WAITING: only for that */
    bool renewing;              /* DRAINING, LEAVING: for a new connection */
    uint64_t away_ms;           /* DRAINING, LEAVING, WAITING: keeps away for so long; 0: does not */
    struct bf_back_off back_off;
    unsigned unsubscribed;   /* batches without their SUBACK */
    unsigned unacknowledged; /* publications without their PUBACK */
    uint64_t up_since_ms, heard_at_ms;
    uint64_t asked_at_us, round_trip_us; /* of the last command that was alone on its way */
    char tls_detail[160];

    void (*stopped)(void *user);
    void *stopped_user;
    bool free_when_closed;
    struct bf_mqtt_rate rate;
    struct bf_mqtt_counters counters;
};

/* mqtt_session.c */
void bf_mqtt_attempt(struct bf_mqtt *m);
void bf_mqtt_connect_again(struct bf_mqtt *m);
void bf_mqtt_retire_link(struct bf_mqtt *m);
void bf_mqtt_fail(struct bf_mqtt *m, const char *reason);
int bf_mqtt_subscribe_all(struct bf_mqtt *m);
void bf_mqtt_drain_inbox(struct bf_mqtt *m);
void bf_mqtt_watch_command(struct bf_mqtt *m); /* one was given to paho: see that it does not lie about */

/* mqtt.c */
void bf_mqtt_leave(struct bf_mqtt *m);
void bf_mqtt_left(struct bf_mqtt *m); /* the connection has ended as it was asked to */
void bf_mqtt_close(struct bf_mqtt *m);

#endif
