/* Internal to worker*.c. */
#ifndef BELFRY_INGEST_WORKER_STATE_H
#define BELFRY_INGEST_WORKER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "base/mailbox.h"
#include "ingest/worker.h"
#include "media/ts.h"

struct bf_worker {
    /* Fixed before the thread starts. */
    struct bf_worker_options options;
    char site[BF_ID_SIZE], node[BF_ID_SIZE], camera[BF_ID_SIZE], session_id[BF_ULID_SIZE];
    struct bf_transport *transport;

    /* Shared. */
    atomic_bool stop;
    _Atomic(const char *) reason;
    struct bf_mailbox *events;
    atomic_bool ended; /* set last; `end` may be read then */

    /* The worker's thread alone. */
    struct bf_ts_reader *reader;
    struct bf_intake *intake;   /* until the constants are known */
    uint32_t stated_frame_90k;  /* by the last SPS that came */
    struct bf_session_dir *dir; /* then these two */
    struct bf_packager *packager;
    struct bf_worker_end end;

    /* The loop thread alone. */
    pthread_t thread;
    bool has_thread, end_told;
};

void *bf_worker_run(void *worker); /* the thread */

#endif
