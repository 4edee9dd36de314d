#include "gateway/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <civetweb.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#define HEADER_MAX 16384
#define HEADER_MS 5000
#define LOBBY_ROOM 512         /* connections that may wait to say something; else as many as there are workers */
#define DESCRIPTORS_BESIDE 256 /* journals, directories, the broker, the loop */
#define UNSENT_MAX 131072      /* bytes that a connection may hold in the kernel before they are on their way */
#define UNANSWERED_MS 20000    /* bytes on their way that nobody confirms: the client is gone */
#define LOBBY_LEAST 16
#define THREADS_LEAST 4
#define START_MS 5000
#define STOP_GRACE_MS 1000

static struct bf_http_server *server_of(const struct mg_connection *conn)
{
    return mg_get_user_context_data(conn);
}

/* Found once, then kept with the library's connection. NULL: the lobby has never seen it. */
static struct bf_connection *connection_of(const struct mg_connection *conn)
{
    struct bf_connection *c = mg_get_user_connection_data(conn);
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct sockaddr_in client = { .sin_family = AF_INET };

    if (c != NULL || info == NULL || inet_pton(AF_INET, info->remote_addr, &client.sin_addr) != 1)
        return c;
    client.sin_port = htons((uint16_t)info->remote_port);
    c = bf_lobby_find(server_of(conn)->lobby, &client);
    mg_set_user_connection_data(conn, c);
    return c;
}

/* --- what the library calls --- */

static int on_request(struct mg_connection *conn)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct bf_http_server *s = server_of(conn);
    struct bf_connection *c = connection_of(conn);
    size_t route;

    if (c == NULL) {
        mg_disable_connection_keep_alive(conn);
        return 500;
    }
    atomic_store_explicit(&c->idle_since_ms, 0, memory_order_relaxed);
    struct bf_request r = {
        .app = s->app,
        .conn = conn,
        .connection = c,
        .method = bf_method_parse(info->request_method),
        .query = info->query_string,
        .uri = "",
    };
    bf_pace_begin(&r.pace, BF_PATIENCE_MS);
    int status = bf_http_dispatch(s, &r, info->local_uri_raw, &route);

    bf_metrics_request(s->app->metrics, route, status);
    if (r.close)
        mg_disable_connection_keep_alive(conn);
    atomic_store_explicit(&c->idle_since_ms, bf_mono_ms(), memory_order_relaxed);
    return status;
}

/* Requests that it could not parse: it answers, in our form. */
static int on_error(struct mg_connection *conn, int status, const char *message)
{
    struct bf_http_server *s = server_of(conn);
    struct bf_request r = { .app = s->app, .conn = conn, .connection = connection_of(conn), .uri = "", .close = true };

    (void)message;
    if (r.connection == NULL)
        return 0;
    bf_pace_begin(&r.pace, BF_PATIENCE_MS);
    bf_problem(&r, status, "bad_request", "The request could not be read as HTTP/1.1.");
    bf_metrics_request(s->app->metrics, SIZE_MAX, status);
    return 0;
}

static int on_log(const struct mg_connection *conn, const char *message)
{
    char quoted[512];

    (void)conn;
    bf_debug("http", "text=%s", bf_log_quote(quoted, sizeof quoted, message));
    return 1;
}

/* Its descriptor is still open. */
static void on_close(const struct mg_connection *conn)
{
    struct bf_http_server *s = server_of(conn);
    struct bf_connection *c = connection_of(conn);

    if (c == NULL)
        return;
    bf_admission_left(&s->admission, (enum bf_conn_kind)atomic_load_explicit(&c->kind, memory_order_relaxed));
    bf_lobby_leave(s->lobby, c);
}

static void *on_thread(const struct mg_context *context, int type)
{
    struct bf_http_server *s = mg_get_user_data(context);

    if (type == 0) /* the one that accepts */
        bf_http_accept_from(s->lobby);
    else
        sem_post(&s->begun);
    return NULL;
}

