#include "ingest/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "ingest/session.h"

#include "event.pb-c.h"

#define CLOSE_AGAIN_MS 5000

static const char *const alarms[] = {"disk_full", "storage_failed"};

struct bf_ingest {
    struct bf_service *service;
    struct bf_session_host host;
    struct bf_session *sessions[BF_INGEST_SESSIONS];
    size_t n_sessions;

    /* Begun by this node and neither running nor ended. Until the first desired has come, or the lease of an earlier one
     * must have run out, they may still be wanted. */
    struct bf_orphan *orphans;
    size_t n_orphans;
    bool orphans_unwanted;

    bool told[BF_COUNT_OF(alarms)]; /* published and not cleared */
    uint64_t sessions_begun;
    struct bf_worker_counters past;  /* of the sessions that were forgotten */
    bool draining;
    struct bf_lease_timer lease;
    uv_timer_t close_again;
    unsigned handles;
};

/* ---- telling ---- */

static void on_changed(void *user)
{
    struct bf_ingest *g = user;

    bf_service_report(g->service);
}

static int send_event(struct bf_ingest *g, Belfry__V1__Event *event)
{
    int r = bf_bus_send_event(bf_service_bus(g->service), &event->base);

    if (r != 0 && r != -ENOTCONN)
        bf_err("cannot publish an event", "kind=%d error=\"%s\"", event->kind, strerror(-r));
    return r;
}

static bool alarm_active(const struct bf_ingest *g, const char *code)
{
    for (size_t i = 0; i < g->n_sessions; i++) {
        const char *alarm = bf_session_alarm(g->sessions[i]);

        if (alarm != NULL && strcmp(alarm, code) == 0)
            return true;
    }
    return false;
}

static bool tell_alarm(struct bf_ingest *g, const char *code, bool active)
{
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;

    failure.code = (char *)(uintptr_t)code;
    failure.detail = active ? "The media storage refuses to be written: sessions go on without what does not fit."
                            : "The media storage takes media again.";
    failure.at_ms = bf_unix_ms();
    event.kind = active ? BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM : BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED;
    event.failure = &failure;
    return send_event(g, &event) == 0;
}

/* Each alarm once when it begins and once when it is over; what could not be sent is sent when the broker is back. */
static void tell_alarms(void *user)
{
    struct bf_ingest *g = user;

    for (size_t i = 0; i < BF_COUNT_OF(alarms); i++) {
        bool active = alarm_active(g, alarms[i]);

        if (active != g->told[i] && tell_alarm(g, alarms[i], active))
            g->told[i] = active;
    }
}

static void tell_closed(struct bf_ingest *g, struct bf_session *s)
{
    const struct bf_worker_end *end = bf_session_end(s);
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;

    if (end == NULL || !end->closed || bf_session_closed_told(s))
        return;
    event.kind = BELFRY__V1__EVENT_KIND__EVENT_KIND_SESSION_CLOSED;
    event.session_id = (char *)(uintptr_t)bf_session_id(s);
    event.camera = (char *)(uintptr_t)bf_session_camera(s);
    event.segments = end->segments;
    event.bytes = bf_session_counters(s).bytes;
    event.chain_head = (ProtobufCBinaryData){sizeof end->chain_head, (uint8_t *)(uintptr_t)end->chain_head};
    if (send_event(g, &event) == 0)
        bf_session_set_closed_told(s);
}

void bf_ingest_connected(void *state)
{
    struct bf_ingest *g = state;

    tell_alarms(g);
    for (size_t i = 0; i < g->n_sessions; i++)
        tell_closed(g, g->sessions[i]);
}

/* ---- counters ---- */

static void add_counters(struct bf_worker_counters *to, const struct bf_worker_counters *c)
{
    to->parts += c->parts;
    to->bytes += c->bytes;
    to->packager.discontinuities += c->packager.discontinuities;
    to->packager.gaps += c->packager.gaps;
    to->packager.dropped += c->packager.dropped;
    to->packager.corrupt += c->packager.corrupt;
    to->packager.lost += c->packager.lost;
    to->packager.forced_cuts += c->packager.forced_cuts;
    to->transport.datagrams += c->transport.datagrams;
    to->transport.lost += c->transport.lost;
    to->transport.refused_source += c->transport.refused_source;
    to->transport.refused_form += c->transport.refused_form;
}

