/* Two gateways that order the same nodes: the nodes obey the one with the higher lease epoch (or, of two equal ones, the
 * first), and say so in their states. The other one hears it here, gives up what it has on those nodes, and starts
 * nothing there. It is judged node by node: the word of one stolen key costs that node's streams and no others. */
#include "gateway/orch_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool obeys_another(const struct bf_orch *o, const struct bf_node_report *r)
{
    if (r->lease_epoch != o->lease_epoch)
        return r->lease_epoch > o->lease_epoch;
    return r->lease_boot_id != NULL && memcmp(r->lease_boot_id, o->boot_id, sizeof o->boot_id) != 0;
}

bool bf_orch_take_lease(const struct bf_orch *o, struct bf_node *n, const struct bf_node_report *r)
{
    n->superseded = obeys_another(o, r);
    n->contested = strcmp(r->error_code, "lease_conflict") == 0;
    n->lease_epoch = r->lease_epoch;
    snprintf(n->lease_holder, sizeof n->lease_holder, "%s", r->lease_holder == NULL ? "" : r->lease_holder);
    return n->superseded;
}

size_t bf_orch_nodes_superseded(const struct bf_orch *o, enum bf_role role)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_nodes; i++)
        n += o->nodes[i]->n.role == role && o->nodes[i]->n.superseded;
    return n;
}

static const struct bf_node *if_superseded(const struct bf_orch *o, enum bf_role role, const char *id)
{
    const struct bf_node_slot *node = bf_orch_find_node(o, role, id);

    return node != NULL && node->n.superseded ? &node->n : NULL;
}

/* An ingest node that would be used if it took orders from here; NULL where one does, or none is known. */
static const struct bf_node *lost_ingest(const struct bf_orch *o)
{
    const struct bf_node *lost = NULL;

    for (size_t i = 0; i < o->n_nodes; i++) {
        const struct bf_node *n = &o->nodes[i]->n;

        if (n->role != BF_ROLE_INGEST || (o->ingest[0] != '\0' && strcmp(o->ingest, n->id) != 0))
            continue;
        if (n->online)
            return NULL;
        if (n->superseded)
            lost = n;
    }
    return lost;
}

const struct bf_node *bf_orch_superseded(const struct bf_orch *o, const struct bf_stream *s)
{
    const struct bf_node *camera = s->has_node ? if_superseded(o, BF_ROLE_CAMERA, s->camera) : NULL;

    if (camera != NULL)
        return camera;
    return s->session[0] != '\0' ? if_superseded(o, BF_ROLE_INGEST, s->ingest) : lost_ingest(o);
}

static const char *name_of(const struct bf_orch *o, const char *holder)
{
    if (holder[0] == '\0')
        return "unknown";
    return strcmp(holder, o->own_id) == 0 ? "of our own id: a copy, or this one before it lost its state directory"
                                          : holder;
}

const char *bf_orch_superseded_detail(const struct bf_orch *o, const struct bf_node *n, char *buf, size_t size)
{
    const char *holder = name_of(o, n->lease_holder);

    if (n->lease_epoch > o->lease_epoch)
        snprintf(buf, size,
                 "Another gateway (%s) has replaced this one: %s %s obeys its lease epoch %" PRIu64
                 ", and ours is %" PRIu64 ". Use that one; or stop it, write %" PRIu64
                 " to gateway.lease-epoch in the state directory here, and restart.",
                 holder, bf_role_name(n->role), n->id, n->lease_epoch, o->lease_epoch, n->lease_epoch);
    else
        snprintf(buf, size,
                 "Another gateway (%s) has the same lease epoch, %" PRIu64
                 ", and %s %s obeys that one. Use it; or stop it, and restart this one.",
                 holder, n->lease_epoch, bf_role_name(n->role), n->id);
    return buf;
}

bool bf_stream_fenced(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t now_ms)
{
    const struct bf_node *n = bf_orch_superseded(o, &slot->s);
    char detail[384];

    if (n == NULL)
        return false;
    bf_stream_fail(o, slot, BF_OUTCOME_SUPERSEDED, "superseded", bf_orch_superseded_detail(o, n, detail, sizeof detail),
                   now_ms);
    return true;
}

void bf_stream_blame_fence(const struct bf_orch *o, struct bf_stream_slot *slot)
{
    const struct bf_node *n = bf_orch_superseded(o, &slot->s);
    char detail[384];

    if (n == NULL || strcmp(slot->s.error.code, "session_ended") != 0)
        return;
    bf_stream_set_error(&slot->s.error, BF_OUTCOME_SUPERSEDED, slot->s.error.step, "superseded",
                        bf_orch_superseded_detail(o, n, detail, sizeof detail));
    slot->changed = true;
}

bool bf_stream_refuse_fenced(struct bf_orch *o, struct bf_stream_slot *slot, uint64_t ticket)
{
    const struct bf_node *n = bf_orch_superseded(o, &slot->s);
    char detail[384];

    if (n == NULL)
        return false;
    bf_stream_refuse(o, &slot->s, ticket, BF_OUTCOME_SUPERSEDED, "superseded",
                     bf_orch_superseded_detail(o, n, detail, sizeof detail));
    return true;
}
