#include "gateway/orch_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GENERATIONS_PER_EPOCH_SHIFT 32 /* a later process always has the higher generations */
#define MOVES_MAX 16                   /* per input and stream; the longest chain of steps is ten */

/* --- the queue of actions --- */

void bf_orch_push(struct bf_orch *o, const struct bf_orch_action *a)
{
    if (o->first_action + o->n_actions == o->room_actions) {
        size_t room = o->n_actions == 0 ? 16 : o->n_actions * 2;
        struct bf_orch_action *fresh = malloc(room * sizeof *fresh);
        if (fresh == NULL)
            abort(); /* a lost action is a lost answer or a lost order: nothing sound can follow */
        if (o->n_actions > 0)
            memcpy(fresh, o->actions + o->first_action, o->n_actions * sizeof *fresh);
        free(o->actions);
        o->actions = fresh;
        o->first_action = 0;
        o->room_actions = room;
    }
    o->actions[o->first_action + o->n_actions++] = *a;
}

bool bf_orch_next(struct bf_orch *o, struct bf_orch_action *ret)
{
    if (o->n_actions == 0)
        return false;
    *ret = o->actions[o->first_action++];
    if (--o->n_actions == 0)
        o->first_action = 0;
    return true;
}

void bf_orch_want_persist(struct bf_orch *o)
{
    for (size_t i = 0; i < o->n_actions; i++)
        if (o->actions[o->first_action + i].kind == BF_ORCH_PERSIST)
            return; /* what is queued will store everything */
    bf_orch_push(o, &(struct bf_orch_action){ .kind = BF_ORCH_PERSIST });
}

void bf_orch_settle(struct bf_orch *o, uint64_t now_ms)
{
    for (size_t i = 0; i < o->n_streams; i++) {
        struct bf_stream_slot *slot = &o->streams[i];

        for (int moves = 0; moves < MOVES_MAX && bf_stream_advance(o, slot, now_ms); moves++)
            continue;
        if (!slot->changed)
            continue;
        slot->changed = false;
        struct bf_orch_action a = { .kind = BF_ORCH_CHANGED };
        memcpy(a.camera, slot->s.camera, sizeof a.camera);
        bf_orch_push(o, &a);
    }
    bf_orch_send_due(o, now_ms);
}

/* --- making and looking --- */

struct bf_stream_slot *bf_orch_slot(struct bf_orch *o, const char *camera)
{
    for (size_t i = 0; i < o->n_streams; i++)
        if (strcmp(o->streams[i].s.camera, camera) == 0)
            return &o->streams[i];
    return NULL;
}

static int add_cameras(struct bf_orch *o, const struct bf_orch_options *opt)
{
    o->streams = calloc(opt->n_cameras == 0 ? 1 : opt->n_cameras, sizeof *o->streams);
    if (o->streams == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < opt->n_cameras; i++) {
        struct bf_stream *s = &o->streams[i].s;

        if (!bf_id_valid(opt->cameras[i].id))
            return -EINVAL;
        snprintf(s->camera, sizeof s->camera, "%s", opt->cameras[i].id);
        s->has_node = opt->cameras[i].has_node;
        if (s->has_node && bf_orch_make_node(o, BF_ROLE_CAMERA, s->camera) == NULL)
            return -ENOMEM;
        o->n_streams++;
    }
    return 0;
}

