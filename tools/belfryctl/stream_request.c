#include "belfryctl/stream_request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "belfryctl/json.h"
#include "belfryctl/operator.h"
#include "stream/profile.h"

#include "gateway.pb-c.h"

#define STOP_TIMEOUT_MS 1000
#define COMMAND_TTL_MS 15000
#define STATUS_NOT_LIVE 3 /* exit status of `status` */

struct request {
    const struct ctl_stream_request *asked_for;
    const struct ctl_site *site;

    uv_loop_t loop;
    uv_timer_t deadline;
    struct bf_bus *bus;
    char asked[BF_ID_SIZE]; /* the gateway that has the command; "" before */
    uint8_t message_id[16];
    bool connected, answered, closing;
    Belfry__V1__StreamPhase shown; /* of the last progress line */
    int status;
};

static void on_bus_stopped(void *user)
{
    struct request *r = user;
    uv_close((uv_handle_t *)&r->deadline, NULL);
}

static void finish(struct request *r, int status)
{
    if (r->closing)
        return;
    r->closing = true;
    r->status = status;
    uv_timer_stop(&r->deadline);
    bf_bus_stop(r->bus, STOP_TIMEOUT_MS, on_bus_stopped, r);
}

static const char *phase_word(Belfry__V1__StreamPhase phase)
{
    static const char *const words[] = { "unknown", "idle", "starting", "live", "stopping", "failed" };
    return (size_t)phase < BF_COUNT_OF(words) ? words[phase] : "unknown";
}

static void on_deadline(uv_timer_t *timer)
{
    struct request *r = timer->data;
    if (!r->connected)
        ctl_complain(
            "no connection to the broker; is it running, and are host and port under broker: in " CTL_CONFIG_NAME
            " right?");
    else if (r->asked[0] == '\0')
        ctl_complain("gateway %s is not online; start belfry-gateway",
                     r->asked_for->gateway != NULL ? r->asked_for->gateway : "(any)");
    else if (!r->answered)
        ctl_complain("gateway %s did not answer in time; belfryctl watch shows what it says", r->asked);
    else
        ctl_complain("%s is still %s; belfryctl status %s tells later", r->asked_for->camera, phase_word(r->shown),
                     r->asked_for->camera);
    finish(r, r->asked[0] == '\0' ? CTL_UNAVAILABLE : CTL_TIMEOUT);
}

static const char *profile_word(const Belfry__V1__StreamStatus *s)
{
    const struct bf_profile *p = bf_profile_of(s->profile);
    return p != NULL ? p->name : "-";
}

static void print_url(const struct request *r, const struct ctl_site *site, const Belfry__V1__StreamStatus *s)
{
    const char *listen = site->config->gateway.listen;
    bool any = strncmp(listen, "0.0.0.0:", 8) == 0;
    printf("%s is live, session %s, profile %s\nplayer http://%s%s/\nhls    http://%s%s%s\n", r->asked_for->camera,
           s->session_id, profile_word(s), any ? "127.0.0.1" : "", any ? listen + 7 : listen, any ? "127.0.0.1" : "",
           any ? listen + 7 : listen, s->hls_path);
}

static void print_status(const Belfry__V1__StreamStatus *s)
{
    printf("%-20s %-9s %-8s %-26s %-9s %s", s->camera, phase_word(s->phase), s->camera_online ? "online" : "offline",
           *s->session_id != '\0' ? s->session_id : "-", profile_word(s), s->hls_path);
    if (s->error != NULL)
        printf("%s: %s", s->error->code, s->error->detail);
    putchar('\n');
}

