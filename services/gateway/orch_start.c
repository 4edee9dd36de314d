#include "gateway/orch_internal.h"

#include <stdio.h>
#include <string.h>

void bf_stream_begin(struct bf_orch *o, struct bf_stream_slot *slot, const struct bf_want *want, const char *session,
                     uint64_t now_ms)
{
    struct bf_stream *s = &slot->s;
    bool full;
    struct bf_node_slot *ingest = bf_orch_pick_ingest(o, &full);

    memcpy(s->session, session, BF_ULID_SIZE);
    memcpy(s->ingest, ingest->n.id, sizeof s->ingest);
    s->want = *want;
    s->endpoint = (struct bf_endpoint){ 0 };
    s->playable = s->media_ended = false;
    s->ready_ms = 0;
    s->error = (struct bf_stream_error){ 0 };
    s->phase = BF_STREAM_STARTING;
    bf_stream_enter(o, slot, BF_STEP_PERSIST, now_ms);
    bf_orch_want_persist(o);
}

static void go_live(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    slot->s.phase = BF_STREAM_LIVE;
    slot->s.step = BF_STEP_NONE;
    slot->s.ready_ms = slot->adopted ? 0 : now_ms - slot->s.requested_ms; /* another process knew how long it took */
    slot->adopted = false;
    slot->changed = true;
    bf_stream_answer(o, slot, BF_WAITS_FOR_START, &(struct bf_stream_error){ .outcome = BF_OUTCOME_STARTED });
}

static bool same_endpoint(const struct bf_endpoint *a, const struct bf_endpoint *b)
{
    return a->transport == b->transport && a->port == b->port && a->latency_ms == b->latency_ms &&
           strcmp(a->host, b->host) == 0 && a->sealed_key_size == b->sealed_key_size &&
           memcmp(a->sealed_key, b->sealed_key, a->sealed_key_size) == 0;
}

static void take_endpoint(struct bf_orch *o, struct bf_stream_slot *slot, const struct bf_endpoint *e)
{
    struct bf_stream *s = &slot->s;

    if (e->port == 0 || same_endpoint(&s->endpoint, e))
        return;
    s->endpoint = *e;
    if (s->camera_ordered)
        bf_orch_node_changed(o, BF_ROLE_CAMERA, s->camera);
}

static bool bf_ingest_listens(Belfry__V1__IngestPhase p)
{
    return p == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LISTENING || p == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LIVE ||
           p == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_STALLED;
}

/* Endpoint news reach the camera at once: after a restart ingest listens elsewhere. */
static void follow_endpoint(struct bf_orch *o, struct bf_stream_slot *slot)
{
    const struct bf_ingest_report *r = bf_orch_ingest_of(o, &slot->s);

    if (r != NULL && bf_ingest_listens(r->phase))
        take_endpoint(o, slot, &r->endpoint);
}

static bool has_media(Belfry__V1__IngestPhase p)
{
    return p == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LIVE || p == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_STALLED;
}

static bool adopt(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    const struct bf_node_slot *node = bf_orch_find_node(o, BF_ROLE_INGEST, slot->s.ingest);
    const struct bf_ingest_report *r = bf_orch_ingest_of(o, &slot->s);

    if (node == NULL || !node->n.online)
        return false;
    if (r == NULL || (r->phase != BELFRY__V1__INGEST_PHASE__INGEST_PHASE_STARTING && !bf_ingest_listens(r->phase))) {
        bf_stream_fail(o, slot, BF_OUTCOME_STEP_FAILED, "session_lost",
                       "The session ended while the gateway was away; start it again.", now_ms);
        return true;
    }
    bf_orch_node_changed(o, BF_ROLE_INGEST, slot->s.ingest);
    bf_stream_enter(o, slot, BF_STEP_INGEST, now_ms);
    return true;
}

static bool ingest_ready(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    struct bf_stream *s = &slot->s;
    const struct bf_ingest_report *r = bf_orch_ingest_of(o, s);

    if (r == NULL || !bf_ingest_listens(r->phase) || (s->has_node && r->endpoint.port == 0))
        return false;
    take_endpoint(o, slot, &r->endpoint);
    if (s->has_node) {
        s->camera_ordered = true;
        bf_orch_node_changed(o, BF_ROLE_CAMERA, s->camera);
    }
    /* A session taken over does not hang on its camera: where that is away, the pictures go on when it comes back. */
    bf_stream_enter(o, slot, s->has_node && !slot->adopted ? BF_STEP_CAMERA : BF_STEP_MEDIA, now_ms);
    return true;
}

static bool camera_ready(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    const struct bf_node_slot *node = bf_orch_find_node(o, BF_ROLE_CAMERA, slot->s.camera);

    if (node == NULL || node->camera_phase != BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING ||
        strcmp(node->camera_session, slot->s.session) != 0)
        return false;
    bf_stream_enter(o, slot, BF_STEP_MEDIA, now_ms);
    return true;
}

static bool media_ready(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    const struct bf_ingest_report *r = bf_orch_ingest_of(o, &slot->s);
    bool was_live = slot->adopted && slot->s.playable; /* ingest may have restarted since, and wait for the camera */

    if (r == NULL || (!has_media(r->phase) && !was_live))
        return false;
    bf_stream_enter(o, slot, BF_STEP_PLAYLIST, now_ms);
    return true;
}

/* --- what ends a session that nobody asked to end --- */

