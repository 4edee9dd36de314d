/* What takes long: archiving, purging and decoding pictures, on libuv's worker threads. A job has copies of all it
 * needs and descriptors of its own; the loop thread gives it away and takes it back. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "janitor/archive.h"
#include "janitor/janitor.h"
#include "janitor/names.h"
#include "janitor/purge.h"
#include "stream/layout.h"

#define SNAPSHOT_WIDTH 1920
#define SNAPSHOT_TEMPORARY ".tmp-0000000000000003"

struct bf_job {
    uv_work_t work;
    struct bf_janitor *janitor;
    int (*run)(struct bf_job *job);                         /* worker thread */
    void (*done)(struct bf_janitor *j, struct bf_job *job); /* loop thread */
    struct bf_job **lane;                                   /* NULL: none */
    char camera[BF_ID_SIZE];
    char id[BF_ULID_SIZE];
    int camerafd, dirfd; /* owned */

    struct bf_archive archive;
    _Atomic unsigned progress;
    atomic_bool cancel;
    Belfry__V1__Recording *recording;

    struct bf_asker asker;
    char init[BF_NAME_SIZE], segment[BF_NAME_SIZE], file[BF_SNAPSHOT_NAME_SIZE];
    uint64_t offset, length;

    int result;
    struct bf_error error;
};

static void job_free(struct bf_job *job)
{
    belfry__v1__recording__free_unpacked(job->recording, NULL);
    bf_closep(&job->camerafd);
    bf_closep(&job->dirfd);
    free(job);
}

static void on_work(uv_work_t *work)
{
    struct bf_job *job = work->data;
    job->result = job->run(job);
}

static void on_worked(uv_work_t *work, int status)
{
    struct bf_job *job = work->data;
    struct bf_janitor *j = job->janitor;
    if (status < 0)
        job->result = bf_fail(&job->error, -ECANCELED, "cancelled before it began");

    j->n_jobs--;
    if (job->lane != NULL)
        *job->lane = NULL;
    if (!j->freed)
        job->done(j, job);
    job_free(job);
    if (!j->draining) {
        bf_janitor_run(j);
        bf_service_report(j->service);
    }
    bf_janitor_settle(j);
}

static int begin(struct bf_janitor *j, struct bf_job **ret, const struct bf_followed *f)
{
    struct bf_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return -ENOMEM;
    job->janitor = j;
    job->work.data = job;
    memcpy(job->camera, f->camera, sizeof job->camera);
    memcpy(job->id, f->id, sizeof job->id);
    job->dirfd = -1;
    job->camerafd = bf_catalog_open_camera(&j->catalog, f->camera);
    if (job->camerafd < 0) {
        int r = job->camerafd;
        free(job);
        return r;
    }
    *ret = job;
    return 0;
}

static int submit(struct bf_janitor *j, struct bf_job *job)
{
    int r = uv_queue_work(bf_service_loop(j->service), &job->work, on_work, on_worked);
    if (r < 0) {
        job_free(job);
        return r;
    }
    j->n_jobs++;
    if (job->lane != NULL)
        *job->lane = job;
    return 0;
}

/* ---- archiving ---- */

static int run_archive(struct bf_job *job)
{
    return bf_archive_session(&job->archive, job->dirfd, &job->recording, &job->error);
}

static void archive_failed(struct bf_janitor *j, struct bf_followed *f, const struct bf_job *job)
{
    const char *code = bf_janitor_code(job->result, "archive_failed");
    if (job->result == -ECANCELED)
        return;
    if (job->result == -ENODATA) { /* nothing in it after all: purged in the next round */
        f->has_media = false;
        return;
    }
    bf_followed_fail(f, code, &job->error, bf_boot_ms(), bf_unix_ms());
    bf_janitor_alarm(j, code, f->camera, f->id, &job->error);
}

