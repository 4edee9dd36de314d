#include "gateway/orch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A broker that ends sends the last wills of all, and those that it keeps come before the nodes when it begins again. */
static uint64_t gone_from(const struct bf_orch *o, const struct bf_node_report *report, uint64_t now_ms)
{
    if (!report->will)
        return now_ms;
    return now_ms + BF_ORCH_WILL_MS > o->back_by_ms ? now_ms + BF_ORCH_WILL_MS : o->back_by_ms;
}

/* Both of the two say it: the one that stays, and the one that has left and is back to look. */
static bool says_cloned(const struct bf_node_report *report)
{
    return strcmp(report->error_code, "node_cloned") == 0 || strcmp(report->error_code, "node_yields") == 0;
}

/* Takes what all states have in common. NULL: a node that there is no room for. */
static struct bf_node_slot *take_report(struct bf_orch *o, enum bf_role role, const char *id,
                                        const struct bf_node_report *report, uint64_t now_ms)
{
    struct bf_node_slot *node = bf_orch_make_node(o, role, id);
    if (node == NULL)
        return NULL;

    /* A last will tells of the time when the connection was made: whom a node obeys it says while it is there. */
    bool online = report->online && !bf_orch_take_lease(o, &node->n, report);
    if (online && (!node->n.online || memcmp(node->n.boot_id, report->boot_id, sizeof node->n.boot_id) != 0)) {
        memcpy(node->n.boot_id, report->boot_id, sizeof node->n.boot_id);
        node->dirty = true; /* whoever has just come up knows of nothing */
    }
    if (node->n.online && !online)
        node->gone_ms = gone_from(o, report, now_ms);
    node->dirty |= online && node->greet;
    node->greet &= !online;
    node->n.online = online;
    if (report->online) /* as for the lease */
        node->n.cloned = says_cloned(report);
    node->n.clock_ahead_ms = 0; /* it was accepted */
    node->n.observed_generation = report->observed_generation;
    node->last_seen_ms = now_ms;
    snprintf(node->error_code, sizeof node->error_code, "%s", report->error_code);
    snprintf(node->error_detail, sizeof node->error_detail, "%s", report->error_detail);
    return node;
}

void bf_orch_camera_state(struct bf_orch *o, const char *camera, const struct bf_node_report *report,
                          Belfry__V1__CameraPhase phase, const char *session, uint64_t now_ms)
{
    struct bf_stream_slot *slot = bf_orch_slot(o, camera);
    if (slot == NULL || !slot->s.has_node)
        return;
    struct bf_node_slot *node = take_report(o, BF_ROLE_CAMERA, camera, report, now_ms);
    if (node == NULL)
        return;

    node->camera_phase = phase;
    snprintf(node->camera_session, sizeof node->camera_session, "%s", session);
    slot->changed = true;
    bf_orch_settle(o, now_ms);
}

void bf_orch_ingest_state(struct bf_orch *o, const char *id, const struct bf_node_report *report,
                          const struct bf_ingest_report *sessions, size_t n_sessions, uint64_t now_ms)
{
    struct bf_node_slot *node = take_report(o, BF_ROLE_INGEST, id, report, now_ms);
    if (node == NULL)
        return;
    if (node->sessions == NULL)
        node->sessions = calloc(BF_ORCH_SESSIONS_MAX, sizeof *node->sessions);
    if (node->sessions == NULL)
        return;

    node->n_sessions = n_sessions < BF_ORCH_SESSIONS_MAX ? n_sessions : BF_ORCH_SESSIONS_MAX;
    if (node->n_sessions > 0)
        memcpy(node->sessions, sessions, node->n_sessions * sizeof *sessions);
    for (size_t i = 0; i < o->n_streams; i++)
        o->streams[i].changed |= strcmp(o->streams[i].s.ingest, id) == 0;
    bf_orch_settle(o, now_ms);
}

