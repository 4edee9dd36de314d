#include "gateway/gateway_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gateway/intents.h"

#define TICK_MS 250
#define TICKS_PER_GAUGE 4
#define LEASE_EPOCH_NAME "gateway.lease-epoch"

size_t bf_gateway_camera_index(const struct bf_gateway *g, const char *camera)
{
    size_t i = 0;

    while (i < g->config->n_cameras && strcmp(g->config->cameras[i].id, camera) != 0)
        i++;
    return i;
}

/* --- carrying out what the orchestrator wants --- */

static void persist(struct bf_gateway *g)
{
    size_t room = bf_orch_count(g->orch) + 1;
    _cleanup_(bf_freep) struct bf_intent *list = calloc(room, sizeof *list);
    int r = list == NULL ? -ENOMEM
                         : bf_intents_store(bf_service_state_dir(g->service), list, bf_orch_intents(g->orch, list, room));

    if (r < 0) {
        struct bf_error e;
        bf_fail(&e, r, "cannot store what is running in %s/%s: %s", g->config->storage.state, BF_INTENTS_NAME,
                strerror(-r));
        bf_service_failed(g->service, "state_not_stored", &e);
    }
    bf_orch_persisted(g->orch, r == 0, bf_mono_ms());
}

void bf_gateway_tell_camera(struct bf_gateway *g, const char *camera)
{
    size_t i = bf_gateway_camera_index(g, camera);
    const struct bf_stream *s = bf_orch_stream_of(g->orch, camera);
    json_t *short_json = bf_json_camera(g->orch, &g->config->cameras[i], &g->facts[i], false);
    char *fresh = json_dumps(short_json, JSON_COMPACT);

    json_decref(short_json);
    bf_live_set_current(g->app.live, camera, s->phase == BF_STREAM_LIVE ? s->session : "");
    if (fresh == NULL || (g->told[i] != NULL && strcmp(g->told[i], fresh) == 0)) {
        free(fresh);
        return;
    }
    free(g->told[i]);
    g->told[i] = fresh;
    json_t *json = bf_json_camera(g->orch, &g->config->cameras[i], &g->facts[i], true);
    _cleanup_(bf_freep) char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text != NULL)
        bf_events_publish(g->app.events, "camera", text);
    bf_service_report(g->service);
}

static void log_answer(const struct bf_orch_answer *a)
{
    char quoted[sizeof a->result.detail + 32];

    if (a->result.outcome == BF_OUTCOME_STARTED)
        bf_info("a stream is live", "camera=%s session=%s took_ms=%" PRIu64, a->camera, a->session, a->took_ms);
    else if (a->result.outcome == BF_OUTCOME_STOPPED && a->session[0] != '\0')
        bf_info("a stream has ended", "camera=%s session=%s recorded=%d", a->camera, a->session, a->recorded);
    else if (a->result.code[0] != '\0')
        bf_warning("a start failed", "camera=%s session=%s step=%s code=%s detail=%s", a->camera, a->session,
                   bf_step_name(a->result.step), a->result.code, bf_log_quote(quoted, sizeof quoted, a->result.detail));
}

void bf_gateway_settle(struct bf_gateway *g)
{
    struct bf_orch_action a;

    while (bf_orch_next(g->orch, &a))
        switch (a.kind) {
        case BF_ORCH_PERSIST:
            persist(g);
            break;
        case BF_ORCH_SEND:
            bf_gateway_send_desired(g, a.role, a.node);
            break;
        case BF_ORCH_ANSWER:
            log_answer(&a.answer);
            bf_gateway_tell_camera(g, a.answer.camera); /* whoever is answered finds it so */
            bf_gateway_answer(g, &a.answer);
            break;
        case BF_ORCH_CHANGED:
            bf_gateway_tell_camera(g, a.camera);
            break;
        }
}

/* --- what the live store tells --- */

static void on_playable(void *user, const char *camera, const char *session)
{
    struct bf_gateway *g = user;

    bf_orch_playable(g->orch, camera, session, bf_mono_ms());
    bf_gateway_settle(g);
}