static void on_lobby(void *user, enum bf_lobby_event event)
{
    static const enum bf_http_event counted[BF_LOBBY_EVENTS] = {
        [BF_LOBBY_LATE_HEADER] = BF_HTTP_CUT_HEADER,
        [BF_LOBBY_CROWDED_OUT] = BF_HTTP_CUT_SILENT,
        [BF_LOBBY_IDLE] = BF_HTTP_CUT_IDLE,
    };
    struct bf_http_server *s = user;

    bf_metrics_http_event(s->app->metrics, counted[event]);
}

/* --- start and stop --- */

/* What the sockets of clients have in common they inherit from the one that listens. */
static void tune(int fd)
{
    const int one = 1, unsent_max = UNSENT_MAX, unanswered_ms = UNANSWERED_MS;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof unsent_max);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
}

/* A worker has a connection, and a file while it sends one. Where the hard limit is too low for that, there are fewer
 * workers and a smaller lobby rather than viewers whose files cannot be opened. */
static void fit_into_descriptor_limit(unsigned *threads, unsigned *room)
{
    rlim_t needed = (rlim_t)*threads * 2 + *room + DESCRIPTORS_BESIDE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == needed)
        return;
    unsigned wanted = *threads,
             left = limit.rlim_cur > DESCRIPTORS_BESIDE ? (unsigned)limit.rlim_cur - DESCRIPTORS_BESIDE : 0;
    *room = left / 4 < LOBBY_LEAST ? LOBBY_LEAST : left / 4;
    *threads = left * 3 / 8 < THREADS_LEAST ? THREADS_LEAST : left * 3 / 8;
    bf_warning("the limit on open files is too low for gateway.threads: fewer are started",
               "threads=%u started=%u needed=%" PRIu64 " hard_limit=%" PRIu64, wanted, *threads, (uint64_t)needed,
               (uint64_t)limit.rlim_max);
}

static int make_lobby(struct bf_http_server *s, unsigned threads, unsigned room)
{
    const struct bf_lobby_options o = {
        .workers = threads,
        .spare = s->admission.limits.crowded,
        .room = room,
        .header_ms = HEADER_MS,
        .header_max = HEADER_MAX,
        .tune = tune,
        .event = on_lobby,
        .user = s,
    };

    return bf_lobby_new(&s->lobby, &o);
}

static int start_library(struct bf_http_server *s, const char *listen, unsigned threads)
{
    static const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_error,
        .log_message = on_log,
        .connection_close = on_close,
        .init_thread = on_thread,
    };
    char number[16], header_max[16];
    const char *options[] = {
        "listening_ports",
        listen,
        "num_threads",
        number,
        "connection_queue",
        number, /* no more are handed over than there are workers */
        "listen_backlog",
        "4096",
        "enable_directory_listing",
        "no",
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "10000", /* who is idle gives the worker back sooner where one is needed */
        "request_timeout_ms",
        "5000", /* to read a body */
        "max_request_size",
        header_max,
        "decode_url",
        "no", /* the path is parsed here, as it was sent */
        "enable_auth_domain_check",
        "no",
        NULL,
    };

    snprintf(number, sizeof number, "%u", threads);
    snprintf(header_max, sizeof header_max, "%d", HEADER_MAX);
    s->context = mg_start(&callbacks, s, options);
    return s->context == NULL ? -EADDRINUSE : 0;
}

/* Threads that could not be made the library only logs, one by one. */
static unsigned count_workers(struct bf_http_server *s, unsigned threads)
{
    uint64_t until_us = bf_mono_us() + START_MS * 1000;
    const struct timespec until = { .tv_sec = (time_t)(until_us / 1000000),
                                    .tv_nsec = (long)(until_us % 1000000 * 1000) };
    unsigned n = 0;

    while (n < threads && sem_clockwait(&s->begun, CLOCK_MONOTONIC, &until) == 0)
        n++;
    return n;
}