static void count(struct bf_ingest *g)
{
    struct bf_worker_counters sum = g->past;

    for (size_t i = 0; i < g->n_sessions; i++) {
        struct bf_worker_counters c = bf_session_counters(g->sessions[i]);

        add_counters(&sum, &c);
    }
    bf_service_count(g->service, "sessions", g->sessions_begun);
    bf_service_count(g->service, "parts", sum.parts);
    bf_service_count(g->service, "bytes", sum.bytes);
    bf_service_count(g->service, "discontinuities", sum.packager.discontinuities);
    bf_service_count(g->service, "gaps", sum.packager.gaps);
    bf_service_count(g->service, "frames_dropped", sum.packager.dropped);
    bf_service_count(g->service, "frames_corrupt", sum.packager.corrupt);
    bf_service_count(g->service, "frames_lost_to_storage", sum.packager.lost);
    bf_service_count(g->service, "forced_cuts", sum.packager.forced_cuts);
    bf_service_count(g->service, "datagrams", sum.transport.datagrams);
    bf_service_count(g->service, "datagrams_lost", sum.transport.lost);
    bf_service_count(g->service, "datagrams_refused", sum.transport.refused_source + sum.transport.refused_form);
}

int bf_ingest_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                         void *pack_user)
{
    struct bf_ingest *g = state;
    struct bf_session_status statuses[BF_INGEST_SESSIONS];
    Belfry__V1__IngestSessionStatus *pointers[BF_INGEST_SESSIONS];
    Belfry__V1__IngestState m = BELFRY__V1__INGEST_STATE__INIT;

    count(g);
    for (size_t i = 0; i < g->n_sessions; i++) {
        bf_session_status(g->sessions[i], &statuses[i]);
        pointers[i] = &statuses[i].message;
    }
    m.node = node;
    m.sessions = pointers;
    m.n_sessions = g->n_sessions;
    bf_free_bytes(g->host.media_fd, &m.media_free_bytes); /* 0 where it cannot be known */
    return pack(pack_user, &m.base);
}

/* ---- sessions that were left open ---- */

static void add_session(struct bf_ingest *g, struct bf_session *s)
{
    g->sessions[g->n_sessions++] = s;
}

static void forget(struct bf_ingest *g, size_t at)
{
    struct bf_worker_counters c = bf_session_counters(g->sessions[at]);

    add_counters(&g->past, &c);
    bf_session_free(g->sessions[at]);
    memmove(&g->sessions[at], &g->sessions[at + 1], (--g->n_sessions - at) * sizeof g->sessions[0]);
    bf_service_report(g->service);
}

/* Room for one more, if need be by forgetting one that is over. */
static bool make_room(struct bf_ingest *g)
{
    for (size_t i = 0; i < g->n_sessions && g->n_sessions == BF_INGEST_SESSIONS; i++)
        if (bf_session_end(g->sessions[i]) != NULL)
            forget(g, i);
    return g->n_sessions < BF_INGEST_SESSIONS;
}

static void list_recovered(struct bf_ingest *g, const struct bf_orphan *o, const struct bf_session_place *place)
{
    struct bf_session *s = NULL;

    if (!make_room(g) || bf_session_new_ended(&s, &g->host, o, place) != 0)
        return;
    add_session(g, s);
}

/* True when there is nothing more to do for it. */
static bool close_orphan(struct bf_ingest *g, const struct bf_orphan *o)
{
    struct bf_session_place place;
    struct bf_error e;
    char quoted[sizeof e.text + 64];

    int r = bf_orphan_close(o, g->host.media_fd, g->host.node, g->host.key, "recovered", bf_unix_ms(), &place, &e);
    if (r == 0) {
        bf_info("ended a session that was left open", "session=%s camera=%s", o->session_id, o->camera);
        list_recovered(g, o, &place);
        return true;
    }
    bool again = bf_disk_full(r);
    bf_warning(again ? "cannot end a session that was left open yet" : "cannot end a session that was left open",
               "session=%s camera=%s error=%s", o->session_id, o->camera, bf_log_quote(quoted, sizeof quoted, e.text));
    return !again;
}

