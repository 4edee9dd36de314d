#include "gateway/orch_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const struct {
    const char *name;
    bool starting;          /* a step of a start: bounded by the start's own deadline as well */
    uint32_t share_percent; /* of the start's or the stop's time-out */
    const char *waits;      /* for people: "the start waits for …" */
} steps[] = {
    [BF_STEP_NONE] = { "none", false, 0, "" },
    [BF_STEP_PERSIST] = { "persist", true, 100, "the request to be noted on disk" },
    [BF_STEP_ADOPT] = { "adopt", true, 100, "the ingest node to say whether it still runs the session" },
    [BF_STEP_INGEST] = { "ingest", true, 40, "the ingest node to open a port" },
    [BF_STEP_CAMERA] = { "camera", true, 60, "the camera to send its first picture" },
    [BF_STEP_MEDIA] = { "media", true, 60, "the first playable pictures to be written" },
    [BF_STEP_PLAYLIST] = { "playlist", true, 40, "the first playable pictures to appear in the journal" },
    [BF_STEP_CAMERA_OFF] = { "camera-off", false, 34, "the camera to switch off" },
    [BF_STEP_INGEST_END] = { "ingest-end", false, 34, "the ingest node to finish the session" },
    [BF_STEP_JANITOR] = { "janitor", false, 32, "the janitor to take over what was recorded" },
};

const char *bf_step_name(enum bf_step s)
{
    return steps[s].name;
}

const char *bf_step_waits(enum bf_step s)
{
    return steps[s].waits;
}

const char *bf_outcome_name(enum bf_outcome o)
{
    static const char *const names[] = { "started",        "running",    "stopped",   "bus_offline", "camera_offline",
                                         "ingest_offline", "busy",       "cancelled", "step_failed", "step_timeout",
                                         "storage",        "superseded", "unrecorded" };

    _Static_assert(BF_COUNT_OF(names) == BF_OUTCOME_UNRECORDED + 1, "each outcome has a name");
    return names[o];
}

const char *bf_stream_phase_name(enum bf_stream_phase p)
{
    static const char *const names[] = { "idle", "starting", "live", "stopping", "failed" };

    return names[p];
}

void bf_stream_enter(struct bf_orch *o, struct bf_stream_slot *slot, enum bf_step step, uint64_t now_ms)
{
    uint32_t total_ms = steps[step].starting ? o->start_timeout_ms : o->stop_timeout_ms;

    slot->s.step = step;
    slot->step_deadline_ms = now_ms + (uint64_t)total_ms * steps[step].share_percent / 100;
    if (steps[step].starting && slot->step_deadline_ms > slot->start_deadline_ms)
        slot->step_deadline_ms = slot->start_deadline_ms;
    slot->changed = true;
}

/* --- answers --- */

static void push_answer(struct bf_orch *o, const struct bf_stream *s, uint64_t ticket, bool joined,
                        const struct bf_stream_error *e)
{
    struct bf_orch_action a = { .kind = BF_ORCH_ANSWER };

    a.answer.ticket = ticket;
    a.answer.joined = joined;
    a.answer.result = *e;
    a.answer.recorded = e->outcome == BF_OUTCOME_STOPPED && s->session[0] != '\0' && s->want.record && s->playable;
    a.answer.took_ms = e->outcome == BF_OUTCOME_STARTED ? s->ready_ms : 0;
    memcpy(a.answer.camera, s->camera, sizeof a.answer.camera);
    memcpy(a.answer.session, s->session, sizeof a.answer.session);
    bf_orch_push(o, &a);
}

void bf_stream_answer(struct bf_orch *o, struct bf_stream_slot *slot, enum bf_waits_for what,
                      const struct bf_stream_error *result)
{
    size_t kept = 0;

    for (size_t i = 0; i < slot->n_waiters; i++) {
        struct bf_waiter *w = &slot->waiters[i];

        if (w->what != what) {
            slot->waiters[kept++] = *w;
            continue;
        }
        struct bf_stream_error mine = *result;
        if (mine.outcome == BF_OUTCOME_STARTED && !w->first)
            mine.outcome = BF_OUTCOME_RUNNING;
        push_answer(o, &slot->s, w->ticket, !w->first, &mine);
    }
    slot->n_waiters = kept;
}

