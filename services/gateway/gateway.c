#include "gateway/gateway_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/intents.h"

#define TICKS_PER_GAUGE 4

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
    size_t n = list == NULL ? 0 : bf_orch_intents(g->orch, list, room);
    int r = list == NULL ? -ENOMEM : bf_intents_store(bf_service_state_dir(g->service), list, n);

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

    if (a->joined)
        return; /* told of once */
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

/* --- time and the bus --- */

static void take_bus_gauges(struct bf_gauges *gauges, const struct bf_bus *bus)
{
    if (bus == NULL)
        return;
    gauges->bus_connected = bf_bus_connected(bus);
    for (int i = 0; i < BF_REFUSALS; i++)
        gauges->refusals[i] = bf_bus_refusals(bus, (enum bf_refusal)i);
}

static void take_gauges(struct bf_gateway *g)
{
    size_t n = g->config->n_cameras;
    _cleanup_(bf_freep) struct bf_camera_gauge *cameras = calloc(n + 1, sizeof *cameras);
    struct bf_gauges gauges = { .cameras = cameras, .n_cameras = n };

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
    for (int role = BF_ROLE_CAMERA; role <= BF_ROLE_JANITOR; role++)
        gauges.superseded[role] = (unsigned)bf_orch_nodes_superseded(g->orch, (enum bf_role)role);
    gauges.lease_epoch = g->lease_epoch;
    gauges.ingest_online = (unsigned)bf_orch_nodes_online(g->orch, BF_ROLE_INGEST);
    gauges.janitor_online = (unsigned)bf_orch_nodes_online(g->orch, BF_ROLE_JANITOR);
    gauges.sessions_followed = (unsigned)bf_live_count(g->app.live);
    gauges.recordings = (unsigned)bf_recordings_count(g->app.recordings);
    gauges.requests_waiting = bf_live_waiting(g->app.live);
    take_bus_gauges(&gauges, bf_service_bus(g->service));
    bf_metrics_set(g->app.metrics, &gauges);
}

static void note_readiness(struct bf_gateway *g)
{
    bool connected = bf_orch_bus_connected(g->orch);

    atomic_store(&g->app.connected, connected);
    atomic_store(&g->app.superseded, bf_orch_nodes_superseded(g->orch, BF_ROLE_INGEST) > 0);
    atomic_store(&g->app.ready, connected && bf_orch_nodes_online(g->orch, BF_ROLE_INGEST) > 0);
}

/* Sessions that viewers have begun end when nobody watches any more; the time begins when one is live. While nothing can
 * be ordered nothing is stopped. */
static void stop_idle(struct bf_gateway *g)
{
    uint64_t now_ms = bf_mono_ms();

    for (size_t i = 0; i < g->config->n_cameras; i++) {
        const struct bf_stream *s = bf_orch_stream(g->orch, i);
        struct bf_demand_camera *demand = bf_demand_of(g->app.demand, s->camera);

        if (demand == NULL)
            continue;
        if (s->phase != BF_STREAM_LIVE || !s->want.on_demand || !bf_orch_bus_connected(g->orch))
            bf_demand_seen(demand, now_ms);
        if (!bf_demand_is_idle(demand, now_ms))
            continue;
        bf_info("nobody watches any more", "camera=%s session=%s idle_timeout_ms=%u", s->camera, s->session,
                g->config->cameras[i].idle_timeout_ms);
        bf_orch_stop(g->orch, s->camera, 0, now_ms); /* ticket 0: nobody waits for the answer */
    }
}

void bf_gateway_on_tick(uv_timer_t *timer)
{
    struct bf_gateway *g = timer->data;

    if (g->config->gateway.media_only) {
        bf_media_only_tick(g);
    } else {
        bf_gateway_keep_lock(g);
        bf_orch_tick(g->orch, bf_mono_ms());
        stop_idle(g);
        bf_gateway_settle(g);
        bf_gateway_expire_errands(g, bf_mono_ms());
        note_readiness(g);
    }
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
    bf_idempotency_free(BF_TAKE(g->app.idempotency));
    bf_demand_free(BF_TAKE(g->app.demand));
    bf_closep(&g->app.media_dirfd);
    bf_closep(&g->app.web_dirfd);
    bf_closep(&g->order_lock);
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
