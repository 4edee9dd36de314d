/* Nodes that are not heard since their clocks, or this gateway's, are wrong: told by name, with what to do about it. */
#include "gateway/orch_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ALIKE_MS 10000 /* clocks that differ from ours by as much as each other are not the ones that are wrong */

void bf_orch_clock_gap(struct bf_orch *o, enum bf_role role, const char *id, int64_t ahead_ms, uint64_t now_ms)
{
    bool is_ours = role == BF_ROLE_INGEST || role == BF_ROLE_JANITOR;
    struct bf_node_slot *node = is_ours ? bf_orch_make_node(o, role, id) : bf_orch_find_node(o, role, id);

    if (node == NULL)
        return;
    node->n.clock_ahead_ms = ahead_ms;
    for (size_t i = 0; i < o->n_streams; i++)
        o->streams[i].changed = true;
    bf_orch_settle(o, now_ms);
}

static bool alike(int64_t a, int64_t b)
{
    return (a > b ? a - b : b - a) <= ALIKE_MS;
}

/* Two nodes that differ from us alike, and none that does not: then it is our clock. */
static bool is_our_clock(const struct bf_orch *o, const struct bf_node *n)
{
    unsigned others = 0;

    for (size_t i = 0; i < o->n_nodes; i++) {
        const struct bf_node *other = &o->nodes[i]->n;

        if (other == n || (other->clock_ahead_ms == 0 && !other->online))
            continue;
        if (other->clock_ahead_ms == 0 || !alike(other->clock_ahead_ms, n->clock_ahead_ms))
            return false;
        others++;
    }
    return others > 0;
}

const char *bf_orch_clock_detail(const struct bf_orch *o, const struct bf_node *n, char *buf, size_t size)
{
    char ahead[BF_TEXT_AHEAD_SIZE];

    buf[0] = '\0';
    if (n->clock_ahead_ms == 0)
        return buf;
    if (is_our_clock(o, n))
        snprintf(buf, size,
                 "This gateway's clock is %s those of its nodes, so neither side takes what the other says; set it "
                 "(timedatectl on this machine).",
                 bf_text_ahead(ahead, -n->clock_ahead_ms));
    else
        snprintf(
            buf, size,
            "The clock of %s %s is %s this gateway's, so neither takes what the other says; set it (timedatectl on "
            "that machine).",
            bf_role_name(n->role), n->id, bf_text_ahead(ahead, n->clock_ahead_ms));
    return buf;
}

static const struct bf_node *if_off(const struct bf_orch *o, enum bf_role role, const char *id)
{
    const struct bf_node *n = bf_orch_node(o, role, id);

    return n != NULL && n->clock_ahead_ms != 0 ? n : NULL;
}

/* Without a session: one that would be used if it were heard. */
static const struct bf_node *any_ingest_off(const struct bf_orch *o)
{
    const struct bf_node *off = NULL;

    for (size_t i = 0; i < o->n_nodes; i++) {
        const struct bf_node *n = &o->nodes[i]->n;

        if (n->role != BF_ROLE_INGEST || (o->ingest[0] != '\0' && strcmp(o->ingest, n->id) != 0))
            continue;
        if (n->clock_ahead_ms == 0 && n->online)
            return NULL;
        if (n->clock_ahead_ms != 0)
            off = n;
    }
    return off;
}

const struct bf_node *bf_orch_clock_off(const struct bf_orch *o, const struct bf_stream *s)
{
    const struct bf_node *camera = s->has_node ? if_off(o, BF_ROLE_CAMERA, s->camera) : NULL;

    if (camera != NULL)
        return camera;
    return s->ingest[0] != '\0' ? if_off(o, BF_ROLE_INGEST, s->ingest) : any_ingest_off(o);
}

void bf_orch_add_clock(const struct bf_orch *o, const struct bf_stream *s, char *text, size_t size)
{
    const struct bf_node *off = bf_orch_clock_off(o, s);
    size_t used = strlen(text);
    char sentence[256];

    if (off != NULL && used < size)
        snprintf(text + used, size - used, " %s", bf_orch_clock_detail(o, off, sentence, sizeof sentence));
}