void bf_orch_janitor_state(struct bf_orch *o, const char *id, const struct bf_node_report *report,
                           const struct bf_janitor_report *sessions, size_t n_sessions, uint64_t now_ms)
{
    struct bf_node_slot *node = take_report(o, BF_ROLE_JANITOR, id, report, now_ms);
    if (node == NULL)
        return;
    if (node->fates == NULL)
        node->fates = calloc(BF_ORCH_SESSIONS_MAX, sizeof *node->fates);
    if (node->fates == NULL)
        return;

    node->n_fates = n_sessions < BF_ORCH_SESSIONS_MAX ? n_sessions : BF_ORCH_SESSIONS_MAX;
    if (node->n_fates > 0)
        memcpy(node->fates, sessions, node->n_fates * sizeof *sessions);
    bf_orch_drop_done_fates(o, now_ms);
    bf_orch_settle(o, now_ms);
}

static struct bf_stream_slot *slot_of_session(struct bf_orch *o, const char *camera, const char *session)
{
    struct bf_stream_slot *slot = bf_orch_slot(o, camera);

    return slot != NULL && session[0] != '\0' && strcmp(slot->s.session, session) == 0 ? slot : NULL;
}

void bf_orch_playable(struct bf_orch *o, const char *camera, const char *session, uint64_t now_ms)
{
    struct bf_stream_slot *slot = slot_of_session(o, camera, session);

    if (slot == NULL)
        return;
    slot->s.playable = true;
    bf_orch_settle(o, now_ms);
}

void bf_orch_media_ended(struct bf_orch *o, const char *camera, const char *session, const char *reason,
                         uint64_t now_ms)
{
    struct bf_stream_slot *slot = slot_of_session(o, camera, session);

    if (slot == NULL)
        return;
    slot->s.media_ended = true;
    snprintf(slot->s.end_reason, sizeof slot->s.end_reason, "%s", reason);
    bf_orch_settle(o, now_ms);
}

static void wait_for_nodes(struct bf_orch *o, uint64_t until_ms)
{
    o->back_by_ms = until_ms;
    for (size_t i = 0; i < o->n_nodes; i++)
        if (!o->nodes[i]->n.online)
            o->nodes[i]->gone_ms = until_ms;
}

/* A session is taken over from nodes that may be back only then. */
static void put_off_adoptions(struct bf_orch *o, uint64_t until_ms)
{
    for (size_t i = 0; i < o->n_streams; i++) {
        struct bf_stream_slot *slot = &o->streams[i];

        if (slot->s.phase != BF_STREAM_STARTING || slot->s.step != BF_STEP_ADOPT)
            continue;
        slot->start_deadline_ms = until_ms + o->start_timeout_ms;
        bf_stream_enter(o, slot, BF_STEP_ADOPT, until_ms);
    }
}

void bf_orch_bus(struct bf_orch *o, bool connected, uint64_t now_ms)
{
    if (o->connected == connected)
        return;
    o->connected = connected;
    for (size_t i = 0; i < o->n_nodes; i++) {
        o->nodes[i]->dirty |= connected;
        o->nodes[i]->greet = connected;
    }
    if (connected) {
        wait_for_nodes(o, now_ms + o->lease_ms / BF_ORCH_BACK_PARTS);
        put_off_adoptions(o, o->back_by_ms);
    }
    for (size_t i = 0; i < o->n_streams; i++)
        o->streams[i].changed = true;
    bf_orch_settle(o, now_ms);
}

void bf_orch_persisted(struct bf_orch *o, bool stored, uint64_t now_ms)
{
    for (size_t i = 0; i < o->n_streams; i++) {
        struct bf_stream_slot *slot = &o->streams[i];

        if (slot->s.phase != BF_STREAM_STARTING || slot->s.step != BF_STEP_PERSIST)
            continue;
        if (!stored) {
            bf_stream_fail(o, slot, BF_OUTCOME_STORAGE, "state_not_stored",
                           "The gateway could not store the request in its state directory; see its log.", now_ms);
            continue;
        }
        slot->s.ingest_ordered = true;
        bf_orch_set_fate(o, &slot->s, BELFRY__V1__SESSION_FATE__SESSION_FATE_LIVE, now_ms);
        bf_orch_node_changed(o, BF_ROLE_INGEST, slot->s.ingest);
        bf_stream_enter(o, slot, BF_STEP_INGEST, now_ms);
    }
    bf_orch_settle(o, now_ms);
}

void bf_orch_tick(struct bf_orch *o, uint64_t now_ms)
{
    bf_orch_nodes_silent(o, now_ms);
    bf_orch_drop_done_fates(o, now_ms);
    bf_orch_settle(o, now_ms);
}
