/* What a worker's thread does: source → overlay → encoder → MPEG-TS → transport, picture by picture. It keeps
 * trying to reach the receiver and reopens a source that gives no pictures; anything else that breaks ends it.
 * Embedded; the one thread that runs it. */
#ifndef BELFRY_CAMERA_PIPELINE_H
#define BELFRY_CAMERA_PIPELINE_H

#include "camera/link.h"
#include "camera/session.h"
#include "camera/source.h"
#include "camera/stop.h"
#include "media/encoder.h"

struct bf_pipeline_counters {
    uint64_t frames; /* access units sent */
    uint64_t bytes;  /* of access units sent */
    uint64_t unsent; /* pictures that the receiver was not there for */
    uint64_t source_restarts;
    uint64_t reconnects;
};

enum bf_pipeline_event {
    BF_PIPELINE_STREAMING,   /* first access unit sent; again after each interruption */
    BF_PIPELINE_UNREACHABLE, /* the receiver cannot be reached or has left; trying again */
    BF_PIPELINE_NO_FRAMES,   /* the source was silent for no_frame_ms and is being reopened */
    BF_PIPELINE_FRAMES,      /* pictures come again after NO_FRAMES */
    BF_PIPELINE_PROGRESS     /* once a second while pictures come: the counters have moved */
};

struct bf_pipeline {
    /* Set by the owner before bf_pipeline_run. */
    const struct bf_camera_session *session;
    const struct bf_source_ops *ops;
    const char *file, *sensor, *encoder_name;
    const struct bf_stop *stop;
    struct bf_link link; /* initialised; interrupted after the stop flag has gone up, redirected at any time */
    bool barcode;
    uint32_t no_frame_ms;
    /* `code` and `why` are NULL where nothing is wrong. Called on the running thread. */
    void (*tell)(void *user, enum bf_pipeline_event event, const char *code, const struct bf_error *why);
    void *user;

    /* Readable from `tell`, and after the run. */
    struct bf_source_format format;
    struct bf_encoder *encoder; /* NULL before there is one */
    struct bf_pipeline_counters counters;
    const char *end_code; /* "" when it was told to stop; else a constant for the state's last_error */
    struct bf_error end_error;

    /* Its own. */
    struct bf_source_options source_options;
    void *source;
    bool silent;
    struct bf_source_format encoder_format;
    bool linked, streaming, force_idr;
    int64_t last_pts_90k;
    uint64_t next_progress_us;
};

/* Runs until the stop flag is up or something broke for good; everything it opened is closed then. */
void bf_pipeline_run(struct bf_pipeline *p);

#endif
