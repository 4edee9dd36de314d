#include "camera/camera.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "camera/control.h"
#include "camera/report.h"
#include "camera/worker.h"

#include "camera.pb-c.h"

enum { HANDLES = 3 };

struct camera {
    struct bf_service *service;
    const struct bf_source_ops *source;
    struct bf_control control;
    struct bf_camera_report report;
    bool draining;

    uv_async_t wake; /* the worker has something to tell */
    uv_timer_t retry;
    struct bf_lease_timer lease;
    unsigned open_handles;

    /* The newest wish for a session: how to run it, or why it cannot be. */
    struct bf_camera_session wanted;
    int wanted_result;
    struct bf_error wanted_error;

    struct bf_worker *worker; /* one at most */
    uint64_t stopped_at_ms;
};

static const struct bf_camera_config *config_of(const struct camera *c)
{
    return bf_config_camera(bf_service_config(c->service), bf_service_node(c->service));
}

static void wake(void *user)
{
    uv_async_send(user);
}

static int start_worker(struct camera *c)
{
    const struct bf_camera_config *config = config_of(c);
    const struct bf_worker_options options = {
        .session = &c->wanted,
        .source = c->source,
        .file = config->file,
        .sensor = config->sensor,
        .encoder = config->encoder,
        .epoch = bf_service_epoch(c->service),
        .barcode = strcmp(config->overlay, "barcode") == 0,
        .no_frame_ms = bf_service_config(c->service)->camera.no_frame_ms,
        .wake = wake,
        .user = &c->wake,
    };
    struct bf_error e = c->wanted_error;
    int r = c->wanted_result;

    if (r == 0)
        r = bf_worker_new(&c->worker, &options, &e);
    if (r < 0) {
        bf_service_failed(c->service, c->wanted_result < 0 ? "session_refused" : "worker_failed", &e);
        return r;
    }
    bf_info("starting", "session=%s source=%s video=%ux%u fps=%u bitrate_kbps=%u to=%s:%u", c->wanted.id,
            c->source->name, c->wanted.width, c->wanted.height, c->wanted.fps, c->wanted.bitrate_kbps,
            c->wanted.endpoint.host, c->wanted.endpoint.port);
    return 0;
}

static void redirect_worker(struct camera *c)
{
    const struct bf_camera_endpoint *to = &c->wanted.endpoint;

    bf_info("the receiver is elsewhere", "session=%s to=%s:%u", c->wanted.id, to->host, to->port);
    bf_worker_redirect(c->worker, to);
}

static void on_retry(uv_timer_t *timer);

