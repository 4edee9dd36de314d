#include "gateway/orch_internal.h"

#include <stdio.h>
#include <string.h>

/* Whoever has media on the disk is there; of the others nothing is known. */
static bool has_media(const struct bf_orch *o, const struct bf_node *n)
{
    for (size_t i = 0; i < o->n_streams; i++) {
        const struct bf_stream *s = &o->streams[i].s;
        const char *id = n->role == BF_ROLE_CAMERA ? s->camera : s->ingest;

        if (s->phase == BF_STREAM_LIVE && strcmp(id, n->id) == 0)
            return true;
    }
    return false;
}

static void show(struct bf_stream *s, const char *session, const char *ingest, const struct bf_want *want)
{
    bool live = session[0] != '\0';

    s->phase = live ? BF_STREAM_LIVE : BF_STREAM_IDLE;
    s->playable = live;
    s->want = *want;
    snprintf(s->session, sizeof s->session, "%s", session);
    snprintf(s->ingest, sizeof s->ingest, "%s", ingest);
}

void bf_orch_mirror(struct bf_orch *o, const char *camera, const char *session, const char *ingest,
                    const struct bf_want *want)
{
    struct bf_stream_slot *slot = bf_orch_slot(o, camera);
    struct bf_orch_action changed = { .kind = BF_ORCH_CHANGED };

    if (slot == NULL || strcmp(slot->s.session, session) == 0)
        return;
    o->connected = true; /* there is no broker that could be missed */
    show(&slot->s, session, ingest, want);
    if (ingest[0] != '\0')
        bf_orch_make_node(o, BF_ROLE_INGEST, ingest);
    for (size_t i = 0; i < o->n_nodes; i++)
        o->nodes[i]->n.online = has_media(o, &o->nodes[i]->n);
    memcpy(changed.camera, slot->s.camera, sizeof changed.camera);
    bf_orch_push(o, &changed);
}
