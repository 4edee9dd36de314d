/* One request: how it is framed, where it comes from, what it asks for, whether there is a worker for it. */
#include "gateway/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <civetweb.h>

#include "base/cleanup.h"
#include "gateway/guard.h"

#define IDLE_VIEWER_MS 1000 /* paused or gone: makes way for one who wants to watch */
#define LIVE_PATIENCE_MS 5000
#define RETRY_SPREAD_S 4 /* those refused come back one after the other */

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

static int refuse(struct bf_request *r, enum bf_http_event event, const char *code, const char *why)
{
    unsigned retry_s = 1 + ntohs(r->connection->client.sin_port) % RETRY_SPREAD_S;

    bf_metrics_http_event(r->app->metrics, event);
    r->close = true;
    return bf_problem_for(r, 503, code, retry_s, 0, why);
}

/* Is there a worker to be had for this? 0, or the status of the problem. */
static int admit(struct bf_http_server *s, struct bf_request *r, enum bf_conn_kind kind)
{
    atomic_int *at = &r->connection->kind;
    enum bf_conn_kind from = (enum bf_conn_kind)atomic_load_explicit(at, memory_order_relaxed);

    if (from == kind && kind == BF_CONN_MEDIA)
        return 0; /* the next of many */
    switch (bf_admit(&s->admission, from, kind, bf_lobby_free_workers(s->lobby))) {
    case BF_ADMITTED_ONCE:
        r->close = true;
        __attribute__((fallthrough));
    case BF_ADMITTED:
        atomic_store_explicit(at, (int)kind, memory_order_relaxed);
        return 0;
    case BF_FULL_OF_VIEWERS:
        bf_lobby_evict_idle(s->lobby, BF_CONN_MEDIA, IDLE_VIEWER_MS);
        return refuse(r, BF_HTTP_REFUSED_VIEWERS, "too_many_viewers",
                      "As many viewers are here as this gateway takes; see gateway.threads.");
    default:
        return refuse(r, BF_HTTP_REFUSED_BUSY, "busy", "All workers of this gateway are taken; see gateway.threads.");
    }
}

/* Playlists and parts are small and soon old; downloads may pass through a tunnel on the way. */
static uint32_t patience_ms(const struct bf_http_route *route)
{
    return strncmp(route->pattern, "/live/", 6) == 0 ? LIVE_PATIENCE_MS : BF_PATIENCE_MS;
}

static void count_connections(struct bf_http_server *s)
{
    unsigned counts[BF_CONN_KINDS];

    bf_lobby_census(s->lobby, counts);
    bf_metrics_connections(s->app->metrics, counts, s->admission.limits.workers, bf_lobby_free_workers(s->lobby));
}

int bf_http_dispatch(struct bf_http_server *s, struct bf_request *r, const char *target, size_t *ret_route)
{
    const struct bf_app *app = s->app;
    unsigned methods = 0;
    int failed = check_framing(r);

    *ret_route = app->n_routes;
    if (failed == 0)
        failed = parse_target(r, target);
    if (failed == 0)
        r->uri = target; /* printable ASCII by now */
    if (failed == 0)
        failed = check_origin(r);
    if (failed != 0)
        return failed;

    int found = bf_route_find(app->routes, app->n_routes, r->method, &r->path, ret_route, &r->params, &methods);
    enum bf_conn_kind kind = found == 0 ? s->kinds[*ret_route] : BF_CONN_OTHER;
    failed = admit(s, r, kind);
    if (failed != 0)
        return failed;
    if (kind == BF_CONN_OPS)
        count_connections(s);
    if (found == -ENOENT)
        return bf_problem(r, 404, "not_found", "There is nothing here.");
    if (r->method == BF_OPTIONS)
        return answer_options(r, methods);
    if (found < 0)
        return not_allowed(r, methods);
    bf_pace_begin(&r->pace, patience_ms(app->routes[*ret_route]));
    return bf_handle_once(r, app->routes[*ret_route]);
}
