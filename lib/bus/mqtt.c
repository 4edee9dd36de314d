#include "bus/mqtt.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "bus/mqtt_limits.h"
#include "bus/mqtt_link.h"
#include "bus/nodelay.h"

#define BACK_OFF_FIRST_MS 2000
#define BACK_OFF_MAX_MS 60000
#define BACK_OFF_FLOOR_MS 1000         /* AWS IoT Core takes one CONNECT a second from a client */
#define BACK_OFF_FLOOR_LOOPBACK_MS 100 /* here nobody is hurt by haste */
#define STEADY_MS 10000                /* a connection that lived so long counts as a success */
#define CONNECT_PATIENCE_MS 20000      /* paho gives up after 10 s; this is for when it does not say so */
#define LEAVE_PATIENCE_MS 1000
#define FILTERS_AT_ONCE 8

enum phase {
    NEW,         /* not started */
    WAITING,     /* for the next attempt */
    RESOLVING,   /* the host's name, off the loop: paho would do so under its lock */
    CONNECTING,
    SUBSCRIBING,
    UP,
    DRAINING,    /* stopping: waits for acknowledgements */
    LEAVING,     /* stopping: DISCONNECT is on its way */
    CLOSING,     /* stopping: clients are being destroyed, then handles closed */
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
    uv_getaddrinfo_t resolve;
    unsigned open_handles;
    bool resolving;

    enum phase phase;
    struct bf_inbox inbox;
    struct bf_link *link;
    uint64_t link_number, live; /* live: number of the link whose notes count; 0 = none */
    unsigned retiring;          /* links being destroyed on worker threads */
    bool due;                   /* WAITING: only for that */
    unsigned failures;          /* in a row */
    unsigned unsubscribed;      /* batches without their SUBACK */
    unsigned unacknowledged;
    uint64_t up_since_ms, heard_at_ms;
    char tls_detail[160];

    unsigned stop_ms;
    void (*stopped)(void *user);
    void *stopped_user;
    bool free_when_closed;
    struct bf_mqtt_counters counters;
};

static void attempt(struct bf_mqtt *m);
static void leave(uv_timer_t *timer);
static void close_all(struct bf_mqtt *m);

/* ---- making one ---- */

static void release(struct bf_mqtt *m)
{
    if (m == NULL)
        return;
    bf_inbox_done(&m->inbox);
    bf_filters_free(m->filters, m->n_filters);
    free((char *)m->options.host);
    free((char *)m->options.client_id);
    free((char *)m->options.ca_file);
    free((char *)m->options.cert_file);
    free((char *)m->options.key_file);
    free((char *)m->options.alpn);
    free(m);
}

BF_DEFINE_CLEANUP(struct bf_mqtt, release)

static int copy_string(const char **ret, const char *from)
{
    *ret = from == NULL ? NULL : strdup(from);
    return from != NULL && *ret == NULL ? -ENOMEM : 0;
}

static int copy_options(struct bf_mqtt_options *to, const struct bf_mqtt_options *from)
{
    to->port = from->port;
    to->keepalive_s = from->keepalive_s;
    if (copy_string(&to->host, from->host) < 0 || copy_string(&to->client_id, from->client_id) < 0 ||
        copy_string(&to->ca_file, from->ca_file) < 0 || copy_string(&to->cert_file, from->cert_file) < 0 ||
        copy_string(&to->key_file, from->key_file) < 0 || copy_string(&to->alpn, from->alpn) < 0)
        return -ENOMEM;
    return 0;
}

static int check_readable(const char *what, const char *path, struct bf_error *e)
{
    if (path == NULL || access(path, R_OK) == 0)
        return 0;
    return bf_fail(e, -errno, "MQTT: %s %s: %s", what, path, strerror(errno));
}

static int check_files(const struct bf_mqtt_options *o, struct bf_error *e)
{
    int r = check_readable("CA certificate", o->ca_file, e);

    if (r == 0)
        r = check_readable("client certificate", o->cert_file, e);
    return r == 0 ? check_readable("client key", o->key_file, e) : r;
}

static void wake(void *user)
{
    uv_async_send(&((struct bf_mqtt *)user)->wake);
}

