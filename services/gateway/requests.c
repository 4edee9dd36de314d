/* Calls of the HTTP threads, answered on the loop: at once, or when the orchestrator has come to a result. */
#include "gateway/gateway_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/request.h"

static void answer_json(struct bf_call *call, int status, json_t *json)
{
    call->status = status;
    call->body = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    bf_call_answer(call);
}

void bf_gateway_fail_call(struct bf_call *call, int status, const char *code, const char *step, const char *detail)
{
    const struct bf_problem_text p = {
        .status = status, .code = code, .step = step, .detail = detail, .instance = call->instance
    };

    call->status = status;
    call->body = bf_problem_json(&p);
    call->retry_after_s = status == 503 ? 1 : 0;
    snprintf(call->code, sizeof call->code, "%s", code);
    snprintf(call->detail, sizeof call->detail, "%s", detail);
    bf_call_answer(call);
}

/* --- what is so now --- */

static json_t *camera_json(const struct bf_gateway *g, size_t index)
{
    return bf_json_camera(g->orch, &g->config->cameras[index], &g->facts[index], true);
}

static void answer_cameras(struct bf_gateway *g, struct bf_call *call)
{
    json_t *array = json_array();

    for (size_t i = 0; i < g->config->n_cameras; i++)
        json_array_append_new(array, camera_json(g, i));
    answer_json(call, 200, json_pack("{s:o}", "cameras", array));
}

static void answer_camera(struct bf_gateway *g, struct bf_call *call)
{
    answer_json(call, 200, camera_json(g, bf_gateway_camera_index(g, call->camera)));
}

static void answer_stream(struct bf_gateway *g, struct bf_call *call)
{
    answer_json(call, 200, bf_json_stream(g->orch, bf_orch_stream_of(g->orch, call->camera)));
}

static void answer_present(struct bf_gateway *g, struct bf_call *call)
{
    struct bf_text t = { 0 };

    for (size_t i = 0; i < g->config->n_cameras; i++) {
        json_t *json = camera_json(g, i);
        _cleanup_(bf_freep) char *text = json_dumps(json, JSON_COMPACT);

        json_decref(json);
        bf_text_add(&t, "event: camera\ndata: %s\n\n", text == NULL ? "{}" : text);
    }
    bf_text_add(&t, "%s", "");
    call->status = 200;
    call->body = BF_TAKE(t.data);
    bf_call_answer(call);
}

/* --- start and stop --- */

/* Viewers wait for less time than a start may take. */
static void drop_abandoned(struct bf_gateway *g)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->n_pending; i++) {
        const struct bf_pending p = g->pending[i];

        if (p.call == NULL || bf_call_wanted(p.call)) {
            g->pending[kept++] = p;
            continue;
        }
        bf_orch_forget(g->orch, p.ticket);
        bf_call_unref(p.call);
    }
    g->n_pending = kept;
}

uint64_t bf_gateway_add_pending(struct bf_gateway *g, struct bf_call *call, const struct bf_asker *asker, bool is_stop)
{
    drop_abandoned(g);
    struct bf_pending *pending = bf_array_room(g->pending, sizeof *pending, g->n_pending, &g->room_pending);
    if (pending == NULL)
        return 0;
    g->pending = pending;
    struct bf_pending *p = &g->pending[g->n_pending++];
    *p = (struct bf_pending){ .ticket = ++g->next_ticket, .is_stop = is_stop };
    if (call != NULL)
        p->call = bf_call_ref(call);
    if (asker != NULL)
        p->asker = *asker;
    return p->ticket;
}

const char *bf_gateway_start_forbidden(const struct bf_gateway *g)
{
    if (g->draining)
        return "The gateway is being stopped.";
    if (bf_trust_expired(bf_service_trust(g->service), bf_unix_ms()))
        return "The site's trust bundle has expired, so nothing new is started; make a new one with belfryctl.";
    return NULL;
}

static void start(struct bf_gateway *g, struct bf_call *call)
{
    const char *forbidden = bf_gateway_start_forbidden(g);
    char session[BF_ULID_SIZE];

    if (forbidden != NULL) {
        bf_gateway_fail_call(call, 503, g->draining ? "ending" : "trust_expired", NULL, forbidden);
        return;
    }
    if (!call->want.on_demand)
        bf_demand_by_hand(bf_demand_of(g->app.demand, call->camera), false);
    uint64_t ticket = bf_gateway_add_pending(g, call, NULL, false);
    if (ticket == 0) {
        bf_gateway_fail_call(call, 503, "no_memory", NULL, "There is no memory for the request.");
        return;
    }
    bf_ulid_make(session, bf_unix_ms());
    bf_orch_start(g->orch, call->camera, &call->want, session, ticket, bf_mono_ms());
    bf_gateway_settle(g);
}

