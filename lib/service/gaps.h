/* How often the clock gap of one node is told: of a sender whose dates jump about, every message would otherwise make a
 * line of the log, a state message and work for the service. Pure. */
#ifndef BELFRY_SERVICE_GAPS_H
#define BELFRY_SERVICE_GAPS_H

#include <stdbool.h>

#include "bus/verify.h"

#define BF_GAP_NODES 256         /* a bundle names at most so many at a time */
#define BF_GAP_SAME_MS 60000     /* between two reports of one gap */
#define BF_GAP_MOVED_MS 10000    /* and of one that has moved by more than BF_CLOCK_SKEW_MS */
#define BF_GAP_HANDED_ON_MS 1000 /* between two that the service gets */

struct bf_gaps {
    struct {
        char node[BF_ID_SIZE];
        uint64_t reported_ms, handed_on_ms; /* monotonic */
        int64_t ahead_ms;                   /* as it was reported */
    } seen[BF_GAP_NODES];
    size_t n;
};

struct bf_gap_verdict {
    bool report;  /* in the log and the state */
    bool hand_on; /* to the service */
};

/* What is due for this one; the first of a node is told at once. Counts as told. */
struct bf_gap_verdict bf_gaps_judge(struct bf_gaps *g, const struct bf_clock_gap *gap, uint64_t now_ms);

#endif
