/* One session's pipeline on a thread of its own. Loop thread only; the worker's thread shares a mailbox and the stop
 * flag with it, and the link's next endpoint, nothing else. */
#ifndef BELFRY_CAMERA_WORKER_H
#define BELFRY_CAMERA_WORKER_H

#include "camera/pipeline.h"

struct bf_worker;

struct bf_worker_options {
    const struct bf_camera_session *session; /* copied, passphrase included; wiped at the end */
    const struct bf_source_ops *source;      /* static */
    const char *file, *sensor, *encoder;     /* copied */
    uint64_t epoch;                          /* the process's start counter */
    bool barcode;                            /* overlay on sources that do not paint it themselves */
    uint32_t no_frame_ms;
    void (*wake)(void *user); /* from the worker's thread: poll soon */
    void *user;
};

enum bf_worker_event_kind {
    BF_WORKER_STREAMING = BF_PIPELINE_STREAMING, /* `video` and `encoder` hold */
    BF_WORKER_UNREACHABLE = BF_PIPELINE_UNREACHABLE,
    BF_WORKER_NO_FRAMES = BF_PIPELINE_NO_FRAMES,
    BF_WORKER_FRAMES = BF_PIPELINE_FRAMES,
    BF_WORKER_PROGRESS = BF_PIPELINE_PROGRESS,
    BF_WORKER_ENDED /* last: the thread is done. `code` is "" when it was told to stop */
};

struct bf_worker_event {
    enum bf_worker_event_kind kind;
    const char *code;       /* constant word for the state's last_error; NULL or "" where nothing is wrong */
    struct bf_error error;  /* with a code: the sentence */
    char encoder[32];       /* libavcodec's name; "" before there is one */
    uint32_t width, height; /* what is really encoded */
    struct bf_pipeline_counters counters;
};

int bf_worker_new(struct bf_worker **ret, const struct bf_worker_options *o, struct bf_error *e);
/* The next event, in order; -EAGAIN when there is none. Nothing follows ENDED. */
int bf_worker_poll(struct bf_worker *w, struct bf_worker_event *ret);
/* The receiver is elsewhere: it is dialled there at once, source and encoder go on. STREAMING is told again. */
void bf_worker_redirect(struct bf_worker *w, const struct bf_camera_endpoint *endpoint);
/* Asks it to end; returns at once. */
void bf_worker_stop(struct bf_worker *w);
/* Stops and joins: at once after ENDED, else it waits for the thread. NULL is fine. */
void bf_worker_free(struct bf_worker *w);

#endif
