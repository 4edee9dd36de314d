#include "janitor/ingest_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

#define SESSIONS_MAX 64
#define STATE_COUNTS_MS 15000

struct bf_ingest_node {
    char id[BF_ID_SIZE];
    bool online;
    uint64_t at_ms;
    char running[SESSIONS_MAX][BF_ULID_SIZE];
    size_t n_running;
};

static bool is_running(Belfry__V1__IngestPhase phase)
{
    return phase >= BELFRY__V1__INGEST_PHASE__INGEST_PHASE_STARTING &&
           phase <= BELFRY__V1__INGEST_PHASE__INGEST_PHASE_DRAINING;
}

static struct bf_ingest_node *node_of(struct bf_ingest_watch *w, const char *id)
{
    for (size_t i = 0; i < w->n_nodes; i++)
        if (strcmp(w->nodes[i].id, id) == 0)
            return &w->nodes[i];

    struct bf_ingest_node *nodes = reallocarray(w->nodes, w->n_nodes + 1, sizeof *nodes);
    if (nodes == NULL)
        return NULL;
    w->nodes = nodes;
    struct bf_ingest_node *fresh = &nodes[w->n_nodes++];
    *fresh = (struct bf_ingest_node){ 0 };
    snprintf(fresh->id, sizeof fresh->id, "%s", id);
    return fresh;
}

int bf_ingest_watch_update(struct bf_ingest_watch *w, const char *node, const Belfry__V1__IngestState *state,
                           uint64_t now_ms)
{
    struct bf_ingest_node *n = node_of(w, node);
    if (n == NULL)
        return -ENOMEM;

    n->online = state->node->online;
    n->at_ms = now_ms;
    n->n_running = 0;
    for (size_t i = 0; i < state->n_sessions && n->n_running < SESSIONS_MAX; i++)
        if (is_running(state->sessions[i]->phase))
            snprintf(n->running[n->n_running++], BF_ULID_SIZE, "%s", state->sessions[i]->session_id);
    return 0;
}

bool bf_ingest_watch_runs(const struct bf_ingest_watch *w, const char *session_id, uint64_t now_ms)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct bf_ingest_node *n = &w->nodes[i];
        if (!n->online || now_ms - n->at_ms > STATE_COUNTS_MS)
            continue;
        for (size_t j = 0; j < n->n_running; j++)
            if (strcmp(n->running[j], session_id) == 0)
                return true;
    }
    return false;
}

void bf_ingest_watch_done(struct bf_ingest_watch *w)
{
    free(w->nodes);
    *w = (struct bf_ingest_watch){ 0 };
}