int bf_mqtt_new(struct bf_mqtt **ret, uv_loop_t *loop, const struct bf_mqtt_options *o, const char *const *filters,
                size_t n_filters, const struct bf_mqtt_events *events, void *user, struct bf_error *e)
{
    _cleanup_(releasep) struct bf_mqtt *m = NULL;
    int r = bf_mqtt_check_options(o, e);

    if (r == 0)
        r = check_files(o, e);
    if (r == 0)
        r = bf_filters_check(filters, n_filters, e);
    if (r < 0)
        return r;
    m = calloc(1, sizeof(*m));
    if (m == NULL)
        return bf_fail(e, -ENOMEM, "MQTT: out of memory");

    m->loop = loop;
    m->events = *events;
    m->user = user;
    r = copy_options(&m->options, o);
    if (r == 0)
        r = bf_filters_copy(&m->filters, &m->n_filters, filters, n_filters);
    if (r == 0)
        r = bf_inbox_init(&m->inbox, wake, m);
    if (r < 0)
        return bf_fail(e, r, "MQTT: out of memory");

    /* Paho 1.3.12 would send the control plane through a web proxy. */
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    *ret = BF_TAKE(m);
    return 0;
}

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
        close_all(m);
    else if (m->phase == WAITING && m->due)
        attempt(m);
}

/* Destroying a client may take a second: not on the loop. Without any client paho ends its threads, so that the next
 * connection begins with fresh ones, which see a new socket at once; old ones would look after a second. */