/* What a camera's phase means for the command. Returns whether that ends it. */
static bool act_on_phase(struct request *r, const Belfry__V1__StreamStatus *s)
{
    if (s->phase != r->shown)
        fprintf(stderr, "%s: %s\n", s->camera, phase_word(s->phase));
    r->shown = s->phase;

    if (r->asked_for->action == CTL_STREAM_START && s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_LIVE) {
        print_url(r, r->site, s);
        finish(r, CTL_OK);
    } else if (r->asked_for->action == CTL_STREAM_STOP && s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_IDLE) {
        printf("%s is idle\n", s->camera);
        finish(r, CTL_OK);
    } else if (s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_FAILED && r->answered) {
        ctl_complain("%s: %s", s->camera,
                     s->error != NULL ? s->error->detail : "failed, and the gateway does not say why");
        finish(r, CTL_FAILED);
    }
    return r->closing;
}

static void follow(struct request *r, size_t n, Belfry__V1__StreamStatus *const *streams)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(streams[i]->camera, r->asked_for->camera) == 0 && act_on_phase(r, streams[i]))
            return;
}

static void print_statuses(struct request *r, const Belfry__V1__GatewayReply *reply)
{
    int status = r->asked_for->camera != NULL ? STATUS_NOT_LIVE : CTL_OK;
    for (size_t i = 0; i < reply->n_streams; i++) {
        const Belfry__V1__StreamStatus *s = reply->streams[i];
        if (r->asked_for->camera != NULL && strcmp(s->camera, r->asked_for->camera) != 0)
            continue;
        if (s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_LIVE)
            status = CTL_OK;
        if (r->asked_for->json) {
            _cleanup_(json_decrefp) json_t *line = ctl_json_of(&s->base, CTL_ENUM_SHORT);
            json_dumpf(line, stdout, JSON_COMPACT);
            putchar('\n');
        } else {
            print_status(s);
        }
    }
    finish(r, status);
}

static void on_reply(void *user, const struct bf_incoming *m)
{
    struct request *r = user;
    const Belfry__V1__GatewayReply *reply = (const Belfry__V1__GatewayReply *)m->message;
    const ProtobufCBinaryData *to = &m->header->in_reply_to;
    if (r->closing || r->asked[0] == '\0' || to->len != sizeof r->message_id ||
        memcmp(to->data, r->message_id, sizeof r->message_id) != 0)
        return;

    r->answered = true;
    if (reply->error != NULL) {
        ctl_complain("%s%sgateway %s: %s (%s)", r->asked_for->camera != NULL ? r->asked_for->camera : "",
                     r->asked_for->camera != NULL ? ": " : "", r->asked, reply->error->detail, reply->error->code);
        finish(r, CTL_FAILED);
    } else if (r->asked_for->action == CTL_STREAM_STATUS) {
        print_statuses(r, reply);
    } else {
        follow(r, reply->n_streams, reply->streams);
    }
}

static void send_command(struct request *r, const char *gateway, const uint8_t *boot_id)
{
    Belfry__V1__VideoParams video = BELFRY__V1__VIDEO_PARAMS__INIT;
    video.width = (uint32_t)r->asked_for->width;
    video.height = (uint32_t)r->asked_for->height;
    video.fps = (uint32_t)r->asked_for->fps;
    video.bitrate_kbps = (uint32_t)r->asked_for->bitrate_kbps;
    video.gop_ms = (uint32_t)r->asked_for->gop_ms;
    Belfry__V1__StartStream start = BELFRY__V1__START_STREAM__INIT;
    Belfry__V1__StopStream stop = BELFRY__V1__STOP_STREAM__INIT;
    Belfry__V1__GetStatus status = BELFRY__V1__GET_STATUS__INIT;
    start.camera = stop.camera = status.camera = (char *)(r->asked_for->camera != NULL ? r->asked_for->camera : "");
    start.record = r->asked_for->record;
    start.video = &video;
    if (r->asked_for->profile != NULL)
        start.profile = bf_profile_named(r->asked_for->profile)->id;

    Belfry__V1__GatewayCommand command = BELFRY__V1__GATEWAY_COMMAND__INIT;
    if (r->asked_for->action == CTL_STREAM_START) {
        command.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_START;
        command.start = &start;
    } else if (r->asked_for->action == CTL_STREAM_STOP) {
        command.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_STOP;
        command.stop = &stop;
    } else {
        command.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_STATUS;
        command.status = &status;
    }

    struct bf_address to = { .topic_role = BF_ROLE_GATEWAY,
                             .topic_id = gateway,
                             .recipient = gateway,
                             .recipient_boot_id = boot_id,
                             .ttl_ms = COMMAND_TTL_MS };
    int sent = bf_bus_send(r->bus, BF_MSG_GATEWAY_COMMAND, &to, &command.base, r->message_id);
    if (sent == 0)
        snprintf(r->asked, sizeof r->asked, "%s", gateway);
    else if (sent != -ENOTCONN) {
        ctl_complain("sending to gateway %s: %s", gateway, strerror(-sent));
        finish(r, CTL_FAILED);
    }
}

