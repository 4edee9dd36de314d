/* What must hold after every event: who may produce, who may listen, who may order. What a node may do is told from
 * what was delivered to it, by the rules of docs/architecture.md, not from what it says of itself. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sim.h"

#include "camera.pb-c.h"
#include "ingest.pb-c.h"

/* A lease is looked at every 250 ms of a loop that is a little late. */
#define LEASE_SLACK_US (400 * MSEC)

/* --- what cameras may do --- */

static bool for_this_start(const struct sim_node *n, const Belfry__V1__Header *h)
{
    return h->recipient_boot_id.len == 16 && memcmp(h->recipient_boot_id.data, n->service.identity.boot_id, 16) == 0;
}

static bool seen_before(struct sim_grant *g, const Belfry__V1__Header *h)
{
    uint64_t id;

    memcpy(&id, h->message_id.data, sizeof id);
    for (size_t i = 0; i < BF_COUNT_OF(g->seen); i++)
        if (g->seen[i] == id)
            return true;
    g->seen[g->n_seen++ % BF_COUNT_OF(g->seen)] = id;
    return false;
}

static bool is_holder(const struct sim_grant *g, const Belfry__V1__Header *h)
{
    return strcmp(g->holder, h->sender) == 0 && g->holder_epoch == h->sender_epoch;
}

/* A lower lease epoch than the highest that was ever delivered does not count, nor the same one from somebody else than
 * had it first, nor an older level than the newest, nor anything a second time. */
static bool counts(struct sim_node *n, const Belfry__V1__Header *h, const Belfry__V1__Lease *lease)
{
    struct sim_grant *g = &n->grant;

    if (!for_this_start(n, h) || seen_before(g, h) || lease->epoch < g->lease_epoch)
        return false;
    if (lease->epoch == g->lease_epoch && (lease->generation < g->generation || !is_holder(g, h)))
        return false;
    snprintf(g->holder, sizeof g->holder, "%s", h->sender);
    g->holder_epoch = h->sender_epoch;
    g->lease_epoch = lease->epoch;
    g->generation = lease->generation;
    g->until_us = sim.now_us + lease->lease_ms * MSEC;
    return true;
}

static void observe_camera(struct sim_node *n, const Belfry__V1__CameraDesired *m)
{
    if (m != NULL && counts(n, m->header, m->lease))
        snprintf(n->grant.session, sizeof n->grant.session, "%s", m->session != NULL ? m->session->session_id : "");
}

void sim_observe_desired(struct sim_node *n, const uint8_t *envelope, size_t size)
{
    bool camera = n->role == BF_ROLE_CAMERA;

    if ((!camera && n->role != BF_ROLE_INGEST) || n->service.phase != BF_PHASE_RUNNING)
        return;
    ProtobufCMessage *m = sim_unpack(camera ? BF_MSG_CAMERA_DESIRED : BF_MSG_INGEST_DESIRED, envelope, size);
    if (camera)
        observe_camera(n, (const Belfry__V1__CameraDesired *)m);
    else if (m != NULL)
        counts(n, ((const Belfry__V1__IngestDesired *)m)->header, ((const Belfry__V1__IngestDesired *)m)->lease);
    protobuf_c_message_free_unpacked(m, NULL);
}

static bool is_frozen(const struct sim_node *n)
{
    return sim.now_us < n->frozen_until_us || sim.now_us < n->thawed_us + LEASE_SLACK_US;
}

static void check_producer(const struct sim_producer *p)
{
    const struct sim_grant *g = &p->node->grant;

    for (const struct sim_producer *other = p->next; other != NULL; other = other->next)
        if (other->node == p->node)
            sim_violate("camera %s has two producers", p->node->id);
    if (p->stopping || is_frozen(p->node))
        return;
    if (strcmp(p->session, g->session) != 0)
        sim_violate("camera %s produces session %s; its newest desired that counts says \"%s\"", p->node->id,
                    p->session, g->session);
    if (sim.now_us > g->until_us + LEASE_SLACK_US)
        sim_violate("camera %s produces session %s %llu ms beyond its lease", p->node->id, p->session,
                    (unsigned long long)((sim.now_us - g->until_us) / MSEC));
}

static void check_listener(const struct sim_listener *l)
{
    for (const struct sim_listener *other = l->next; other != NULL; other = other->next)
        if (other->node != l->node && !other->stopping && !l->stopping && strcmp(other->session, l->session) == 0)
            sim_violate("session %s is open at %s and at %s", l->session, l->node->id, other->node->id);
        else if (l->passphrase[0] != '\0' && strcmp(other->passphrase, l->passphrase) == 0)
            sim_violate("sessions %s and %s have one passphrase", l->session, other->session);
    if (!l->stopping && !is_frozen(l->node) && sim.now_us > l->node->grant.until_us + LEASE_SLACK_US)
        sim_violate("%s keeps a session on port %u %llu ms beyond its lease", l->node->id, l->port,
                    (unsigned long long)((sim.now_us - l->node->grant.until_us) / MSEC));
}

static void check_gateways(void)
{
    for (size_t i = 0; i < sim.n_nodes; i++)
        for (size_t k = i + 1; k < sim.n_nodes; k++) {
            const struct sim_node *a = &sim.nodes[i], *b = &sim.nodes[k];
            if (a->role == BF_ROLE_GATEWAY && b->role == BF_ROLE_GATEWAY && a->alive && b->alive && a->host == b->host)
                sim_violate("%s and %s both order from one state directory", a->id, b->id);
        }
}

void sim_check(void)
{
    check_gateways();
    for (const struct sim_listener *l = sim_listeners; l != NULL; l = l->next)
        check_listener(l);
    for (const struct sim_producer *p = sim_producers; p != NULL; p = p->next)
        check_producer(p);
    sim_requests_check();
}