static void archive_done(struct bf_janitor *j, struct bf_job *job)
{
    struct bf_followed *f = bf_catalog_followed(&j->catalog, job->id);
    if (f == NULL)
        return;
    f->working = false;
    if (job->result < 0) {
        archive_failed(j, f, job);
        return;
    }
    if (bf_catalog_keep(&j->catalog, job->dirfd, job->recording) < 0)
        return; /* out of memory: the next scan finds the recording */

    j->archived++;
    bf_info("recording ready", "camera=%s session=%s segments=%" PRIu64 " bytes=%" PRIu64 " duration_ms=%" PRIu64,
            job->camera, job->id, job->recording->segments, job->recording->bytes, job->recording->duration_ms);
    bf_catalog_unfollow(&j->catalog, f);
    bf_janitor_alarm_clear(j, "disk_full");
    bf_janitor_alarm_clear(j, "archive_failed");
    bf_janitor_tell(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_RECORDING_READY, job->camera, job->id, job->recording);
}

static int prepare_archive(struct bf_janitor *j, struct bf_job *job)
{
    job->dirfd = bf_catalog_open_session(&j->catalog, job->camera, job->id);
    if (job->dirfd < 0)
        return job->dirfd;
    job->run = run_archive;
    job->done = archive_done;
    job->lane = &j->archiving;
    job->archive = (struct bf_archive){ .ops = j->ops,
                                        .site = bf_service_config(j->service)->site,
                                        .key = bf_service_key(j->service),
                                        .reserve_bytes = j->reserve_bytes,
                                        .now_ms = bf_unix_ms(),
                                        .progress_percent = &job->progress,
                                        .cancel = &job->cancel };
    return 0;
}

static void not_begun(struct bf_janitor *j, struct bf_followed *f, int r, const char *code)
{
    struct bf_error e;
    bf_fail(&e, r, "%s/%s: %s", f->camera, f->id, strerror(-r));
    bf_followed_fail(f, code, &e, bf_boot_ms(), bf_unix_ms());
    bf_janitor_alarm(j, code, f->camera, f->id, &e);
}

void bf_janitor_archive(struct bf_janitor *j, struct bf_followed *f)
{
    struct bf_job *job;
    if (j->archiving != NULL || j->draining)
        return;
    int r = begin(j, &job, f);
    if (r < 0) {
        not_begun(j, f, r, "archive_failed");
        return;
    }
    r = prepare_archive(j, job);
    if (r < 0)
        job_free(job);
    else
        r = submit(j, job);
    if (r < 0)
        not_begun(j, f, r, "archive_failed");
    else
        f->working = true;
}

bool bf_janitor_is_archiving(const struct bf_janitor *j, const char *session)
{
    return j->archiving != NULL && strcmp(j->archiving->id, session) == 0;
}

unsigned bf_janitor_progress(const struct bf_janitor *j, const struct bf_followed *f)
{
    if (!bf_janitor_is_archiving(j, f->id))
        return 0;
    unsigned percent = atomic_load(&j->archiving->progress);
    return percent < 100 ? percent : 99; /* 100 is when the recording is there */
}

/* ---- purging ---- */

static int run_purge(struct bf_job *job)
{
    return bf_purge_session(job->archive.ops, job->camerafd, job->id, &job->error);
}

static void purge_done(struct bf_janitor *j, struct bf_job *job)
{
    struct bf_followed *f = bf_catalog_followed(&j->catalog, job->id);
    if (f == NULL)
        return;
    f->working = false;
    if (job->result < 0) {
        bf_followed_fail(f, "purge_failed", &job->error, bf_boot_ms(), bf_unix_ms());
        bf_janitor_alarm(j, "purge_failed", f->camera, f->id, &job->error);
        return;
    }

    bool was_recording = f->deleted;
    bf_catalog_unfollow(&j->catalog, f);
    bf_janitor_alarm_clear(j, "purge_failed");
    j->purged++;
    bf_info("purged", "camera=%s session=%s", job->camera, job->id);
    if (!was_recording)
        bf_janitor_tell(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_SESSION_PURGED, job->camera, job->id, NULL);
}

