#include "camera/report.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"

void bf_camera_report_init(struct bf_camera_report *r, struct bf_service *service)
{
    *r = (struct bf_camera_report){ .service = service };
}

void bf_camera_report_session(struct bf_camera_report *r)
{
    r->session_frames_before = 0;
}

void bf_camera_report_event(struct bf_camera_report *r, const struct bf_worker_event *event)
{
    const struct bf_pipeline_counters *was = &r->before, *is = &event->counters;

    r->latest = *event;
    bf_service_count(r->service, "frames_sent", was->frames + is->frames);
    bf_service_count(r->service, "bytes_sent", was->bytes + is->bytes);
    bf_service_count(r->service, "frames_unsent", was->unsent + is->unsent);
    bf_service_count(r->service, "source_restarts", was->source_restarts + is->source_restarts);
    bf_service_count(r->service, "reconnects", was->reconnects + is->reconnects);
}

void bf_camera_report_ended(struct bf_camera_report *r, bool same_session)
{
    const struct bf_pipeline_counters *is = &r->latest.counters;

    r->before.frames += is->frames;
    r->before.bytes += is->bytes;
    r->before.unsent += is->unsent;
    r->before.source_restarts += is->source_restarts;
    r->before.reconnects += is->reconnects;
    if (same_session)
        r->session_frames_before += is->frames;
    r->latest = (struct bf_worker_event){ 0 };
}

uint64_t bf_camera_report_frames(const struct bf_camera_report *r)
{
    return r->session_frames_before + r->latest.counters.frames;
}

static void send_alarm(struct bf_camera_report *r, Belfry__V1__EventKind kind, const char *session, const char *detail)
{
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;

    failure.code = (char *)r->alarm;
    failure.detail = (char *)detail;
    failure.at_ms = bf_unix_ms();
    event.kind = kind;
    event.session_id = (char *)session;
    event.camera = (char *)bf_service_node(r->service);
    event.failure = &failure;

    int result = bf_bus_send_event(bf_service_bus(r->service), &event.base);
    if (result < 0)
        bf_warning("an alarm was not sent", "code=%s error=%s", r->alarm, strerrorname_np(-result));
}

void bf_camera_report_alarm(struct bf_camera_report *r, const char *session, const char *code,
                            const struct bf_error *why)
{
    if (r->alarm != NULL)
        return;

    r->alarm = code;
    send_alarm(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM, session, why->text);
}

void bf_camera_report_no_alarm(struct bf_camera_report *r, const char *session)
{
    if (r->alarm == NULL)
        return;

    send_alarm(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED, session, "");
    r->alarm = NULL;
}

static Belfry__V1__CameraPhase phase_of(const struct bf_control *control)
{
    static const Belfry__V1__CameraPhase phases[] = {
        [BF_CONTROL_OFF] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF,
        [BF_CONTROL_STARTING] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STARTING,
        [BF_CONTROL_STREAMING] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING,
        [BF_CONTROL_STOPPING] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STOPPING,
        [BF_CONTROL_FAILED] = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_FAILED,
    };

    return phases[control->phase];
}

/* What is really encoded once a source is open, before that what will be asked of it. */
static void describe_video(Belfry__V1__VideoParams *ret, const struct bf_worker_event *latest,
                           const struct bf_camera_session *asked)
{
    ret->width = latest->width != 0 ? latest->width : asked->width;
    ret->height = latest->height != 0 ? latest->height : asked->height;
    ret->fps = asked->fps;
    ret->bitrate_kbps = asked->bitrate_kbps;
    ret->gop_ms = asked->gop_ms;
}

int bf_camera_report_state(const struct bf_camera_report *r, const struct bf_control *control,
                           const struct bf_camera_session *asked, const char *source, Belfry__V1__NodeStatus *node,
                           int (*pack)(void *pack_user, ProtobufCMessage *m), void *pack_user)
{
    Belfry__V1__CameraState m = BELFRY__V1__CAMERA_STATE__INIT;
    Belfry__V1__VideoParams video = BELFRY__V1__VIDEO_PARAMS__INIT;

    m.node = node;
    m.source = (char *)source;
    m.phase = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF;
    if (node->online && control->phase != BF_CONTROL_OFF) { /* a last will knows no session */
        describe_video(&video, &r->latest, asked);
        m.phase = phase_of(control);
        m.session_id = (char *)bf_control_session(control);
        m.video = &video;
        m.encoder = (char *)r->latest.encoder;
        m.frames = bf_camera_report_frames(r);
    }
    return pack(pack_user, &m.base);
}