int bf_orch_new(struct bf_orch **ret, const struct bf_orch_options *opt)
{
    struct bf_orch *o = calloc(1, sizeof *o);
    if (o == NULL)
        return -ENOMEM;

    o->next_generation = (opt->lease_epoch << GENERATIONS_PER_EPOCH_SHIFT) + 1;
    o->lease_epoch = opt->lease_epoch;
    snprintf(o->own_id, sizeof o->own_id, "%s", opt->node == NULL ? "" : opt->node);
    if (opt->boot_id != NULL)
        memcpy(o->boot_id, opt->boot_id, sizeof o->boot_id);
    o->lease_ms = opt->lease_ms;
    o->start_timeout_ms = opt->start_timeout_ms;
    o->stop_timeout_ms = opt->stop_timeout_ms;
    snprintf(o->ingest, sizeof o->ingest, "%s", opt->ingest == NULL ? "" : opt->ingest);
    snprintf(o->janitor, sizeof o->janitor, "%s", opt->janitor);
    int failed = add_cameras(o, opt);
    if (failed != 0) {
        bf_orch_free(o);
        return failed;
    }
    *ret = o;
    return 0;
}

void bf_orch_free(struct bf_orch *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < o->n_nodes; i++) {
        free(o->nodes[i]->sessions);
        free(o->nodes[i]->fates);
        free(o->nodes[i]);
    }
    free(o->nodes);
    free(o->streams);
    free(o->actions);
    free(o);
}

size_t bf_orch_count(const struct bf_orch *o)
{
    return o->n_streams;
}

const struct bf_stream *bf_orch_stream(const struct bf_orch *o, size_t index)
{
    return &o->streams[index].s;
}

const struct bf_stream *bf_orch_stream_of(const struct bf_orch *o, const char *camera)
{
    for (size_t i = 0; i < o->n_streams; i++)
        if (strcmp(o->streams[i].s.camera, camera) == 0)
            return &o->streams[i].s;
    return NULL;
}

const struct bf_fate *bf_orch_fates(const struct bf_orch *o, size_t *ret_n)
{
    *ret_n = o->n_fates;
    return o->fates;
}

bool bf_orch_bus_connected(const struct bf_orch *o)
{
    return o->connected;
}

/* --- requests --- */

static bool add_waiter(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t ticket, enum bf_waits_for what,
                       bool first)
{
    if (slot->n_waiters == BF_ORCH_WAITERS_MAX) {
        bf_stream_refuse(o, &slot->s, ticket, BF_OUTCOME_BUSY, "busy",
                         "Too many requests wait for this camera already; try again in a second.");
        return false;
    }
    slot->waiters[slot->n_waiters++] = (struct bf_waiter){ .ticket = ticket, .what = what, .first = first };
    return true;
}

/* Says at once why nothing can come up; true when it refused. */
static bool refuse_start(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t ticket)
{
    const struct bf_node *camera = bf_orch_node(o, BF_ROLE_CAMERA, slot->s.camera);
    char detail[384];
    bool full;

    if (!o->connected) {
        bf_stream_refuse(o, &slot->s, ticket, BF_OUTCOME_BUS_OFFLINE, "broker_offline",
                         "The gateway has no connection to the broker, so it cannot reach the camera; see its log.");
        return true;
    }
    if (bf_stream_refuse_fenced(o, slot, ticket))
        return true;
    if (slot->s.has_node && (camera == NULL || !camera->online)) {
        if (camera != NULL && camera->clock_ahead_ms != 0)
            bf_orch_clock_detail(o, camera, detail, sizeof detail);
        else
            snprintf(detail, sizeof detail, "Camera %s is offline: no state from its service for %d s. Is it running?",
                     slot->s.camera, BF_ORCH_SILENCE_MS / 1000);
        bf_stream_refuse(o, &slot->s, ticket, BF_OUTCOME_CAMERA_OFFLINE, "camera_offline", detail);
        return true;
    }
    if (bf_orch_pick_ingest(o, &full) == NULL) {
        snprintf(detail, sizeof detail,
                 full ? "Every ingest node carries %d sessions, which is its limit." : "No ingest node is online.",
                 BF_ORCH_SESSIONS_MAX);
        if (!full)
            bf_orch_add_clock(o, &slot->s, detail, sizeof detail);
        bf_stream_refuse(o, &slot->s, ticket, full ? BF_OUTCOME_BUSY : BF_OUTCOME_INGEST_OFFLINE,
                         full ? "ingest_full" : "ingest_offline", detail);
        return true;
    }
    return false;
}

