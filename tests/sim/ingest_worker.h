/* Shared by the two halves of the simulated ingest worker: its life (ingest_worker.c), its files (ingest_files.c). */
#ifndef BELFRY_TESTS_SIM_INGEST_WORKER_H
#define BELFRY_TESTS_SIM_INGEST_WORKER_H

#include "ingest/worker.h"
#include "sim.h"

#define SIM_WORKER_EVENTS 64

struct bf_worker {
    struct sim_listener listener;
    struct sim_node *node;
    struct bf_worker_options options;
    char site[BF_ID_SIZE], ingest[BF_ID_SIZE], camera[BF_ID_SIZE], session[BF_ULID_SIZE];
    bool listens, ended, end_told, has_init;
    const char *reason;
    struct bf_session_dir *dir;
    struct sim_session *known;
    unsigned parts_in_segment;
    uint64_t last_us;
    struct bf_worker_event events[SIM_WORKER_EVENTS];
    size_t first, n_events;
    struct bf_worker_end end;
    struct sim_event *next;
};

/* --- ingest_worker.c --- */
void sim_worker_tell(struct bf_worker *w, enum bf_worker_event_kind kind, struct bf_sync *sync);
void sim_worker_fail(struct bf_worker *w, const char *word, const struct bf_error *e);

/* --- ingest_files.c --- */
void sim_worker_open(struct bf_worker *w);
void sim_worker_end_segment(struct bf_worker *w);
void sim_worker_write(struct bf_worker *w, const struct sim_picture *p);
void sim_worker_close(struct bf_worker *w); /* in order */

#endif
