/* What only the janitor may do, asked of it and answered to whoever asked: snapshot, protect, delete. */
#include "gateway/gateway_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#include "janitor.pb-c.h"

#define ERRAND_MS 6000

static int ask_janitor(struct bf_gateway *g, const struct bf_call *call, const char *session, uint8_t *ret_message_id)
{
    const struct bf_node *janitor = bf_orch_node(g->orch, BF_ROLE_JANITOR, g->config->janitor.node);
    Belfry__V1__JanitorCommand m = BELFRY__V1__JANITOR_COMMAND__INIT;
    Belfry__V1__DeleteRecording deletion = BELFRY__V1__DELETE_RECORDING__INIT;
    Belfry__V1__ProtectRecording protection = BELFRY__V1__PROTECT_RECORDING__INIT;
    Belfry__V1__TakeSnapshot snapshot = BELFRY__V1__TAKE_SNAPSHOT__INIT;

    if (janitor == NULL || !janitor->online)
        return -ENOTCONN;
    const struct bf_address to = { .topic_role = BF_ROLE_JANITOR,
                                   .topic_id = janitor->id,
                                   .recipient = janitor->id,
                                   .recipient_boot_id = janitor->boot_id,
                                   .ttl_ms = ERRAND_MS };
    if (call->kind == BF_CALL_DELETE) {
        deletion.recording_id = (char *)call->recording;
        m.action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_DELETE;
        m.delete_ = &deletion;
    } else if (call->kind == BF_CALL_PROTECT) {
        protection.recording_id = (char *)call->recording;
        protection.protected_ = call->is_protected;
        protection.title = (char *)call->title;
        m.action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_PROTECT;
        m.protect = &protection;
    } else {
        snapshot.session_id = (char *)session;
        snapshot.camera = (char *)call->camera;
        m.action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_SNAPSHOT;
        m.snapshot = &snapshot;
    }
    return bf_bus_send(bf_service_bus(g->service), BF_MSG_JANITOR_COMMAND, &to, &m.base, ret_message_id);
}

void bf_gateway_run_errand(struct bf_gateway *g, struct bf_call *call)
{
    const struct bf_stream *s = call->kind == BF_CALL_SNAPSHOT ? bf_orch_stream_of(g->orch, call->camera) : NULL;
    struct bf_errand errand = { .call = call, .deadline_ms = bf_mono_ms() + ERRAND_MS };

    if (call->kind == BF_CALL_SNAPSHOT && (s == NULL || s->phase != BF_STREAM_LIVE)) {
        bf_gateway_fail_call(call, 409, "nothing_live", NULL, "Nothing is live on this camera to take a picture of.");
        return;
    }
    const struct bf_node *janitor = bf_orch_node(g->orch, BF_ROLE_JANITOR, g->config->janitor.node);
    if (janitor != NULL && janitor->superseded) {
        char detail[384];
        bf_gateway_fail_call(call, 409, "superseded", NULL,
                             bf_orch_superseded_detail(g->orch, janitor, detail, sizeof detail));
        return;
    }
    if (g->n_errands == BF_COUNT_OF(g->errands)) {
        bf_gateway_fail_call(call, 503, "busy", NULL, "The janitor has enough to do already; try again.");
        return;
    }
    if (s != NULL)
        memcpy(errand.session, s->session, sizeof errand.session);
    int r = ask_janitor(g, call, errand.session, errand.message_id);
    if (r < 0) {
        bf_gateway_fail_call(call, 503, "janitor_offline", NULL,
                             r == -ENOTCONN ? "The janitor, which does this, is offline."
                                            : "The request could not be sent to the janitor; see the gateway's log.");
        return;
    }
    bf_call_ref(call);
    g->errands[g->n_errands++] = errand;
}

/* --- answers --- */

static int status_of(const char *code)
{
    static const struct {
        const char *code;
        int status;
    } rows[] = { { "not_found", 404 }, { "protected", 409 }, { "no_picture", 409 },
                 { "busy", 503 },      { "stopping", 503 },  { "disk_full", 503 } };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        if (strcmp(rows[i].code, code) == 0)
            return rows[i].status;
    return 502;
}

/* Only a name of this form becomes part of an address. */
static bool is_snapshot_name(const char *name)
{
    uint64_t number;
    char digits[24];
    size_t n = strlen(name);

    if (n < 14 || n - 13 >= sizeof digits || strncmp(name, "snapshot-", 9) != 0 || strcmp(name + n - 4, ".jpg") != 0)
        return false;
    memcpy(digits, name + 9, n - 13);
    digits[n - 13] = '\0';
    return bf_parse_u64(digits, &number);
}

static void answer_json(struct bf_call *call, int status, json_t *json)
{
    call->status = status;
    call->body = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    bf_call_answer(call);
}

static void finish(struct bf_gateway *g, const struct bf_errand *errand, const Belfry__V1__JanitorReply *reply)
{
    struct bf_call *call = errand->call;
    struct bf_recording found;
    char url[128];

    if (reply->error != NULL) {
        bf_gateway_fail_call(call, status_of(reply->error->code), reply->error->code, NULL, reply->error->detail);
    } else if (call->kind == BF_CALL_DELETE) {
        bf_gateway_remove_recording(g, call->recording);
        call->status = 204;
        bf_call_answer(call);
    } else if (call->kind == BF_CALL_PROTECT) {
        bf_gateway_load_recording(g, call->camera, call->recording);
        if (bf_recordings_find(g->app.recordings, call->recording, &found) == 0)
            answer_json(call, 200, bf_json_recording(&found));
        else
            bf_gateway_fail_call(call, 404, "no_such_recording", NULL, "The recording is gone meanwhile.");
    } else if (is_snapshot_name(reply->file)) {
        snprintf(url, sizeof url, "/live/%s/%s/%s", call->camera, errand->session, reply->file);
        answer_json(call, 201, json_pack("{s:s}", "url", url));
    } else {
        bf_gateway_fail_call(call, 502, "bad_reply", NULL, "The janitor answered with a name that no snapshot has.");
    }
}

static void remove_errand(struct bf_gateway *g, size_t index)
{
    bf_call_unref(g->errands[index].call);
    g->errands[index] = g->errands[--g->n_errands];
}

void bf_gateway_on_janitor_reply(void *state, const struct bf_incoming *m)
{
    struct bf_gateway *g = state;
    const ProtobufCBinaryData *id = &m->header->in_reply_to;

    for (size_t i = 0; i < g->n_errands; i++) {
        if (id->len != 16 || memcmp(g->errands[i].message_id, id->data, 16) != 0)
            continue;
        finish(g, &g->errands[i], (const Belfry__V1__JanitorReply *)m->message);
        remove_errand(g, i);
        return;
    }
}

void bf_gateway_expire_errands(struct bf_gateway *g, uint64_t now_ms)
{
    for (size_t i = g->n_errands; i > 0; i--)
        if (now_ms >= g->errands[i - 1].deadline_ms) {
            bf_gateway_fail_call(g->errands[i - 1].call, 504, "no_answer", NULL,
                                 "The janitor did not answer in time; see its log.");
            remove_errand(g, i - 1);
        }
}
