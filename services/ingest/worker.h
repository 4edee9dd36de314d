/* One session's receive → scan → package → write → journal, on a thread of its own. Loop thread only; the worker's
 * thread shares a mailbox and the stop flag with it, nothing else. */
#ifndef BELFRY_INGEST_WORKER_H
#define BELFRY_INGEST_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bus/keys.h"
#include "ingest/packager.h"
#include "media/transport.h"
#include "stream/profile.h"

struct bf_worker;

struct bf_worker_options {
    const char *site, *node, *camera, *session_id; /* copied */
    bool record;
    const struct bf_profile *profile;
    uint32_t window_ms, lease_epoch;
    uint32_t fps, gop_frames; /* of what will be sent; either 0: the first GOP is kept until both are measured */
    int media_fd;             /* borrowed */
    uint64_t reserve_bytes;
    const struct bf_key *key; /* signs the segments; borrowed */
    void (*wake)(void *user); /* from the worker's thread: poll soon */
    void *user;
};

struct bf_worker_counters {
    uint64_t parts, bytes; /* of the session, what was there before a restart included */
    struct bf_packager_counters packager;
    struct bf_transport_counters transport;
};

enum bf_worker_event_kind {
    BF_WORKER_PART,     /* one more part can be played */
    BF_WORKER_STORAGE,  /* the storage refuses (`code`, negative errno) or works again (0) */
    BF_WORKER_SYNC,     /* `sync` changes owner: to be run where blocking does no harm */
    BF_WORKER_COUNTERS, /* nothing but these */
    BF_WORKER_ENDED     /* last: the thread is done */
};

struct bf_worker_event {
    enum bf_worker_event_kind kind;
    int code;
    struct bf_sync sync;
    uint64_t at_ms; /* Unix time */
    struct bf_worker_counters counters;
};

/* How it ended; valid after ENDED. */
struct bf_worker_end {
    const char *failure;   /* constant word, or NULL: it was told to stop */
    struct bf_error error; /* with a failure: the sentence */
    bool begun;            /* there is a journal */
    bool closed;           /* ... with a SessionEnd */
    uint64_t segments;
    uint8_t chain_head[32];
};

/* Copies what it needs. */
int bf_worker_new(struct bf_worker **ret, const struct bf_worker_options *o);
/* Binds and listens; -EADDRINUSE: try another port. The options' `stop` is the worker's own. */
int bf_worker_listen(struct bf_worker *w, const struct bf_transport_options *transport, struct bf_error *e);
int bf_worker_start(struct bf_worker *w);
/* The next event, in order; -EAGAIN when there is none. Nothing follows ENDED. */
int bf_worker_poll(struct bf_worker *w, struct bf_worker_event *ret);
const struct bf_worker_end *bf_worker_end(const struct bf_worker *w);
/* Asks it to flush, end the session for `reason` (constant) and finish; returns at once. The first reason counts. */
void bf_worker_stop(struct bf_worker *w, const char *reason);
/* Stops and joins: at once after ENDED, else it waits for the thread. NULL is fine. */
void bf_worker_free(struct bf_worker *w);

#endif
