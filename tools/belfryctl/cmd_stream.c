/* belfryctl start, stop, status: a signed command to a gateway, and what comes of it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "belfryctl/args.h"
#include "belfryctl/json.h"
#include "belfryctl/operator.h"

#include "gateway.pb-c.h"

#define STOP_TIMEOUT_MS 1000
#define COMMAND_TTL_MS 15000
#define STATUS_NOT_LIVE 3

enum action { START, STOP, STATUS };

struct request {
    enum action action;
    const char *camera;  /* NULL: all of them (status) */
    const char *gateway; /* NULL: the first that is online */
    const char *operator_node;
    uint64_t timeout_ms;
    bool json, record;
    uint64_t width, height, fps, bitrate_kbps, gop_ms;

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
    static const char *const words[] = {"unknown", "idle", "starting", "live", "stopping", "failed"};
    return (size_t)phase < BF_COUNT_OF(words) ? words[phase] : "unknown";
}

static void on_deadline(uv_timer_t *timer)
{
    struct request *r = timer->data;
    if (!r->connected)
        ctl_complain("no connection to the broker; is it running, and are host and port under broker: in " CTL_CONFIG_NAME
                     " right?");
    else if (r->asked[0] == '\0')
        ctl_complain("gateway %s is not online; start belfry-gateway", r->gateway != NULL ? r->gateway : "(any)");
    else if (!r->answered)
        ctl_complain("gateway %s did not answer in time; belfryctl watch shows what it says", r->asked);
    else
        ctl_complain("%s is still %s; belfryctl status %s tells later", r->camera, phase_word(r->shown), r->camera);
    finish(r, r->asked[0] == '\0' ? CTL_UNAVAILABLE : CTL_TIMEOUT);
}

static void print_url(const struct request *r, const struct ctl_site *site, const Belfry__V1__StreamStatus *s)
{
    const char *listen = site->config->gateway.listen;
    bool any = strncmp(listen, "0.0.0.0:", 8) == 0;
    printf("%s is live, session %s\nplayer http://%s%s/\nhls    http://%s%s%s\n", r->camera, s->session_id,
           any ? "127.0.0.1" : "", any ? listen + 7 : listen, any ? "127.0.0.1" : "", any ? listen + 7 : listen,
           s->hls_path);
}

static const struct ctl_site *site_of(const struct request *r)
{
    return uv_loop_get_data(&r->loop);
}

static void print_status(const Belfry__V1__StreamStatus *s)
{
    printf("%-20s %-9s %-8s %-26s %s", s->camera, phase_word(s->phase), s->camera_online ? "online" : "offline",
           *s->session_id != '\0' ? s->session_id : "-", s->hls_path);
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

    if (r->action == START && s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_LIVE) {
        print_url(r, site_of(r), s);
        finish(r, CTL_OK);
    } else if (r->action == STOP && s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_IDLE) {
        printf("%s is idle\n", s->camera);
        finish(r, CTL_OK);
    } else if (s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_FAILED && r->answered) {
        ctl_complain("%s: %s", s->camera, s->error != NULL ? s->error->detail : "failed, and the gateway does not say why");
        finish(r, CTL_FAILED);
    }
    return r->closing;
}

static void follow(struct request *r, size_t n, Belfry__V1__StreamStatus *const *streams)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(streams[i]->camera, r->camera) == 0 && act_on_phase(r, streams[i]))
            return;
}

