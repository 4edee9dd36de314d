#include "gateway/orch_internal.h"

#include <stdlib.h>
#include <string.h>

#define INGEST_NODES_MAX 64    /* the other nodes are those of the configuration */
#define FATE_UNLISTED_MS 10000 /* an ended session that the janitor no longer lists is off its hands */

struct bf_node_slot *bf_orch_find_node(const struct bf_orch *o, enum bf_role role, const char *id)
{
    for (size_t i = 0; i < o->n_nodes; i++)
        if (o->nodes[i]->n.role == role && strcmp(o->nodes[i]->n.id, id) == 0)
            return o->nodes[i];
    return NULL;
}

static size_t count_role(const struct bf_orch *o, enum bf_role role)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_nodes; i++)
        n += o->nodes[i]->n.role == role;
    return n;
}

struct bf_node_slot *bf_orch_make_node(struct bf_orch *o, enum bf_role role, const char *id)
{
    struct bf_node_slot *found = bf_orch_find_node(o, role, id);
    if (found != NULL)
        return found;
    if (!bf_id_valid(id) || (role == BF_ROLE_INGEST && count_role(o, role) >= INGEST_NODES_MAX))
        return NULL;

    struct bf_node_slot **grown = reallocarray(o->nodes, o->n_nodes + 1, sizeof *grown);
    if (grown == NULL)
        return NULL;
    o->nodes = grown;
    struct bf_node_slot *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return NULL;

    fresh->n.role = role;
    memcpy(fresh->n.id, id, strlen(id) + 1);
    fresh->n.generation = o->next_generation++;
    o->nodes[o->n_nodes++] = fresh;
    return fresh;
}

uint64_t bf_orch_node_changed(struct bf_orch *o, enum bf_role role, const char *id)
{
    struct bf_node_slot *node = bf_orch_make_node(o, role, id);

    if (node == NULL)
        return 0;
    node->n.generation = o->next_generation++;
    node->dirty = true;
    return node->n.generation;
}

void bf_orch_nodes_silent(struct bf_orch *o, uint64_t now_ms)
{
    for (size_t i = 0; i < o->n_nodes; i++) {
        struct bf_node_slot *node = o->nodes[i];

        if (!node->n.online || now_ms - node->last_seen_ms <= BF_ORCH_SILENCE_MS)
            continue;
        node->n.online = false;
        node->gone_ms = now_ms > o->back_by_ms ? now_ms : o->back_by_ms;
        for (size_t k = 0; k < o->n_streams; k++)
            o->streams[k].changed |= node->n.role != BF_ROLE_CAMERA || strcmp(o->streams[k].s.camera, node->n.id) == 0;
    }
}

/* Does the node hold a lease that must not run out? */
static bool has_work(const struct bf_orch *o, const struct bf_node_slot *node)
{
    if (node->n.role == BF_ROLE_JANITOR)
        return o->n_fates > 0;
    for (size_t i = 0; i < o->n_streams; i++) {
        const struct bf_stream *s = &o->streams[i].s;

        if (node->n.role == BF_ROLE_CAMERA && s->camera_ordered && strcmp(s->camera, node->n.id) == 0)
            return true;
        if (node->n.role == BF_ROLE_INGEST && s->ingest_ordered && strcmp(s->ingest, node->n.id) == 0)
            return true;
    }
    return false;
}

/* A session taken over from the process before must not be switched off before it is known how it stands. */
static bool is_held(const struct bf_orch *o, const struct bf_node_slot *node)
{
    for (size_t i = 0; i < o->n_streams; i++) {
        const struct bf_stream_slot *slot = &o->streams[i];

        if (!slot->adopted)
            continue;
        if (node->n.role == BF_ROLE_INGEST && slot->s.step == BF_STEP_ADOPT && strcmp(slot->s.ingest, node->n.id) == 0)
            return true;
        if (node->n.role == BF_ROLE_CAMERA && slot->s.endpoint.port == 0 && strcmp(slot->s.camera, node->n.id) == 0)
            return true;
    }
    return false;
}

void bf_orch_send_due(struct bf_orch *o, uint64_t now_ms)
{
    for (size_t i = 0; i < o->n_nodes && o->connected; i++) {
        struct bf_node_slot *node = o->nodes[i];
        bool due =
            now_ms >= node->next_send_ms && (has_work(o, node) || node->n.observed_generation != node->n.generation);

        if (!node->n.online || (!node->dirty && !due) || is_held(o, node))
            continue;
        node->dirty = false;
        node->next_send_ms = now_ms + o->lease_ms / 3;
        struct bf_orch_action a = { .kind = BF_ORCH_SEND, .role = node->n.role };
        memcpy(a.node, node->n.id, sizeof a.node);
        bf_orch_push(o, &a);
    }
}

static size_t load_of(const struct bf_orch *o, const char *ingest)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_streams; i++)
        n += o->streams[i].s.session[0] != '\0' && strcmp(o->streams[i].s.ingest, ingest) == 0;
    return n;
}

struct bf_node_slot *bf_orch_pick_ingest(struct bf_orch *o, bool *ret_full)
{
    struct bf_node_slot *best = NULL;

