#include "bus/mqtt_internal.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "bus/nodelay.h"

#define BACK_OFF_FLOOR_MS 1000         /* AWS IoT Core takes one CONNECT a second from a client */
#define BACK_OFF_FLOOR_LOOPBACK_MS 100 /* here nobody is hurt by haste */
#define BACK_OFFS_A_LEASE 6
#define SILENCE_MIN_MS 20000
#define WATCH_MS 5000
#define STEADY_MS 10000           /* a connection that lived so long counts as a success */
#define CONNECT_PATIENCE_MS 20000 /* paho gives up after 10 s; this is for when it does not say so */
#define NUDGE_FLOOR_MS 20
#define NUDGE_CEILING_MS 1000
#define MESSAGES_A_TURN 16 /* of the loop; each costs up to 0.2 ms before it is refused */

/* ---- links ---- */

struct retirement {
    uv_work_t work;
    struct bf_mqtt *mqtt;
    struct bf_link *link;
};

static void destroy_link(uv_work_t *work)
{
    struct retirement *retirement = work->data;

    bf_link_free(retirement->link);
}

static void link_destroyed(uv_work_t *work, int status)
{
    struct retirement *retirement = work->data;
    struct bf_mqtt *m = retirement->mqtt;

    (void)status;
    free(retirement);
    m->retiring--;
    if (m->phase == CLOSING)
        bf_mqtt_close(m);
    else if (m->phase == WAITING && m->due)
        bf_mqtt_attempt(m);
}

/* Destroying a client may take a second: not on the loop. Without any client paho ends its threads, so that the next
 * connection begins with fresh ones, which see a new socket at once; old ones would look after a second. */
void bf_mqtt_retire_link(struct bf_mqtt *m)
{
    struct bf_link *link = BF_TAKE(m->link);
    struct retirement *retirement;

    if (link == NULL)
        return;
    retirement = calloc(1, sizeof(*retirement));
    if (retirement == NULL) {
        bf_link_free(link);
        return;
    }
    *retirement = (struct retirement){ .mqtt = m, .link = link };
    retirement->work.data = retirement;
    if (uv_queue_work(m->loop, &retirement->work, destroy_link, link_destroyed) < 0) {
        free(retirement);
        bf_link_free(link);
        return;
    }
    m->retiring++;
}

/* ---- failing and trying again ---- */

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static uint64_t back_off_floor_ms(const struct bf_mqtt *m)
{
    return is_loopback(m->options.host) ? BACK_OFF_FLOOR_LOOPBACK_MS : BACK_OFF_FLOOR_MS;
}

static uint64_t back_off_ms(const struct bf_mqtt *m)
{
    uint32_t random = UINT32_MAX / 2;

    bf_random(&random, sizeof(random));
    return bf_back_off_ms(&m->back_off, back_off_floor_ms(m), m->options.lease_ms / BACK_OFFS_A_LEASE, random);
}

static void on_retry(uv_timer_t *timer)
{
    bf_mqtt_attempt(timer->data);
}

/* Nothing of the connection before is left for the next one. */
static void wait_for(struct bf_mqtt *m, uint64_t retry_ms)
{
    bf_mqtt_retire_link(m);
    m->live = 0;
    m->unacknowledged = m->unsubscribed = 0;
    m->phase = WAITING;
    uv_timer_stop(&m->nudge);
    uv_timer_start(&m->timer, on_retry, retry_ms, 0);
}

void bf_mqtt_connect_again(struct bf_mqtt *m)
{
    uint64_t floor = back_off_floor_ms(m), lived = uv_now(m->loop) - m->up_since_ms;
    uint64_t retry_ms = lived < floor ? floor - lived : 0;

    if (m->away_ms > 0)
        retry_ms = m->away_ms;
    m->renewing = false;
    m->counters.disconnects += m->phase >= UP;
    wait_for(m, retry_ms);
    m->events.disconnected(m->user,
                           m->away_ms > 0 ? "left, so as not to be in another's way"
                                          : "renewed: keys and certificates as they are now",
                           retry_ms);
}

void bf_mqtt_fail(struct bf_mqtt *m, const char *reason)
{
    bool was_up = m->phase == UP;
    char text[320];
    uint64_t retry_ms;

    if (m->phase >= CLOSING)
        return;
    if (was_up)
        m->counters.disconnects++;
    if (m->phase == DRAINING || m->phase == LEAVING) {
        bf_mqtt_left(m);
        return;
    }
    bf_back_off_failed(&m->back_off, was_up, uv_now(m->loop) - m->up_since_ms > STEADY_MS);
    retry_ms = back_off_ms(m);
    wait_for(m, retry_ms);

    snprintf(text, sizeof(text), "%s%s%s", reason, m->tls_detail[0] != '\0' ? ": " : "", m->tls_detail);
    m->tls_detail[0] = '\0';
    m->events.disconnected(m->user, text, retry_ms);
}