static void on_gateway_state(void *user, const struct bf_incoming *m)
{
    struct request *r = user;
    const Belfry__V1__GatewayState *state = (const Belfry__V1__GatewayState *)m->message;
    const char *gateway = m->topic.id;
    if (r->closing || (r->asked_for->gateway != NULL && strcmp(gateway, r->asked_for->gateway) != 0))
        return;

    if (r->asked[0] == '\0') {
        if (state->node->online && state->node->boot_id.len == 16)
            send_command(r, gateway, state->node->boot_id.data);
    } else if (r->answered && strcmp(gateway, r->asked) == 0) {
        follow(r, state->n_streams, state->streams);
    }
}

static void on_connected(void *user)
{
    struct request *r = user;
    r->connected = true;
}

/* The answer may be lost with the connection. Starts and stops ask for a level, so asking again is safe. */
static void on_disconnected(void *user)
{
    struct request *r = user;
    if (!r->answered)
        r->asked[0] = '\0';
}

static const struct bf_route routes[] = {
    { BF_MSG_GATEWAY_REPLY, BF_ROLE_OPERATOR, BF_FROM_OWN_TOPIC, on_reply },
    { BF_MSG_GATEWAY_STATE, BF_ROLE_GATEWAY, BF_FROM_EVERY_NODE, on_gateway_state },
};

static int converse(struct request *r, const struct ctl_operator *o, struct bf_error *e)
{
    uv_loop_init(&r->loop);
    uv_timer_init(&r->loop, &r->deadline);
    r->deadline.data = r;
    uv_timer_start(&r->deadline, on_deadline, r->asked_for->timeout_ms, 0);

    struct bf_bus_options options = { .site = o->site->config->site,
                                      .node = o->node,
                                      .role = BF_ROLE_OPERATOR,
                                      .key = o->key,
                                      .trust = o->site->trust,
                                      .epoch = o->epoch,
                                      .boot_id = o->boot_id,
                                      .mqtt = o->mqtt,
                                      .routes = routes,
                                      .n_routes = BF_COUNT_OF(routes),
                                      .connected = on_connected,
                                      .disconnected = on_disconnected,
                                      .user = r };
    int result = bf_bus_new(&r->bus, &r->loop, &options, e);
    if (result == 0)
        result = bf_bus_start(r->bus);
    if (result < 0)
        uv_close((uv_handle_t *)&r->deadline, NULL);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    bf_bus_free(r->bus);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    return result;
}

int ctl_stream_request(const struct ctl_stream_request *asked_for, const struct ctl *ctl)
{
    struct bf_error e = { "out of memory" };
    struct request r = { .asked_for = asked_for };
    _cleanup_(ctl_site_freep) struct ctl_site *site = NULL;
    _cleanup_(ctl_operator_freep) struct ctl_operator *o = NULL;
    if (ctl_site_open(&site, ctl->site_dir, &e) < 0 || ctl_operator_open(&o, site, asked_for->operator_node, &e) < 0) {
        ctl_complain("%s", e.text);
        return CTL_CONFIG;
    }
    r.site = site;
    if (converse(&r, o, &e) < 0) {
        ctl_complain("%s", e.text);
        return CTL_UNAVAILABLE;
    }
    return r.status;
}
