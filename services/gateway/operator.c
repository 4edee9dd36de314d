/* Operators over the bus: the same entry points as the REST API, answered on their rsp topic when there is a result. */
#include "gateway/gateway_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/want.h"

static Belfry__V1__StreamPhase phase_of(enum bf_stream_phase p)
{
    static const Belfry__V1__StreamPhase phases[] = {
        [BF_STREAM_IDLE] = BELFRY__V1__STREAM_PHASE__STREAM_PHASE_IDLE,
        [BF_STREAM_STARTING] = BELFRY__V1__STREAM_PHASE__STREAM_PHASE_STARTING,
        [BF_STREAM_LIVE] = BELFRY__V1__STREAM_PHASE__STREAM_PHASE_LIVE,
        [BF_STREAM_STOPPING] = BELFRY__V1__STREAM_PHASE__STREAM_PHASE_STOPPING,
        [BF_STREAM_FAILED] = BELFRY__V1__STREAM_PHASE__STREAM_PHASE_FAILED,
    };

    return phases[p];
}

/* One stream as its message says it; the strings live as long as this does. */
struct status {
    Belfry__V1__StreamStatus message;
    Belfry__V1__Failure error;
    char path[80];
};

static void describe(struct status *ret, const struct bf_orch *o, const struct bf_stream *s)
{
    const struct bf_node *node = bf_orch_node(o, BF_ROLE_CAMERA, s->camera);

    belfry__v1__stream_status__init(&ret->message);
    belfry__v1__failure__init(&ret->error);
    ret->message.camera = (char *)s->camera;
    ret->message.phase = phase_of(s->phase);
    ret->message.session_id = (char *)s->session;
    ret->message.camera_online =
        s->has_node ? node != NULL && node->online : bf_orch_nodes_online(o, BF_ROLE_INGEST) > 0;
    if (s->session[0] != '\0')
        ret->message.profile = s->want.profile;
    ret->path[0] = '\0';
    if (s->phase == BF_STREAM_LIVE)
        snprintf(ret->path, sizeof ret->path, "/live/%s/%s/media.m3u8", s->camera, s->session);
    ret->message.hls_path = ret->path;
    if (s->error.code[0] == '\0')
        return;
    ret->error.code = (char *)s->error.code;
    ret->error.detail = (char *)s->error.detail;
    ret->error.at_ms = bf_unix_ms();
    ret->message.error = &ret->error;
}

/* All streams, or one camera's. *ret_statuses owns what *ret_list points at; both are malloc'd. */
static size_t describe_all(const struct bf_orch *o, const char *camera, struct status **ret_statuses,
                           Belfry__V1__StreamStatus ***ret_list)
{
    size_t count = bf_orch_count(o), n = 0;
    struct status *statuses = calloc(count + 1, sizeof *statuses);
    Belfry__V1__StreamStatus **list = calloc(count + 1, sizeof *list);

    for (size_t i = 0; statuses != NULL && list != NULL && i < count; i++) {
        const struct bf_stream *s = bf_orch_stream(o, i);

        if (camera[0] != '\0' && strcmp(s->camera, camera) != 0)
            continue;
        describe(&statuses[n], o, s);
        list[n] = &statuses[n].message;
        n++;
    }
    *ret_statuses = statuses;
    *ret_list = list;
    return n;
}

int bf_gateway_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                          void *pack_user)
{
    const struct bf_gateway *g = state;
    Belfry__V1__GatewayState m = BELFRY__V1__GATEWAY_STATE__INIT;
    _cleanup_(bf_freep) struct status *statuses = NULL;
    _cleanup_(bf_freep) Belfry__V1__StreamStatus **list = NULL;

    m.node = node;
    if (g != NULL && g->orch != NULL && node->online) {
        m.n_streams = describe_all(g->orch, "", &statuses, &list);
        m.streams = list;
    }
    return pack(pack_user, &m.base);
}

/* --- commands --- */

static void reply(struct bf_gateway *g, const struct bf_asker *asker, const char *camera, const char *code,
                  const char *detail)
{
    Belfry__V1__GatewayReply m = BELFRY__V1__GATEWAY_REPLY__INIT;
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;
    _cleanup_(bf_freep) struct status *statuses = NULL;
    _cleanup_(bf_freep) Belfry__V1__StreamStatus **list = NULL;

    if (code != NULL) {
        failure.code = (char *)code;
        failure.detail = (char *)detail;
        failure.at_ms = bf_unix_ms();
        m.error = &failure;
    }
    m.n_streams = describe_all(g->orch, camera, &statuses, &list);
    m.streams = list;
    int r = bf_bus_reply_to(bf_service_bus(g->service), asker, BF_MSG_GATEWAY_REPLY, &m.base);
    if (r < 0)
        bf_warning("an operator was not answered", "operator=%s error=%s", asker->node, strerrorname_np(-r));
}

