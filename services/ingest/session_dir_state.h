/* Internal to session_dir*.c. */
#ifndef BELFRY_INGEST_SESSION_DIR_STATE_H
#define BELFRY_INGEST_SESSION_DIR_STATE_H

#include "ingest/session_dir.h"
#include "stream/journal.h"
#include "stream/sha256.h"

struct bf_session_dir {
    int fd;
    struct bf_journal_writer *journal;
    const struct bf_key *key;
    uint64_t reserve_bytes;
    bool record;
    struct bf_session_place place;
    uint64_t next_msn;
    unsigned next_init;

    int segment_fd; /* -1: no segment is open */
    uint64_t segment_bytes, segment_90k, segment_start_90k;
    struct bf_sha256 *hash; /* of its bytes so far */
    bool torn;              /* more is in its file, which could not be cut off */
};

#endif