static bool ingest_gave_up(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    const struct bf_ingest_report *r = bf_orch_ingest_of(o, &slot->s);
    char detail[480];

    if (r != NULL && r->phase == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_FAILED) {
        snprintf(detail, sizeof detail, "%s could not take the session: %s", slot->s.ingest,
                 r->error_detail[0] == '\0' ? "it did not say why." : r->error_detail);
        bf_stream_fail(o, slot, BF_OUTCOME_STEP_FAILED, r->error_code[0] == '\0' ? "ingest_failed" : r->error_code,
                       detail, now_ms);
        return true;
    }
    if (slot->s.media_ended || (r != NULL && r->phase == BELFRY__V1__INGEST_PHASE__INGEST_PHASE_ENDED)) {
        snprintf(detail, sizeof detail, "%s ended the session by itself (%s).", slot->s.ingest,
                 slot->s.end_reason[0] == '\0' ? "no reason given" : slot->s.end_reason);
        bf_orch_add_clock(o, &slot->s, detail, sizeof detail);
        bf_stream_fail(o, slot, BF_OUTCOME_STEP_FAILED, "session_ended", detail, now_ms);
        return true;
    }
    return false;
}

static bool camera_gave_up(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    const struct bf_node_slot *node = bf_orch_find_node(o, BF_ROLE_CAMERA, slot->s.camera);
    char detail[480];

    if (node == NULL || node->camera_phase != BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_FAILED ||
        strcmp(node->camera_session, slot->s.session) != 0)
        return false;
    snprintf(detail, sizeof detail, "Camera %s failed to start: %s", slot->s.camera,
             node->error_detail[0] == '\0' ? "it did not say why." : node->error_detail);
    bf_stream_fail(o, slot, BF_OUTCOME_STEP_FAILED, node->error_code[0] == '\0' ? "camera_failed" : node->error_code,
                   detail, now_ms);
    return true;
}

/* Without the bus nobody is known to be gone. */
static bool is_gone(const struct bf_orch *o, const struct bf_node_slot *node, uint64_t now_ms)
{
    return node == NULL || (!node->n.online && o->connected && now_ms >= node->gone_ms);
}

/* While it starts, a node that goes away ends the start: waiting for the time-out would tell nobody more. */
static bool node_went_away(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    const struct bf_node_slot *ingest = bf_orch_find_node(o, BF_ROLE_INGEST, slot->s.ingest);
    const struct bf_node_slot *camera = bf_orch_find_node(o, BF_ROLE_CAMERA, slot->s.camera);
    char detail[384];

    if (is_gone(o, ingest, now_ms)) {
        snprintf(detail, sizeof detail, "Ingest node %s went offline during the start.", slot->s.ingest);
        bf_orch_add_clock(o, &slot->s, detail, sizeof detail);
        bf_stream_fail(o, slot, BF_OUTCOME_INGEST_OFFLINE, "ingest_offline", detail, now_ms);
        return true;
    }
    if (slot->s.has_node && !slot->adopted && is_gone(o, camera, now_ms)) {
        snprintf(detail, sizeof detail, "Camera %s went offline during the start.", slot->s.camera);
        bf_orch_add_clock(o, &slot->s, detail, sizeof detail);
        bf_stream_fail(o, slot, BF_OUTCOME_CAMERA_OFFLINE, "camera_offline", detail, now_ms);
        return true;
    }
    return false;
}

static bool too_late(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    char detail[384];

    if (now_ms < slot->step_deadline_ms)
        return false;
    snprintf(detail, sizeof detail, "The start waited too long for %s; it was undone.", bf_step_waits(slot->s.step));
    bf_orch_add_clock(o, &slot->s, detail, sizeof detail);
    bf_stream_fail(o, slot, BF_OUTCOME_STEP_TIMEOUT, "timeout", detail, now_ms);
    return true;
}

/* Without the bus nobody can say how the session stands, and its nodes may hold their lease: it stays, but whoever
 * waits for it is told. */
static bool adopted_too_late(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    struct bf_stream_error e;

    if (o->connected)
        return too_late(o, slot, now_ms);
    if (now_ms < slot->step_deadline_ms)
        return false;
    bf_stream_set_error(&e, BF_OUTCOME_BUS_OFFLINE, BF_STEP_ADOPT, "broker_offline",
                        "The gateway has no connection to the broker, so it cannot tell whether the session still "
                        "runs; see its log.");
    bf_stream_answer(o, slot, BF_WAITS_FOR_START, &e);
    return false;
}

bool bf_stream_advance_start(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    enum bf_step step = slot->s.step;

    if (bf_stream_fenced(o, slot, now_ms))
        return true;
    if (step == BF_STEP_PERSIST)
        return too_late(o, slot, now_ms);
    if (step == BF_STEP_ADOPT)
        return adopt(o, slot, now_ms) || adopted_too_late(o, slot, now_ms);
    if (node_went_away(o, slot, now_ms) || ingest_gave_up(o, slot, now_ms))
        return true;
    if (step == BF_STEP_INGEST)
        return ingest_ready(o, slot, now_ms) || too_late(o, slot, now_ms);
    follow_endpoint(o, slot);
    if (slot->s.has_node && !slot->adopted && camera_gave_up(o, slot, now_ms))
        return true;
    if (step == BF_STEP_CAMERA)
        return camera_ready(o, slot, now_ms) || too_late(o, slot, now_ms);
    if (step == BF_STEP_MEDIA)
        return media_ready(o, slot, now_ms) || too_late(o, slot, now_ms);
    if (!slot->s.playable)
        return too_late(o, slot, now_ms);
    go_live(o, slot, now_ms);
    return true;
}

bool bf_stream_advance_live(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    if (bf_stream_fenced(o, slot, now_ms) || ingest_gave_up(o, slot, now_ms))
        return true;
    follow_endpoint(o, slot);
    return false;
}