void bf_gateway_answer_operator(struct bf_gateway *g, const struct bf_asker *asker, const struct bf_orch_answer *a)
{
    bool failed = bf_outcome_status(a->result.outcome) >= 400;

    reply(g, asker, a->camera, failed ? a->result.code : NULL, a->result.detail);
}

static bool within(uint32_t value, uint32_t min, uint32_t max)
{
    return value == 0 || (value >= min && value <= max);
}

static bool video_fits(const struct bf_camera_config *c, const Belfry__V1__VideoParams *v)
{
    return within(v->width, 64, c->max_width) && within(v->height, 64, c->max_height) &&
           within(v->fps, 1, c->max_fps) && within(v->bitrate_kbps, 64, c->max_bitrate_kbps);
}

/* NULL: *ret is what the command asks for. Else the code of what is wrong with it, and *ret_detail the sentence. */
static const char *read_want(struct bf_want *ret, const struct bf_camera_config *c, const Belfry__V1__StartStream *s,
                             const char **ret_detail)
{
    struct bf_want want = bf_want_of(c);

    want.record = s->record;
    if (s->profile != BELFRY__V1__PROFILE__PROFILE_UNSPECIFIED)
        want.profile = s->profile;
    *ret = want;
    if (s->video == NULL)
        return NULL;

    *ret_detail = "A value of video is beyond the camera's configured limits.";
    if (!video_fits(c, s->video))
        return "bad_video";
    *ret_detail = "The GOP is longer than a segment of the profile, which begins with an IDR.";
    if (s->video->gop_ms > bf_want_gop_max_ms(&want))
        return "bad_gop";
    ret->width = s->video->width;
    ret->height = s->video->height;
    ret->fps = s->video->fps;
    ret->bitrate_kbps = s->video->bitrate_kbps;
    ret->gop_ms = s->video->gop_ms;
    return NULL;
}

static void on_start(struct bf_gateway *g, const struct bf_asker *asker, const Belfry__V1__StartStream *s)
{
    const struct bf_camera_config *c = bf_config_camera(g->config, s->camera);
    const char *forbidden = bf_gateway_start_forbidden(g);
    char session[BF_ULID_SIZE];
    struct bf_want want;

    if (c == NULL) {
        reply(g, asker, s->camera, "no_such_camera", "No camera of that id is configured at this gateway.");
        return;
    }
    const char *detail = forbidden;
    const char *code = forbidden != NULL ? "start_forbidden" : read_want(&want, c, s, &detail);
    if (code != NULL) {
        reply(g, asker, s->camera, code, detail);
        return;
    }
    uint64_t ticket = bf_gateway_add_pending(g, NULL, asker, false);
    if (ticket == 0)
        return;
    bf_demand_by_hand(bf_demand_of(g->app.demand, s->camera), false);
    bf_ulid_make(session, bf_unix_ms());
    bf_orch_start(g->orch, s->camera, &want, session, ticket, bf_mono_ms());
}

static void on_stop(struct bf_gateway *g, const struct bf_asker *asker, const char *camera)
{
    if (bf_config_camera(g->config, camera) == NULL) {
        reply(g, asker, camera, "no_such_camera", "No camera of that id is configured at this gateway.");
        return;
    }
    bf_demand_by_hand(bf_demand_of(g->app.demand, camera), true);
    uint64_t ticket = bf_gateway_add_pending(g, NULL, asker, true);
    if (ticket != 0)
        bf_orch_stop(g->orch, camera, ticket, bf_mono_ms());
}

static void on_status(struct bf_gateway *g, const struct bf_asker *asker, const char *camera)
{
    if (camera[0] != '\0' && bf_config_camera(g->config, camera) == NULL)
        reply(g, asker, camera, "no_such_camera", "No camera of that id is configured at this gateway.");
    else
        reply(g, asker, camera, NULL, NULL);
}

void bf_gateway_on_command(void *state, const struct bf_incoming *m)
{
    struct bf_gateway *g = state;
    const Belfry__V1__GatewayCommand *command = (const Belfry__V1__GatewayCommand *)m->message;
    const struct bf_asker asker = bf_asker_of(m);

    switch (command->action_case) {
    case BELFRY__V1__GATEWAY_COMMAND__ACTION_START:
        bf_info("an operator starts a stream", "operator=%s camera=%s", asker.node, command->start->camera);
        on_start(g, &asker, command->start);
        break;
    case BELFRY__V1__GATEWAY_COMMAND__ACTION_STOP:
        bf_info("an operator stops a stream", "operator=%s camera=%s", asker.node, command->stop->camera);
        on_stop(g, &asker, command->stop->camera);
        break;
    case BELFRY__V1__GATEWAY_COMMAND__ACTION_STATUS:
        on_status(g, &asker, command->status->camera);
        break;
    default:
        reply(g, &asker, "", "unknown_action", "This version does not know what is asked.");
        break;
    }
    bf_gateway_settle(g);
}
