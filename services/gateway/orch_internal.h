/* Shared by the orchestrator's own files only. */
#ifndef BELFRY_GATEWAY_ORCH_INTERNAL_H
#define BELFRY_GATEWAY_ORCH_INTERNAL_H

#include "gateway/orchestrator.h"

enum bf_waits_for { BF_WAITS_FOR_START, BF_WAITS_FOR_STOP };

struct bf_waiter {
    uint64_t ticket;
    enum bf_waits_for what;
    bool first; /* it made the session, or began its stop; the others joined */
};

/* One camera's stream and what only the state machine needs to know of it. */
struct bf_stream_slot {
    struct bf_stream s;
    uint64_t step_deadline_ms;
    uint64_t start_deadline_ms; /* of the whole start; moves with a queued start */
    uint64_t stop_generation;   /* of the desired that took the session off the node of this step */
    struct bf_waiter waiters[BF_ORCH_WAITERS_MAX];
    size_t n_waiters;
    bool adopted; /* taken over from the process before, until live or undone */
    bool queued;  /* a start waits until the present session is undone */
    char queued_session[BF_ULID_SIZE];
    struct bf_want queued_want;
    bool changed;
};

struct bf_node_slot {
    struct bf_node n;
    uint64_t last_seen_ms;
    uint64_t next_send_ms;
    bool dirty; /* send at once: content or boot id changed, or the bus is back */
    bool greet; /* the bus is back, and this node not heard since: what was sent may have come before it listened */
    uint64_t gone_ms; /* not online: from then on it counts as gone for a start under way */
    char error_code[49], error_detail[384];
    Belfry__V1__CameraPhase camera_phase; /* cameras */
    char camera_session[BF_ULID_SIZE];
    struct bf_ingest_report *sessions; /* ingest, BF_ORCH_SESSIONS_MAX; NULL before the first report */
    size_t n_sessions;
    struct bf_janitor_report *fates; /* janitor, BF_ORCH_SESSIONS_MAX; NULL before the first report */
    size_t n_fates;
};

struct bf_orch {
    struct bf_stream_slot *streams;
    size_t n_streams;
    struct bf_node_slot **nodes; /* grows; pointers stay */
    size_t n_nodes;
    struct bf_fate fates[BF_ORCH_SESSIONS_MAX];
    size_t n_fates;
    struct bf_orch_action *actions; /* a queue */
    size_t first_action, n_actions, room_actions;
    char ingest[BF_ID_SIZE], janitor[BF_ID_SIZE];
    uint64_t next_generation;
    uint64_t lease_epoch;
    char own_id[BF_ID_SIZE];
    uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE];
    uint32_t lease_ms, start_timeout_ms, stop_timeout_ms;
    uint64_t back_by_ms; /* after an outage of the bus: by then the nodes should be back as well */
    bool connected;
};

/* orchestrator.c */
void bf_orch_push(struct bf_orch *o, const struct bf_orch_action *a);
void bf_orch_want_persist(struct bf_orch *o);
/* After every input: streams move, changes are told, desired that is due is sent. */
void bf_orch_settle(struct bf_orch *o, uint64_t now_ms);
struct bf_stream_slot *bf_orch_slot(struct bf_orch *o, const char *camera);

/* orch_nodes.c */
struct bf_node_slot *bf_orch_find_node(const struct bf_orch *o, enum bf_role role, const char *id);
struct bf_node_slot *bf_orch_make_node(struct bf_orch *o, enum bf_role role, const char *id); /* NULL: no memory */
/* What the node should be doing has changed; returns the new generation of its desired, 0 when there
 * is no such node. */
uint64_t bf_orch_node_changed(struct bf_orch *o, enum bf_role role, const char *id);
void bf_orch_nodes_silent(struct bf_orch *o, uint64_t now_ms);
void bf_orch_send_due(struct bf_orch *o, uint64_t now_ms);
struct bf_node_slot *bf_orch_pick_ingest(struct bf_orch *o, bool *ret_full); /* NULL: none online, or all full */
const struct bf_ingest_report *bf_orch_ingest_of(const struct bf_orch *o, const struct bf_stream *s); /* or NULL */
/* Returns the generation of the janitor's desired that says so. */
uint64_t bf_orch_set_fate(struct bf_orch *o, const struct bf_stream *s, Belfry__V1__SessionFate fate, uint64_t now_ms);
void bf_orch_drop_done_fates(struct bf_orch *o, uint64_t now_ms);
bool bf_orch_has_fate(const struct bf_orch *o, const char *session);
bool bf_orch_fate_accepted(const struct bf_orch *o, const struct bf_stream_slot *slot);

/* orch_fence.c */
/* Takes from a node's report whose lease it holds; true where it obeys another gateway. */
bool bf_orch_take_lease(const struct bf_orch *o, struct bf_node *n, const struct bf_node_report *report);
/* Ends a stream that another gateway has taken a node of; true when it did. */
bool bf_stream_fenced(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms);
/* While it is being undone: a session that seemed to end by itself was ended by the other gateway, whose nodes say so a
 * moment after the journal. */
void bf_stream_blame_fence(const struct bf_orch *o, struct bf_stream_slot *slot);
/* Answers a request that can do nothing here since another gateway orders; true when it did. */
bool bf_stream_refuse_fenced(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t ticket);

/* orch_clock.c */
/* The node that the stream needs and that is not heard for its clock, or ours; NULL: there is none. */
const struct bf_node *bf_orch_clock_off(const struct bf_orch *o, const struct bf_stream *s);
/* Appends the sentence on that node to `text`, where there is one. */
void bf_orch_add_clock(const struct bf_orch *o, const struct bf_stream *s, char *text, size_t size);

/* orch_stream.c */
void bf_stream_enter(struct bf_orch *o, struct bf_stream_slot *slot, enum bf_step step, uint64_t now_ms);
void bf_stream_set_error(struct bf_stream_error *e, enum bf_outcome outcome, enum bf_step step, const char *code,
                         const char *detail);
/* Answers every waiter of that kind; of a start, only the one that made the session hears STARTED. */
void bf_stream_answer(struct bf_orch *o, struct bf_stream_slot *slot, enum bf_waits_for what,
                      const struct bf_stream_error *result);
/* Answers one request at once. */
void bf_stream_refuse(struct bf_orch *o, const struct bf_stream *s, uint64_t ticket, enum bf_outcome outcome,
                      const char *code, const char *detail);
/* Tells whoever waits for the start why it failed, and begins to undo it. */
void bf_stream_fail(struct bf_orch *o, struct bf_stream_slot *slot, enum bf_outcome outcome, const char *code,
                    const char *detail, uint64_t now_ms);
bool bf_stream_advance(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms);
const char *bf_step_waits(enum bf_step s); /* for people: what the step waits for */

/* orch_start.c, orch_stop.c. The three `advance` make one move if what is known allows it, and say so. */
void bf_stream_begin(struct bf_orch *o, struct bf_stream_slot *slot, const struct bf_want *want, const char *session,
                     uint64_t now_ms);
void bf_stream_undo(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms);
bool bf_stream_advance_start(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms);
bool bf_stream_advance_live(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms);
bool bf_stream_advance_stop(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms);

#endif
