#include "ingest/ingest_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

/* ---- the table of sessions ---- */

void bf_ingest_add(struct bf_ingest *g, struct bf_session *s)
{
    g->sessions[g->n_sessions++] = s;
}

static void forget(struct bf_ingest *g, size_t at)
{
    struct bf_worker_counters c = bf_session_counters(g->sessions[at]);

    bf_ingest_add_counters(&g->past, &c);
    bf_session_free(g->sessions[at]);
    memmove(&g->sessions[at], &g->sessions[at + 1], (--g->n_sessions - at) * sizeof g->sessions[0]);
    bf_service_report(g->service);
}

void bf_ingest_forget(struct bf_ingest *g, const char *session_id)
{
    for (size_t i = g->n_sessions; i > 0; i--)
        if (strcmp(bf_session_id(g->sessions[i - 1]), session_id) == 0)
            forget(g, i - 1);
}

/* Room for one more, if need be by forgetting one that is over. */
bool bf_ingest_make_room(struct bf_ingest *g)
{
    for (size_t i = 0; i < g->n_sessions && g->n_sessions == BF_INGEST_SESSIONS; i++)
        if (bf_session_end(g->sessions[i]) != NULL)
            forget(g, i);
    return g->n_sessions < BF_INGEST_SESSIONS;
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
        bf_ingest_remember_unclosed(g, s);
    bf_ingest_tell_closed(g, s);
    if (g->draining)
        drained_if_all_over(g);
}

static void begin_session(struct bf_ingest *g, const Belfry__V1__IngestSession *wanted, uint32_t lease_epoch)
{
    struct bf_session *s = NULL;

    if (!bf_ingest_make_room(g)) {
        bf_warning("cannot begin a session: there are too many", "session=%s limit=%d", wanted->session_id,
                   BF_INGEST_SESSIONS);
        return;
    }
    bf_ingest_adopt_orphan(g, wanted->session_id);
    g->sessions_begun++;
    if (bf_session_new(&s, &g->host, wanted, lease_epoch, bf_service_trust(g->service)) == 0)
        bf_ingest_add(g, s);
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
        bf_ingest_close_orphans(g);
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
        bf_ingest_close_orphans(g);
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
        .changed = bf_ingest_changed,
        .storage = bf_ingest_tell_alarms,
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
