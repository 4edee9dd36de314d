/* Internal to ingest*.c. */
#ifndef BELFRY_INGEST_INGEST_STATE_H
#define BELFRY_INGEST_INGEST_STATE_H

#include "ingest/ingest.h"
#include "ingest/session.h"

#define BF_INGEST_ALARMS 2

struct bf_ingest {
    struct bf_service *service;
    struct bf_session_host host;
    struct bf_session *sessions[BF_INGEST_SESSIONS];
    size_t n_sessions;

    /* Begun by this node and neither running nor ended. Until the first desired has come, or the lease of an earlier
     * one must have run out, they may still be wanted. */
    struct bf_orphan *orphans;
    size_t n_orphans;
    bool orphans_unwanted;
    bool orphans_refused; /* the disk is too full to end them */

    bool told[BF_INGEST_ALARMS]; /* published and not cleared */
    uint64_t sessions_begun;
    struct bf_worker_counters past; /* of the sessions that were forgotten */
    bool draining;
    struct bf_lease_timer lease;
    uv_timer_t close_again;
    unsigned handles;
};

/* ingest.c: the table of sessions */
bool bf_ingest_make_room(struct bf_ingest *g); /* for one more, if need be by forgetting one that is over */
void bf_ingest_add(struct bf_ingest *g, struct bf_session *s);
void bf_ingest_forget(struct bf_ingest *g, const char *session_id); /* if it is listed */

/* ingest_tell.c: state, events, counters */
void bf_ingest_changed(void *ingest);
void bf_ingest_tell_alarms(void *ingest);
void bf_ingest_tell_closed(struct bf_ingest *g, struct bf_session *s); /* once, if it has been closed */
void bf_ingest_add_counters(struct bf_worker_counters *to, const struct bf_worker_counters *c);

/* ingest_orphans.c: sessions that were left open */
void bf_ingest_close_orphans(struct bf_ingest *g);
void bf_ingest_remember_unclosed(struct bf_ingest *g, const struct bf_session *s);
void bf_ingest_adopt_orphan(struct bf_ingest *g, const char *session_id);

#endif