static void on_out_of_patience(uv_timer_t *timer)
{
    struct bf_mqtt *m = timer->data;

    bf_mqtt_fail(m, m->phase == CONNECTING ? "no answer to CONNECT in time" : "no answer to SUBSCRIBE in time");
}

static uint64_t silence_max_ms(const struct bf_mqtt *m)
{
    uint64_t keep_alives_ms = UINT64_C(3000) * m->options.keepalive_s, leases_ms = UINT64_C(2) * m->options.lease_ms;

    if (leases_ms == 0)
        return keep_alives_ms;
    if (leases_ms < SILENCE_MIN_MS)
        leases_ms = SILENCE_MIN_MS;
    return leases_ms < keep_alives_ms ? leases_ms : keep_alives_ms;
}

static uint64_t silence_ms(const struct bf_mqtt *m)
{
    return bf_silence_ms(uv_now(m->loop), m->heard_at_ms, m->asked_at_us / 1000);
}

/* Something was sent, and nothing at all was heard since: paho has not noticed that the link is dead. */
static void on_watch(uv_timer_t *timer)
{
    struct bf_mqtt *m = timer->data;

    if (m->unacknowledged > 0 && silence_ms(m) > silence_max_ms(m))
        bf_mqtt_fail(m, "the broker acknowledges nothing, and nothing else is heard of it");
}

/* ---- commands that paho leaves lying ---- */

static void on_nudge(uv_timer_t *timer)
{
    struct bf_mqtt *m = timer->data;

    if (m->live != 0 && m->unacknowledged + m->unsubscribed > 0)
        bf_link_nudge(m->link);
}

/* Paho's send thread may miss the call that wakes it and then looks again after a whole second (the condition variable
 * is signalled between its look at the queue and its wait). An answer that is late by this link's own measure gets a
 * second call; at most one for each pause. */
void bf_mqtt_watch_command(struct bf_mqtt *m)
{
    uint64_t patience_ms = NUDGE_FLOOR_MS + 3 * m->round_trip_us / 1000;

    if (m->unacknowledged + m->unsubscribed == 0)
        m->asked_at_us = bf_mono_us();
    uv_timer_start(&m->nudge, on_nudge, patience_ms < NUDGE_CEILING_MS ? patience_ms : NUDGE_CEILING_MS, 0);
}

static void command_answered(struct bf_mqtt *m)
{
    if (m->unacknowledged + m->unsubscribed == 0) {
        m->round_trip_us = bf_mono_us() - m->asked_at_us;
        uv_timer_stop(&m->nudge);
    }
}

/* ---- connecting ---- */

/* The last will is signed anew for each connection. */
static int connect_with_will(struct bf_mqtt *m)
{
    _cleanup_(bf_freep) uint8_t *payload = NULL;
    struct bf_will will = { 0 };
    int r = 0;

    if (m->events.will != NULL) {
        r = m->events.will(m->user, &will.topic, &payload, &will.size);
        if (r < 0)
            return r;
        will.payload = payload;
    }
    return bf_link_connect(m->link, &m->options, &will);
}

static void connect_link(struct bf_mqtt *m)
{
    struct bf_error e = { 0 };
    int r = bf_link_new(&m->link, &m->options, ++m->link_number, &m->inbox, &e);

    if (r < 0) {
        bf_mqtt_fail(m, e.text);
        return;
    }
    m->live = m->link_number;
    m->phase = CONNECTING;
    uv_timer_start(&m->timer, on_out_of_patience, CONNECT_PATIENCE_MS, 0);
    r = connect_with_will(m);
    if (r < 0) {
        snprintf(e.text, sizeof(e.text), "could not connect: %s", strerror(-r));
        bf_mqtt_fail(m, e.text);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct bf_mqtt *m = request->data;
    char reason[96];

    m->resolving = false;
    uv_freeaddrinfo(found);
    if (m->phase == CLOSING)
        bf_mqtt_close(m);
    else if (m->phase == RESOLVING && status < 0) {
        snprintf(reason, sizeof(reason), "the broker's name does not resolve: %s", uv_strerror(status));
        bf_mqtt_fail(m, reason);
    } else if (m->phase == RESOLVING)
        connect_link(m);
}

void bf_mqtt_attempt(struct bf_mqtt *m)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    int r;

    m->due = m->retiring > 0;
    if (m->due)
        return; /* link_destroyed comes back */
    m->away_ms = 0;
    m->phase = RESOLVING;
    r = uv_getaddrinfo(m->loop, &m->resolve, on_resolved, m->options.host, NULL, &hints);
    if (r < 0)
        bf_mqtt_fail(m, uv_strerror(r));
    else
        m->resolving = true;
}

