/* The client of the bus (bus/mqtt.h): connects, is refused, tries again, publishes, is told. QoS 1 over connections
 * that break. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"

bool sim_mqtt_listens(const struct sim_node *n, const char *topic)
{
    for (size_t i = 0; n->mqtt != NULL && i < n->mqtt->n_filters; i++)
        if (strcmp(n->mqtt->filters[i], topic) == 0)
            return true;
    return false;
}

/* --- connecting --- */

static bool reachable(const struct sim_node *n)
{
    return sim.now_us >= sim.broker_down_until_us && sim.now_us >= n->cut_until_us;
}

static void on_attempt(void *arg);

static void drop_attempt(void *arg)
{
    struct bf_mqtt *m = arg;

    m->attempt = NULL;
}

static void try_later(struct bf_mqtt *m)
{
    uint64_t most_us = SEC << (m->failures < 3 ? m->failures : 3);

    if (m->lease_ms > 0 && most_us > m->lease_ms / 6 * MSEC)
        most_us = m->lease_ms / 6 * MSEC;
    if (m->attempt == NULL && !m->stopped)
        m->attempt = sim_after(m->node, sim_between_us(most_us / 10, most_us), on_attempt, drop_attempt, m);
}

static void on_attempt(void *arg)
{
    struct bf_mqtt *m = arg;

    m->attempt = NULL;
    if (!reachable(m->node)) {
        m->failures++;
        try_later(m);
        m->events.disconnected(m->user, "unreachable", 100);
        return;
    }
    sim_link_make(m);
    m->counters.connects++;
    sim_broker_send_retained(m->link);
    m->events.connected(m->user);
}

void sim_mqtt_lost(struct bf_mqtt *m)
{
    struct sim_link *l = m->link;

    m->link = NULL;
    sim_link_unref(l);
    m->counters.disconnects++;
    m->failures = 1;
    try_later(m);
    m->events.disconnected(m->user, "cut", 100);
}

/* --- bus/mqtt.h --- */

int bf_mqtt_new(struct bf_mqtt **ret, uv_loop_t *loop, const struct bf_mqtt_options *o, const char *const *filters,
                size_t n_filters, const struct bf_mqtt_events *events, void *user, struct bf_error *e)
{
    struct bf_mqtt *m = calloc(1, sizeof *m);

    if (m == NULL)
        abort();
    m->node = sim_node_of_loop(loop);
    m->events = *events;
    m->lease_ms = o->lease_ms;
    m->user = user;
    bf_mqtt_set_filters(m, filters, n_filters, e);
    *ret = m->node->mqtt = m;
    return 0;
}

int bf_mqtt_set_filters(struct bf_mqtt *m, const char *const *filters, size_t n_filters, struct bf_error *e)
{
    (void)e;
    m->n_filters = n_filters < SIM_FILTERS_MAX ? n_filters : SIM_FILTERS_MAX;
    for (size_t i = 0; i < m->n_filters; i++)
        snprintf(m->filters[i], sizeof m->filters[i], "%s", filters[i]);
    return 0;
}

int bf_mqtt_start(struct bf_mqtt *m)
{
    m->attempt = sim_after(m->node, sim_between_us(MSEC, 60 * MSEC), on_attempt, drop_attempt, m);
    return 0;
}

int bf_mqtt_publish(struct bf_mqtt *m, const char *topic, const void *payload, size_t size, bool retain)
{
    if (m->link == NULL || m->stopped)
        return -ENOTCONN;
    if (sim_effect_lost())
        return 0;
    if (m->node->role == BF_ROLE_GATEWAY)
        sim_check_order(m->node, payload, size);
    struct sim_message *message = sim_message_new(topic, payload, size, retain);
    m->counters.published++;
    sim_hash(payload, size);
    sim_broker_send(m->link, message);
    sim_message_let_go(message);
    return 0;
}

void bf_mqtt_stay_away(struct bf_mqtt *m, uint64_t ms)
{
    struct sim_link *l = m->link;

    sim_cancel(m->attempt);
    m->link = NULL;
    if (l != NULL)
        sim_link_close(l);
    m->attempt = sim_after(m->node, ms * MSEC, on_attempt, drop_attempt, m);
    if (l != NULL)
        m->events.disconnected(m->user, "stays away", ms);
}

void bf_mqtt_stay(struct bf_mqtt *m)
{
    (void)m; /* keys are not rotated here */
}

void bf_mqtt_come_back(struct bf_mqtt *m)
{
    (void)m; /* nobody hangs up on a node that stays away */
}

void bf_mqtt_set_lease(struct bf_mqtt *m, uint32_t lease_ms)
{
    m->lease_ms = lease_ms;
}

void bf_mqtt_renew(struct bf_mqtt *m)
{
    (void)m; /* keys are not rotated here */
}

bool bf_mqtt_connected(const struct bf_mqtt *m)
{
    return m->link != NULL && !m->stopped;
}

struct bf_mqtt_counters bf_mqtt_counters(const struct bf_mqtt *m)
{
    return m->counters;
}

struct stopping {
    struct bf_mqtt *mqtt;
    void (*done)(void *user);
    void *user;
};

static void on_stopped(void *arg)
{
    struct stopping *s = arg;
    struct sim_link *l = s->mqtt->link;

    s->mqtt->link = NULL;
    if (l != NULL)
        sim_link_close(l);
    s->done(s->user);
    free(s);
}

void bf_mqtt_stop(struct bf_mqtt *m, unsigned timeout_ms, void (*done)(void *user), void *user)
{
    struct stopping *s = malloc(sizeof *s);

    (void)timeout_ms;
    if (s == NULL)
        abort();
    *s = (struct stopping){ m, done, user };
    m->stopped = true;
    sim_cancel(m->attempt);
    m->attempt = NULL;
    sim_after(m->node, sim_between_us(6 * MSEC, 50 * MSEC), on_stopped, free, s);
}

/* The process is gone: its connection breaks, and the broker sees it sooner or later. */
void bf_mqtt_free(struct bf_mqtt *m)
{
    if (m == NULL)
        return;
    sim_cancel(m->attempt);
    if (m->link != NULL)
        sim_link_abandon(m->link);
    m->node->mqtt = NULL;
    free(m);
}
