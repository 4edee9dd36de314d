/* The broker: what is published goes to whoever listens, the newest of each topic is kept, and everything is
 * recorded, to be published again. On top comes noise that a healthy broker does not make: duplicates under a new
 * packet id, other orders, losses, delays. */
#include <stdlib.h>
#include <string.h>

#include "broker.h"

#define RETAINED_MAX (SIM_NODES_MAX * 2)
#define RECORDED_MAX 256

struct delivery {
    struct sim_link *link;
    struct sim_message *message;
    bool retained; /* sent because it was kept, not because it is new */
};

static struct sim_message *retained[RETAINED_MAX], *retained_before[RETAINED_MAX];
static size_t n_retained;
static struct sim_message *recorded[RECORDED_MAX];
static uint64_t n_recorded;

/* --- references --- */

struct sim_message *sim_message_new(const char *topic, const void *data, size_t size, bool retain)
{
    struct sim_message *m = malloc(sizeof *m + size);

    if (m == NULL || strlen(topic) >= sizeof m->topic)
        abort();
    m->refs = 1;
    m->retain = retain;
    m->size = size;
    memcpy(m->topic, topic, strlen(topic) + 1);
    if (size > 0)
        memcpy(m->data, data, size);
    return m;
}

struct sim_message *sim_message_hold(struct sim_message *m)
{
    m->refs++;
    return m;
}

void sim_message_let_go(void *message)
{
    struct sim_message *m = message;

    if (m != NULL && --m->refs == 0)
        free(m);
}

/* --- from the broker to a client --- */

static struct delivery *delivery_new(struct sim_link *l, struct sim_message *m, bool is_retained)
{
    struct delivery *d = malloc(sizeof *d);

    if (d == NULL)
        abort();
    l->refs++;
    *d = (struct delivery){ l, sim_message_hold(m), is_retained };
    return d;
}

static void delivery_free(void *arg)
{
    struct delivery *d = arg;

    sim_link_unref(d->link);
    sim_message_let_go(d->message);
    free(d);
}

static void on_delivery(void *arg)
{
    struct delivery *d = arg;
    struct sim_node *n = d->link->node;
    struct bf_mqtt *m = n->mqtt;

    if (d->link->works && m != NULL && m->link == d->link && !m->stopped) {
        uint64_t too_old = bf_bus_refusals(n->service.bus, BF_REFUSED_AGE);
        m->counters.received++;
        m->events.message(m->user, d->message->topic, d->message->data, d->message->size, d->retained);
        if (!n->dead && bf_bus_refusals(n->service.bus, BF_REFUSED_AGE) == too_old)
            sim_observe_desired(n, d->message->data, d->message->size);
    }
    delivery_free(d);
}

static bool noisy(unsigned percent)
{
    return sim.now_us < sim.noise.until_us && sim_chance(percent);
}

static uint64_t way_us(uint64_t *last_us)
{
    uint64_t delay_us = sim_between_us(200, 5 * MSEC);

    if (noisy(sim.noise.delay))
        delay_us += sim_between_us(0, 5 * SEC);
    bool overtakes = noisy(sim.noise.reorder);
    if (sim.now_us + delay_us <= *last_us && !overtakes)
        delay_us = *last_us + 1 - sim.now_us;
    if (sim.now_us + delay_us > *last_us)
        *last_us = sim.now_us + delay_us;
    return overtakes ? delay_us + sim_between_us(0, 2 * SEC) : delay_us;
}

static void deliver(struct sim_link *l, struct sim_message *m, bool is_retained)
{
    if (noisy(sim.noise.lose))
        return;
    sim_after(l->node, way_us(&l->last_out_us), on_delivery, delivery_free, delivery_new(l, m, is_retained));
    if (noisy(sim.noise.duplicate))
        sim_after(l->node, sim_between_us(0, 4 * SEC), on_delivery, delivery_free, delivery_new(l, m, is_retained));
}

static void keep(struct sim_message *m)
{
    size_t i = 0;

    while (i < n_retained && strcmp(retained[i]->topic, m->topic) != 0)
        i++;
    if (i == RETAINED_MAX)
        abort();
    if (i == n_retained)
        n_retained++;
    sim_message_let_go(retained_before[i]);
    retained_before[i] = retained[i];
    retained[i] = sim_message_hold(m);
}

static void record(struct sim_message *m)
{
    size_t at = n_recorded++ % RECORDED_MAX;

    sim_message_let_go(recorded[at]);
    recorded[at] = sim_message_hold(m);
}

static void publish(struct sim_message *m)
{
    if (m->retain)
        keep(m);
    for (size_t i = 0; i < sim.n_nodes; i++)
        if (sim_links[i] != NULL && sim_mqtt_listens(&sim.nodes[i], m->topic))
            deliver(sim_links[i], m, false);
}

void sim_broker_take(struct sim_message *m)
{
    record(m);
    publish(m);
}

void sim_broker_send_retained(struct sim_link *l)
{
    for (size_t i = 0; i < n_retained; i++)
        if (sim_mqtt_listens(l->node, retained[i]->topic))
            deliver(l, retained[i], true);
}

/* --- from a client to the broker --- */

static void on_arrival(void *arg)
{
    struct delivery *d = arg;

    if (d->link->broker_thinks_so && (d->link->works || sim_chance(50)))
        sim_broker_take(d->message);
    delivery_free(d);
}

void sim_broker_send(struct sim_link *l, struct sim_message *m)
{
    if (l->works && !noisy(sim.noise.lose))
        sim_after(NULL, way_us(&l->last_in_us), on_arrival, delivery_free, delivery_new(l, m, false));
}

/* --- what befalls it --- */

static void forget_retained(void)
{
    while (n_retained > 0) {
        sim_message_let_go(retained[--n_retained]);
        sim_message_let_go(retained_before[n_retained]);
        retained[n_retained] = retained_before[n_retained] = NULL;
    }
}

static void restore_old(void)
{
    for (size_t i = 0; i < n_retained; i++)
        if (retained_before[i] != NULL) {
            sim_message_let_go(retained[i]);
            retained[i] = sim_message_hold(retained_before[i]);
        }
}

void sim_broker_restart(uint64_t down_us, enum sim_retained how)
{
    sim.broker_down_until_us = sim.now_us + down_us;
    sim_links_break();
    if (how == SIM_RETAINED_OLD)
        restore_old();
    else if (how == SIM_RETAINED_LOST)
        forget_retained();
}

void sim_replay(unsigned messages)
{
    for (unsigned i = 0; i < messages && n_recorded > 0; i++) {
        uint64_t span = n_recorded < RECORDED_MAX ? n_recorded : RECORDED_MAX;
        publish(recorded[(n_recorded - 1 - sim_random(span)) % RECORDED_MAX]);
    }
}

void sim_broker_reset(void)
{
    forget_retained();
    for (size_t i = 0; i < RECORDED_MAX; i++) {
        sim_message_let_go(recorded[i]);
        recorded[i] = NULL;
    }
    n_recorded = 0;
    sim_links_reset();
}
