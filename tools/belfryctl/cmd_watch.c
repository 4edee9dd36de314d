/* belfryctl watch: every message of the site, checked as its receivers check it, one line each. It has its own
 * connection below the bus, because it reads what is addressed to others. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "belfryctl/acl.h"
#include "belfryctl/args.h"
#include "belfryctl/describe.h"
#include "belfryctl/operator.h"
#include "belfryctl/text.h"

#define FILTERS_MAX 50 /* what one connection may subscribe to on AWS IoT Core; bus/mqtt.h */
#define REPLAY_SENDERS 256
#define STOP_TIMEOUT_MS 500

BF_DEFINE_CLEANUP(struct bf_dsse, bf_dsse_free)
BF_DEFINE_CLEANUP(struct bf_replay, bf_replay_free)

struct watch {
    struct ctl_list topics; /* --topic */
    const char *operator_node;
    bool json;
    uint64_t count; /* --count: stop after so many; 0 = never */

    const struct ctl_operator *o;
    struct bf_verifier verifier;
    char filters[FILTERS_MAX][BF_TOPIC_SIZE];
    const char *filter_list[FILTERS_MAX];
    size_t n_filters;
    json_t *last; /* topic -> what its last good message said, flattened */

    uv_loop_t loop;
    uv_signal_t interrupt, terminate;
    struct bf_mqtt *mqtt;
    uint64_t printed;
    bool closing;
};

static int add_filter(struct watch *w, const char *topic, struct bf_error *e)
{
    if (w->n_filters == FILTERS_MAX)
        return bf_fail(e, -E2BIG, "more than %d topics; choose with --topic, as in --topic camera/front/state",
                       FILTERS_MAX);
    snprintf(w->filters[w->n_filters], BF_TOPIC_SIZE, "%s", topic);
    w->filter_list[w->n_filters] = w->filters[w->n_filters];
    w->n_filters++;
    return 0;
}

/* Every topic that any message of the table may travel on. */
static int add_every_topic(struct watch *w, struct bf_error *e)
{
    _cleanup_(bf_freep) struct ctl_node *nodes = NULL;
    const struct ctl_node self = { .id = w->o->node, .role = BF_ROLE_OPERATOR };
    size_t n;
    int r = ctl_bundle_nodes(w->o->site->bundle, bf_unix_ms(), &nodes, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        for (enum bf_channel channel = BF_CHANNEL_STATE; r == 0 && channel <= BF_CHANNEL_EVT; channel++) {
            char topic[BF_TOPIC_SIZE];
            if ((ctl_acl_access(&self, &nodes[i], channel) & CTL_READ) == 0)
                continue;
            r = bf_topic_format(topic, w->o->site->config->site, nodes[i].role, nodes[i].id, channel);
            if (r == 0)
                r = add_filter(w, topic, e);
        }
    }
    return r;
}

/* "camera/front/state" or the whole topic. */
static int add_topic_arg(struct watch *w, const char *arg, struct bf_error *e)
{
    struct bf_topic parsed;
    _cleanup_(bf_freep) char *topic =
        strncmp(arg, "belfry/", 7) == 0 ? strdup(arg) : ctl_format("belfry/v1/%s/%s", w->o->site->config->site, arg);
    if (topic == NULL)
        return -ENOMEM;
    if (bf_topic_parse(&parsed, topic) < 0)
        return bf_fail(e, -EINVAL, "--topic: expected ROLE/ID/CHANNEL, as in camera/front/state");
    return add_filter(w, topic, e);
}

static int collect_filters(struct watch *w, struct bf_error *e)
{
    int r = w->topics.n == 0 ? add_every_topic(w, e) : 0;
    for (size_t i = 0; r == 0 && i < w->topics.n; i++)
        r = add_topic_arg(w, w->topics.item[i], e);
    return r;
}

/* The type that a refused envelope claims to be, NULL where it is none. */
static const char *claimed_type(const struct bf_dsse *dsse)
{
    return dsse != NULL ? bf_dsse_type(dsse) : NULL;
}

static void print_json(const char *topic, const uint8_t *payload, size_t size, enum bf_refusal verdict,
                       const struct bf_incoming *m, bool retained, const struct bf_error *e)
{
    _cleanup_(bf_dsse_freep) struct bf_dsse *dsse = NULL;
    char now[25];
    if (m == NULL && bf_dsse_open(&dsse, payload, size) < 0)
        dsse = NULL;

    const struct ctl_json_line l = { .topic = topic,
                                     .payload_type = m != NULL ? m->row->payload_type : claimed_type(dsse),
                                     .verdict = bf_refusal_name(verdict),
                                     .verified = m != NULL,
                                     .reason = m != NULL ? "" : e->text,
                                     .message = m != NULL ? m->message : NULL };
    _cleanup_(json_decrefp) json_t *line = ctl_json_line(&l);
    if (line == NULL)
        return;
    json_object_set_new(line, "received_at", json_string(bf_rfc3339(now, bf_unix_ms())));
    json_object_set_new(line, "retained", json_boolean(retained));
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
}

static void print_line(struct watch *w, const char *topic, enum bf_refusal verdict, const struct bf_incoming *m,
                       const struct bf_error *e)
{
    char now[25];
    printf("%s ", bf_rfc3339(now, bf_unix_ms()));
    ctl_print_topic(stdout, topic);
    if (m == NULL) {
        printf(" REFUSED %s: %s\n", bf_refusal_name(verdict), e->text);
        return;
    }

    if (m->will)
        fputs(" WILL", stdout);
    if (verdict == BF_DUPLICATE)
        fputs(" DUPLICATE", stdout);
    /* Events and requests stand for themselves; a state is told by what has changed. */
    bool level = m->row->channel == BF_CHANNEL_STATE || m->row->channel == BF_CHANNEL_DESIRED;
    json_t *flat = ctl_flatten(m->message);
    ctl_print_changes(stdout, level ? json_object_get(w->last, topic) : NULL, flat);
    putchar('\n');
    json_object_set_new(w->last, topic, flat);
}