static void arm_retry(struct camera *c)
{
    uint64_t now_ms = bf_mono_ms(), at_ms = c->control.retry_at_ms;

    if (c->control.phase != BF_CONTROL_FAILED) {
        uv_timer_stop(&c->retry);
        return;
    }
    uv_update_time(c->retry.loop);
    uv_timer_start(&c->retry, on_retry, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

/* Nothing runs and nothing is wanted. */
static void rest(struct camera *c)
{
    bf_camera_report_no_alarm(&c->report, "");
    bf_camera_session_wipe(&c->wanted);
    bf_lease_timer_stop(&c->lease);
    if (c->draining)
        bf_service_drained(c->service);
}

static void apply(struct camera *c, unsigned actions)
{
    if (actions & BF_CONTROL_STOP_WORKER) {
        c->stopped_at_ms = bf_mono_ms();
        bf_worker_stop(c->worker);
    }
    if ((actions & BF_CONTROL_START_WORKER) && start_worker(c) < 0)
        actions |= bf_control_ended(&c->control, true, bf_mono_ms());
    if (actions & BF_CONTROL_REDIRECT_WORKER)
        redirect_worker(c);
    if (actions & BF_CONTROL_REPORT)
        bf_service_report(c->service);
    arm_retry(c);
    if (c->control.phase == BF_CONTROL_OFF)
        rest(c);
}

static void on_retry(uv_timer_t *timer)
{
    struct camera *c = timer->data;

    apply(c, bf_control_tick(&c->control, bf_mono_ms()));
}

static void on_streaming(struct camera *c, const struct bf_worker_event *event)
{
    const char *session = bf_control_session(&c->control);

    bf_info("streaming", "session=%s encoder=%s video=%ux%u", session, event->encoder, event->width, event->height);
    bf_camera_report_no_alarm(&c->report, session);
    apply(c, bf_control_streaming(&c->control, bf_mono_ms()));
}

static void on_unreachable(struct camera *c, const struct bf_worker_event *event)
{
    bf_service_failed(c->service, event->code, &event->error);
    apply(c, bf_control_interrupted(&c->control));
}

static void on_no_frames(struct camera *c, const struct bf_worker_event *event)
{
    bf_service_failed(c->service, event->code, &event->error);
    bf_camera_report_alarm(&c->report, bf_control_session(&c->control), event->code, &event->error);
}

static void on_frames(struct camera *c, const struct bf_worker_event *event)
{
    (void)event;
    bf_camera_report_no_alarm(&c->report, bf_control_session(&c->control));
}

static void on_ended(struct camera *c, const struct bf_worker_event *event)
{
    bool failed = event->code[0] != '\0', same = strcmp(c->control.running, c->control.wanted) == 0;
    const char *session = bf_control_session(&c->control);

    if (failed) {
        bf_service_failed(c->service, event->code, &event->error);
        bf_camera_report_alarm(&c->report, session, event->code, &event->error);
    } else {
        bf_info("stopped", "session=%s frames=%" PRIu64 " after_ms=%" PRIu64, session,
                bf_camera_report_frames(&c->report), bf_mono_ms() - c->stopped_at_ms);
    }
    bf_worker_free(BF_TAKE(c->worker));
    bf_camera_report_ended(&c->report, same);
    apply(c, bf_control_ended(&c->control, failed, bf_mono_ms()));
}

static void on_event(struct camera *c, const struct bf_worker_event *event)
{
    static void (*const handlers[])(struct camera * c, const struct bf_worker_event *event) = {
        [BF_WORKER_STREAMING] = on_streaming, [BF_WORKER_UNREACHABLE] = on_unreachable,
        [BF_WORKER_NO_FRAMES] = on_no_frames, [BF_WORKER_FRAMES] = on_frames,
        [BF_WORKER_PROGRESS] = NULL,          [BF_WORKER_ENDED] = on_ended,
    };

    bf_camera_report_event(&c->report, event);
    if (handlers[event->kind] != NULL)
        handlers[event->kind](c, event);
}

static void on_wake(uv_async_t *handle)
{
    struct camera *c = handle->data;
    struct bf_worker_event event;

    while (c->worker != NULL && bf_worker_poll(c->worker, &event) == 0)
        on_event(c, &event);
}

/* Keeps the newest form of a wish until a worker takes it. */
static void learn(struct camera *c, const Belfry__V1__CameraSession *session)
{
    if (strcmp(c->control.wanted, session->session_id) != 0)
        bf_camera_report_session(&c->report);

    bf_camera_session_wipe(&c->wanted);
    c->wanted = (struct bf_camera_session){ 0 };
    c->wanted_error = (struct bf_error){ "" };
    c->wanted_result =
        bf_camera_session_make(&c->wanted, session, config_of(c), bf_service_key(c->service), &c->wanted_error);
}

static bool runs(const struct camera *c, const Belfry__V1__CameraSession *session)
{
    return strcmp(c->control.running, session->session_id) == 0 && strcmp(c->wanted.id, session->session_id) == 0;
}

/* Of a session that runs only the receiver can change: ingest listens elsewhere after a restart. True when it has. */
static bool follow(struct camera *c, const Belfry__V1__CameraSession *session)
{
    struct bf_camera_endpoint endpoint;
    struct bf_error e;
    int r = bf_camera_endpoint_make(&endpoint, session, bf_service_key(c->service), &e);

    if (r < 0) {
        bf_service_failed(c->service, "session_refused", &e);
        return false;
    }
    bool moved = !bf_camera_endpoint_same(&endpoint, &c->wanted.endpoint);
    c->wanted.endpoint = endpoint;
    bf_camera_endpoint_wipe(&endpoint);
    return moved;
}

void bf_camera_on_desired(void *user, const struct bf_incoming *m)
{
    struct camera *c = user;
    const Belfry__V1__CameraDesired *desired = (const Belfry__V1__CameraDesired *)m->message;

    if (bf_service_observe(c->service, m, desired->lease) < 0 || c->draining)
        return;

    const Belfry__V1__CameraSession *session = desired->session;
    bool moved = session != NULL && runs(c, session) && follow(c, session);

    if (session != NULL) {
        bf_lease_timer_renew(&c->lease, desired->lease->lease_ms);
        if (!runs(c, session))
            learn(c, session);
    }
    unsigned actions = bf_control_desire(&c->control, session != NULL ? session->session_id : NULL);
    apply(c, actions | (moved ? bf_control_redirect(&c->control) : 0));
}

static void on_lease_expired(void *user)
{
    struct camera *c = user;
    struct bf_error e;

    bf_fail(&e, -ETIMEDOUT, "no gateway has renewed the lease of session %s: stopping",
            bf_control_session(&c->control));
    bf_service_failed(c->service, "lease_expired", &e);
    apply(c, bf_control_desire(&c->control, NULL));
}

int bf_camera_start(struct bf_service *s, void **ret_state, struct bf_error *e)
{
    _cleanup_(bf_freep) struct camera *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return -ENOMEM;

    c->service = s;
    const struct bf_camera_config *config = config_of(c);
    if (config == NULL || config->input != NULL)
        return bf_fail(e, -EINVAL, "cameras: \"%s\": expected a camera without `input` of that id", bf_service_node(s));
    int r = bf_source_find(&c->source, config->source, e);
    if (r == 0)
        r = uv_async_init(bf_service_loop(s), &c->wake, on_wake);
    if (r < 0)
        return r;

    uv_timer_init(bf_service_loop(s), &c->retry);
    bf_lease_timer_init(&c->lease, bf_service_loop(s), on_lease_expired, c);
    bf_camera_report_init(&c->report, s);
    c->wake.data = c->retry.data = c->lease.timer.data = c;
    c->open_handles = HANDLES;
    *ret_state = BF_TAKE(c);
    return 0;
}

void bf_camera_drain(void *state)
{
    struct camera *c = state;

    c->draining = true;
    apply(c, bf_control_desire(&c->control, NULL));
}

static void on_closed(uv_handle_t *handle)
{
    struct camera *c = handle->data;

    if (--c->open_handles == 0)
        free(c);
}

void bf_camera_free(void *state)
{
    struct camera *c = state;

    if (c == NULL)
        return;
    bf_worker_free(BF_TAKE(c->worker));
    bf_camera_session_wipe(&c->wanted);
    uv_close((uv_handle_t *)&c->wake, on_closed);
    uv_close((uv_handle_t *)&c->retry, on_closed);
    bf_lease_timer_close(&c->lease, on_closed);
}

int bf_camera_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                         void *pack_user)
{
    const struct camera *c = state;

    return bf_camera_report_state(&c->report, &c->control, &c->wanted, c->source->name, node, pack, pack_user);
}
