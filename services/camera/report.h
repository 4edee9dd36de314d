/* What the camera tells about itself: counters, alarms, the state message. Embedded; loop thread only. */
#ifndef BELFRY_CAMERA_REPORT_H
#define BELFRY_CAMERA_REPORT_H

#include "camera/control.h"
#include "camera/worker.h"
#include "service/service.h"

struct bf_camera_report {
    struct bf_service *service;
    struct bf_worker_event latest;      /* of the worker that runs: its counters, what is really encoded */
    struct bf_pipeline_counters before; /* of workers that have ended */
    uint64_t session_frames_before;     /* of those of this session */
    const char *alarm;                  /* code of the alarm that stands; NULL: none */
};

void bf_camera_report_init(struct bf_camera_report *r, struct bf_service *service);

/* Before the first worker of a session. */
void bf_camera_report_session(struct bf_camera_report *r);
/* Each event of the worker. */
void bf_camera_report_event(struct bf_camera_report *r, const struct bf_worker_event *event);
/* The worker is gone; `same_session`: what comes next belongs to the same session. */
void bf_camera_report_ended(struct bf_camera_report *r, bool same_session);
uint64_t bf_camera_report_frames(const struct bf_camera_report *r); /* sent in this session */

/* A person should know: told once, until it is over. `session` may be "". */
void bf_camera_report_alarm(struct bf_camera_report *r, const char *session, const char *code,
                            const struct bf_error *why);
void bf_camera_report_no_alarm(struct bf_camera_report *r, const char *session);

/* Packs the state message. `asked` is what the session wants to be encoded. */
int bf_camera_report_state(const struct bf_camera_report *r, const struct bf_control *control,
                           const struct bf_camera_session *asked, const char *source, Belfry__V1__NodeStatus *node,
                           int (*pack)(void *pack_user, ProtobufCMessage *m), void *pack_user);

#endif
