/* How the gateway is put together. */
#include "gateway/gateway_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gateway/intents.h"
#include "gateway/want.h"

#define TICK_MS 250
#define LEASE_EPOCH_NAME "gateway.lease-epoch"

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
    .playable = on_playable,
    .ended = on_media_ended,
    .recording = on_recording,
    .gone = on_gone,
};

static int make_orchestrator(struct bf_gateway *g)
{
    const struct bf_config *c = g->config;
    _cleanup_(bf_freep) struct bf_orch_camera *cameras = calloc(c->n_cameras + 1, sizeof *cameras);
    if (cameras == NULL)
        return -ENOMEM;

    for (size_t i = 0; i < c->n_cameras; i++)
        cameras[i] = (struct bf_orch_camera){ .id = c->cameras[i].id, .has_node = c->cameras[i].input == NULL };
    const struct bf_orch_options options = {
        .cameras = cameras,
        .n_cameras = c->n_cameras,
        .ingest = c->gateway.ingest,
        .janitor = c->janitor.node,
        .lease_epoch = g->lease_epoch,
        .node = bf_service_node(g->service),
        .boot_id = bf_service_boot_id(g->service),
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
        .events = c->gateway.media_only ? &bf_media_only_events : &live_events,
        .user = g,
    };
    return bf_live_new(&g->app.live, bf_service_loop(g->service), &options, e);
}

static int open_directories(struct bf_gateway *g, struct bf_error *e)
{
    const struct bf_config *c = g->config;

    g->app.media_dirfd = bf_open_dir(AT_FDCWD, c->storage.media, !c->gateway.media_only, 0755);
    if (g->app.media_dirfd < 0)
        return bf_fail(e, g->app.media_dirfd, "storage.media: %s: %s", c->storage.media, strerror(-g->app.media_dirfd));
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
    struct bf_error e = { "" };
    size_t n = 0;

    if (bf_intents_load(bf_service_state_dir(g->service), &list, &n, &e) < 0)
        bf_service_failed(g->service, "intents_damaged", &e);
    for (size_t i = 0; i < n; i++) {
        const struct bf_camera_config *c = bf_config_camera(g->config, list[i].camera);

        list[i].stopping |= c != NULL && !bf_want_goes_on(&list[i].want, c);
        int r = bf_orch_adopt(g->orch, &list[i], bf_mono_ms());
        bf_info(r == 0 ? "taking over a session" : "a session of the last run is left to its lease",
                "camera=%s session=%s stopping=%d", list[i].camera, list[i].session, list[i].stopping);
    }
}

static int count_start(struct bf_gateway *g, struct bf_error *e)
{
    int r = bf_counter_next(bf_service_state_dir(g->service), LEASE_EPOCH_NAME, &g->lease_epoch);

    return r < 0 ? bf_fail(e, r, "%s/%s: %s", g->config->storage.state, LEASE_EPOCH_NAME, strerror(-r)) : 0;
}

/* Viewers who may wait for a camera to start, each holding a worker; beside them, one for each camera. */
static unsigned most_starting(unsigned threads)
{
    return threads / 8 < 2 ? 2 : threads / 8;
}

static int make_parts(struct bf_gateway *g, struct bf_error *e)
{
    uv_loop_t *loop = bf_service_loop(g->service);
    size_t n = g->config->n_cameras + 1;
    int r = g->config->gateway.media_only ? 0 : bf_gateway_lock_orders(g, e);

    if (r == 0 && !g->config->gateway.media_only)
        r = count_start(g, e);
    if (r < 0)
        return r;
    g->facts = calloc(n, sizeof *g->facts);
    g->told = calloc(n, sizeof *g->told);
    if (g->facts == NULL || g->told == NULL)
        return -ENOMEM;
    r = open_directories(g, e);
    if (r == 0)
        r = make_orchestrator(g);
    if (r == 0)
        r = make_live(g, e);
    if (r == 0)
        r = bf_recordings_new(&g->app.recordings);
    if (r == 0)
        r = bf_events_new(&g->app.events);
    if (r == 0)
        r = bf_metrics_new(&g->app.metrics, g->app.routes, g->app.n_routes);
    if (r == 0)
        r = bf_idempotency_new(&g->app.idempotency, BF_IDEMPOTENCY_KEYS, BF_IDEMPOTENCY_LIFE_MS);
    if (r == 0 && !g->config->gateway.media_only)
        r = bf_demand_new(&g->app.demand, g->config, most_starting(g->config->gateway.threads));
    if (r == 0)
        r = bf_calls_new(&g->app.calls, loop, bf_gateway_on_call, g);
    return r;
}

static int begin(struct bf_gateway *g, struct bf_error *e)
{
    uv_timer_init(bf_service_loop(g->service), &g->tick);
    g->tick.data = g;
    g->has_tick = true;
    if (!g->config->gateway.media_only)
        adopt(g);
    bf_gateway_settle(g);
    int r = bf_live_start(g->app.live, e);
    if (r == 0 && g->config->gateway.media_only)
        bf_media_only_begin(g);
    if (r == 0)
        r = bf_http_server_start(&g->http, &g->app, g->config->gateway.listen, g->config->gateway.threads, e);
    if (r < 0)
        return r;
    uv_timer_start(&g->tick, bf_gateway_on_tick, 0, TICK_MS);
    bf_info("serving", "listen=%s threads=%u cameras=%zu recordings=%zu media_only=%d lease_epoch=%" PRIu64,
            g->config->gateway.listen, g->config->gateway.threads, g->config->n_cameras,
            bf_recordings_count(g->app.recordings), g->config->gateway.media_only, g->lease_epoch);
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
    g->app.media_dirfd = g->app.web_dirfd = g->order_lock = -1;
    bf_routes_collect(&g->app);
    if (g->config->gateway.media_only)
        bf_routes_refuse_changes(&g->app);
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
