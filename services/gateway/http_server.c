#include "gateway/http_server.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <civetweb.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "gateway/guard.h"
#include "gateway/request.h"

#define STACK_BYTES (256 * 1024) /* reserved, not used: a request touches some 20 KiB of it */
#define CROWDED_PERCENT 75

struct bf_http_server {
    struct mg_context *context;
    struct bf_app *app;
    unsigned threads;
    uint16_t port;
    atomic_uint connections;
};

static struct bf_http_server *server_of(const struct mg_connection *conn)
{
    return mg_get_user_context_data(conn);
}

bool bf_http_server_crowded(const struct mg_connection *conn)
{
    struct bf_http_server *s = server_of(conn);

    return atomic_load_explicit(&s->connections, memory_order_relaxed) * 100 >= s->threads * CROWDED_PERCENT;
}

/* --- one request --- */

/* What a front end and this server could read differently is refused: no request may hide inside another. */
static int check_framing(struct bf_request *r)
{
    const char *length = bf_request_header(r, "Content-Length");
    uint64_t n;

    r->close = true;
    if (mg_get_request_info(r->conn)->num_headers >= MG_MAX_HEADERS)
        return bf_problem(r, 431, "too_many_headers", "At most %d header fields are taken.", MG_MAX_HEADERS - 1);
    if (bf_request_header_count(r, "Content-Length") > 1 || bf_request_header_count(r, "Host") > 1)
        return bf_problem(r, 400, "bad_framing", "Content-Length or Host is given more than once.");
    if (bf_request_header(r, "Transfer-Encoding") != NULL && length != NULL)
        return bf_problem(r, 400, "bad_framing", "Content-Length and Transfer-Encoding exclude each other.");
    if (bf_request_header(r, "Transfer-Encoding") != NULL)
        return bf_problem(r, 411, "length_required", "Send the body with a Content-Length.");
    if (length != NULL && !bf_parse_u64(length, &n))
        return bf_problem(r, 400, "bad_framing", "Content-Length is not a whole number.");
    r->close = false;
    return 0;
}

static int parse_target(struct bf_request *r, const char *raw)
{
    switch (bf_path_parse(&r->path, raw)) {
    case 0:
        return 0;
    case -ENAMETOOLONG:
        return bf_problem(r, 414, "path_too_long", "A path has at most %d bytes.", BF_PATH_MAX);
    case -ENOENT:
        return bf_problem(r, 404, "not_found", "There is nothing here.");
    default:
        return bf_problem(r, 400, "bad_path", "The path has a character or a segment that no address here has.");
    }
}

static int check_origin(struct bf_request *r)
{
    const struct bf_config *c = r->app->config;
    const struct bf_guard_request q = {
        .origin = bf_request_header(r, "Origin"),
        .host = bf_request_header(r, "Host"),
        .fetch_site = bf_request_header(r, "Sec-Fetch-Site"),
        .changes_state = (r->method & (BF_POST | BF_PATCH | BF_DELETE)) != 0,
    };

    if (bf_guard_listed(q.origin, c->gateway.cors, c->gateway.n_cors))
        r->cors = q.origin;
    if (bf_guard_allows(&q, c->gateway.cors, c->gateway.n_cors))
        return 0;
    return bf_problem(r, 403, "foreign_origin",
                      "A page of another origin may not do this; gateway.cors lists the origins that may.");
}

static int answer_options(struct bf_request *r, unsigned methods)
{
    char names[64];

    bf_methods_format(methods | BF_OPTIONS, names, sizeof names);
    return bf_respond(r, &(struct bf_response){ .status = 204, .allow = names, .preflight = names });
}

static int not_allowed(struct bf_request *r, unsigned methods)
{
    char names[64];
    const struct bf_problem_text p = { .status = 405,
                                       .code = "method_not_allowed",
                                       .instance = r->uri,
                                       .detail = "This address takes other methods; see Allow." };
    _cleanup_(bf_freep) char *text = bf_problem_json(&p);

    return bf_respond(r,
                      &(struct bf_response){ .status = 405,
                                             .type = "application/problem+json",
                                             .body = text,
                                             .size = text == NULL ? 0 : strlen(text),
                                             .allow = bf_methods_format(methods | BF_OPTIONS, names, sizeof names) });
}

