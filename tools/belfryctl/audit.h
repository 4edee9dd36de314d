/* Is a session on disk what ingest wrote? Walks the journal and compares it with the files: checksums, order of
 * records, hash of every segment, hash chain, signatures, and the janitor's record of a recording. */
#ifndef BELFRY_CTL_AUDIT_H
#define BELFRY_CTL_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "bus/trust.h"

/* From good to bad; the worst finding is the verdict. */
enum ctl_verdict { CTL_AUTHENTIC, CTL_GAPS, CTL_TRUNCATED, CTL_UNKNOWN_KEY, CTL_TAMPERED };
const char *ctl_verdict_name(enum ctl_verdict v);

struct ctl_audit {
    /* What to check with. */
    const struct bf_trust *trust;
    uint64_t now_ms;     /* at which the keys must be or have been valid */
    const uint8_t *head; /* 32 bytes: the last link as a witness saw it (event SESSION_CLOSED); NULL: none */
    void (*finding)(void *user, enum ctl_verdict v, const char *text); /* every one but CTL_AUTHENTIC */
    void *user;

    /* What was found. */
    enum ctl_verdict verdict;
    char camera[BF_ID_SIZE], session_id[BF_ULID_SIZE], ingest[BF_ID_SIZE];
    uint64_t started_at_ms, ended_at_ms;
    uint64_t segments, gaps; /* in the journal */
    uint64_t checked,
        expired;    /* segment files that hold; that the janitor trimmed from a session that is not recorded */
    uint64_t bytes; /* of the checked ones */
    bool ended, is_recording, witnessed; /* witnessed: somebody signed or saw where it ends */
};

/* Walks the session in `dirfd`. 0 when there is a verdict; a negative errno when there is none, with the reason. */
int ctl_audit_session(struct ctl_audit *a, int dirfd, struct bf_error *e);

#endif
