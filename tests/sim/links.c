/* Connections of clients to the broker. What is under way when one breaks may be lost; either side notices late, and
 * the broker then publishes the last will, which may come after the client is back. */
#include <stdlib.h>

#include "broker.h"

struct sim_link *sim_links[SIM_NODES_MAX];

size_t sim_client(const struct sim_node *n)
{
    return (size_t)(n - sim.nodes);
}

void sim_link_unref(void *link)
{
    struct sim_link *l = link;

    if (l == NULL || --l->refs > 0)
        return;
    sim_message_let_go(l->will);
    free(l);
}

/* --- the broker notices --- */

static void on_will(void *arg)
{
    sim_broker_take(arg);
    sim_message_let_go(arg);
}

static void broker_notices(struct sim_link *l, bool with_will, uint64_t will_delay_us)
{
    if (!l->broker_thinks_so)
        return;
    l->broker_thinks_so = false;
    if (with_will && l->will != NULL)
        sim_after(NULL, will_delay_us, on_will, sim_message_let_go, sim_message_hold(l->will));
    if (sim_links[sim_client(l->node)] == l) {
        sim_links[sim_client(l->node)] = NULL;
        sim_link_unref(l);
    }
}

static void on_broker_notices(void *arg)
{
    struct sim_link *l = arg;

    broker_notices(l, true, sim_chance(30) ? sim_between_us(0, 3 * SEC) : 0);
    sim_link_unref(l);
}

void sim_link_close(struct sim_link *l)
{
    if (l->works)
        broker_notices(l, false, 0);
    sim_link_unref(l);
}

void sim_link_abandon(struct sim_link *l)
{
    l->works = false;
    sim_after(NULL, sim_chance(80) ? sim_between_us(0, 20 * MSEC) : sim_between_us(SEC, 15 * SEC), on_broker_notices,
              sim_link_unref, l);
}

/* --- the client notices --- */

struct noticing {
    struct sim_node *node;
    struct sim_link *link;
};

static void drop_noticing(void *arg)
{
    struct noticing *w = arg;

    sim_link_unref(w->link);
    free(w);
}

static void on_client_notices(void *arg)
{
    struct noticing *w = arg;

    if (w->node->mqtt != NULL && w->node->mqtt->link == w->link)
        sim_mqtt_lost(w->node->mqtt);
    drop_noticing(w);
}

static void break_link(struct sim_link *l, uint64_t client_us, uint64_t broker_us)
{
    struct noticing *w = malloc(sizeof *w);

    if (w == NULL)
        abort();
    l->works = false;
    l->refs += 2;
    *w = (struct noticing){ l->node, l };
    sim_after(l->node, client_us, on_client_notices, drop_noticing, w);
    sim_after(NULL, broker_us, on_broker_notices, sim_link_unref, l);
}

void sim_cut(struct sim_node *n, uint64_t duration_us, bool half_open)
{
    n->cut_until_us = sim.now_us + duration_us;
    if (n->mqtt == NULL || n->mqtt->link == NULL || !n->mqtt->link->works)
        return;
    if (half_open)
        break_link(n->mqtt->link, sim_between_us(SEC, 8 * SEC), sim_between_us(SEC, 15 * SEC));
    else
        break_link(n->mqtt->link, sim_between_us(0, 50 * MSEC), sim_between_us(0, 500 * MSEC));
}

/* --- a new one --- */

/* A client that comes again takes over from its own old connection. */
static void take_over(size_t client)
{
    struct sim_link *old = sim_links[client];

    if (old != NULL) {
        old->works = false;
        broker_notices(old, true, sim_chance(30) ? sim_between_us(0, 2 * SEC) : 0);
    }
}

static struct sim_message *make_will(struct bf_mqtt *m)
{
    const char *topic;
    uint8_t *payload;
    size_t size;

    if (m->events.will == NULL || m->events.will(m->user, &topic, &payload, &size) < 0)
        return NULL;
    struct sim_message *will = sim_message_new(topic, payload, size, true);
    free(payload);
    return will;
}

void sim_link_make(struct bf_mqtt *m)
{
    size_t client = sim_client(m->node);

    take_over(client);
    struct sim_link *l = calloc(1, sizeof *l);
    if (l == NULL)
        abort();
    *l = (struct sim_link){ .refs = 2, .node = m->node, .works = true, .broker_thinks_so = true };
    l->will = make_will(m);
    sim_links[client] = m->link = l;
}

/* --- all of them --- */

void sim_links_break(void)
{
    for (size_t i = 0; i < sim.n_nodes; i++)
        if (sim_links[i] != NULL) {
            struct sim_link *l = sim_links[i];
            l->refs++;
            broker_notices(l, false, 0);
            if (l->works)
                break_link(l, sim_between_us(0, 100 * MSEC), 0);
            sim_link_unref(l);
        }
}

void sim_links_reset(void)
{
    for (size_t i = 0; i < SIM_NODES_MAX; i++) {
        sim_link_unref(sim_links[i]);
        sim_links[i] = NULL;
    }
}