static void stop(struct bf_gateway *g, struct bf_call *call)
{
    uint64_t ticket = bf_gateway_add_pending(g, call, NULL, true);

    if (ticket == 0) {
        bf_gateway_fail_call(call, 503, "no_memory", NULL, "There is no memory for the request.");
        return;
    }
    bf_demand_by_hand(bf_demand_of(g->app.demand, call->camera), true);
    bf_orch_stop(g->orch, call->camera, ticket, bf_mono_ms());
    bf_gateway_settle(g);
}

void bf_gateway_on_call(void *user, struct bf_call *call)
{
    static void (*const handlers[])(struct bf_gateway * g, struct bf_call * call) = {
        [BF_CALL_CAMERAS] = answer_cameras,
        [BF_CALL_CAMERA] = answer_camera,
        [BF_CALL_STREAM] = answer_stream,
        [BF_CALL_START] = start,
        [BF_CALL_STOP] = stop,
        [BF_CALL_PRESENT] = answer_present,
        [BF_CALL_SNAPSHOT] = bf_gateway_run_errand,
        [BF_CALL_PROTECT] = bf_gateway_run_errand,
        [BF_CALL_DELETE] = bf_gateway_run_errand,
    };

    handlers[call->kind](user, call);
}

/* --- results --- */

int bf_outcome_status(enum bf_outcome o)
{
    static const int statuses[] = {
        [BF_OUTCOME_STARTED] = 201,      [BF_OUTCOME_RUNNING] = 200,        [BF_OUTCOME_STOPPED] = 200,
        [BF_OUTCOME_BUS_OFFLINE] = 503,  [BF_OUTCOME_CAMERA_OFFLINE] = 503, [BF_OUTCOME_INGEST_OFFLINE] = 503,
        [BF_OUTCOME_BUSY] = 503,         [BF_OUTCOME_CANCELLED] = 409,      [BF_OUTCOME_STEP_FAILED] = 502,
        [BF_OUTCOME_STEP_TIMEOUT] = 504, [BF_OUTCOME_STORAGE] = 500,        [BF_OUTCOME_SUPERSEDED] = 409,
        [BF_OUTCOME_UNRECORDED] = 409,
    };

    return statuses[o];
}

static void answer_call(struct bf_gateway *g, struct bf_call *call, const struct bf_orch_answer *a)
{
    int status = bf_outcome_status(a->result.outcome);
    char url[64];

    memcpy(call->session, a->session, sizeof call->session);
    if (status >= 400) {
        bf_gateway_fail_call(call, status, a->result.code,
                             a->result.step == BF_STEP_NONE ? NULL : bf_step_name(a->result.step), a->result.detail);
        return;
    }
    json_t *json = bf_json_stream(g->orch, bf_orch_stream_of(g->orch, a->camera));
    if (a->recorded) {
        snprintf(url, sizeof url, "/api/v1/recordings/%s", a->session);
        json_object_set_new(json, "recording", json_pack("{s:s, s:s}", "id", a->session, "url", url));
    }
    if (status == 201)
        snprintf(call->location, sizeof call->location, "/api/v1/cameras/%s/stream", a->camera);
    answer_json(call, status, json);
}

static void count_start(struct bf_gateway *g, const struct bf_orch_answer *a, bool is_stop)
{
    if (a->result.outcome == BF_OUTCOME_STARTED)
        bf_metrics_started(g->app.metrics, a->took_ms);
    else if (!is_stop && !a->joined && a->result.outcome != BF_OUTCOME_RUNNING)
        bf_metrics_start_failed(g->app.metrics);
}

void bf_gateway_answer(struct bf_gateway *g, const struct bf_orch_answer *a)
{
    struct bf_pending found = { 0 };

    for (size_t i = 0; i < g->n_pending; i++)
        if (g->pending[i].ticket == a->ticket) {
            found = g->pending[i];
            g->pending[i] = g->pending[--g->n_pending];
            break;
        }
    count_start(g, a, found.is_stop || a->result.outcome == BF_OUTCOME_STOPPED);
    if (found.ticket == 0)
        return; /* nobody waits */
    if (found.call == NULL) {
        bf_gateway_answer_operator(g, &found.asker, a);
        return;
    }
    answer_call(g, found.call, a);
    bf_call_unref(found.call);
}

void bf_gateway_drop_pending(struct bf_gateway *g)
{
    static const char ending[] = "The gateway is being stopped; what was begun goes on until its lease ends.";

    for (size_t i = 0; i < g->n_pending; i++)
        if (g->pending[i].call != NULL) {
            bf_gateway_fail_call(g->pending[i].call, 503, "ending", NULL, ending);
            bf_call_unref(g->pending[i].call);
        }
    g->n_pending = 0;
    while (g->n_errands > 0) {
        struct bf_errand *errand = &g->errands[--g->n_errands];

        bf_gateway_fail_call(errand->call, 503, "ending", NULL, ending);
        bf_call_unref(errand->call);
    }
}
