/* Between the bus and the service: routes, the state message, connection changes, statistics. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/private.h"

#define REPORT_GAP_MS 20U /* changes in quick succession make at most 50 messages a second */

static bool fits(const struct bf_service *s, const struct bf_route *route, const struct bf_incoming *m)
{
    if (route->type != m->row->type)
        return false;
    if (route->from == BF_FROM_OWN_TOPIC)
        return m->topic.role == s->def->role && strcmp(m->topic.id, s->identity.node) == 0;
    return m->topic.role == route->topic_role;
}

/* The bus's user is this skeleton; the row that fits the message has the service's handler, which takes its state. */
static void dispatch(void *user, const struct bf_incoming *m)
{
    struct bf_service *s = user;

    for (size_t i = 0; i < s->def->n_routes; i++) {
        const struct bf_route *route = &s->def->routes[i];
        if (fits(s, route, m)) {
            route->handle(s->state, m);
            return;
        }
    }
}

static void add_bus_counters(struct bf_status_message *m, const struct bf_bus *bus)
{
    for (int why = BF_OK + 1; why < BF_REFUSALS; why++) {
        uint64_t n = bf_bus_refusals(bus, (enum bf_refusal)why);
        if (n > 0)
            bf_status_message_count(m, bf_refusal_name((enum bf_refusal)why), n);
    }

    struct bf_mqtt_counters c = bf_bus_mqtt_counters(bus);
    bf_status_message_count(m, "bus_connects", c.connects);
    bf_status_message_count(m, "bus_received", c.received);
    bf_status_message_count(m, "bus_published", c.published);
    bf_status_message_count(m, "bus_dropped", c.dropped_inbound);
    if (c.over_limit > 0)
        bf_status_message_count(m, "bus_over_limit", c.over_limit);
    if (c.taken_over > 0)
        bf_status_message_count(m, "bus_taken_over", c.taken_over);
    if (bf_bus_twins(bus) > 0)
        bf_status_message_count(m, "bus_twins", bf_bus_twins(bus));
}

static int with_state(void *user, bool offline, int (*pack)(void *pack_user, ProtobufCMessage *m), void *pack_user)
{
    struct bf_service *s = user;
    struct bf_status_message m;

    bf_status_message_init(&m, &s->status, !offline, s->identity.boot_id, BELFRY_VERSION, s->identity.started_at_ms);
    if (s->bus != NULL)
        add_bus_counters(&m, s->bus);
    return s->def->with_state(s->state, &m.node, pack, pack_user);
}

static void on_connected(void *user)
{
    struct bf_service *s = user;

    s->connected = true;
    if (s->def->connected != NULL)
        s->def->connected(s->state);
}

static void on_disconnected(void *user)
{
    struct bf_service *s = user;

    s->connected = false;
    if (s->def->disconnected != NULL)
        s->def->disconnected(s->state);
}

static void on_twin(void *user, const struct bf_twin *twin)
{
    struct bf_service *s = user;
    struct bf_error e;
    const char *node = s->identity.node;

    if (twin->yields)
        bf_fail(
            &e, 0,
            "another process with this node's id and key (start counter %" PRIu64 ", ours %" PRIu64 ") stays, this one "
            "leaves the broker for ten minutes or until SIGHUP. A copied SD card? Make one of the two a node of its own "
            "(belfryctl node add), or belfryctl node revoke %s. To keep this one: stop the other, write %" PRIu64
            " to %s.epoch in storage.state, restart",
            twin->epoch, s->identity.epoch, node, twin->epoch, node);
    else
        bf_fail(
            &e, 0,
            "another process with this node's id and key (start counter %" PRIu64 ", ours %" PRIu64
            ") was connected; it "
            "is not listened to and should leave. A copied SD card? Make it a node of its own (belfryctl node add), or "
            "belfryctl node revoke %s",
            twin->epoch, s->identity.epoch, node);
    bf_service_failed(s, twin->yields ? "node_yields" : "node_cloned", &e);
}

static void report_clock_gap(struct bf_service *s, const struct bf_clock_gap *gap)
{
    struct bf_error e;
    char ahead[BF_TEXT_AHEAD_SIZE];

    bf_fail(&e, -ETIME,
            "the clock of %s is %s this one's, so what it says is refused: set the one that is wrong (timedatectl on "
            "both machines)",
            gap->node, bf_text_ahead(ahead, gap->ahead_ms));
    bf_service_failed(s, "clock_gap", &e);
}

