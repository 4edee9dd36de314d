/* Shared by the broker, its connections and its clients: broker.c, links.c, mqtt.c. */
#ifndef BELFRY_TESTS_SIM_BROKER_H
#define BELFRY_TESTS_SIM_BROKER_H

#include "bus/mqtt.h"
#include "sim.h"

#define SIM_FILTERS_MAX 50
#define SIM_TOPIC_SIZE 160

/* One publication; whoever holds a pointer holds a reference. */
struct sim_message {
    unsigned refs;
    bool retain;
    char topic[SIM_TOPIC_SIZE];
    size_t size;
    uint8_t data[];
};

struct sim_link { /* one connection of one client */
    unsigned refs;
    struct sim_node *node;
    bool works, broker_thinks_so;
    struct sim_message *will;
    uint64_t last_in_us, last_out_us; /* order is kept in each direction */
};

struct bf_mqtt {
    struct sim_node *node;
    struct bf_mqtt_events events;
    void *user;
    char filters[SIM_FILTERS_MAX][SIM_TOPIC_SIZE];
    size_t n_filters;
    struct sim_link *link;
    struct sim_event *attempt;
    bool stopped;
    unsigned failures;
    uint32_t lease_ms;
    struct bf_mqtt_counters counters;
};

/* --- broker.c --- */
struct sim_message *sim_message_new(const char *topic, const void *data, size_t size, bool retain);
struct sim_message *sim_message_hold(struct sim_message *m);
void sim_message_let_go(void *message);      /* NULL is fine */
void sim_broker_take(struct sim_message *m); /* published: retains, records and forwards it */
void sim_broker_send_retained(struct sim_link *l);
void sim_broker_send(struct sim_link *l, struct sim_message *m); /* from the client that has this connection */

/* --- links.c --- */
size_t sim_client(const struct sim_node *n);
extern struct sim_link *sim_links[SIM_NODES_MAX]; /* as the broker sees it: one a client */
void sim_link_unref(void *link);                  /* NULL is fine */
void sim_link_make(struct bf_mqtt *m);
void sim_link_close(struct sim_link *l); /* in order: without the last will */
void sim_link_abandon(
    struct sim_link *l);    /* its process is gone; the broker sees that sooner or later. Takes it over */
void sim_links_break(void); /* all, at the broker's end */
void sim_links_reset(void);

/* --- mqtt.c --- */
void sim_mqtt_lost(struct bf_mqtt *m); /* the client notices that its connection is gone */
bool sim_mqtt_listens(const struct sim_node *n, const char *topic);

#endif
