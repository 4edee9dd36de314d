/* A session that is not a recording yet, followed by its journal. Loop thread. Memory stays bounded however long the
 * session runs: only what a live playlist may still want is remembered. */
#ifndef BELFRY_JANITOR_FOLLOWED_H
#define BELFRY_JANITOR_FOLLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "janitor/file_ops.h"
#include "janitor/policy.h"
#include "stream/journal.h"
#include "stream/session_view.h"

#include "janitor.pb-c.h"

struct bf_followed {
    char camera[BF_ID_SIZE];
    char id[BF_ULID_SIZE];
    struct bf_journal_reader *reader; /* NULL until there is a journal */
    struct bf_session_view view;
    bool deleted;      /* a recording whose deletion has begun */
    bool damaged;      /* error says how */
    bool has_media;    /* a complete segment was seen */
    bool present;      /* the last scan found its directory */
    uint64_t grown_ms; /* boot-time clock: when the journal last grew, or when it was first seen */
    uint64_t over_ms;  /* since when it is over; 0: it is not */
    uint64_t trimmed;  /* segments below have been deleted */

    enum bf_action action;
    bool working;      /* a worker thread has it */
    unsigned failures; /* of archiving or purging, in a row */
    uint64_t retry_ms; /* not before */
    char code[49];     /* of the last failure; "" where all is well */
    struct bf_error error;
    uint64_t failed_unix_ms;
};

struct bf_followed *bf_followed_new(const char *camera, const char *id, uint64_t now_ms);
void bf_followed_free(struct bf_followed *f);

/* Reads what the journal has more. Returns whether anything changed. */
bool bf_followed_poll(struct bf_followed *f, int dirfd, uint64_t now_ms);
/* Deletes a bounded number of segments that left every playlist; how many, or a negative errno. */
int bf_followed_trim(struct bf_followed *f, const struct bf_file_ops *ops, int dirfd);

/* The facts that the session itself knows; fate and ingest_runs_it are the caller's. */
struct bf_session_facts bf_followed_facts(const struct bf_followed *f, uint64_t now_ms);
void bf_followed_fail(struct bf_followed *f, const char *code, const struct bf_error *e, uint64_t now_ms,
                      uint64_t unix_ms);
Belfry__V1__JanitorPhase bf_followed_phase(const struct bf_followed *f);

#endif