static void on_close_again(uv_timer_t *timer);

static void close_orphans(struct bf_ingest *g)
{
    size_t left = 0;

    g->orphans_unwanted = true;
    for (size_t i = 0; i < g->n_orphans; i++)
        if (!close_orphan(g, &g->orphans[i]))
            g->orphans[left++] = g->orphans[i];
    g->n_orphans = left;
    if (left > 0 && !g->draining)
        uv_timer_start(&g->close_again, on_close_again, CLOSE_AGAIN_MS, 0);
}

static void on_close_again(uv_timer_t *timer)
{
    close_orphans(timer->data);
}

static void remember_unclosed(struct bf_ingest *g, const struct bf_session *s)
{
    struct bf_orphan *grown = reallocarray(g->orphans, g->n_orphans + 1, sizeof *grown);

    if (grown == NULL)
        return;
    g->orphans = grown;
    memcpy(grown[g->n_orphans].camera, bf_session_camera(s), strlen(bf_session_camera(s)) + 1);
    memcpy(grown[g->n_orphans].session_id, bf_session_id(s), BF_ULID_SIZE);
    g->n_orphans++;
    uv_timer_start(&g->close_again, on_close_again, CLOSE_AGAIN_MS, 0);
}

/* One that is desired again goes on by itself: opening its directory finds it. */
static void adopt_orphan(struct bf_ingest *g, const char *session_id)
{
    for (size_t i = 0; i < g->n_orphans; i++)
        if (strcmp(g->orphans[i].session_id, session_id) == 0)
            g->orphans[i] = g->orphans[--g->n_orphans];
}

/* ---- sessions that are desired ---- */

static void drained_if_all_over(struct bf_ingest *g)
{
    for (size_t i = 0; i < g->n_sessions; i++)
        if (bf_session_end(g->sessions[i]) == NULL)
            return;
    bf_service_drained(g->service);
}

static void on_over(void *user, struct bf_session *s)
{
    struct bf_ingest *g = user;
    const struct bf_worker_end *end = bf_session_end(s);

    if (end->failure != NULL)
        bf_service_failed(g->service, end->failure, &end->error);
    if (end->begun && !end->closed)
        remember_unclosed(g, s);
    tell_closed(g, s);
    if (g->draining)
        drained_if_all_over(g);
}

static void begin_session(struct bf_ingest *g, const Belfry__V1__IngestSession *wanted, uint32_t lease_epoch)
{
    struct bf_session *s = NULL;

    if (!make_room(g)) {
        bf_warning("cannot begin a session: there are too many", "session=%s limit=%d", wanted->session_id,
                   BF_INGEST_SESSIONS);
        return;
    }
    adopt_orphan(g, wanted->session_id);
    g->sessions_begun++;
    if (bf_session_new(&s, &g->host, wanted, lease_epoch, bf_service_trust(g->service)) == 0)
        add_session(g, s);
}

static void apply_fates(struct bf_ingest *g, const char *const *wanted, size_t n_wanted)
{
    for (size_t i = g->n_sessions; i > 0; i--) {
        struct bf_present present = bf_session_present(g->sessions[i - 1]);
        enum bf_fate fate = bf_fate_of(&present, wanted, n_wanted);

        if (fate == BF_FATE_STOP)
            bf_session_stop(g->sessions[i - 1], "stopped");
        else if (fate == BF_FATE_FORGET)
            forget(g, i - 1);
    }
}

static bool is_new(const struct bf_ingest *g, const char *session_id)
{
    struct bf_present present[BF_INGEST_SESSIONS];

    for (size_t i = 0; i < g->n_sessions; i++)
        present[i] = bf_session_present(g->sessions[i]);
    return bf_is_new(session_id, present, g->n_sessions);
}