static void print_statuses(struct request *r, const Belfry__V1__GatewayReply *reply)
{
    int status = r->camera != NULL ? STATUS_NOT_LIVE : CTL_OK;
    for (size_t i = 0; i < reply->n_streams; i++) {
        const Belfry__V1__StreamStatus *s = reply->streams[i];
        if (r->camera != NULL && strcmp(s->camera, r->camera) != 0)
            continue;
        if (s->phase == BELFRY__V1__STREAM_PHASE__STREAM_PHASE_LIVE)
            status = CTL_OK;
        if (r->json) {
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
        ctl_complain("gateway %s: %s (%s)", r->asked, reply->error->detail, reply->error->code);
        finish(r, CTL_FAILED);
    } else if (r->action == STATUS) {
        print_statuses(r, reply);
    } else {
        follow(r, reply->n_streams, reply->streams);
    }
}

static void send_command(struct request *r, const char *gateway, const uint8_t *boot_id)
{
    Belfry__V1__VideoParams video = BELFRY__V1__VIDEO_PARAMS__INIT;
    video.width = (uint32_t)r->width;
    video.height = (uint32_t)r->height;
    video.fps = (uint32_t)r->fps;
    video.bitrate_kbps = (uint32_t)r->bitrate_kbps;
    video.gop_ms = (uint32_t)r->gop_ms;
    Belfry__V1__StartStream start = BELFRY__V1__START_STREAM__INIT;
    Belfry__V1__StopStream stop = BELFRY__V1__STOP_STREAM__INIT;
    Belfry__V1__GetStatus status = BELFRY__V1__GET_STATUS__INIT;
    start.camera = stop.camera = status.camera = (char *)(r->camera != NULL ? r->camera : "");
    start.record = r->record;
    start.video = &video;

    Belfry__V1__GatewayCommand command = BELFRY__V1__GATEWAY_COMMAND__INIT;
    if (r->action == START) {
        command.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_START;
        command.start = &start;
    } else if (r->action == STOP) {
        command.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_STOP;
        command.stop = &stop;
    } else {
        command.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_STATUS;
        command.status = &status;
    }

    struct bf_address to = {.topic_role = BF_ROLE_GATEWAY, .topic_id = gateway, .recipient = gateway,
                            .recipient_boot_id = boot_id, .ttl_ms = COMMAND_TTL_MS};
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
    if (r->closing || (r->gateway != NULL && strcmp(gateway, r->gateway) != 0))
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
    {BF_MSG_GATEWAY_REPLY, BF_ROLE_OPERATOR, BF_FROM_OWN_TOPIC, on_reply},
    {BF_MSG_GATEWAY_STATE, BF_ROLE_GATEWAY, BF_FROM_EVERY_NODE, on_gateway_state},
};

static int converse(struct request *r, const struct ctl_operator *o, struct bf_error *e)
{
    uv_loop_init(&r->loop);
    uv_loop_set_data(&r->loop, (void *)o->site);
    uv_timer_init(&r->loop, &r->deadline);
    r->deadline.data = r;
    uv_timer_start(&r->deadline, on_deadline, r->timeout_ms, 0);

    struct bf_bus_options options = {.site = o->site->config->site, .node = o->node, .role = BF_ROLE_OPERATOR,
                                     .key = o->key, .trust = o->site->trust, .epoch = o->epoch, .boot_id = o->boot_id,
                                     .mqtt = o->mqtt, .routes = routes, .n_routes = BF_COUNT_OF(routes),
                                     .connected = on_connected, .disconnected = on_disconnected, .user = r};
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

static int run(struct request *r, const struct ctl *ctl)
{
    struct bf_error e = {"out of memory"};
    _cleanup_(ctl_site_freep) struct ctl_site *site = NULL;
    _cleanup_(ctl_operator_freep) struct ctl_operator *o = NULL;
    if (ctl_site_open(&site, ctl->site_dir, &e) < 0 || ctl_operator_open(&o, site, r->operator_node, &e) < 0) {
        ctl_complain("%s", e.text);
        return CTL_CONFIG;
    }
    if (converse(r, o, &e) < 0) {
        ctl_complain("%s", e.text);
        return CTL_UNAVAILABLE;
    }
    return r->status;
}

static int parse_and_run(struct request *r, struct ctl *ctl, const struct ctl_usage *usage, int argc, char **argv)
{
    int word = ctl_parse(ctl, usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    r->camera = word < argc ? argv[word] : NULL;
    if (r->camera != NULL && ctl_check_id("camera", r->camera) < 0)
        return CTL_USAGE;
    return run(r, ctl);
}

#define COMMON_OPTIONS(r)                                                                                              \
    {"gateway", CTL_ID, &(r).gateway, "ID", "the gateway to ask (default: the first that is online)", 0, 0},           \
        {"node", CTL_ID, &(r).operator_node, "ID", "the operator to speak as (default: the first that is free)", 0, 0},    \
    {                                                                                                                  \
        "timeout", CTL_DURATION, &(r).timeout_ms, "TIME", "how long to wait (default 20s)", 100, 3600000               \
    }

#define EXIT_HELP "Exit status: 0 done, 1 refused or failed, 69 no broker or gateway, 75 not in time, 78 site or keys.\n"

int ctl_cmd_start(struct ctl *ctl, int argc, char **argv)
{
    struct request r = {.action = START, .timeout_ms = 20000};
    const struct ctl_option options[] = {
        {"record", CTL_FLAG, &r.record, NULL, "keep a recording", 0, 0},
        {"width", CTL_NUMBER, &r.width, "N", "pixels", 64, 4096},
        {"height", CTL_NUMBER, &r.height, "N", "pixels", 64, 4096},
        {"fps", CTL_NUMBER, &r.fps, "N", "frames a second", 1, 120},
        {"bitrate-kbps", CTL_NUMBER, &r.bitrate_kbps, "N", "1000 bits a second", 64, 50000},
        {"gop-ms", CTL_NUMBER, &r.gop_ms, "N", "distance of independent frames", 100, 10000},
        COMMON_OPTIONS(r),
    };
    const struct ctl_usage usage = {"start CAMERA [OPTION]...",
                                    "Starts a camera's stream, or finds it running, and prints where it plays. What is\n"
                                    "not given is as belfry.yml has it.\n\n" EXIT_HELP,
                                    options, BF_COUNT_OF(options), 1, 1};
    return parse_and_run(&r, ctl, &usage, argc, argv);
}

int ctl_cmd_stop(struct ctl *ctl, int argc, char **argv)
{
    struct request r = {.action = STOP, .timeout_ms = 20000};
    const struct ctl_option options[] = {COMMON_OPTIONS(r)};
    const struct ctl_usage usage = {"stop CAMERA [OPTION]...",
                                    "Stops a camera's stream; one that does not run is a success too.\n\n" EXIT_HELP,
                                    options, BF_COUNT_OF(options), 1, 1};
    return parse_and_run(&r, ctl, &usage, argc, argv);
}

int ctl_cmd_status(struct ctl *ctl, int argc, char **argv)
{
    struct request r = {.action = STATUS, .timeout_ms = 20000};
    const struct ctl_option options[] = {
        {"json", CTL_FLAG, &r.json, NULL, "one JSON object a line", 0, 0},
        COMMON_OPTIONS(r),
    };
    const struct ctl_usage usage = {
        "status [CAMERA] [OPTION]...",
        "Prints camera, phase, online or offline, session and path of each stream.\n\n"
        "Exit status: 0 live (of one camera) or answered (of all), 3 not live, 1 refused, 69 no broker or gateway,\n"
        "75 not in time, 78 site or keys.\n",
        options, BF_COUNT_OF(options), 0, 1};
    return parse_and_run(&r, ctl, &usage, argc, argv);
}
