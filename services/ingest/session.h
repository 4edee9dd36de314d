/* One session as the loop sees it: phase, endpoint, counters, and the worker behind them. Loop thread only. */
#ifndef BELFRY_INGEST_SESSION_H
#define BELFRY_INGEST_SESSION_H

#include <uv.h>

#include "base/id.h"
#include "bus/trust.h"
#include "ingest/orphans.h"
#include "ingest/reconcile.h"
#include "ingest/worker.h"
#include "service/config.h"

#include "ingest.pb-c.h"

struct bf_session;

/* What all sessions of this process share. */
struct bf_session_host {
    uv_loop_t *loop;
    const struct bf_config *config;
    const char *node;
    const struct bf_key *key;
    int media_fd;
    uint16_t next_port;                             /* of the range, tried first */
    void (*changed)(void *user);                    /* the phase of one: report soon */
    void (*storage)(void *user);                    /* bf_session_alarm of one has changed */
    void (*over)(void *user, struct bf_session *s); /* told once */
    void *user;
};

/* Begins to listen; what cannot be begun is a session that has FAILED and is over. -ENOMEM. */
int bf_session_new(struct bf_session **ret, struct bf_session_host *host, const Belfry__V1__IngestSession *wanted,
                   uint32_t lease_epoch, const struct bf_trust *trust);
/* One that was found on disk and has been ended: only its status. */
int bf_session_new_ended(struct bf_session **ret, struct bf_session_host *host, const struct bf_orphan *orphan,
                         const struct bf_session_place *place);
/* Drains and ends it; bf_session_host.over follows. No-op when it is ending or over. */
void bf_session_stop(struct bf_session *s, const char *reason);
/* Any time; one that is not over is ended at once, which may take a moment. */
void bf_session_free(struct bf_session *s);

struct bf_present bf_session_present(const struct bf_session *s);
const char *bf_session_id(const struct bf_session *s);
const char *bf_session_camera(const struct bf_session *s);
const char *bf_session_alarm(const struct bf_session *s); /* "disk_full", "storage_failed", or NULL */
struct bf_worker_counters bf_session_counters(const struct bf_session *s);
const struct bf_worker_end *bf_session_end(const struct bf_session *s); /* NULL until it is over */

/* The event of its end was published. */
bool bf_session_closed_told(const struct bf_session *s);
void bf_session_set_closed_told(struct bf_session *s);

/* A status whose pointers live as long as the session does not change. */
struct bf_session_status {
    Belfry__V1__IngestSessionStatus message;
    Belfry__V1__Endpoint endpoint;
    Belfry__V1__Failure error;
};
void bf_session_status(struct bf_session *s, struct bf_session_status *ret);

#endif