void bf_ingest_on_desired(void *state, const struct bf_incoming *incoming)
{
    struct bf_ingest *g = state;
    const Belfry__V1__IngestDesired *m = (const Belfry__V1__IngestDesired *)incoming->message;
    const char *wanted[64];
    size_t n_wanted = m->n_sessions < BF_COUNT_OF(wanted) ? m->n_sessions : BF_COUNT_OF(wanted);

    if (g->draining || bf_service_observe(g->service, incoming, m->lease) != 0)
        return;
    bf_lease_timer_renew(&g->lease, m->lease->lease_ms);
    for (size_t i = 0; i < n_wanted; i++)
        wanted[i] = m->sessions[i]->session_id;
    apply_fates(g, wanted, n_wanted);
    for (size_t i = 0; i < n_wanted; i++)
        if (is_new(g, wanted[i]))
            begin_session(g, m->sessions[i], (uint32_t)m->lease->epoch);
    if (!g->orphans_unwanted)
        close_orphans(g);
}

static void stop_all(struct bf_ingest *g, const char *reason)
{
    for (size_t i = 0; i < g->n_sessions; i++)
        bf_session_stop(g->sessions[i], reason);
}

static void on_lease_expired(void *user)
{
    struct bf_ingest *g = user;

    if (g->n_sessions > 0 || g->n_orphans > 0)
        bf_warning("the gateway's lease has run out: ending all sessions", "sessions=%zu", g->n_sessions);
    stop_all(g, "lease_expired");
    if (!g->orphans_unwanted)
        close_orphans(g);
}

/* ---- beginning and end ---- */

static int open_media(struct bf_ingest *g, struct bf_error *e)
{
    const char *path = g->host.config->storage.media;

    g->host.media_fd = bf_open_dir(AT_FDCWD, path, 1, 0750);
    if (g->host.media_fd < 0)
        return bf_fail(e, g->host.media_fd, "storage.media %s: %s", path, strerror(-g->host.media_fd));
    int r = bf_orphans_find(g->host.media_fd, g->host.node, &g->orphans, &g->n_orphans);
    if (r != 0)
        return bf_fail(e, r, "looking for open sessions in %s: %s", path, strerror(-r));
    if (g->n_orphans > 0)
        bf_info("found sessions that were left open", "sessions=%zu", g->n_orphans);
    return 0;
}

static void make_handles(struct bf_ingest *g)
{
    bf_lease_timer_init(&g->lease, g->host.loop, on_lease_expired, g);
    g->lease.timer.data = g;
    uv_timer_init(g->host.loop, &g->close_again);
    g->close_again.data = g;
    g->handles = 2;
    bf_lease_timer_renew(&g->lease, g->host.config->gateway.lease_ms);
}

int bf_ingest_start(struct bf_service *service, void **ret, struct bf_error *e)
{
    struct bf_ingest *g = calloc(1, sizeof *g);

    if (g == NULL)
        return bf_fail(e, -ENOMEM, "starting ingest: out of memory");
    g->service = service;
    g->host = (struct bf_session_host){
        .loop = bf_service_loop(service),
        .config = bf_service_config(service),
        .node = bf_service_node(service),
        .key = bf_service_key(service),
        .media_fd = -1,
        .changed = on_changed,
        .storage = tell_alarms,
        .over = on_over,
        .user = g,
    };
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error code like a full disk */
    int r = open_media(g, e);
    if (r != 0) {
        bf_ingest_free(g);
        return r;
    }
    make_handles(g);
    *ret = g;
    return 0;
}

void bf_ingest_drain(void *state)
{
    struct bf_ingest *g = state;

    g->draining = true;
    bf_lease_timer_stop(&g->lease);
    uv_timer_stop(&g->close_again);
    stop_all(g, "shutdown");
    drained_if_all_over(g);
}

static void release(struct bf_ingest *g)
{
    if (g->host.media_fd >= 0)
        close(g->host.media_fd);
    free(g->orphans);
    free(g);
}

static void on_closed(uv_handle_t *handle)
{
    struct bf_ingest *g = handle->data;

    if (--g->handles == 0)
        release(g);
}

void bf_ingest_free(void *state)
{
    struct bf_ingest *g = state;

    while (g->n_sessions > 0)
        bf_session_free(g->sessions[--g->n_sessions]);
    if (g->handles == 0) {
        release(g);
        return;
    }
    bf_lease_timer_close(&g->lease, on_closed);
    uv_close((uv_handle_t *)&g->close_again, on_closed);
}