static int dispatch(struct bf_request *r, const char *raw, size_t *ret_route)
{
    const struct bf_app *app = r->app;
    unsigned methods = 0;
    int failed = check_framing(r);

    *ret_route = app->n_routes;
    if (failed == 0)
        failed = parse_target(r, raw);
    if (failed == 0)
        r->uri = raw; /* printable ASCII by now */
    if (failed == 0)
        failed = check_origin(r);
    if (failed != 0)
        return failed;

    int found = bf_route_find(app->routes, app->n_routes, r->method, &r->path, ret_route, &r->params, &methods);
    if (found == -ENOENT)
        return bf_problem(r, 404, "not_found", "There is nothing here.");
    if (r->method == BF_OPTIONS)
        return answer_options(r, methods);
    if (found < 0)
        return not_allowed(r, methods);
    return app->routes[*ret_route]->handle(r);
}

static int on_request(struct mg_connection *conn)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct bf_http_server *s = server_of(conn);
    struct bf_request r = {
        .app = s->app,
        .conn = conn,
        .method = bf_method_parse(info->request_method),
        .query = info->query_string,
        .uri = "",
    };
    size_t route;
    int status = dispatch(&r, info->local_uri_raw, &route);

    bf_metrics_request(s->app->metrics, route, status);
    if (r.close)
        mg_disable_connection_keep_alive(conn);
    return status;
}

/* --- what the library wants to say by itself --- */

/* Requests that it could not parse: it answers, in our form. */
static int on_error(struct mg_connection *conn, int status, const char *message)
{
    struct bf_http_server *s = server_of(conn);
    struct bf_request r = { .app = s->app, .conn = conn, .uri = "", .close = true };

    (void)message;
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

static int on_open(const struct mg_connection *conn, void **data)
{
    (void)data;
    atomic_fetch_add_explicit(&server_of(conn)->connections, 1, memory_order_relaxed);
    return 0;
}

static void on_close(const struct mg_connection *conn)
{
    atomic_fetch_sub_explicit(&server_of(conn)->connections, 1, memory_order_relaxed);
}

/* --- start and stop --- */

/* The library makes its threads with default attributes; ours are set around that. */
static struct mg_context *start_with_small_stacks(const struct mg_callbacks *callbacks, void *user,
                                                  const char **options)
{
    pthread_attr_t before, small;

    if (pthread_getattr_default_np(&before) != 0)
        return mg_start(callbacks, user, options);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    pthread_setattr_default_np(&small);
    struct mg_context *context = mg_start(callbacks, user, options);
    pthread_setattr_default_np(&before);
    pthread_attr_destroy(&small);
    pthread_attr_destroy(&before);
    return context;
}

static int start_library(struct bf_http_server *s, const char *listen)
{
    static const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_error,
        .log_message = on_log,
        .init_connection = on_open,
        .connection_closed = on_close,
    };
    char threads[16];
    const char *options[] = {
        "listening_ports",
        listen,
        "num_threads",
        threads,
        "enable_directory_listing",
        "no",
        "enable_keep_alive",
        "yes",
        "keep_alive_timeout_ms",
        "2000", /* a viewer asks five times a second; who is idle gives the thread back */
        "request_timeout_ms",
        "10000", /* to read a header, and for a client that does not take what it asked for */
        "tcp_nodelay",
        "1",
        "max_request_size",
        "16384",
        "decode_url",
        "no", /* the path is parsed here, as it was sent */
        "enable_auth_domain_check",
        "no",
        NULL,
    };

    snprintf(threads, sizeof threads, "%u", s->threads);
    s->context = start_with_small_stacks(&callbacks, s, options);
    return s->context == NULL ? -EADDRINUSE : 0;
}

int bf_http_server_start(struct bf_http_server **ret, struct bf_app *app, const char *listen, unsigned threads,
                         struct bf_error *e)
{
    struct bf_http_server *s = calloc(1, sizeof *s);
    struct mg_server_port port = { 0 };

    if (s == NULL)
        return -ENOMEM;
    mallopt(M_ARENA_MAX, 2); /* hundreds of threads that allocate little: arenas of their own would only cost memory */
    s->app = app;
    s->threads = threads;
    mg_init_library(MG_FEATURES_ALL & ~(unsigned)MG_FEATURES_TLS);
    int r = start_library(s, listen);
    if (r < 0) {
        free(s);
        return bf_fail(e, r, "gateway.listen: cannot listen on %s: the address is in use or not of this machine",
                       listen);
    }
    if (mg_get_server_ports(s->context, 1, &port) == 1)
        s->port = (uint16_t)port.port;
    *ret = s;
    return 0;
}

uint16_t bf_http_server_port(const struct bf_http_server *s)
{
    return s->port;
}

void bf_http_server_stop(struct bf_http_server *s)
{
    if (s == NULL)
        return;
    mg_stop(s->context);
    mg_exit_library();
    free(s);
}