static void on_stopped(void *user)
{
    struct watch *w = user;
    uv_close((uv_handle_t *)&w->interrupt, NULL);
    uv_close((uv_handle_t *)&w->terminate, NULL);
}

static void stop(struct watch *w)
{
    if (w->closing)
        return;
    w->closing = true;
    bf_mqtt_stop(w->mqtt, STOP_TIMEOUT_MS, on_stopped, w);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data);
}

static void on_message(void *user, const char *topic, const uint8_t *payload, size_t size, bool retained)
{
    struct watch *w = user;
    struct bf_incoming m;
    struct bf_error e = { 0 };
    if (w->closing)
        return;
    enum bf_refusal verdict = bf_verify(&w->verifier, topic, payload, size, bf_unix_ms(), bf_clock_synced(), &m, &e);
    bool good = verdict == BF_OK || verdict == BF_DUPLICATE;

    if (w->json)
        print_json(topic, payload, size, verdict, good ? &m : NULL, retained, &e);
    else
        print_line(w, topic, verdict, good ? &m : NULL, &e);
    if (good)
        bf_incoming_done(&m);
    if (fflush(stdout) != 0 || ++w->printed == w->count)
        stop(w);
}

static void on_connected(void *user)
{
    struct watch *w = user;
    fprintf(stderr, "watching %zu topics of site %s as %s\n", w->n_filters, w->o->site->config->site, w->o->node);
}

static void on_disconnected(void *user, const char *reason, uint64_t retry_in_ms)
{
    struct watch *w = user;
    if (!w->closing)
        fprintf(stderr, "no connection to %s:%u (%s); again in %" PRIu64 " ms\n", w->o->mqtt.host, w->o->mqtt.port,
                reason, retry_in_ms);
}

static void begin_signals(struct watch *w)
{
    uv_signal_init(&w->loop, &w->interrupt);
    uv_signal_init(&w->loop, &w->terminate);
    w->interrupt.data = w->terminate.data = w;
    uv_signal_start(&w->interrupt, on_signal, SIGINT);
    uv_signal_start(&w->terminate, on_signal, SIGTERM);
}

static int watch_loop(struct watch *w, struct bf_error *e)
{
    static const struct bf_mqtt_events events = { .connected = on_connected,
                                                  .disconnected = on_disconnected,
                                                  .message = on_message };
    uv_loop_init(&w->loop);
    begin_signals(w);
    int r = bf_mqtt_new(&w->mqtt, &w->loop, &w->o->mqtt, w->filter_list, w->n_filters, &events, w, e);
    if (r == 0)
        r = bf_mqtt_start(w->mqtt);
    if (r < 0)
        on_stopped(w);

    uv_run(&w->loop, UV_RUN_DEFAULT);
    bf_mqtt_free(w->mqtt);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
    return r;
}

static int run(struct watch *w, const struct ctl *ctl)
{
    struct bf_error e = { "out of memory" };
    _cleanup_(ctl_site_freep) struct ctl_site *site = NULL;
    _cleanup_(ctl_operator_freep) struct ctl_operator *o = NULL;
    _cleanup_(bf_replay_freep) struct bf_replay *replay = NULL;
    _cleanup_(json_decrefp) json_t *last = json_object();
    if (ctl_site_open(&site, ctl->site_dir, &e) < 0 || ctl_operator_open(&o, site, w->operator_node, &e) < 0 ||
        bf_replay_new(&replay, REPLAY_SENDERS) < 0) {
        ctl_complain("%s", e.text);
        return CTL_CONFIG;
    }

    w->o = o;
    w->last = last;
    w->verifier = (struct bf_verifier){ .site = site->config->site, .trust = site->trust, .replay = replay };
    int r = collect_filters(w, &e);
    if (r == 0)
        r = watch_loop(w, &e);
    if (r < 0)
        ctl_complain("%s", e.text);
    return r == -EINVAL || r == -E2BIG ? CTL_USAGE : r < 0 ? CTL_UNAVAILABLE : CTL_OK;
}

int ctl_cmd_watch(struct ctl *ctl, int argc, char **argv)
{
    struct watch w = { 0 };
    const struct ctl_option options[] = {
        { "json", CTL_FLAG, &w.json, NULL, "one JSON object a line, with everything in it", 0, 0 },
        { "topic", CTL_LIST, &w.topics, "ROLE/ID/CHANNEL", "only this topic; again for more", 0, 0 },
        { "count", CTL_NUMBER, &w.count, "N", "stop after so many messages", 1, UINT64_MAX },
        { "node", CTL_ID, &w.operator_node, "ID", "the operator to watch as (default: the first that is free)", 0, 0 },
    };
    const struct ctl_usage usage = {
        "watch [OPTION]...",
        "Subscribes to every topic of the site's nodes, checks each message as its receiver would, and prints it on one\n"
        "line: time, node, channel, and what it says; of states and desireds, what has changed since the last one. One\n"
        "that does not hold is printed with the reason. Runs until Ctrl-C.\n",
        options,
        BF_COUNT_OF(options),
        0,
        0
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    return word < 0 ? ctl_parse_exit(word) : run(&w, ctl);
}