    *ret_full = false;
    for (size_t i = 0; i < o->n_nodes; i++) {
        struct bf_node_slot *node = o->nodes[i];

        if (node->n.role != BF_ROLE_INGEST || !node->n.online)
            continue;
        if (o->ingest[0] != '\0' && strcmp(o->ingest, node->n.id) != 0)
            continue;
        if (load_of(o, node->n.id) >= BF_ORCH_SESSIONS_MAX)
            *ret_full = true;
        else if (best == NULL || load_of(o, node->n.id) < load_of(o, best->n.id))
            best = node;
    }
    return best;
}

const struct bf_ingest_report *bf_orch_ingest_of(const struct bf_orch *o, const struct bf_stream *s)
{
    const struct bf_node_slot *node = bf_orch_find_node(o, BF_ROLE_INGEST, s->ingest);

    for (size_t i = 0; node != NULL && i < node->n_sessions; i++)
        if (strcmp(node->sessions[i].session, s->session) == 0)
            return &node->sessions[i];
    return NULL;
}

/* --- what becomes of sessions' files --- */

static void remove_fate(struct bf_orch *o, size_t index)
{
    o->n_fates--;
    memmove(&o->fates[index], &o->fates[index + 1], (o->n_fates - index) * sizeof o->fates[0]);
}

/* Room for one more: the oldest ended session goes; its own journal tells the janitor what to do with it. */
static bool make_fate_room(struct bf_orch *o)
{
    if (o->n_fates < BF_ORCH_SESSIONS_MAX)
        return true;
    for (size_t i = 0; i < o->n_fates; i++)
        if (o->fates[i].fate != BELFRY__V1__SESSION_FATE__SESSION_FATE_LIVE) {
            remove_fate(o, i);
            return true;
        }
    return false;
}

bool bf_orch_has_fate(const struct bf_orch *o, const char *session)
{
    for (size_t i = 0; i < o->n_fates; i++)
        if (strcmp(o->fates[i].session, session) == 0)
            return true;
    return false;
}

uint64_t bf_orch_set_fate(struct bf_orch *o, const struct bf_stream *s, Belfry__V1__SessionFate fate, uint64_t now_ms)
{
    size_t i = 0;

    while (i < o->n_fates && strcmp(o->fates[i].session, s->session) != 0)
        i++;
    if (i == o->n_fates) {
        if (!make_fate_room(o))
            return 0;
        i = o->n_fates++;
        o->fates[i] = (struct bf_fate){ 0 };
        memcpy(o->fates[i].camera, s->camera, sizeof s->camera);
        memcpy(o->fates[i].session, s->session, sizeof s->session);
    }
    o->fates[i].fate = fate;
    o->fates[i].ended_ms = now_ms;
    return bf_orch_node_changed(o, BF_ROLE_JANITOR, o->janitor);
}

static const struct bf_janitor_report *report_of(const struct bf_node_slot *janitor, const char *session)
{
    for (size_t i = 0; i < janitor->n_fates; i++)
        if (strcmp(janitor->fates[i].session, session) == 0)
            return &janitor->fates[i];
    return NULL;
}

static bool is_done(const struct bf_node_slot *janitor, const struct bf_fate *f, uint64_t now_ms)
{
    const struct bf_janitor_report *r = report_of(janitor, f->session);

    if (f->fate == BELFRY__V1__SESSION_FATE__SESSION_FATE_LIVE)
        return false;
    if (r != NULL)
        return r->phase == BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_ARCHIVED ||
               r->phase == BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_PURGED;
    return janitor->n.observed_generation >= janitor->n.generation && now_ms - f->ended_ms >= FATE_UNLISTED_MS;
}

void bf_orch_drop_done_fates(struct bf_orch *o, uint64_t now_ms)
{
    const struct bf_node_slot *janitor = bf_orch_find_node(o, BF_ROLE_JANITOR, o->janitor);
    bool dropped = false;

    for (size_t i = o->n_fates; janitor != NULL && janitor->n.online && i > 0; i--)
        if (is_done(janitor, &o->fates[i - 1], now_ms)) {
            remove_fate(o, i - 1);
            dropped = true;
        }
    if (dropped)
        bf_orch_node_changed(o, BF_ROLE_JANITOR, o->janitor);
}

bool bf_orch_fate_accepted(const struct bf_orch *o, const struct bf_stream_slot *slot)
{
    const struct bf_node_slot *janitor = bf_orch_find_node(o, BF_ROLE_JANITOR, o->janitor);

    if (janitor == NULL || !janitor->n.online)
        return true; /* it goes by the session's own journal once it is back */
    const struct bf_janitor_report *r = report_of(janitor, slot->s.session);
    bool at_work = r != NULL && r->phase >= BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_ARCHIVING;
    return at_work || janitor->n.observed_generation >= slot->stop_generation;
}

const struct bf_node *bf_orch_node(const struct bf_orch *o, enum bf_role role, const char *id)
{
    const struct bf_node_slot *found = bf_orch_find_node(o, role, id);

    return found == NULL ? NULL : &found->n;
}

size_t bf_orch_nodes_online(const struct bf_orch *o, enum bf_role role)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_nodes; i++)
        n += o->nodes[i]->n.role == role && o->nodes[i]->n.online;
    return n;
}
