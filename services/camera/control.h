/* What one camera should be doing against what it does: the state machine of the service. Pure: events and times in,
 * actions out. At most one worker exists at a time; its end is always told (bf_control_ended), also after a failure. */
#ifndef BELFRY_CAMERA_CONTROL_H
#define BELFRY_CAMERA_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

enum bf_control_phase {
    BF_CONTROL_OFF,
    BF_CONTROL_STARTING,
    BF_CONTROL_STREAMING,
    BF_CONTROL_STOPPING,
    BF_CONTROL_FAILED /* waits for the next try */
};

/* What the caller has to do, in this order. */
enum bf_control_action {
    BF_CONTROL_STOP_WORKER = 1 << 0,     /* tell it to stop; its end will be told */
    BF_CONTROL_START_WORKER = 1 << 1,    /* for `wanted` */
    BF_CONTROL_REDIRECT_WORKER = 1 << 2, /* to where the session's media go now */
    BF_CONTROL_REPORT = 1 << 3           /* phase or session has changed */
};

#define BF_CONTROL_RETRY_FIRST_MS 500 /* doubles with each failure in a row */
#define BF_CONTROL_RETRY_LAST_MS 8000
#define BF_CONTROL_HEALTHY_MS 10000 /* a stream that lasted so long starts the back-off anew */

struct bf_control {
    enum bf_control_phase phase;
    char wanted[BF_ULID_SIZE];  /* session; "" = off */
    char running[BF_ULID_SIZE]; /* session of the worker; "" = there is none */
    unsigned failures;          /* in a row */
    uint64_t streaming_since_ms;
    uint64_t retry_at_ms; /* in FAILED */
};

/* The session that the camera is busy with, as its state reports it; "" when off. */
const char *bf_control_session(const struct bf_control *c);

/* The desired level: a session id, or NULL for off (also when the lease has run out, and at shutdown). */
unsigned bf_control_desire(struct bf_control *c, const char *session);
/* The media of the session that is wanted go elsewhere than before. A worker that is yet to start goes there anyway. */
unsigned bf_control_redirect(struct bf_control *c);
/* The worker has sent its first access unit (again, after it had lost the receiver). */
unsigned bf_control_streaming(struct bf_control *c, uint64_t now_ms);
/* The worker has lost the receiver and is trying to reach it. */
unsigned bf_control_interrupted(struct bf_control *c);
/* The worker is no more. `failed`: not because it was told to stop. Also for a worker that could not be started. */
unsigned bf_control_ended(struct bf_control *c, bool failed, uint64_t now_ms);
/* Time has passed; to be called at retry_at_ms. */
unsigned bf_control_tick(struct bf_control *c, uint64_t now_ms);

#endif
