#include "gateway/orch_internal.h"

#include <stdio.h>
#include <string.h>

void bf_stream_undo(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    struct bf_stream *s = &slot->s;

    s->phase = BF_STREAM_STOPPING;
    slot->adopted = false;
    slot->stop_generation = 0;
    if (s->camera_ordered) {
        s->camera_ordered = false;
        slot->stop_generation = bf_orch_node_changed(o, BF_ROLE_CAMERA, s->camera);
    }
    bf_stream_enter(o, slot, BF_STEP_CAMERA_OFF, now_ms);
    bf_orch_want_persist(o);
}

static bool camera_is_off(const struct bf_orch *o, const struct bf_stream_slot *slot)
{
    const struct bf_node_slot *node = bf_orch_find_node(o, BF_ROLE_CAMERA, slot->s.camera);

    if (slot->stop_generation == 0 || node == NULL || !node->n.online)
        return true; /* never ordered, or it is gone: its lease ends it */
    bool ours = strcmp(node->camera_session, slot->s.session) == 0;
    bool off = node->camera_phase == BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF;
    return node->n.observed_generation >= slot->stop_generation && (off || !ours);
}

static bool ingest_is_done(const struct bf_orch *o, const struct bf_stream_slot *slot)
{
    const struct bf_node_slot *node = bf_orch_find_node(o, BF_ROLE_INGEST, slot->s.ingest);
    const struct bf_ingest_report *r = bf_orch_ingest_of(o, &slot->s);

    if (slot->stop_generation == 0 || node == NULL || !node->n.online || slot->s.media_ended)
        return true;
    if (r == NULL)
        return node->n.observed_generation >= slot->stop_generation;
    return r->phase == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_ENDED ||
           r->phase == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_FAILED;
}

static void end_ingest(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    struct bf_stream *s = &slot->s;

    slot->stop_generation = 0;
    if (s->ingest_ordered) {
        s->ingest_ordered = false;
        slot->stop_generation = bf_orch_node_changed(o, BF_ROLE_INGEST, s->ingest);
    }
    bf_stream_enter(o, slot, BF_STEP_INGEST_END, now_ms);
}

/* What was to be recorded is never ordered away: that nothing was seen of it here does not mean that there is nothing.
 * The janitor sees the files, and purges the session all the same when it holds no media. */
static void hand_over(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    bool keep = slot->s.want.record;

    slot->stop_generation = 0;
    if (bf_orch_has_fate(o, slot->s.session)) /* else nobody has heard of the session yet */
        slot->stop_generation = bf_orch_set_fate(o, &slot->s,
                                                 keep ? BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE
                                                      : BELFRY__V1__SESSION_FATE__SESSION_FATE_PURGE,
                                                 now_ms);
    bf_stream_enter(o, slot, BF_STEP_JANITOR, now_ms);
}

/* Why a queued start cannot go on, now that it could; false when it can. */
static bool cannot_begin(struct bf_orch *o, const struct bf_stream *s, struct bf_stream_error *ret)
{
    const struct bf_node *lost = bf_orch_superseded(o, s);
    char detail[384];
    bool full;

    if (lost != NULL)
        bf_stream_set_error(ret, BF_OUTCOME_SUPERSEDED, BF_STEP_NONE, "superseded",
                            bf_orch_superseded_detail(o, lost, detail, sizeof detail));
    else if (!o->connected)
        bf_stream_set_error(ret, BF_OUTCOME_BUS_OFFLINE, BF_STEP_NONE, "broker_offline",
                            "The gateway has no connection to the broker, so it cannot reach the camera; see its log.");
    else if (bf_orch_pick_ingest(o, &full) == NULL)
        bf_stream_set_error(ret, BF_OUTCOME_INGEST_OFFLINE, BF_STEP_NONE, "ingest_offline",
                            "No ingest node is online.");
    else
        return false;
    return true;
}

static void begin_queued(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    struct bf_stream_error e;

    slot->queued = false;
    if (cannot_begin(o, &slot->s, &e))
        bf_stream_answer(o, slot, BF_WAITS_FOR_START, &e);
    else
        bf_stream_begin(o, slot, &slot->queued_want, slot->queued_session, now_ms);
}

static void finish(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    struct bf_stream *s = &slot->s;

    bf_stream_answer(o, slot, BF_WAITS_FOR_STOP, &(struct bf_stream_error){ .outcome = BF_OUTCOME_STOPPED });
    s->phase = s->error.code[0] == '\0' ? BF_STREAM_IDLE : BF_STREAM_FAILED;
    s->step = BF_STEP_NONE;
    s->session[0] = s->ingest[0] = '\0';
    slot->changed = true;
    bf_orch_want_persist(o);
    if (slot->queued)
        begin_queued(o, slot, now_ms);
}

/* A queued start has its own deadline while the old session is undone. */
static bool queued_too_late(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    struct bf_stream_error e;
    char detail[200];

    if (!slot->queued || now_ms < slot->start_deadline_ms)
        return false;
    slot->queued = false;
    snprintf(detail, sizeof detail, "The start waited too long for the session before it: for %s.",
             bf_step_waits(slot->s.step));
    bf_stream_set_error(&e, BF_OUTCOME_STEP_TIMEOUT, slot->s.step, "timeout", detail);
    bf_stream_answer(o, slot, BF_WAITS_FOR_START, &e);
    return true;
}

bool bf_stream_advance_stop(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    bool late = now_ms >= slot->step_deadline_ms;

    bf_stream_blame_fence(o, slot);
    switch (slot->s.step) {
    case BF_STEP_CAMERA_OFF:
        if (!camera_is_off(o, slot) && !late)
            break;
        end_ingest(o, slot, now_ms);
        return true;
    case BF_STEP_INGEST_END:
        if (!ingest_is_done(o, slot) && !late)
            break;
        hand_over(o, slot, now_ms);
        return true;
    default:
        if (!bf_orch_fate_accepted(o, slot) && !late)
            break;
        finish(o, slot, now_ms);
        return true;
    }
    return queued_too_late(o, slot, now_ms);
}
