/* Internal to session*.c. */
#ifndef BELFRY_INGEST_SESSION_STATE_H
#define BELFRY_INGEST_SESSION_STATE_H

#include "base/log.h"
#include "ingest/endpoint.h"
#include "ingest/session.h"

struct bf_session {
    struct bf_session_host *host;
    char id[BF_ULID_SIZE], camera[BF_ID_SIZE];
    Belfry__V1__IngestPhase phase;

    Belfry__V1__Transport transport;
    char address[BF_HOST_SIZE];
    uint16_t port;
    uint32_t latency_ms;
    uint8_t sealed[BF_SEALED_PASSPHRASE_SIZE];

    struct bf_worker *worker;
    struct bf_worker_counters counters;
    uint64_t last_part_at_ms;
    const char *alarm;
    struct bf_log_limit loss_limit;

    struct bf_worker_end end; /* when it is over */
    uint64_t failed_at_ms;
    bool over, closed_told;

    uv_async_t wake; /* the worker has something to tell */
    uv_timer_t silence;
    unsigned handles; /* not closed yet */
    bool freed;
};

/* Makes the worker and binds its socket: to the address of a foreign source, or to a free port of the range, with a
 * fresh media key where the transport has one. */
int bf_session_listen(struct bf_session *s, const Belfry__V1__IngestSession *wanted, uint32_t lease_epoch,
                      const struct bf_trust *trust, struct bf_error *e);
void bf_session_wake(void *session); /* from the worker's thread */

#endif