static void start_fresh(struct bf_orch *o, struct bf_stream_slot *slot, const struct bf_want *want, const char *session,
                        uint64_t ticket, uint64_t now_ms)
{
    if (refuse_start(o, slot, ticket) || !add_waiter(o, slot, ticket, BF_WAITS_FOR_START, true))
        return;
    slot->s.requested_ms = now_ms;
    slot->start_deadline_ms = now_ms + o->start_timeout_ms;
    bf_stream_begin(o, slot, want, session, now_ms);
}

static void start_later(struct bf_orch *o, struct bf_stream_slot *slot, const struct bf_want *want, const char *session,
                        uint64_t ticket, uint64_t now_ms)
{
    bool joins = slot->queued;

    if (!add_waiter(o, slot, ticket, BF_WAITS_FOR_START, !joins))
        return;
    if (!joins || (slot->queued_want.on_demand && !want->on_demand))
        slot->queued_want = *want; /* nothing has begun yet: a start by hand goes before a viewer's */
    if (joins)
        return;
    slot->queued = true;
    memcpy(slot->queued_session, session, BF_ULID_SIZE);
    slot->s.requested_ms = now_ms;
    slot->start_deadline_ms = now_ms + o->start_timeout_ms;
}

/* A session that viewers have begun is not recorded and cannot become so. True when it refused. */
static bool refuse_unrecorded(struct bf_orch *o, const struct bf_stream_slot *slot, const struct bf_want *want,
                              uint64_t ticket)
{
    if (!slot->s.want.on_demand || slot->s.want.record || !want->record)
        return false;
    bf_stream_refuse(o, &slot->s, ticket, BF_OUTCOME_UNRECORDED, "not_recording",
                     "A viewer has started the camera, and that session is not recorded: stop it, then start it with "
                     "record.");
    return true;
}

/* Somebody wants the session that a viewer has begun: it is no longer up to the viewers. */
static void keep_running(struct bf_orch *o, struct bf_stream_slot *slot, const struct bf_want *want)
{
    if (want->on_demand || !slot->s.want.on_demand)
        return;
    slot->s.want.on_demand = false;
    slot->changed = true;
    bf_orch_want_persist(o);
}

int bf_orch_start(struct bf_orch *o, const char *camera, const struct bf_want *want, const char *session,
                  uint64_t ticket, uint64_t now_ms)
{
    struct bf_stream_slot *slot = bf_orch_slot(o, camera);
    if (slot == NULL)
        return -ENOENT;

    switch (slot->s.phase) {
    case BF_STREAM_LIVE:
        if (refuse_unrecorded(o, slot, want, ticket))
            break;
        keep_running(o, slot, want);
        bf_stream_refuse(o, &slot->s, ticket, BF_OUTCOME_RUNNING, "", "");
        break;
    case BF_STREAM_STARTING:
        if (refuse_unrecorded(o, slot, want, ticket))
            break;
        keep_running(o, slot, want);
        add_waiter(o, slot, ticket, BF_WAITS_FOR_START, false);
        break;
    case BF_STREAM_STOPPING:
        start_later(o, slot, want, session, ticket, now_ms);
        break;
    case BF_STREAM_IDLE:
    case BF_STREAM_FAILED:
        start_fresh(o, slot, want, session, ticket, now_ms);
        break;
    }
    bf_orch_settle(o, now_ms);
    return 0;
}

static void cancel_starts(struct bf_orch *o, struct bf_stream_slot *slot)
{
    struct bf_stream_error e = { .outcome = BF_OUTCOME_CANCELLED,
                                 .step = slot->s.step,
                                 .code = "cancelled",
                                 .detail = "A stop came in while the stream was starting." };

    bf_stream_answer(o, slot, BF_WAITS_FOR_START, &e);
    slot->queued = false;
}

