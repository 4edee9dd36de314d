#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "belfryctl/args.h"
#include "belfryctl/site.h"

#define PATIENCE_MS 20000

/* ---- processes ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof any;
    _cleanup_(bf_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &size), 0);
    return ntohs(any.sin_port);
}

static pid_t spawn(char *const argv[], int log_fd)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves nothing behind */
    dup2(log_fd, STDERR_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    execvp(argv[0], argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* Reads the broker's log until the line that says that it serves. */
static void start_broker(struct rig *r)
{
    char config[96], log[8192] = "";
    int fds[2];
    snprintf(config, sizeof config, "%s/mosquitto/mosquitto.conf", r->root.path);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    r->broker = spawn((char *[]){ (char *)"/usr/sbin/mosquitto", (char *)"-c", config, NULL }, fds[1]);
    close(fds[1]);
    for (size_t n = 0; strstr(log, " running") == NULL;) {
        struct pollfd p = { .fd = fds[0], .events = POLLIN };
        ssize_t got = poll(&p, 1, PATIENCE_MS) == 1 ? read(fds[0], log + n, sizeof log - 1 - n) : 0;
        if (got <= 0)
            fail_msg("mosquitto did not start: %s", log);
        n += (size_t)got;
        log[n] = '\0';
    }
    /* The rest of its log goes nowhere; the pipe stays open so that writing to it does not end it. */
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

void rig_start_janitor(struct rig *r)
{
    char config[96], log[96];
    snprintf(config, sizeof config, "%s/belfry.yml", r->root.path);
    snprintf(log, sizeof log, "%s/janitor.log", r->root.path);
    _cleanup_(bf_closep) int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    setenv("BELFRY_JANITOR_PURGE_AFTER_MS", "300", 1);
    r->janitor = spawn((char *[]){ (char *)BELFRY_JANITOR, (char *)"--config", config, NULL }, fd);
}

int rig_stop_janitor(struct rig *r, int signal)
{
    int status;
    kill(r->janitor, signal);
    assert_int_equal(waitpid(r->janitor, &status, 0), r->janitor);
    belfry__v1__janitor_state__free_unpacked(r->state, NULL);
    r->state = NULL;
    return status;
}

/* ---- the gateway ---- */

static void on_state(void *user, const struct bf_incoming *m)
{
    struct rig *r = user;
    uint8_t packed[BF_ENVELOPE_MAX];
    size_t size = protobuf_c_message_pack(m->message, packed);
    belfry__v1__janitor_state__free_unpacked(r->state, NULL);
    r->state = belfry__v1__janitor_state__unpack(NULL, size, packed);
}

static void on_reply(void *user, const struct bf_incoming *m)
{
    struct rig *r = user;
    uint8_t packed[BF_ENVELOPE_MAX];
    size_t size = protobuf_c_message_pack(m->message, packed);
    belfry__v1__janitor_reply__free_unpacked(r->reply, NULL);
    r->reply = belfry__v1__janitor_reply__unpack(NULL, size, packed);
}

static void on_event(void *user, const struct bf_incoming *m)
{
    struct rig *r = user;
    const Belfry__V1__Event *event = (const Belfry__V1__Event *)m->message;
    assert_true(r->n_events < EVENTS_MAX);
    r->events[r->n_events].kind = event->kind;
    snprintf(r->events[r->n_events].id, BF_ULID_SIZE, "%s", event->session_id);
    snprintf(r->events[r->n_events].code, 49, "%s", event->failure != NULL ? event->failure->code : "");
    r->n_events++;
}

static const struct bf_route routes[] = {
    { BF_MSG_JANITOR_STATE, BF_ROLE_JANITOR, BF_FROM_EVERY_NODE, on_state },
    { BF_MSG_EVENT, BF_ROLE_JANITOR, BF_FROM_EVERY_NODE, on_event },
    { BF_MSG_JANITOR_REPLY, BF_ROLE_GATEWAY, BF_FROM_OWN_TOPIC, on_reply },
};

/* Signed as a gateway, without a state of its own. */
static void connect_gateway(struct rig *r)
{
    static const uint8_t boot_id[16] = { 1 };
    struct bf_error e = { 0 };
    snprintf(r->ca_file, sizeof r->ca_file, "%s/keys/ca.crt", r->root.path);
    snprintf(r->cert_file, sizeof r->cert_file, "%s/keys/gateway-1.crt", r->root.path);
    snprintf(r->key_file, sizeof r->key_file, "%s/keys/gateway-1.tls.key", r->root.path);
    struct bf_bus_options o = { .site = SITE,
                                .node = "gateway-1",
                                .role = BF_ROLE_GATEWAY,
                                .key = r->key,
                                .trust = r->trust,
                                .epoch = 1,
                                .boot_id = boot_id,
                                .routes = routes,
                                .n_routes = BF_COUNT_OF(routes),
                                .user = r };
    o.mqtt = (struct bf_mqtt_options){ .host = "127.0.0.1",
                                       .port = r->port,
                                       .client_id = "gateway-1",
                                       .ca_file = r->ca_file,
                                       .cert_file = r->cert_file,
                                       .key_file = r->key_file,
                                       .keepalive_s = 30 };
    if (bf_bus_new(&r->bus, &r->loop, &o, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(bf_bus_start(r->bus), 0);
}

static void on_deadline(uv_timer_t *timer)
{
    ((struct rig *)timer->data)->late = true;
}

void rig_wait(struct rig *r, const char *what, bool (*is_so)(const struct rig *r, const void *arg), const void *arg)
{
    r->late = false;
    uv_update_time(&r->loop);
    uv_timer_start(&r->deadline, on_deadline, PATIENCE_MS, 0);
    while (!is_so(r, arg)) {
        if (r->late)
            fail_msg("waited in vain for %s; the log is in %s", what, r->root.path);
        uv_run(&r->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&r->deadline);
}

bool rig_online(const struct rig *r, const void *arg)
{
    (void)arg;
    return bf_bus_connected(r->bus) && r->state != NULL && r->state->node->online;
}

static struct bf_address to_janitor(const struct rig *r)
{
    return (struct bf_address){ .topic_role = BF_ROLE_JANITOR,
                                .topic_id = "janitor-1",
                                .recipient = "janitor-1",
                                .recipient_boot_id = r->state->node->boot_id.data,
                                .ttl_ms = 10000 };
}

void rig_desire(struct rig *r, const struct listed *listed, size_t n)
{
    Belfry__V1__JanitorSession sessions[8], *list[8];
    Belfry__V1__Lease lease = BELFRY__V1__LEASE__INIT;
    Belfry__V1__JanitorDesired desired = BELFRY__V1__JANITOR_DESIRED__INIT;
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++) {
        belfry__v1__janitor_session__init(&sessions[i]);
        sessions[i].session_id = (char *)listed[i].id;
        sessions[i].camera = (char *)CAMERA;
        sessions[i].fate = listed[i].fate;
        list[i] = &sessions[i];
    }
    lease.generation = ++r->generation;
    lease.epoch = 1;
    lease.lease_ms = 60000;
    desired.lease = &lease;
    desired.n_sessions = n;
    desired.sessions = list;
    struct bf_address to = to_janitor(r);
    assert_int_equal(bf_bus_send(r->bus, BF_MSG_JANITOR_DESIRED, &to, &desired.base, NULL), 0);
}

static bool has_reply(const struct rig *r, const void *message_id)
{
    return r->reply != NULL && memcmp(r->reply->header->in_reply_to.data, message_id, 16) == 0;
}

const char *rig_command(struct rig *r, Belfry__V1__JanitorCommand *command)
{
    uint8_t message_id[16];
    struct bf_address to = to_janitor(r);
    assert_int_equal(bf_bus_send(r->bus, BF_MSG_JANITOR_COMMAND, &to, &command->base, message_id), 0);
    rig_wait(r, "an answer", has_reply, message_id);
    return r->reply->error != NULL ? r->reply->error->code : NULL;
}

Belfry__V1__JanitorPhase rig_phase(const struct rig *r, const char *id)
{
    for (size_t i = 0; r->state != NULL && i < r->state->n_sessions; i++)
        if (strcmp(r->state->sessions[i]->session_id, id) == 0)
            return r->state->sessions[i]->phase;
    return BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_UNSPECIFIED;
}

const char *rig_event_code(const struct rig *r, Belfry__V1__EventKind kind, const char *id)
{
    for (size_t i = r->n_events; i-- > 0;)
        if (r->events[i].kind == kind && strcmp(r->events[i].id, id) == 0)
            return r->events[i].code;
    return NULL;
}

/* ---- up and down ---- */

static void make_site(struct rig *r)
{
    struct ctl ctl = { .site_dir = r->root.path };
    char port[8];
    r->port = free_port();
    snprintf(port, sizeof port, "%u", r->port);
    char *argv[] = { (char *)"init", (char *)"--site",        (char *)SITE, (char *)"--camera",
                     (char *)CAMERA, (char *)"--broker-port", port,         NULL };
    assert_int_equal(ctl_cmd_init(&ctl, 7, argv), CTL_OK);
}

static void load_keys(struct rig *r)
{
    struct ctl_site *site;
    struct bf_error e = { 0 };
    char path[96];
    assert_int_equal(ctl_site_open(&site, r->root.path, &e), 0);
    r->trust = site->trust;
    site->trust = NULL;
    ctl_site_free(site);
    snprintf(path, sizeof path, "%s/keys/gateway-1.key", r->root.path);
    assert_int_equal(bf_key_load(&r->key, path, &e), 0);
}

void rig_up(struct rig *r)
{
    *r = (struct rig){ 0 };
    media_make(&r->root);
    bf_log_init("rig", "gateway-1", BF_LOG_ERROR);
    make_site(r);
    load_keys(r);
    r->media = r->root;
    r->media.mediafd = bf_open_dir(r->root.mediafd, "media", 0, 0);
    assert_true(r->media.mediafd >= 0);
    start_broker(r);
    rig_start_janitor(r);
    uv_loop_init(&r->loop);
    uv_timer_init(&r->loop, &r->deadline);
    r->deadline.data = r;
    connect_gateway(r);
    rig_wait(r, "the janitor's state", rig_online, NULL);
}

static void on_stopped(void *user)
{
    ((struct rig *)user)->stopped = true;
}

static bool is_stopped(const struct rig *r, const void *arg)
{
    (void)arg;
    return r->stopped;
}

void rig_down(struct rig *r)
{
    int status;
    bf_bus_stop(r->bus, 1000, on_stopped, r);
    rig_wait(r, "the bus to stop", is_stopped, NULL);
    bf_bus_free(r->bus);
    uv_close((uv_handle_t *)&r->deadline, NULL);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    belfry__v1__janitor_state__free_unpacked(r->state, NULL);
    belfry__v1__janitor_reply__free_unpacked(r->reply, NULL);
    kill(r->broker, SIGTERM);
    waitpid(r->broker, &status, 0);
    bf_key_free(r->key);
    bf_trust_free(r->trust);
    close(r->media.mediafd);
    media_remove(&r->root);
}
