#include "camera/camera.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "camera/control.h"
#include "camera/worker.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"

enum { HANDLES = 3 };

struct camera {
    struct bf_service *service;
    const struct bf_source_ops *source;
    struct bf_control control;
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
    struct bf_worker_event latest; /* what it told last: counters and, from STREAMING on, what is really encoded */
    uint64_t stopped_at_ms;
    struct bf_pipeline_counters before; /* of workers that have ended */
    uint64_t session_frames_before;     /* of those of this session */
    const char *alarm;                  /* code of the alarm that stands; NULL: none */
};

static const struct bf_camera_config *config_of(const struct camera *c)
{
    return bf_config_camera(bf_service_config(c->service), bf_service_node(c->service));
}

static void send_alarm(struct camera *c, Belfry__V1__EventKind kind, const char *code, const char *detail)
{
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;

    failure.code = (char *)code;
    failure.detail = (char *)detail;
    failure.at_ms = bf_unix_ms();
    event.kind = kind;
    event.session_id = (char *)bf_control_session(&c->control);
    event.camera = (char *)bf_service_node(c->service);
    event.failure = &failure;

    int r = bf_bus_send_event(bf_service_bus(c->service), &event.base);
    if (r < 0)
        bf_warning("an alarm was not sent", "code=%s error=%s", code, strerrorname_np(-r));
}

/* A person should know: told once, until it is over. */
static void raise_alarm(struct camera *c, const char *code, const struct bf_error *why)
{
    if (c->alarm != NULL)
        return;

    c->alarm = code;
    send_alarm(c, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM, code, why->text);
}

static void clear_alarm(struct camera *c)
{
    if (c->alarm == NULL)
        return;

    send_alarm(c, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED, c->alarm, "");
    c->alarm = NULL;
}

static void count(struct camera *c)
{
    const struct bf_pipeline_counters *was = &c->before, *is = &c->latest.counters;

    bf_service_count(c->service, "frames_sent", was->frames + is->frames);
    bf_service_count(c->service, "bytes_sent", was->bytes + is->bytes);
    bf_service_count(c->service, "frames_unsent", was->unsent + is->unsent);
    bf_service_count(c->service, "source_restarts", was->source_restarts + is->source_restarts);
    bf_service_count(c->service, "reconnects", was->reconnects + is->reconnects);
}

/* Adds what an ended worker counted to what is kept. */
static void keep_counts(struct camera *c)
{
    const struct bf_pipeline_counters *is = &c->latest.counters;

    c->before.frames += is->frames;
    c->before.bytes += is->bytes;
    c->before.unsent += is->unsent;
    c->before.source_restarts += is->source_restarts;
    c->before.reconnects += is->reconnects;
    if (strcmp(c->control.running, c->control.wanted) == 0)
        c->session_frames_before += is->frames;
    c->latest = (struct bf_worker_event){0};
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
    bf_info("starting", "session=%s source=%s video=%ux%u@%u bitrate_kbps=%u to=%s:%u", c->wanted.id, c->source->name,
            c->wanted.width, c->wanted.height, c->wanted.fps, c->wanted.bitrate_kbps, c->wanted.host, c->wanted.port);
    return 0;
}

static void on_retry(uv_timer_t *timer);

/* What follows whenever the control has settled on a phase. */
static void settle(struct camera *c)
{
    uint64_t now_ms = bf_mono_ms();

    if (c->control.phase == BF_CONTROL_FAILED) {
        uv_update_time(c->retry.loop);
        uv_timer_start(&c->retry, on_retry, c->control.retry_at_ms > now_ms ? c->control.retry_at_ms - now_ms : 0, 0);
    } else {
        uv_timer_stop(&c->retry);
    }
    if (c->control.phase != BF_CONTROL_OFF)
        return;

    clear_alarm(c);
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
    if (actions & BF_CONTROL_REPORT)
        bf_service_report(c->service);
    if (actions != 0)
        settle(c);
}

static void on_retry(uv_timer_t *timer)
{
    struct camera *c = timer->data;

    apply(c, bf_control_tick(&c->control, bf_mono_ms()));
}

static void on_streaming(struct camera *c, const struct bf_worker_event *event)
{
    bf_info("streaming", "session=%s encoder=%s video=%ux%u", c->wanted.id, event->encoder, event->width,
            event->height);
    clear_alarm(c);
    apply(c, bf_control_streaming(&c->control, bf_mono_ms()));
}

