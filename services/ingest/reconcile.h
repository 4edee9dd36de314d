/* The level that is desired against what there is. Pure. */
#ifndef BELFRY_INGEST_RECONCILE_H
#define BELFRY_INGEST_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>

enum bf_presence {
    BF_PRESENT_RUNNING, /* not asked to end yet */
    BF_PRESENT_ENDING,
    BF_PRESENT_OVER /* ended or failed; only its status is left */
};

struct bf_present {
    const char *session_id;
    enum bf_presence presence;
};

/* What becomes of a present session. One that is over stays listed until a desired without it has come after its end,
 * so that the gateway sees how it ended; it is never started again. */
enum bf_fate { BF_FATE_KEEP, BF_FATE_STOP, BF_FATE_FORGET };

enum bf_fate bf_fate_of(const struct bf_present *present, const char *const *wanted, size_t n_wanted);
bool bf_is_new(const char *wanted, const struct bf_present *present, size_t n_present);

#endif
