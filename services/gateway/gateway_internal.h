/* Shared by the gateway's own files on the loop thread only. */
#ifndef BELFRY_GATEWAY_GATEWAY_INTERNAL_H
#define BELFRY_GATEWAY_GATEWAY_INTERNAL_H

#include "gateway/app.h"
#include "gateway/gateway.h"
#include "gateway/http_server.h"
#include "gateway/json.h"
#include "gateway/orchestrator.h"

#include "gateway.pb-c.h"

/* Somebody who waits for the orchestrator: an HTTP thread or an operator. */
struct bf_pending {
    uint64_t ticket;
    struct bf_call *call; /* HTTP; else the operator */
    struct bf_asker asker;
    bool is_stop;
};

/* A command to the janitor that has not been answered. */
struct bf_errand {
    uint8_t message_id[16];
    struct bf_call *call;
    char session[BF_ULID_SIZE]; /* of a snapshot */
    uint64_t deadline_ms;
};

struct bf_gateway {
    struct bf_service *service;
    const struct bf_config *config;
    struct bf_app app;
    struct bf_orch *orch;
    struct bf_http_server *http;
    uint64_t lease_epoch;
    int order_lock; /* held by the one gateway of a state directory that orders; -1: none */

    struct bf_camera_facts *facts; /* by the camera's index */
    char **told;                   /* what listeners were told of each camera last */

    struct bf_pending *pending;
    size_t n_pending, room_pending;
    uint64_t next_ticket;
    struct bf_errand errands[32];
    size_t n_errands;

    uv_timer_t tick;
    unsigned ticks;
    int64_t swept_s; /* media only: when the recordings were looked through last */
    uv_work_t stopping;
    bool has_tick, is_stopping, free_when_stopped, draining;
};

/* gateway.c */
void bf_gateway_settle(struct bf_gateway *g); /* carries out what the orchestrator wants */
size_t bf_gateway_camera_index(const struct bf_gateway *g, const char *camera); /* n_cameras when unknown */
void bf_gateway_tell_camera(struct bf_gateway *g, const char *camera);          /* to listeners, if it has changed */
void bf_gateway_on_tick(uv_timer_t *timer);

/* desired.c */
void bf_gateway_send_desired(struct bf_gateway *g, enum bf_role role, const char *node);

/* requests.c */
void bf_gateway_on_call(void *user, struct bf_call *call);
void bf_gateway_answer(struct bf_gateway *g, const struct bf_orch_answer *a);
void bf_gateway_fail_call(struct bf_call *call, int status, const char *code, const char *step, const char *detail);
void bf_gateway_drop_pending(struct bf_gateway *g); /* everybody is told that the gateway ends */
int bf_outcome_status(enum bf_outcome o);           /* as HTTP */

/* Someone who waits, an HTTP thread or an operator: the ticket for the orchestrator; 0: no memory. HTTP threads that
 * have given up make room. */
uint64_t bf_gateway_add_pending(struct bf_gateway *g, struct bf_call *call, const struct bf_asker *asker, bool is_stop);
/* Why nothing new may be started at all; NULL when it may. */
const char *bf_gateway_start_forbidden(const struct bf_gateway *g);

/* order_lock.c */
int bf_gateway_lock_orders(struct bf_gateway *g, struct bf_error *e); /* -EBUSY: another one holds it */
/* Whoever deletes the order lock's file lets a second gateway in: the one that holds it ends. */
void bf_gateway_keep_lock(struct bf_gateway *g);

/* alarms.c */
void bf_gateway_alarm(struct bf_gateway *g, const char *node, const char *code, const char *detail, bool active);
struct bf_standing {
    bool superseded, contested, cloned; /* as in struct bf_node */
    bool clock_off;                     /* it is not heard for its clock, or ours */
};
struct bf_standing bf_gateway_standing(const struct bf_gateway *g, enum bf_role role, const char *id);
/* After the report: says what has changed since `before`. */
void bf_gateway_tell_standing(struct bf_gateway *g, enum bf_role role, const char *id, struct bf_standing before,
                              const struct bf_node_report *report);

/* operator.c */
void bf_gateway_answer_operator(struct bf_gateway *g, const struct bf_asker *asker, const struct bf_orch_answer *a);

/* errands.c */
void bf_gateway_run_errand(struct bf_gateway *g, struct bf_call *call);
void bf_gateway_expire_errands(struct bf_gateway *g, uint64_t now_ms);

/* media_only.c: in place of the bus and the orchestrator's own moves */
extern const struct bf_live_events bf_media_only_events;
void bf_media_only_begin(struct bf_gateway *g);
void bf_media_only_tick(struct bf_gateway *g);

/* library.c: the recordings as they come and go */
void bf_gateway_load_recording(struct bf_gateway *g, const char *camera, const char *id);
void bf_gateway_remove_recording(struct bf_gateway *g, const char *id);

#endif
