#include "bus/mqtt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bus/mqtt_internal.h"
#include "bus/mqtt_limits.h"

#define LEAVE_PATIENCE_MS 1000

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
    to->limit_rate = from->limit_rate;
    to->lease_ms = from->lease_ms;
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

/* ---- what the owner asks for ---- */

static void on_wake(uv_async_t *async)
{
    bf_mqtt_drain_inbox(async->data);
}

int bf_mqtt_start(struct bf_mqtt *m)
{
    int r;

    if (m->phase != NEW)
        return -EALREADY;
    r = uv_async_init(m->loop, &m->wake, on_wake);
    if (r < 0)
        return r;
    uv_timer_init(m->loop, &m->timer); /* cannot fail */
    uv_timer_init(m->loop, &m->nudge);
    m->open_handles = 3;
    m->wake.data = m->timer.data = m->nudge.data = m->resolve.data = m;
    bf_mqtt_attempt(m);
    return 0;
}

bool bf_mqtt_connected(const struct bf_mqtt *m)
{
    return m->phase == UP;
}

static int check_limits(struct bf_mqtt *m, const char *topic, size_t size)
{
    int r = bf_publication_check(topic, size);

    if (r == 0 && m->unacknowledged >= BF_MQTT_UNACKNOWLEDGED_MAX)
        r = -ENOBUFS;
    if (r == 0 && m->options.limit_rate && !bf_mqtt_rate_take(&m->rate, strlen(topic) + size, bf_mono_us()))
        r = -ENOBUFS;
    if (r < 0)
        m->counters.over_limit++;
    return r;
}

int bf_mqtt_publish(struct bf_mqtt *m, const char *topic, const void *payload, size_t size, bool retain)
{
    int r = m->phase == UP ? check_limits(m, topic, size) : bf_publication_check(topic, size);

    if (r == 0 && m->phase != UP)
        r = -ENOTCONN;
    if (r == 0)
        r = bf_link_publish(m->link, topic, payload, size, retain);
    if (r < 0) {
        m->counters.publish_refused++;
        return r;
    }
    bf_mqtt_watch_command(m);
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
        if (bf_mqtt_subscribe_all(m) < 0)
            bf_mqtt_fail(m, "could not subscribe");
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
void bf_mqtt_close(struct bf_mqtt *m)
{
    if (m->phase != CLOSING) {
        m->phase = CLOSING;
        m->live = 0;
        uv_timer_stop(&m->timer);
        uv_timer_stop(&m->nudge);
        if (m->resolving)
            uv_cancel((uv_req_t *)&m->resolve);
        bf_mqtt_retire_link(m);
    }
    if (m->retiring > 0 || m->resolving || uv_is_closing((uv_handle_t *)&m->timer))
        return;
    uv_close((uv_handle_t *)&m->wake, on_closed);
    uv_close((uv_handle_t *)&m->timer, on_closed);
    uv_close((uv_handle_t *)&m->nudge, on_closed);
}

void bf_mqtt_left(struct bf_mqtt *m)
{
    if (m->renewing)
        bf_mqtt_connect_again(m);
    else
        bf_mqtt_close(m);
}

static void on_left(uv_timer_t *timer)
{
    bf_mqtt_left(timer->data);
}

void bf_mqtt_leave(struct bf_mqtt *m)
{
    m->phase = LEAVING;
    if (bf_link_disconnect(m->link) < 0)
        bf_mqtt_left(m);
    else
        uv_timer_start(&m->timer, on_left, LEAVE_PATIENCE_MS, 0);
}

static void on_drained(uv_timer_t *timer)
{
    bf_mqtt_leave(timer->data);
}

static void drain(struct bf_mqtt *m, unsigned timeout_ms)
{
    m->phase = DRAINING;
    uv_timer_start(&m->timer, on_drained, m->unacknowledged > 0 ? timeout_ms : 0, 0);
}

static void leave_and_return(struct bf_mqtt *m)
{
    if (m->phase == CONNECTING || m->phase == SUBSCRIBING)
        bf_mqtt_connect_again(m);
    if (m->phase != UP)
        return; /* the next attempt reads it all */
    m->renewing = true;
    drain(m, LEAVE_PATIENCE_MS);
}

void bf_mqtt_renew(struct bf_mqtt *m)
{
    bool waits = m->phase == WAITING && m->away_ms > 0 && !m->due;

    m->away_ms = 0;
    if (waits) {
        uv_timer_stop(&m->timer);
        bf_mqtt_attempt(m);
    } else
        leave_and_return(m);
}

void bf_mqtt_stay_away(struct bf_mqtt *m, uint64_t ms)
{
    m->away_ms = ms;
    leave_and_return(m);
}

void bf_mqtt_come_back(struct bf_mqtt *m)
{
    if (m->away_ms > 0)
        bf_mqtt_renew(m);
}

void bf_mqtt_set_lease(struct bf_mqtt *m, uint32_t lease_ms)
{
    m->options.lease_ms = lease_ms;
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
    m->renewing = false;
    if (m->phase == UP)
        drain(m, timeout_ms);
    else if (m->phase < DRAINING)
        bf_mqtt_close(m);
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
    bf_mqtt_close(m);
}