int bf_orch_stop(struct bf_orch *o, const char *camera, uint64_t ticket, uint64_t now_ms)
{
    struct bf_stream_slot *slot = bf_orch_slot(o, camera);
    if (slot == NULL)
        return -ENOENT;

    bool rests = slot->s.phase == BF_STREAM_IDLE || slot->s.phase == BF_STREAM_FAILED;
    if (rests && bf_stream_refuse_fenced(o, slot, ticket))
        return 0; /* what runs on the camera is not ours to stop */
    if (rests) {
        slot->changed = slot->s.phase == BF_STREAM_FAILED;
        slot->s.phase = BF_STREAM_IDLE;
        slot->s.error = (struct bf_stream_error){ 0 };
        bf_stream_refuse(o, &slot->s, ticket, BF_OUTCOME_STOPPED, "", "");
    } else {
        cancel_starts(o, slot); /* which makes room for whoever stops */
        if (add_waiter(o, slot, ticket, BF_WAITS_FOR_STOP, slot->s.phase != BF_STREAM_STOPPING) &&
            slot->s.phase != BF_STREAM_STOPPING)
            bf_stream_undo(o, slot, now_ms);
    }
    bf_orch_settle(o, now_ms);
    return 0;
}

void bf_orch_forget(struct bf_orch *o, uint64_t ticket)
{
    for (size_t i = 0; i < o->n_streams; i++) {
        struct bf_stream_slot *slot = &o->streams[i];

        for (size_t k = 0; k < slot->n_waiters; k++) {
            if (slot->waiters[k].ticket != ticket)
                continue;
            if (slot->waiters[k].first)
                slot->waiters[k].ticket = 0; /* what became of it is told all the same: to the log, to be counted */
            else
                slot->waiters[k] = slot->waiters[--slot->n_waiters];
            return;
        }
    }
}

/* --- intents --- */

size_t bf_orch_intents(const struct bf_orch *o, struct bf_intent *ret, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_streams && n < room; i++) {
        const struct bf_stream *s = &o->streams[i].s;
        if (s->session[0] == '\0')
            continue;
        ret[n] = (struct bf_intent){ .want = s->want, .stopping = s->phase == BF_STREAM_STOPPING };
        if (ret[n].stopping)
            ret[n].error = s->error;
        memcpy(ret[n].camera, s->camera, sizeof s->camera);
        memcpy(ret[n].session, s->session, sizeof s->session);
        memcpy(ret[n].ingest, s->ingest, sizeof s->ingest);
        n++;
    }
    return n;
}

int bf_orch_adopt(struct bf_orch *o, const struct bf_intent *intent, uint64_t now_ms)
{
    struct bf_stream_slot *slot = bf_orch_slot(o, intent->camera);

    if (slot == NULL)
        return -ENOENT;
    if (slot->s.phase != BF_STREAM_IDLE)
        return -EBUSY;
    memcpy(slot->s.session, intent->session, BF_ULID_SIZE);
    memcpy(slot->s.ingest, intent->ingest, BF_ID_SIZE);
    slot->s.want = intent->want;
    slot->s.requested_ms = now_ms;
    slot->start_deadline_ms = now_ms + o->start_timeout_ms;
    slot->s.camera_ordered = slot->s.has_node; /* by the process before, or so it may be: an undo takes both back */
    slot->s.ingest_ordered = true;
    bf_orch_set_fate(o, &slot->s, BELFRY__V1__SESSION_FATE__SESSION_FATE_LIVE, now_ms);
    if (intent->stopping) {
        slot->s.error = intent->error;
        slot->s.playable = true; /* nobody has looked yet; it had been live before it was stopped, as a rule */
        bf_stream_undo(o, slot, now_ms);
    } else {
        slot->s.phase = BF_STREAM_STARTING;
        slot->adopted = true;
        bf_stream_enter(o, slot, BF_STEP_ADOPT, now_ms);
    }
    bf_orch_settle(o, now_ms);
    return 0;
}