int bf_mqtt_subscribe_all(struct bf_mqtt *m)
{
    int r = 0;

    for (size_t i = 0; i < m->n_filters && r == 0; i += BF_MQTT_FILTERS_AT_ONCE) {
        size_t rest = m->n_filters - i;

        r = bf_link_subscribe(m->link, m->filters + i, rest < BF_MQTT_FILTERS_AT_ONCE ? rest : BF_MQTT_FILTERS_AT_ONCE);
        if (r == 0) {
            bf_mqtt_watch_command(m);
            m->unsubscribed++;
        }
    }
    return r;
}

void bf_mqtt_stay(struct bf_mqtt *m)
{
    if (m->phase != DRAINING || !m->renewing || m->away_ms > 0)
        return;
    m->renewing = false;
    m->phase = UP;
    uv_timer_start(&m->timer, on_watch, WATCH_MS, WATCH_MS);
}

static void came_up(struct bf_mqtt *m)
{
    m->phase = UP;
    m->up_since_ms = m->heard_at_ms = uv_now(m->loop);
    m->counters.connects++;
    m->tls_detail[0] = '\0';
    uv_timer_start(&m->timer, on_watch, WATCH_MS, WATCH_MS);
    m->events.connected(m->user);
}

static void on_link_connected(struct bf_mqtt *m)
{
    bf_nodelay_to_port(m->options.port);
    m->phase = SUBSCRIBING;
    if (bf_mqtt_subscribe_all(m) < 0)
        bf_mqtt_fail(m, "could not subscribe");
    else if (m->unsubscribed == 0)
        came_up(m);
}

static void on_link_subscribed(struct bf_mqtt *m)
{
    if (m->unsubscribed > 0)
        m->unsubscribed--;
    command_answered(m);
    if (m->unsubscribed == 0 && m->phase == SUBSCRIBING)
        came_up(m);
}

/* ---- what paho's threads told ---- */

static void on_settled(struct bf_mqtt *m, const struct bf_note *n)
{
    if (n->kind == BF_NOTE_NOT_ACCEPTED) {
        m->counters.publish_refused++;
        if (m->events.not_accepted != NULL)
            m->events.not_accepted(m->user, n->text != NULL ? n->text : "no reason given");
    }
    if (m->unacknowledged > 0)
        m->unacknowledged--;
    command_answered(m);
    if (m->phase == DRAINING && m->unacknowledged == 0)
        bf_mqtt_leave(m);
}

static void on_note(struct bf_mqtt *m, const struct bf_note *n)
{
    const char *reason = n->text != NULL ? n->text : "no reason given";

    m->heard_at_ms = uv_now(m->loop);
    switch (n->kind) {
    case BF_NOTE_CONNECTED:
        if (m->phase == CONNECTING)
            on_link_connected(m);
        break;
    case BF_NOTE_SUBSCRIBED:
        on_link_subscribed(m);
        break;
    case BF_NOTE_TLS_DETAIL:
        if (m->tls_detail[0] == '\0') /* the first is the cause, the others follow from it */
            snprintf(m->tls_detail, sizeof(m->tls_detail), "%s", reason);
        break;
    case BF_NOTE_MESSAGE:
        m->counters.received++;
        m->events.message(m->user, n->text, n->payload, n->size, n->retained);
        break;
    case BF_NOTE_ACKNOWLEDGED:
    case BF_NOTE_NOT_ACCEPTED:
        on_settled(m, n);
        break;
    case BF_NOTE_TAKEN_OVER:
        m->counters.taken_over++;
        bf_mqtt_fail(m, reason);
        break;
    case BF_NOTE_NOT_CONNECTED:
    case BF_NOTE_NOT_SUBSCRIBED:
    case BF_NOTE_LOST:
    case BF_NOTE_DISCONNECTED:
        bf_mqtt_fail(m, reason);
        break;
    }
}

/* Whoever sends without pause gets his turn, and so do timers and everything else that waits for the loop. */
void bf_mqtt_drain_inbox(struct bf_mqtt *m)
{
    struct bf_note n;
    unsigned messages = 0;

    while (m->phase < CLOSING && messages < MESSAGES_A_TURN && bf_inbox_take(&m->inbox, &n) == 0) {
        messages += n.kind == BF_NOTE_MESSAGE;
        if (n.link == m->live)
            on_note(m, &n);
        bf_note_done(&n);
    }
    if (m->phase < CLOSING && messages == MESSAGES_A_TURN)
        uv_async_send(&m->wake);
}
