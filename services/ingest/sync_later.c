#include "ingest/sync_later.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"

struct sync_job {
    uv_work_t work;
    struct bf_sync sync;
    int result;
    char session_id[BF_ULID_SIZE];
};

static void run_sync(uv_work_t *work)
{
    struct sync_job *job = work->data;

    job->result = bf_sync_run(&job->sync);
}

static void sync_done(uv_work_t *work, int status)
{
    struct sync_job *job = work->data;

    if (status != 0)
        bf_sync_run(&job->sync); /* cancelled: it never ran */
    if (job->result != 0)
        bf_err("a segment may not survive a power cut: syncing it failed",
               "session=%s error=\"%s\" remedy=\"check the disk of storage.media\"", job->session_id,
               strerror(-job->result));
    free(job);
}

void bf_sync_later(uv_loop_t *loop, struct bf_sync *sync, const char *session_id)
{
    struct sync_job *job = calloc(1, sizeof *job);

    if (job == NULL) {
        bf_sync_run(sync);
        return;
    }
    job->work.data = job;
    job->sync = *sync;
    memccpy(job->session_id, session_id, 0, sizeof job->session_id - 1);
    if (uv_queue_work(loop, &job->work, run_sync, sync_done) != 0) {
        bf_sync_run(&job->sync);
        free(job);
    }
}