void bf_stream_set_error(struct bf_stream_error *e, enum bf_outcome outcome, enum bf_step step, const char *code,
                         const char *detail)
{
    *e = (struct bf_stream_error){ .outcome = outcome, .step = step };
    snprintf(e->code, sizeof e->code, "%s", code);
    snprintf(e->detail, sizeof e->detail, "%s", detail);
    bf_text_clean(e->code, strlen(e->code)); /* where it was cut off */
    bf_text_clean(e->detail, strlen(e->detail));
}

void bf_stream_refuse(struct bf_orch *o, const struct bf_stream *s, uint64_t ticket, enum bf_outcome outcome,
                      const char *code, const char *detail)
{
    struct bf_stream_error e;

    bf_stream_set_error(&e, outcome, s->step, code, detail);
    push_answer(o, s, ticket, false, &e);
}

void bf_stream_fail(struct bf_orch *o, struct bf_stream_slot *slot, enum bf_outcome outcome, const char *code,
                    const char *detail, uint64_t now_ms)
{
    enum bf_step step = slot->s.step == BF_STEP_NONE ? BF_STEP_MEDIA : slot->s.step; /* live: media is what ended */

    bf_stream_set_error(&slot->s.error, outcome, step, code, detail);
    bf_stream_answer(o, slot, BF_WAITS_FOR_START, &slot->s.error);
    bf_stream_undo(o, slot, now_ms);
}

bool bf_stream_advance(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    switch (slot->s.phase) {
    case BF_STREAM_STARTING:
        return bf_stream_advance_start(o, slot, now_ms);
    case BF_STREAM_LIVE:
        return bf_stream_advance_live(o, slot, now_ms);
    case BF_STREAM_STOPPING:
        return bf_stream_advance_stop(o, slot, now_ms);
    default:
        return false;
    }
}

/* --- words for people --- */

static const char *live_detail(const struct bf_orch *o, const struct bf_stream *s, char *buf, size_t size)
{
    const struct bf_ingest_report *r = bf_orch_ingest_of(o, s);
    const struct bf_node_slot *camera = bf_orch_find_node(o, BF_ROLE_CAMERA, s->camera);

    if (!o->connected)
        snprintf(buf, size, "Live; the broker cannot be reached, so nothing can be started or stopped.");
    else if (bf_orch_clock_off(o, s) != NULL) {
        snprintf(buf, size, "Live, but the pictures end with the lease.");
        bf_orch_add_clock(o, s, buf, size);
    } else if (s->has_node && (camera == NULL || !camera->n.online))
        snprintf(buf, size, "Live, but camera %s is offline; the pictures go on when it comes back.", s->camera);
    else if (s->has_node && camera->camera_phase == BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_FAILED)
        snprintf(buf, size, "Live, but camera %s has failed and tries again: %s", s->camera, camera->error_detail);
    else if (r != NULL && r->phase == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_STALLED)
        snprintf(buf, size, "Live, but no pictures arrive from camera %s at the moment.", s->camera);
    else
        snprintf(buf, size, "Live.");
    return buf;
}

static const char *idle_detail(const struct bf_orch *o, const struct bf_stream *s, char *buf, size_t size)
{
    const struct bf_node *lost = bf_orch_superseded(o, s);

    if (lost != NULL)
        return bf_orch_superseded_detail(o, lost, buf, size);
    snprintf(buf, size, "Nothing is running.");
    bf_orch_add_clock(o, s, buf, size);
    return buf;
}

const char *bf_orch_detail(const struct bf_orch *o, const struct bf_stream *s, char *buf, size_t size)
{
    switch (s->phase) {
    case BF_STREAM_STARTING:
        snprintf(buf, size, "Starting: waiting for %s.", steps[s->step].waits);
        break;
    case BF_STREAM_LIVE:
        return live_detail(o, s, buf, size);
    case BF_STREAM_STOPPING:
        if (s->error.code[0] != '\0')
            snprintf(buf, size, "%s Undoing it: waiting for %s.", s->error.detail, steps[s->step].waits);
        else
            snprintf(buf, size, "Stopping: waiting for %s.", steps[s->step].waits);
        break;
    case BF_STREAM_FAILED:
        snprintf(buf, size, "%s", s->error.detail);
        break;
    case BF_STREAM_IDLE:
        return idle_detail(o, s, buf, size);
    }
    return buf;
}
