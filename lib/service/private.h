/* The inside of a service, for the files of this folder only. */
#ifndef BELFRY_SERVICE_PRIVATE_H
#define BELFRY_SERVICE_PRIVATE_H

#include "base/log.h"
#include "service/gaps.h"
#include "service/health.h"
#include "service/identity.h"
#include "service/options.h"
#include "service/service.h"
#include "service/status.h"

enum bf_phase {
    BF_PHASE_STARTING,
    BF_PHASE_RUNNING,
    BF_PHASE_DRAINING, /* the service finishes what it does; the bus is still connected */
    BF_PHASE_LEAVING,  /* the bus says good-bye */
    BF_PHASE_ENDING    /* handles close */
};

enum { BF_SIGNAL_TERM, BF_SIGNAL_INT, BF_SIGNAL_HUP, BF_SIGNALS };

struct bf_service {
    const struct bf_service_def *def;
    void *state; /* of the service, from def->start */
    const char *config_path;
    struct bf_config *config;    /* of the start; what runs keeps pointing into it */
    struct bf_config **reloaded; /* handed to def->reload, which may keep pointing into them */
    size_t n_reloaded;
    struct bf_identity identity;
    struct bf_status status;
    struct bf_health health;
    struct bf_route *routes; /* def's, with the handler that finds ours */
    struct bf_bus *bus;

    uv_loop_t loop;
    uv_signal_t signals[BF_SIGNALS];
    uv_timer_t beat;   /* once a second */
    uv_timer_t report; /* one shot: publishes the state */
    uv_timer_t next;   /* one shot: the next step of the shutdown */
    uv_timer_t stuck;  /* one shot, not referenced: a handle that somebody forgot */
    enum bf_phase phase;
    int exit_code;
    bool alone;  /* no broker, no keys, no state directory */
    bool forced; /* the loop was stopped with handles left in it */
    bool connected;
    uint64_t beats;
    uint64_t reported_mono_ms;
    bool lease_unkept; /* the lease epoch in force is not on disk */
    struct bf_log_limit lease_limit, unkept_limit, report_limit;
    struct bf_gaps gaps;
};

/* bus wiring (wiring.c) */
int bf_service_make_bus(struct bf_service *s, struct bf_error *e);
void bf_service_publish(struct bf_service *s);
void bf_service_log_statistics(struct bf_service *s);

/* fencing (observe.c) */
int bf_service_load_lease_epoch(struct bf_service *s, struct bf_error *e);

/* SIGHUP (reload.c) */
void bf_service_reload(struct bf_service *s);
void bf_service_free_reloaded(struct bf_service *s);

/* shutdown (shutdown.c) */
void bf_service_begin_end(struct bf_service *s); /* drains; a second call leaves at once */

#endif
