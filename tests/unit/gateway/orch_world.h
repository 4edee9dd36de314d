/* A little world around the orchestrator for tests: one line per input, and the actions it gave as one string. */
#ifndef BELFRY_TESTS_ORCH_WORLD_H
#define BELFRY_TESTS_ORCH_WORLD_H

#include "gateway/orchestrator.h"

#define SESSION_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define SESSION_B "01HZZZZZZZZZZZZZZZZZZZZZZB"
#define SESSION_C "01HZZZZZZZZZZZZZZZZZZZZZZC"

struct world {
    struct bf_orch *o;
    uint64_t now_ms;
    bool disk_broken;
    enum bf_role lost;          /* nodes of that role obey gateway-2, by a lease of that epoch */
    bool lost_to_a_copy;        /* of gateway-1, which we are */
    uint64_t lost_to_epoch;     /* where it is ours, 3, gateway-2 was first */
    const char *error;          /* what nodes say of themselves; NULL: "source_failed" */
    char seen[2048];            /* actions since the last expect, without `changed` */
    struct bf_orch_answer last; /* newest answer */
    unsigned answers;
};

/* Cameras "door" (with a service) and "pole" (input: only); lease 9 s, start 10 s, stop 9 s; lease epoch 3. */
void world_make(struct world *w);
void world_done(struct world *w);
/* The same as cmocka's fixtures: one world at a time, in *state. */
int world_setup(void **state);
int world_teardown(void **state);
const struct bf_stream *door(const struct world *w);
/* Carries out what was asked: stores intents, notes the rest in `seen`. */
void world_run(struct world *w);
void world_expect(struct world *w, const char *actions, const char *file, int line);
#define expect(w, actions) world_expect(w, actions, __FILE__, __LINE__)

/* "off", "streaming", "failed"…; "gone": its good-bye, "lost": its last will */
void camera_is(struct world *w, const char *phase, const char *session);
void camera_boots(struct world *w, uint8_t boot, const char *phase, const char *session);
void ingest_is(struct world *w, const char *phase, const char *session); /* NULL session: none listed */
void ingest_boots(struct world *w, uint8_t boot, const char *phase, const char *session);
void ingest_listens_on(struct world *w, uint32_t port, const char *phase, const char *session);
void janitor_is(struct world *w, const char *phase, const char *session);
void start(struct world *w, const char *camera, const char *session, uint64_t ticket);
void start_on_demand(struct world *w, const char *camera, const char *session, uint64_t ticket);
void start_recorded(struct world *w, const char *camera, const char *session, uint64_t ticket);
void stop(struct world *w, const char *camera, uint64_t ticket);
void playable(struct world *w, const char *camera, const char *session);
void media_ended(struct world *w, const char *camera, const char *session, const char *reason);
void passes(struct world *w, uint64_t ms);
/* All nodes online, desired acknowledged. */
void all_online(struct world *w);
/* "door" starting in SESSION_A with ticket 1, and as far as `to`. */
void climb(struct world *w, enum bf_step to);
/* "door" live in SESSION_A, ticket 1 answered. */
void go_live(struct world *w, bool record);

#endif