static void on_media_ended(void *user, const char *camera, const char *session, const char *reason)
{
    struct bf_gateway *g = user;

    bf_orch_media_ended(g->orch, camera, session, reason, bf_mono_ms());
    bf_gateway_settle(g);
}

static void on_recording(void *user, const char *camera, const char *session)
{
    bf_gateway_load_recording(user, camera, session);
}

static void on_gone(void *user, const char *camera, const char *session)
{
    (void)camera;
    bf_gateway_remove_recording(user, session);
}

static const struct bf_live_events live_events = {
    .playable = on_playable, .ended = on_media_ended, .recording = on_recording, .gone = on_gone,
};

/* --- time and the bus --- */

static void take_gauges(struct bf_gateway *g)
{
    const struct bf_bus *bus = bf_service_bus(g->service);
    size_t n = g->config->n_cameras;
    _cleanup_(bf_freep) struct bf_camera_gauge *cameras = calloc(n + 1, sizeof *cameras);
    struct bf_gauges gauges = {.cameras = cameras, .n_cameras = n};

    if (cameras == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct bf_stream *s = bf_orch_stream(g->orch, i);
        const struct bf_node *node = bf_orch_node(g->orch, BF_ROLE_CAMERA, s->camera);

        memcpy(cameras[i].id, s->camera, sizeof cameras[i].id);
        cameras[i].online = node != NULL && node->online;
        cameras[i].live = s->phase == BF_STREAM_LIVE;
        gauges.streams_live += cameras[i].live;
    }
    gauges.ingest_online = (unsigned)bf_orch_nodes_online(g->orch, BF_ROLE_INGEST);
    gauges.janitor_online = (unsigned)bf_orch_nodes_online(g->orch, BF_ROLE_JANITOR);
    gauges.sessions_followed = (unsigned)bf_live_count(g->app.live);
    gauges.recordings = (unsigned)bf_recordings_count(g->app.recordings);
    gauges.requests_waiting = bf_live_waiting(g->app.live);
    gauges.bus_connected = bf_bus_connected(bus);
    for (int i = 0; i < BF_REFUSALS; i++)
        gauges.refusals[i] = bf_bus_refusals(bus, (enum bf_refusal)i);
    bf_metrics_set(g->app.metrics, &gauges);
}