static void retire(struct bf_mqtt *m, struct bf_link *link)
{
    struct retirement *retirement;

    if (link == NULL)
        return;
    retirement = calloc(1, sizeof(*retirement));
    if (retirement == NULL) {
        bf_link_free(link);
        return;
    }
    *retirement = (struct retirement){.mqtt = m, .link = link};
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

/* Full jitter: anywhere between the floor and a ceiling that doubles with every failure. */
static uint64_t back_off_ms(const struct bf_mqtt *m)
{
    uint64_t floor = is_loopback(m->options.host) ? BACK_OFF_FLOOR_LOOPBACK_MS : BACK_OFF_FLOOR_MS;
    uint64_t ceiling = m->failures > 5 ? BACK_OFF_MAX_MS : (uint64_t)BACK_OFF_FIRST_MS << (m->failures - 1);
    uint32_t random = UINT32_MAX / 2;

    if (ceiling > BACK_OFF_MAX_MS)
        ceiling = BACK_OFF_MAX_MS;
    bf_random(&random, sizeof(random));
    return floor + (ceiling - floor) * random / UINT32_MAX;
}

static void on_retry(uv_timer_t *timer)
{
    attempt(timer->data);
}

static void fail(struct bf_mqtt *m, const char *reason)
{
    bool was_up = m->phase == UP;
    char text[320];
    uint64_t retry_ms;

    if (m->phase >= CLOSING)
        return;
    if (was_up)
        m->counters.disconnects++;
    if (m->phase == DRAINING || m->phase == LEAVING) {
        close_all(m);
        return;
    }
    retire(m, BF_TAKE(m->link));
    m->failures = was_up && uv_now(m->loop) - m->up_since_ms > STEADY_MS ? 1 : m->failures + 1;
    m->live = 0;
    m->unacknowledged = 0;
    m->phase = WAITING;
    retry_ms = back_off_ms(m);
    uv_timer_start(&m->timer, on_retry, retry_ms, 0);

    snprintf(text, sizeof(text), "%s%s%s", reason, m->tls_detail[0] != '\0' ? ": " : "", m->tls_detail);
    m->tls_detail[0] = '\0';
    m->events.disconnected(m->user, text, retry_ms);
}

static void on_out_of_patience(uv_timer_t *timer)
{
    struct bf_mqtt *m = timer->data;

    fail(m, m->phase == CONNECTING ? "no answer to CONNECT in time" : "no answer to SUBSCRIBE in time");
}

/* Something was sent, and nothing at all was heard for three keep-alives: paho has not noticed that the link is dead. */
static void on_watch(uv_timer_t *timer)
{
    struct bf_mqtt *m = timer->data;

    if (m->unacknowledged > 0 && uv_now(m->loop) - m->heard_at_ms > UINT64_C(3000) * m->options.keepalive_s)
        fail(m, "nothing heard for three keep-alives");
}

/* ---- connecting ---- */

/* The last will is signed anew for each connection. */
static int connect_with_will(struct bf_mqtt *m)
{
    _cleanup_(bf_freep) uint8_t *payload = NULL;
    struct bf_will will = {0};
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
    struct bf_error e = {0};
    int r = bf_link_new(&m->link, &m->options, ++m->link_number, &m->inbox, &e);

    if (r < 0) {
        fail(m, e.text);
        return;
    }
    m->live = m->link_number;
    m->phase = CONNECTING;
    uv_timer_start(&m->timer, on_out_of_patience, CONNECT_PATIENCE_MS, 0);
    r = connect_with_will(m);
    if (r < 0) {
        snprintf(e.text, sizeof(e.text), "could not connect: %s", strerror(-r));
        fail(m, e.text);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct bf_mqtt *m = request->data;
    char reason[96];

    m->resolving = false;
    uv_freeaddrinfo(found);
    if (m->phase == CLOSING)
        close_all(m);
    else if (m->phase == RESOLVING && status < 0) {
        snprintf(reason, sizeof(reason), "the broker's name does not resolve: %s", uv_strerror(status));
        fail(m, reason);
    } else if (m->phase == RESOLVING)
        connect_link(m);
}

static void attempt(struct bf_mqtt *m)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int r;

    m->due = m->retiring > 0;
    if (m->due)
        return; /* link_destroyed comes back */
    m->phase = RESOLVING;
    r = uv_getaddrinfo(m->loop, &m->resolve, on_resolved, m->options.host, NULL, &hints);
    if (r < 0)
        fail(m, uv_strerror(r));
    else
        m->resolving = true;
}

static int subscribe_all(struct bf_mqtt *m)
{
    int r = 0;

    for (size_t i = 0; i < m->n_filters && r == 0; i += FILTERS_AT_ONCE) {
        size_t rest = m->n_filters - i;

        r = bf_link_subscribe(m->link, m->filters + i, rest < FILTERS_AT_ONCE ? rest : FILTERS_AT_ONCE);
        if (r == 0)
            m->unsubscribed++;
    }
    return r;
}

static void came_up(struct bf_mqtt *m)
{
    m->phase = UP;
    m->up_since_ms = m->heard_at_ms = uv_now(m->loop);
    m->counters.connects++;
    m->tls_detail[0] = '\0';
    uv_timer_start(&m->timer, on_watch, UINT64_C(1000) * m->options.keepalive_s, UINT64_C(1000) * m->options.keepalive_s);
    m->events.connected(m->user);
}

static void on_link_connected(struct bf_mqtt *m)
{
    bf_nodelay_to_port(m->options.port);
    m->phase = SUBSCRIBING;
    m->unsubscribed = 0;
    if (subscribe_all(m) < 0)
        fail(m, "could not subscribe");
    else if (m->unsubscribed == 0)
        came_up(m);
}

static void on_link_subscribed(struct bf_mqtt *m)
{
    if (m->unsubscribed > 0 && --m->unsubscribed == 0 && m->phase == SUBSCRIBING)
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
    if (m->phase == DRAINING && m->unacknowledged == 0)
        uv_timer_start(&m->timer, leave, 0, 0);
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
    case BF_NOTE_NOT_CONNECTED:
    case BF_NOTE_NOT_SUBSCRIBED:
    case BF_NOTE_LOST:
    case BF_NOTE_DISCONNECTED:
        fail(m, reason);
        break;
    }
}

static void on_wake(uv_async_t *async)
{
    struct bf_mqtt *m = async->data;
    struct bf_note n;

    while (m->phase < CLOSING && bf_inbox_take(&m->inbox, &n) == 0) {
        if (n.link == m->live)
            on_note(m, &n);
        bf_note_done(&n);
    }
}

/* ---- what the owner asks for ---- */

int bf_mqtt_start(struct bf_mqtt *m)
{
    int r;

    if (m->phase != NEW)
        return -EALREADY;
    r = uv_async_init(m->loop, &m->wake, on_wake);
    if (r < 0)
        return r;
    uv_timer_init(m->loop, &m->timer); /* cannot fail */
    m->open_handles = 2;
    m->wake.data = m->timer.data = m->resolve.data = m;
    attempt(m);
    return 0;
}

