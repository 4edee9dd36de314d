/* What is to be done with a session that is not a recording yet. Pure: facts in, decision out. */
#ifndef BELFRY_JANITOR_POLICY_H
#define BELFRY_JANITOR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum bf_fate { BF_FATE_UNLISTED, BF_FATE_LIVE, BF_FATE_ARCHIVE, BF_FATE_PURGE };

struct bf_session_facts {
    enum bf_fate fate;     /* what a gateway's desired that is in force says; not listed: the journal decides */
    bool deleted;          /* a recording whose deletion has begun */
    bool damaged;          /* the journal cannot be read to its end */
    bool record;           /* SessionStart.record */
    bool ended;            /* SessionEnd is in the journal */
    bool has_media;        /* at least one complete segment */
    bool ingest_runs_it;   /* an ingest that is online lists it as running */
    uint64_t quiet_ms;     /* since the journal grew, or since this process first saw it */
    uint64_t since_end_ms; /* since this process saw that it is over */
};

struct bf_session_policy {
    uint64_t purge_after_ms; /* how long an ended session stays for the last viewers */
    uint64_t abandoned_ms;   /* quiet for so long without an ingest that runs it: nobody will end it any more */
};

enum bf_action {
    BF_ACTION_KEEP, /* it grows and records, or it is not over yet */
    BF_ACTION_TRIM, /* delete what left every playlist */
    BF_ACTION_ARCHIVE,
    BF_ACTION_WAIT, /* over, and about to be purged */
    BF_ACTION_PURGE,
    BF_ACTION_REPORT /* nothing is touched; a person has to look */
};

/* Will nothing be written to it any more? From then on counts since_end_ms. */
bool bf_session_over(const struct bf_session_facts *f, const struct bf_session_policy *p);
enum bf_action bf_session_decide(const struct bf_session_facts *f, const struct bf_session_policy *p);

#endif
