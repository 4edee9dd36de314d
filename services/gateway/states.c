/* What the nodes say of themselves, and what has happened, handed to the orchestrator and to listeners. */
#include "gateway/gateway_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#include "event.pb-c.h"

static struct bf_node_report report_of(const struct bf_incoming *m, const Belfry__V1__NodeStatus *node)
{
    static const uint8_t none[BF_ORCH_BOOT_ID_SIZE];
    bool has_boot_id = node->boot_id.len == BF_ORCH_BOOT_ID_SIZE;
    bool has_holder = node->lease_holder_boot_id.len == BF_ORCH_BOOT_ID_SIZE;

    return (struct bf_node_report){
        .online = node->online && !m->will && has_boot_id,
        .will = m->will,
        .boot_id = has_boot_id ? node->boot_id.data : none,
        .observed_generation = node->observed_generation,
        .error_code = node->last_error == NULL ? "" : node->last_error->code,
        .error_detail = node->last_error == NULL ? "" : node->last_error->detail,
        .lease_epoch = node->lease_epoch,
        .lease_holder = node->lease_holder,
        .lease_boot_id = has_holder ? node->lease_holder_boot_id.data : NULL,
    };
}

static void add_counter(struct bf_camera_facts *f, const char *name, uint64_t value)
{
    if (f->n_counters == BF_COUNT_OF(f->counters))
        return;
    struct bf_fact_counter *c = &f->counters[f->n_counters++];
    snprintf(c->name, sizeof c->name, "%s", name);
    c->value = value;
}

static void learn_camera(struct bf_camera_facts *f, const Belfry__V1__CameraState *m)
{
    bool on = m->phase == BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING && m->video != NULL;

    snprintf(f->source, sizeof f->source, "%s", m->source);
    snprintf(f->encoder, sizeof f->encoder, "%s", m->encoder);
    f->width = on ? m->video->width : 0;
    f->height = on ? m->video->height : 0;
    f->fps = on ? m->video->fps : 0;
    f->bitrate_kbps = on ? m->video->bitrate_kbps : 0;
    f->n_counters = 0;
    add_counter(f, "frames", m->frames);
    for (size_t i = 0; i < m->node->n_counters; i++)
        add_counter(f, m->node->counters[i]->name, m->node->counters[i]->value);
}

void bf_gateway_on_camera_state(void *state, const struct bf_incoming *m)
{
    struct bf_gateway *g = state;
    const Belfry__V1__CameraState *s = (const Belfry__V1__CameraState *)m->message;
    size_t index = bf_gateway_camera_index(g, m->topic.id);

    if (index == g->config->n_cameras || s->node == NULL)
        return; /* of this site, but not one of ours */
    if (!m->will)
        learn_camera(&g->facts[index], s);
    const struct bf_node_report report = report_of(m, s->node);
    const struct bf_standing before = bf_gateway_standing(g, BF_ROLE_CAMERA, m->topic.id);
    bf_orch_camera_state(g->orch, m->topic.id, &report, s->phase, s->session_id, bf_mono_ms());
    bf_gateway_tell_standing(g, BF_ROLE_CAMERA, m->topic.id, before, &report);
    bf_gateway_settle(g);
}

static void learn_endpoint(struct bf_endpoint *ret, const Belfry__V1__Endpoint *e)
{
    if (e == NULL || e->sealed_media_key.len > sizeof ret->sealed_key)
        return;
    ret->transport = e->transport;
    snprintf(ret->host, sizeof ret->host, "%s", e->host);
    ret->port = e->port;
    ret->latency_ms = e->latency_ms;
    ret->sealed_key_size = e->sealed_media_key.len;
    if (e->sealed_media_key.len > 0)
        memcpy(ret->sealed_key, e->sealed_media_key.data, e->sealed_media_key.len);
}

void bf_gateway_on_ingest_state(void *state, const struct bf_incoming *m)
{
    struct bf_gateway *g = state;
    const Belfry__V1__IngestState *s = (const Belfry__V1__IngestState *)m->message;
    if (s->node == NULL)
        return;
    size_t n = s->n_sessions < BF_ORCH_SESSIONS_MAX ? s->n_sessions : BF_ORCH_SESSIONS_MAX;
    _cleanup_(bf_freep) struct bf_ingest_report *list = calloc(n + 1, sizeof *list);
    if (list == NULL)
        return; /* it says it again in five seconds */

    for (size_t i = 0; i < n; i++) {
        const Belfry__V1__IngestSessionStatus *status = s->sessions[i];

        snprintf(list[i].session, sizeof list[i].session, "%s", status->session_id);
        list[i].phase = status->phase;
        learn_endpoint(&list[i].endpoint, status->endpoint);
        if (status->error == NULL)
            continue;
        snprintf(list[i].error_code, sizeof list[i].error_code, "%s", status->error->code);
        snprintf(list[i].error_detail, sizeof list[i].error_detail, "%s", status->error->detail);
    }
    const struct bf_node_report report = report_of(m, s->node);
    const struct bf_standing before = bf_gateway_standing(g, BF_ROLE_INGEST, m->topic.id);
    bf_orch_ingest_state(g->orch, m->topic.id, &report, list, n, bf_mono_ms());
    bf_gateway_tell_standing(g, BF_ROLE_INGEST, m->topic.id, before, &report);
    bf_gateway_settle(g);
}

void bf_gateway_on_janitor_state(void *state, const struct bf_incoming *m)
{
    struct bf_gateway *g = state;
    const Belfry__V1__JanitorState *s = (const Belfry__V1__JanitorState *)m->message;
    struct bf_janitor_report list[BF_ORCH_SESSIONS_MAX];
    size_t n = 0;

    if (s->node == NULL)
        return;
    for (; n < s->n_sessions && n < BF_ORCH_SESSIONS_MAX; n++) {
        snprintf(list[n].session, sizeof list[n].session, "%s", s->sessions[n]->session_id);
        list[n].phase = s->sessions[n]->phase;
    }
    const struct bf_node_report report = report_of(m, s->node);
    const struct bf_standing before = bf_gateway_standing(g, BF_ROLE_JANITOR, m->topic.id);
    bf_orch_janitor_state(g->orch, m->topic.id, &report, list, n, bf_mono_ms());
    bf_gateway_tell_standing(g, BF_ROLE_JANITOR, m->topic.id, before, &report);
    bf_gateway_settle(g);
}

static void tell_alarm(struct bf_gateway *g, const char *node, const Belfry__V1__Failure *f, bool active)
{
    if (f != NULL)
        bf_gateway_alarm(g, node, f->code, f->detail, active);
}

void bf_gateway_on_event(void *state, const struct bf_incoming *m)
{
    struct bf_gateway *g = state;
    const Belfry__V1__Event *event = (const Belfry__V1__Event *)m->message;

    switch (event->kind) {
    case BELFRY__V1__EVENT_KIND__EVENT_KIND_RECORDING_READY:
        bf_gateway_load_recording(g, event->camera, event->session_id);
        break;
    case BELFRY__V1__EVENT_KIND__EVENT_KIND_RECORDING_DELETED:
        bf_gateway_remove_recording(g, event->session_id);
        break;
    case BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM:
    case BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED:
        tell_alarm(g, m->topic.id, event->failure, event->kind == BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM);
        break;
    default:
        break; /* of sessions the journal tells, and sooner */
    }
}