bool bf_mqtt_connected(const struct bf_mqtt *m)
{
    return m->phase == UP;
}

int bf_mqtt_publish(struct bf_mqtt *m, const char *topic, const void *payload, size_t size, bool retain)
{
    int r = bf_publication_check(topic, size);

    if (r == 0 && m->phase != UP)
        r = -ENOTCONN;
    if (r == 0 && m->unacknowledged >= BF_UNACKNOWLEDGED_MAX)
        r = -ENOBUFS;
    if (r == 0)
        r = bf_link_publish(m->link, topic, payload, size, retain);
    if (r < 0) {
        m->counters.publish_refused++;
        return r;
    }
    m->unacknowledged++;
    m->counters.published++;
    return 0;
}

int bf_mqtt_set_filters(struct bf_mqtt *m, const char *const *filters, size_t n_filters, struct bf_error *e)
{
    char **before = m->filters;
    size_t n_before = m->n_filters;
    int r = bf_filters_check(filters, n_filters, e);

    if (r == 0)
        r = bf_filters_copy(&m->filters, &m->n_filters, filters, n_filters);
    if (r < 0)
        return r;
    if (m->phase == UP) {
        for (size_t i = 0; i < n_before; i++)
            if (!bf_filters_have(m->filters, m->n_filters, before[i]))
                bf_link_unsubscribe(m->link, before[i]);
        if (subscribe_all(m) < 0)
            fail(m, "could not subscribe");
    }
    bf_filters_free(before, n_before);
    return 0;
}

struct bf_mqtt_counters bf_mqtt_counters(const struct bf_mqtt *m)
{
    struct bf_mqtt_counters c = m->counters;

    c.dropped_inbound = atomic_load(&m->inbox.dropped);
    return c;
}

/* ---- ending ---- */

static void on_closed(uv_handle_t *handle)
{
    struct bf_mqtt *m = handle->data;
    void (*stopped)(void *user) = m->stopped;
    void *user = m->stopped_user;

    if (--m->open_handles > 0)
        return;
    m->phase = CLOSED;
    if (m->free_when_closed)
        release(m);
    if (stopped != NULL)
        stopped(user);
}

/* Comes back until nothing of ours runs on another thread, then closes the handles. */
static void close_all(struct bf_mqtt *m)
{
    if (m->phase != CLOSING) {
        m->phase = CLOSING;
        m->live = 0;
        uv_timer_stop(&m->timer);
        if (m->resolving)
            uv_cancel((uv_req_t *)&m->resolve);
        retire(m, BF_TAKE(m->link));
    }
    if (m->retiring > 0 || m->resolving || uv_is_closing((uv_handle_t *)&m->timer))
        return;
    uv_close((uv_handle_t *)&m->wake, on_closed);
    uv_close((uv_handle_t *)&m->timer, on_closed);
}

static void on_left(uv_timer_t *timer)
{
    close_all(timer->data);
}

static void leave(uv_timer_t *timer)
{
    struct bf_mqtt *m = timer->data;

    m->phase = LEAVING;
    if (bf_link_disconnect(m->link) < 0)
        close_all(m);
    else
        uv_timer_start(&m->timer, on_left, LEAVE_PATIENCE_MS, 0);
}

void bf_mqtt_stop(struct bf_mqtt *m, unsigned timeout_ms, void (*done)(void *user), void *user)
{
    if (m->phase == NEW || m->phase == CLOSED) {
        m->phase = CLOSED;
        done(user);
        return;
    }
    m->stopped = done;
    m->stopped_user = user;
    if (m->phase == UP) {
        m->phase = DRAINING;
        uv_timer_start(&m->timer, leave, m->unacknowledged > 0 ? timeout_ms : 0, 0);
    } else if (m->phase < DRAINING)
        close_all(m);
}

void bf_mqtt_free(struct bf_mqtt *m)
{
    if (m == NULL)
        return;
    if (m->phase == NEW || m->phase == CLOSED) {
        release(m);
        return;
    }
    m->free_when_closed = true;
    close_all(m);
}
