/* Which recording has to go next, and whether the clock may be believed when it says how old one is. Pure. */
#ifndef BELFRY_JANITOR_RETENTION_H
#define BELFRY_JANITOR_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bf_kept {
    uint64_t ended_at_ms;
    uint64_t bytes; /* on disk, with what was made for people */
    bool protected;
};

struct bf_retention {
    uint32_t max_age_days; /* 0 = for ever */
    uint64_t max_bytes;    /* 0 = no limit */
};

/* Index of the recording to delete next among `n`, oldest first; n when none has to go. Protected ones count as bytes
 * and never go. */
size_t bf_retention_next(const struct bf_retention *r, const struct bf_kept *kept, size_t n, uint64_t now_ms,
                         bool clock_trusted);
/* Are there more bytes than allowed although nothing may go any more? */
bool bf_retention_stuck(const struct bf_retention *r, const struct bf_kept *kept, size_t n);

/* A wall clock that has just jumped, or was never set, must not delete a year of recordings. It is trusted while it
 * runs level with the boot-time clock: from the start when it is synchronised, else after an hour; and an hour after
 * a jump. */
#define BF_CLOCK_JUMP_MS 60000
#define BF_CLOCK_PROBATION_MS 3600000

struct bf_clock_guard {
    bool begun;
    uint64_t unix_ms, boot_ms; /* at the last look */
    uint64_t trusted_from_boot_ms;
};
bool bf_clock_guard_check(struct bf_clock_guard *g, uint64_t unix_ms, uint64_t boot_ms, bool synced);

#endif