void bf_janitor_purge(struct bf_janitor *j, struct bf_followed *f)
{
    struct bf_job *job;
    if (j->purging != NULL || j->draining)
        return;
    int r = begin(j, &job, f);
    if (r == 0) {
        job->run = run_purge;
        job->done = purge_done;
        job->lane = &j->purging;
        job->archive.ops = j->ops;
        r = submit(j, job);
    }
    if (r < 0)
        not_begun(j, f, r, "purge_failed");
    else
        f->working = true;
}

/* ---- snapshots ---- */

static int run_snapshot(struct bf_job *job)
{
    const struct bf_file_ops *ops = job->archive.ops;
    _cleanup_(bf_freep) uint8_t *jpeg = NULL;
    size_t size;
    int r = ops->export_jpeg(ops->user, job->dirfd, job->init, job->segment, job->offset, job->length, SNAPSHOT_WIDTH,
                             &jpeg, &size, &job->error);
    if (r < 0)
        return r;
    r = bf_ops_replace(ops, job->dirfd, SNAPSHOT_TEMPORARY, job->file, jpeg, size);
    return r < 0 ? bf_fail(&job->error, r, "writing %s: %s", job->file, strerror(-r)) : 0;
}

static void snapshot_done(struct bf_janitor *j, struct bf_job *job)
{
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;
    Belfry__V1__JanitorReply reply = BELFRY__V1__JANITOR_REPLY__INIT;
    if (job->result < 0) {
        failure.code = (char *)bf_janitor_code(job->result, "snapshot_failed");
        failure.detail = job->error.text;
        failure.at_ms = bf_unix_ms();
        reply.error = &failure;
    } else {
        reply.file = job->file;
    }
    j->n_snapshots--;
    bf_bus_reply_to(bf_service_bus(j->service), &job->asker, BF_MSG_JANITOR_REPLY, &reply.base);
}

static const struct bf_part_view *newest_independent_part(const struct bf_session_view *v)
{
    for (size_t i = v->n_parts; i-- > 0;)
        if (v->parts[i].independent)
            return &v->parts[i];
    return NULL;
}

static int prepare_snapshot(struct bf_janitor *j, struct bf_job *job, const struct bf_followed *f,
                            const struct bf_part_view *part, const struct bf_segment_view *segment)
{
    job->dirfd = bf_catalog_open_session(&j->catalog, job->camera, job->id);
    if (job->dirfd < 0)
        return job->dirfd;
    job->run = run_snapshot;
    job->done = snapshot_done;
    job->archive.ops = j->ops;
    job->offset = part->offset;
    job->length = part->length;
    memcpy(job->init, f->view.inits[segment->init_index].file, sizeof job->init);
    bf_segment_name(job->segment, part->msn);
    bf_snapshot_name(job->file, bf_unix_ms());
    return 0;
}

int bf_janitor_snapshot(struct bf_janitor *j, const struct bf_followed *f, const struct bf_asker *asker)
{
    const struct bf_part_view *part = newest_independent_part(&f->view);
    const struct bf_segment_view *segment = part != NULL ? bf_session_view_segment(&f->view, part->msn) : NULL;
    struct bf_job *job;
    if (segment == NULL)
        return -EAGAIN;
    if (j->n_snapshots == BF_SNAPSHOTS_MAX)
        return -EBUSY;

    int r = begin(j, &job, f);
    if (r < 0)
        return r;
    job->asker = *asker;
    r = prepare_snapshot(j, job, f, part, segment);
    if (r < 0)
        job_free(job);
    else
        r = submit(j, job);
    j->n_snapshots += r == 0;
    return r;
}

void bf_janitor_cancel(struct bf_janitor *j)
{
    if (j->archiving != NULL)
        atomic_store(&j->archiving->cancel, true);
}
