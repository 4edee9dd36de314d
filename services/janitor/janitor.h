/* The janitor's own state and what its parts ask of each other. Loop thread. */
#ifndef BELFRY_JANITOR_JANITOR_H
#define BELFRY_JANITOR_JANITOR_H

#include "janitor/catalog.h"
#include "janitor/ingest_watch.h"
#include "janitor/policy.h"
#include "janitor/retention.h"
#include "service/service.h"

#include "event.pb-c.h"

#define BF_LISTED_MAX 64
#define BF_ALARMS_MAX 8
#define BF_SNAPSHOTS_MAX 4

/* A session of the desired that is in force. */
struct bf_listed {
    char camera[BF_ID_SIZE];
    char id[BF_ULID_SIZE];
    enum bf_fate fate;
};

struct bf_job;

/* Told again to whoever was away: events are not kept by the broker. */
struct bf_alarm {
    char code[49]; /* "": a free place */
    char camera[BF_ID_SIZE];
    char id[BF_ULID_SIZE];
    struct bf_error error;
};

struct bf_janitor {
    struct bf_service *service;
    const struct bf_file_ops *ops;
    struct bf_catalog catalog;
    struct bf_ingest_watch ingests;

    struct bf_listed listed[BF_LISTED_MAX];
    size_t n_listed;
    struct bf_lease_timer lease;

    struct bf_session_policy policy;
    struct bf_retention retention;
    struct bf_clock_guard clock;
    uint64_t reserve_bytes;

    uv_timer_t tick;
    uint64_t next_scan_ms, next_retention_ms;
    struct bf_job *archiving, *purging; /* one at a time each */
    unsigned n_jobs, n_snapshots, n_handles;
    struct bf_alarm alarms[BF_ALARMS_MAX]; /* that are raised */
    bool draining, freed;
    uint64_t archived, purged, deleted, trimmed; /* since the start */
};

/* The rows of main.c. */
int bf_janitor_start(struct bf_service *s, void **ret_state, struct bf_error *e);
void bf_janitor_drain(void *state);
void bf_janitor_free(void *state);
int bf_janitor_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                          void *pack_user);
int bf_janitor_reload(void *state, const struct bf_config *config, struct bf_error *e);
void bf_janitor_connected(void *state);
void bf_janitor_on_desired(void *state, const struct bf_incoming *m);
void bf_janitor_on_command(void *state, const struct bf_incoming *m);
void bf_janitor_on_ingest_state(void *state, const struct bf_incoming *m);

/* Looks at everything and does what is due; whenever something has changed, and once a second. */
void bf_janitor_run(struct bf_janitor *j);
/* Looks into the media directory now, for what has just been made there. */
void bf_janitor_look(struct bf_janitor *j);
/* Calls bf_service_drained, or releases the janitor, once nothing of it is open any more. */
void bf_janitor_settle(struct bf_janitor *j);

/* Deletes what is too old or too much (keep.c). `now_ms` is of the boot-time clock. */
void bf_janitor_retain(struct bf_janitor *j, uint64_t now_ms);
/* Begins the deletion of a recording; `why` is for the log. 0, or why not. */
int bf_janitor_delete(struct bf_janitor *j, struct bf_kept_recording *k, const char *why, struct bf_error *e);

/* ---- worker threads (work.c) ---- */

/* Gives the session to a worker; does nothing while another one has the lane. */
void bf_janitor_archive(struct bf_janitor *j, struct bf_followed *f);
void bf_janitor_purge(struct bf_janitor *j, struct bf_followed *f);
/* Answers `asker` when the picture is there. -EAGAIN: there is none yet; -EBUSY: enough are being made. */
int bf_janitor_snapshot(struct bf_janitor *j, const struct bf_followed *f, const struct bf_asker *asker);
void bf_janitor_cancel(struct bf_janitor *j);
/* Is that session just being made a recording? Others see one as soon as its file stands there, which is before the loop
 * hears that the work is done. */
bool bf_janitor_is_archiving(const struct bf_janitor *j, const char *session);
unsigned bf_janitor_progress(const struct bf_janitor *j, const struct bf_followed *f); /* percent */

/* ---- what the others are told (tell.c) ---- */

void bf_janitor_tell(struct bf_janitor *j, Belfry__V1__EventKind kind, const char *camera, const char *id,
                     const Belfry__V1__Recording *recording);
/* Logs and publishes once until it is cleared. `camera` and `id` may be NULL. */
void bf_janitor_alarm(struct bf_janitor *j, const char *code, const char *camera, const char *id,
                      const struct bf_error *e);
void bf_janitor_alarm_clear(struct bf_janitor *j, const char *code);
/* Stable word for a negative errno: "disk_full", or `other`. */
const char *bf_janitor_code(int r, const char *other);

#endif