/* Of "address:port"; what listens on every address is reached on loopback. */
static struct in_addr listen_address(const char *listen)
{
    char text[INET_ADDRSTRLEN] = "";
    struct in_addr address;

    snprintf(text, sizeof text, "%.*s", (int)strcspn(listen, ":"), listen);
    if (inet_pton(AF_INET, text, &address) != 1 || address.s_addr == htonl(INADDR_ANY))
        address.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* The first visitor, so that the lobby is in its place before anybody else comes. */
static int knock(struct bf_http_server *s, const char *listen)
{
    struct sockaddr_in own = { .sin_family = AF_INET };
    struct mg_server_port port = { 0 };

    if (mg_get_server_ports(s->context, 1, &port) != 1)
        return -EADDRNOTAVAIL;
    s->port = (uint16_t)port.port;
    own.sin_port = htons(s->port);
    own.sin_addr = listen_address(listen);
    _cleanup_(bf_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&own, sizeof own) < 0)
        return -errno;
    return bf_lobby_wait_taken_over(s->lobby, START_MS) ? 0 : -ENOTSUP;
}

static void free_server(struct bf_http_server *s)
{
    bf_lobby_free(s->lobby);
    sem_destroy(&s->begun);
    free(s);
}

static int make_server(struct bf_http_server **ret, struct bf_app *app, unsigned threads, unsigned room)
{
    struct bf_http_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -ENOMEM;

    s->app = app;
    sem_init(&s->begun, 0, 0);
    for (size_t i = 0; i < app->n_routes; i++)
        s->kinds[i] = bf_conn_kind_of(app->routes[i]->pattern);
    bf_admission_init(&s->admission, threads);
    int r = make_lobby(s, threads, room);
    if (r < 0)
        free_server(s);
    else
        *ret = s;
    return r;
}

static int begin_to_serve(struct bf_http_server *s, const char *listen, unsigned threads, struct bf_error *e)
{
    if (start_library(s, listen, threads) < 0)
        return bf_fail(e, -EADDRINUSE,
                       "gateway.listen: cannot listen on %s: the address is in use or not of this machine", listen);
    unsigned begun = count_workers(s, threads);
    if (begun < threads) {
        bf_warning("not every worker could be started: see the limits on tasks", "threads=%u started=%u", threads,
                   begun);
        bf_admission_init(&s->admission, begun);
        bf_lobby_limit(s->lobby, begun);
    }
    int r = knock(s, listen);
    return r < 0 ? bf_fail(e, r, "gateway.listen: %s does not answer: %s", listen, strerror(-r)) : 0;
}

int bf_http_server_start(struct bf_http_server **ret, struct bf_app *app, const char *listen, unsigned threads,
                         struct bf_error *e)
{
    unsigned room = threads > LOBBY_ROOM ? threads : LOBBY_ROOM;
    struct bf_http_server *s = NULL;

    fit_into_descriptor_limit(&threads, &room);
    int r = make_server(&s, app, threads, room);
    if (r < 0)
        return bf_fail(e, r, "cannot make room for connections: %s", strerror(-r));

    mallopt(M_ARENA_MAX, 2); /* hundreds of threads that allocate little: arenas of their own would only cost memory */
    mg_init_library(MG_FEATURES_ALL & ~(unsigned)MG_FEATURES_TLS);
    r = begin_to_serve(s, listen, threads, e);
    if (r < 0) {
        bf_http_server_stop(s);
        return r;
    }
    *ret = s;
    return 0;
}

uint16_t bf_http_server_port(const struct bf_http_server *s)
{
    return s->port;
}

/* The library's threads look at its stop flag when what they poll is ready; with nobody left to serve all of them
 * are woken at once. */
void bf_http_server_stop(struct bf_http_server *s)
{
    if (s == NULL)
        return;
    bf_lobby_shut(s->lobby, STOP_GRACE_MS);
    mg_stop(s->context); /* NULL is fine */
    mg_exit_library();
    free_server(s);
}
