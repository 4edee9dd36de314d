/* What the ingest nodes say that they run. Pure: fed by their state messages, asked about sessions. */
#ifndef BELFRY_JANITOR_INGEST_WATCH_H
#define BELFRY_JANITOR_INGEST_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest.pb-c.h"

struct bf_ingest_node;
struct bf_ingest_watch {
    struct bf_ingest_node *nodes;
    size_t n_nodes;
};

/* `state` is verified; `now_ms` is of the boot-time clock. -ENOMEM. */
int bf_ingest_watch_update(struct bf_ingest_watch *w, const char *node, const Belfry__V1__IngestState *state,
                           uint64_t now_ms);
/* Does an ingest that is online say that it runs this session? A state counts for 15 s. */
bool bf_ingest_watch_runs(const struct bf_ingest_watch *w, const char *session_id, uint64_t now_ms);
void bf_ingest_watch_done(struct bf_ingest_watch *w);

#endif