static void on_clock_gap(void *user, const struct bf_clock_gap *gap)
{
    struct bf_service *s = user;
    const struct bf_gap_verdict due = bf_gaps_judge(&s->gaps, gap, bf_mono_ms());

    if (due.report)
        report_clock_gap(s, gap);
    if (due.hand_on && s->def->clock_gap != NULL)
        s->def->clock_gap(s->state, gap);
}

static struct bf_mqtt_options mqtt_options(const struct bf_service *s)
{
    return (struct bf_mqtt_options){
        .host = s->config->broker.host,
        .port = s->config->broker.port,
        .client_id = s->identity.node,
        .ca_file = s->identity.ca_file,
        .cert_file = s->identity.cert_file,
        .key_file = s->identity.tls_key_file,
        .alpn = s->config->broker.alpn,
        .keepalive_s = s->config->broker.keepalive_s,
        .limit_rate = true,
        .lease_ms = s->config->gateway.lease_ms,
    };
}

int bf_service_make_bus(struct bf_service *s, struct bf_error *e)
{
    s->routes = calloc(s->def->n_routes + 1, sizeof *s->routes);
    if (s->routes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->def->n_routes; i++) {
        s->routes[i] = s->def->routes[i];
        s->routes[i].handle = dispatch;
    }

    const struct bf_bus_options options = {
        .site = s->config->site,
        .node = s->identity.node,
        .role = s->def->role,
        .key = s->identity.key,
        .trust = s->identity.trust,
        .epoch = s->identity.epoch,
        .boot_id = s->identity.boot_id,
        .mqtt = mqtt_options(s),
        .routes = s->routes,
        .n_routes = s->def->n_routes,
        .with_state = s->def->with_state != NULL ? with_state : NULL,
        .connected = on_connected,
        .disconnected = on_disconnected,
        .twin = on_twin,
        .clock_gap = on_clock_gap,
        .user = s,
    };
    return bf_bus_new(&s->bus, &s->loop, &options, e);
}

void bf_service_publish(struct bf_service *s)
{
    if (s->bus == NULL || s->def->with_state == NULL || !bf_bus_connected(s->bus))
        return; /* the birth tells all of it once there is a connection */

    s->reported_mono_ms = bf_mono_ms();
    int r = bf_bus_send_state(s->bus);
    uint64_t suppressed;
    if (r < 0 && r != -ENOTCONN && bf_log_allow(&s->report_limit, s->reported_mono_ms, 60000, &suppressed))
        bf_warning("cannot publish the state", "error=%s suppressed=%" PRIu64, strerrorname_np(-r), suppressed);
}

static void on_report(uv_timer_t *timer)
{
    bf_service_publish(timer->data);
}

void bf_service_report(struct bf_service *s)
{
    if (s->phase >= BF_PHASE_LEAVING || uv_is_active((const uv_handle_t *)&s->report))
        return;

    uint64_t since = bf_mono_ms() - s->reported_mono_ms;
    uv_update_time(&s->loop);
    uv_timer_start(&s->report, on_report, since < REPORT_GAP_MS ? REPORT_GAP_MS - since : 0, 0);
}

static uint64_t refused(const struct bf_bus *bus)
{
    uint64_t n = 0;

    for (int why = BF_OK + 1; why < BF_DUPLICATE; why++)
        n += bf_bus_refusals(bus, (enum bf_refusal)why);
    return n;
}

void bf_service_log_statistics(struct bf_service *s)
{
    char own[1024] = "";
    size_t n = 0;

    for (size_t i = 0; i < s->status.n_counters && n < sizeof own; i++)
        n += (size_t)snprintf(own + n, sizeof own - n, " %s=%" PRIu64, s->status.counters[i].name,
                              s->status.counters[i].value);
    if (s->bus == NULL) {
        bf_info("statistics", "uptime_s=%" PRIu64 "%s", s->beats, own);
        return;
    }
    struct bf_mqtt_counters c = bf_bus_mqtt_counters(s->bus);
    bf_info("statistics",
            "uptime_s=%" PRIu64 " connected=%d connects=%" PRIu64 " received=%" PRIu64 " published=%" PRIu64
            " dropped=%" PRIu64 " refused=%" PRIu64 "%s",
            s->beats, s->connected, c.connects, c.received, c.published, c.dropped_inbound, refused(s->bus), own);
}