static void note_readiness(struct bf_gateway *g)
{
    bool connected = bf_orch_bus_connected(g->orch);

    atomic_store(&g->app.connected, connected);
    atomic_store(&g->app.ready, connected && bf_orch_nodes_online(g->orch, BF_ROLE_INGEST) > 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct bf_gateway *g = timer->data;

    bf_orch_tick(g->orch, bf_mono_ms());
    bf_gateway_settle(g);
    bf_gateway_expire_errands(g, bf_mono_ms());
    note_readiness(g);
    if (g->ticks++ % TICKS_PER_GAUGE == 0)
        take_gauges(g);
}

void bf_gateway_connected(void *state)
{
    struct bf_gateway *g = state;

    bf_orch_bus(g->orch, true, bf_mono_ms());
    bf_gateway_settle(g);
    note_readiness(g);
}

void bf_gateway_disconnected(void *state)
{
    struct bf_gateway *g = state;

    bf_orch_bus(g->orch, false, bf_mono_ms());
    bf_gateway_settle(g);
    note_readiness(g);
}

/* --- the end --- */

static void on_tick_closed(uv_handle_t *handle)
{
    struct bf_gateway *g = handle->data;

    free(g);
}

/* No HTTP thread is left. */
static void release(struct bf_gateway *g)
{
    bf_live_free(BF_TAKE(g->app.live));
    bf_calls_free(BF_TAKE(g->app.calls));
    bf_orch_free(BF_TAKE(g->orch));
    bf_recordings_free(BF_TAKE(g->app.recordings));
    bf_events_free(BF_TAKE(g->app.events));
    bf_metrics_free(BF_TAKE(g->app.metrics));
    bf_closep(&g->app.media_dirfd);
    bf_closep(&g->app.web_dirfd);
    for (size_t i = 0; g->told != NULL && i < g->config->n_cameras; i++)
        free(g->told[i]);
    free(g->told);
    free(g->facts);
    free(g->pending);
    if (g->has_tick)
        uv_close((uv_handle_t *)&g->tick, on_tick_closed);
    else
        free(g);
}

/* Everybody who waits for something inside is told that it will not come. */
static void wake_everybody(struct bf_gateway *g)
{
    bf_calls_shut(g->app.calls);
    bf_live_shut(g->app.live);
    bf_events_shut(g->app.events);
    bf_gateway_drop_pending(g);
}

static void stop_http(uv_work_t *work)
{
    struct bf_gateway *g = work->data;

    bf_http_server_stop(BF_TAKE(g->http));
}

static void on_http_stopped(uv_work_t *work, int status)
{
    struct bf_gateway *g = work->data;

    (void)status;
    g->is_stopping = false;
    if (g->free_when_stopped)
        release(g);
    else
        bf_service_drained(g->service);
}

/* Streams are left running: whoever starts again within their leases takes them over. */
void bf_gateway_drain(void *state)
{
    struct bf_gateway *g = state;

    g->draining = true;
    wake_everybody(g);
    g->stopping.data = g;
    g->is_stopping = true;
    int r = uv_queue_work(bf_service_loop(g->service), &g->stopping, stop_http, on_http_stopped);
    if (r < 0) {
        g->is_stopping = false;
        bf_service_drained(g->service);
    }
}

void bf_gateway_free(void *state)
{
    struct bf_gateway *g = state;

    if (g == NULL)
        return;
    if (g->is_stopping) {
        g->free_when_stopped = true;
        return;
    }
    if (g->http != NULL) {
        wake_everybody(g);
        bf_http_server_stop(BF_TAKE(g->http));
    }
    release(g);
}

/* --- the beginning --- */

static int make_orchestrator(struct bf_gateway *g)
{
    const struct bf_config *c = g->config;
    _cleanup_(bf_freep) struct bf_orch_camera *cameras = calloc(c->n_cameras + 1, sizeof *cameras);
    if (cameras == NULL)
        return -ENOMEM;

    for (size_t i = 0; i < c->n_cameras; i++)
        cameras[i] = (struct bf_orch_camera){.id = c->cameras[i].id, .has_node = c->cameras[i].input == NULL};
    const struct bf_orch_options options = {
        .cameras = cameras,
        .n_cameras = c->n_cameras,
        .ingest = c->gateway.ingest,
        .janitor = c->janitor.node,
        .lease_epoch = g->lease_epoch,
        .lease_ms = c->gateway.lease_ms,
        .start_timeout_ms = c->gateway.start_timeout_ms,
        .stop_timeout_ms = c->gateway.stop_timeout_ms,
    };
    return bf_orch_new(&g->orch, &options);
}

static int make_live(struct bf_gateway *g, struct bf_error *e)
{
    const struct bf_config *c = g->config;
    _cleanup_(bf_freep) const char **ids = calloc(c->n_cameras + 1, sizeof *ids);
    if (ids == NULL)
        return -ENOMEM;

    for (size_t i = 0; i < c->n_cameras; i++)
        ids[i] = c->cameras[i].id;
    const struct bf_live_options options = {
        .media = c->storage.media,
        .cameras = ids,
        .n_cameras = c->n_cameras,
        .max_waiting = c->gateway.threads - c->gateway.threads / 8, /* the rest stays for control and health */
        .events = &live_events,
        .user = g,
    };
    return bf_live_new(&g->app.live, bf_service_loop(g->service), &options, e);
}

static int open_directories(struct bf_gateway *g, struct bf_error *e)
{
    const struct bf_config *c = g->config;

    g->app.media_dirfd = bf_open_dir(AT_FDCWD, c->storage.media, 0, 0);
    if (g->app.media_dirfd < 0)
        return bf_fail(e, g->app.media_dirfd, "storage.media: %s: %s", c->storage.media,
                       strerror(-g->app.media_dirfd));
    g->app.web_dirfd = open(c->gateway.web, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->app.web_dirfd < 0)
        bf_warning("the player's pages are missing, only the API is served", "web=%s error=%s", c->gateway.web,
                   strerrorname_np(errno));
    return 0;
}

/* Sessions that ran when the process before ended: they go on, or they are undone, as their nodes turn out. */
static void adopt(struct bf_gateway *g)
{
    _cleanup_(bf_freep) struct bf_intent *list = NULL;
    struct bf_error e = {""};
    size_t n = 0;

    if (bf_intents_load(bf_service_state_dir(g->service), &list, &n, &e) < 0)
        bf_service_failed(g->service, "intents_damaged", &e);
    for (size_t i = 0; i < n; i++) {
        int r = bf_orch_adopt(g->orch, &list[i], bf_mono_ms());
        bf_info(r == 0 ? "taking over a session" : "a session of the last run is left to its lease",
                "camera=%s session=%s stopping=%d", list[i].camera, list[i].session, list[i].stopping);
    }
}

static int make_parts(struct bf_gateway *g, struct bf_error *e)
{
    uv_loop_t *loop = bf_service_loop(g->service);
    size_t n = g->config->n_cameras + 1;
    int r = bf_counter_next(bf_service_state_dir(g->service), LEASE_EPOCH_NAME, &g->lease_epoch);

    if (r < 0)
        return bf_fail(e, r, "%s/%s: %s", g->config->storage.state, LEASE_EPOCH_NAME, strerror(-r));
    g->facts = calloc(n, sizeof *g->facts);
    g->told = calloc(n, sizeof *g->told);
    if (g->facts == NULL || g->told == NULL)
        return -ENOMEM;
    r = make_orchestrator(g);
    if (r == 0)
        r = make_live(g, e);
    if (r == 0)
        r = open_directories(g, e);
    if (r == 0)
        r = bf_recordings_new(&g->app.recordings);
    if (r == 0)
        r = bf_events_new(&g->app.events);
    if (r == 0)
        r = bf_metrics_new(&g->app.metrics, g->app.routes, g->app.n_routes);
    if (r == 0)
        r = bf_calls_new(&g->app.calls, loop, bf_gateway_on_call, g);
    return r;
}

static int begin(struct bf_gateway *g, struct bf_error *e)
{
    uv_timer_init(bf_service_loop(g->service), &g->tick);
    g->tick.data = g;
    g->has_tick = true;
    adopt(g);
    bf_gateway_settle(g);
    int r = bf_live_start(g->app.live, e);
    if (r == 0)
        r = bf_http_server_start(&g->http, &g->app, g->config->gateway.listen, g->config->gateway.threads, e);
    if (r < 0)
        return r;
    uv_timer_start(&g->tick, on_tick, 0, TICK_MS);
    bf_info("serving", "listen=%s threads=%u cameras=%zu recordings=%zu lease_epoch=%" PRIu64, g->config->gateway.listen,
            g->config->gateway.threads, g->config->n_cameras, bf_recordings_count(g->app.recordings), g->lease_epoch);
    return 0;
}

int bf_gateway_start(struct bf_service *s, void **ret_state, struct bf_error *e)
{
    struct bf_gateway *g = calloc(1, sizeof *g);
    if (g == NULL)
        return -ENOMEM;

    json_object_seed(0); /* before there are threads */
    g->service = s;
    g->config = bf_service_config(s);
    g->app.config = g->config;
    g->app.media_dirfd = g->app.web_dirfd = -1;
    bf_routes_collect(&g->app);
    g->app.max_listeners = g->config->gateway.threads / 4;
    int r = make_parts(g, e);
    if (r == 0)
        r = begin(g, e);
    if (r < 0) {
        bf_gateway_free(g);
        return r;
    }
    *ret_state = g;
    return 0;
}