static void on_ended(struct camera *c, const struct bf_worker_event *event)
{
    bool failed = event->code[0] != '\0';

    if (failed) {
        bf_service_failed(c->service, event->code, &event->error);
        raise_alarm(c, event->code, &event->error);
    } else {
        bf_info("stopped", "session=%s frames=%" PRIu64 " after_ms=%" PRIu64, bf_control_session(&c->control),
                c->session_frames_before + event->counters.frames, bf_mono_ms() - c->stopped_at_ms);
    }
    bf_worker_free(BF_TAKE(c->worker));
    keep_counts(c);
    apply(c, bf_control_ended(&c->control, failed, bf_mono_ms()));
}

static void on_event(struct camera *c, const struct bf_worker_event *event)
{
    c->latest = *event;
    count(c);
    switch (event->kind) {
    case BF_WORKER_STREAMING:
        on_streaming(c, event);
        break;
    case BF_WORKER_UNREACHABLE:
        bf_service_failed(c->service, event->code, &event->error);
        apply(c, bf_control_interrupted(&c->control));
        break;
    case BF_WORKER_NO_FRAMES:
        bf_service_failed(c->service, event->code, &event->error);
        raise_alarm(c, event->code, &event->error);
        break;
    case BF_WORKER_FRAMES:
        clear_alarm(c);
        break;
    case BF_WORKER_PROGRESS:
        break;
    case BF_WORKER_ENDED:
        on_ended(c, event);
        break;
    }
}

static void on_wake(uv_async_t *handle)
{
    struct camera *c = handle->data;
    struct bf_worker_event event;

    while (c->worker != NULL && bf_worker_poll(c->worker, &event) == 0)
        on_event(c, &event);
}

/* Keeps the newest form of a wish until a worker takes it; one that runs is left alone. */
static void learn(struct camera *c, const Belfry__V1__CameraSession *session)
{
    if (strcmp(c->control.running, session->session_id) == 0 && strcmp(c->wanted.id, session->session_id) == 0)
        return;
    if (strcmp(c->control.wanted, session->session_id) != 0)
        c->session_frames_before = 0;

    bf_camera_session_wipe(&c->wanted);
    c->wanted = (struct bf_camera_session){0};
    c->wanted_error = (struct bf_error){""};
    c->wanted_result = bf_camera_session_make(&c->wanted, session, config_of(c), bf_service_key(c->service),
                                              &c->wanted_error);
}

void bf_camera_on_desired(void *user, const struct bf_incoming *m)
{
    struct camera *c = user;
    const Belfry__V1__CameraDesired *desired = (const Belfry__V1__CameraDesired *)m->message;

    if (bf_service_observe(c->service, m, desired->lease) < 0 || c->draining)
        return;

    if (desired->session != NULL) {
        bf_lease_timer_renew(&c->lease, desired->lease->lease_ms);
        learn(c, desired->session);
    }
    apply(c, bf_control_desire(&c->control, desired->session != NULL ? desired->session->session_id : NULL));
}

static void on_lease_expired(void *user)
{
    struct camera *c = user;
    struct bf_error e;

    bf_fail(&e, -ETIMEDOUT, "no gateway has renewed the lease of session %s: stopping", bf_control_session(&c->control));
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
    if (c->control.phase == BF_CONTROL_OFF)
        bf_service_drained(c->service);
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

static Belfry__V1__CameraPhase phase_of(const struct camera *c)
{
    static const Belfry__V1__CameraPhase phases[] = {
        [BF_CONTROL_OFF] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF,
        [BF_CONTROL_STARTING] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STARTING,
        [BF_CONTROL_STREAMING] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING,
        [BF_CONTROL_STOPPING] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STOPPING,
        [BF_CONTROL_FAILED] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_FAILED,
    };

    return phases[c->control.phase];
}

/* What is really encoded once a source is open, before that what will be asked of it. */
static void describe_video(const struct camera *c, Belfry__V1__VideoParams *ret)
{
    ret->width = c->latest.width != 0 ? c->latest.width : c->wanted.width;
    ret->height = c->latest.height != 0 ? c->latest.height : c->wanted.height;
    ret->fps = c->wanted.fps;
    ret->bitrate_kbps = c->wanted.bitrate_kbps;
    ret->gop_ms = c->wanted.gop_ms;
}

int bf_camera_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                         void *pack_user)
{
    const struct camera *c = state;
    Belfry__V1__CameraState m = BELFRY__V1__CAMERA_STATE__INIT;
    Belfry__V1__VideoParams video = BELFRY__V1__VIDEO_PARAMS__INIT;

    m.node = node;
    m.source = (char *)c->source->name;
    m.phase = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF;
    if (node->online && c->control.phase != BF_CONTROL_OFF) {
        describe_video(c, &video);
        m.phase = phase_of(c);
        m.session_id = (char *)bf_control_session(&c->control);
        m.video = &video;
        m.encoder = (char *)c->latest.encoder;
        m.frames = c->session_frames_before + c->latest.counters.frames;
    }
    return pack(pack_user, &m.base);
}
