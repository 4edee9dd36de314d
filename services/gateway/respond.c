#include "gateway/request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include <civetweb.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/http_server.h"
#include "gateway/status_text.h"

#define HEAD_MAX 2048
#define ONE_WRITE_MAX 65536 /* bodies up to here go out together with their header */

/* Scripts, styles and media from here only; players make blob: URLs and workers of their own. */
#define PAGE_POLICY                                                                                                    \
    "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; img-src 'self' blob: data:; "                \
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

struct head {
    char text[HEAD_MAX];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void add(struct head *h, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(h->text + h->size, sizeof h->text - h->size, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof h->text - h->size)
        h->size += (size_t)n; /* every value is short and ours: a line that does not fit cannot be */
}

static void add_if(struct head *h, const char *name, const char *value)
{
    if (value != NULL)
        add(h, "%s: %s\r\n", name, value);
}

static void add_date(struct head *h)
{
    char text[40];
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    add(h, "Date: %s\r\n", text);
}

static void add_cors(struct head *h, const struct bf_request *r, const struct bf_response *a)
{
    bool varies = r->app->config->gateway.n_cors > 0;

    if (varies || a->vary_encoding)
        add(h, "Vary: %s%s%s\r\n", varies ? "Origin" : "", varies && a->vary_encoding ? ", " : "",
            a->vary_encoding ? "Accept-Encoding" : "");
    if (r->cors == NULL)
        return;
    add(h, "Access-Control-Allow-Origin: %s\r\n", r->cors);
    if (a->preflight != NULL)
        add(h,
            "Access-Control-Allow-Methods: %s\r\nAccess-Control-Allow-Headers: Content-Type, Range\r\n"
            "Access-Control-Max-Age: 600\r\n",
            a->preflight);
    add(h, "Access-Control-Expose-Headers: Content-Range, Date, ETag, Location, Retry-After\r\n");
}

/* Does the client want the connection to end? Must agree with what the HTTP library does next. */
static bool client_closes(const struct bf_request *r)
{
    const char *wish = bf_request_header(r, "Connection");
    const char *version = mg_get_request_info(r->conn)->http_version;

    if (wish != NULL)
        return strcasestr(wish, "keep-alive") == NULL;
    return version == NULL || strcmp(version, "1.1") != 0;
}

static bool ends_here(struct bf_request *r, const struct bf_response *a)
{
    bool end = r->close || a->event_stream || bf_http_server_crowded(r->conn);

    if (end)
        mg_disable_connection_keep_alive(r->conn);
    return end || client_closes(r);
}

static void make_head(struct head *h, struct bf_request *r, const struct bf_response *a)
{
    h->size = 0;
    add(h, "HTTP/1.1 %d %s\r\n", a->status, bf_status_text(a->status));
    add_date(h);
    add(h, "Connection: %s\r\n", ends_here(r, a) ? "close" : "keep-alive");
    if (!a->event_stream && a->status != 204 && a->status != 304)
        add(h, "Content-Length: %zu\r\n", a->size);
    add_if(h, "Content-Type", a->type);
    add_if(h, "Content-Encoding", a->encoding);
    add_if(h, "Content-Range", a->content_range);
    add_if(h, "Accept-Ranges", a->accept_ranges ? "bytes" : NULL);
    add_if(h, "ETag", a->etag);
    add_if(h, "Location", a->location);
    add_if(h, "Allow", a->allow);
    if (a->retry_after_s > 0)
        add(h, "Retry-After: %u\r\n", a->retry_after_s);
    add(h, "Cache-Control: %s\r\n", a->cache == NULL ? "no-store" : a->cache);
    add_cors(h, r, a);
    add(h, "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n");
    add_if(h, "Content-Security-Policy", a->page ? PAGE_POLICY : NULL);
    add(h, "\r\n");
}

int bf_send(struct bf_request *r, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        int n = mg_write(r->conn, at, size);
        if (n <= 0) {
            r->close = true;
            mg_disable_connection_keep_alive(r->conn);
            return -EPIPE;
        }
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int bf_respond_head(struct bf_request *r, const struct bf_response *a)
{
    struct head h;

    make_head(&h, r, a);
    return bf_send(r, h.text, h.size);
}

/* Header and the first bytes of the body in one write: one segment on the wire, no delay between the two. */
static int send_together(struct bf_request *r, const struct bf_response *a, const void *body, size_t size)
{
    struct head h;

    make_head(&h, r, a);
    char *both = malloc(h.size + size);
    if (both == NULL)
        return bf_send(r, h.text, h.size) < 0 ? -EPIPE : bf_send(r, body, size);
    memcpy(both, h.text, h.size);
    if (size > 0)
        memcpy(both + h.size, body, size);
    int sent = bf_send(r, both, h.size + size);
    free(both);
    return sent;
}

int bf_respond(struct bf_request *r, const struct bf_response *a)
{
    size_t size = r->method == BF_HEAD || a->status == 304 ? 0 : a->size;
    size_t together = size <= ONE_WRITE_MAX ? size : 0;

    if (send_together(r, a, a->body, together) == 0 && size > together)
        bf_send(r, a->body, size);
    bf_metrics_sent(r->app->metrics, size);
    return a->status;
}

/* --- problems --- */

static int respond_problem(struct bf_request *r, const struct bf_problem_text *p, const char *cache,
                           unsigned retry_after_s)
{
    _cleanup_(bf_freep) char *text = bf_problem_json(p);
    const struct bf_response a = {
        .status = p->status,
        .type = "application/problem+json",
        .body = text,
        .size = text == NULL ? 0 : strlen(text),
        .cache = cache,
        .retry_after_s = retry_after_s,
    };

    return bf_respond(r, &a);
}

int bf_problem(struct bf_request *r, int status, const char *code, const char *detail, ...)
{
    char text[400];
    va_list args;

    va_start(args, detail);
    vsnprintf(text, sizeof text, detail, args);
    va_end(args);
    return respond_problem(
        r, &(struct bf_problem_text){ .status = status, .code = code, .detail = text, .instance = r->uri }, NULL, 0);
}

int bf_problem_for(struct bf_request *r, int status, const char *code, unsigned retry_after_s, unsigned max_age_s,
                   const char *detail)
{
    char cache[48];

    snprintf(cache, sizeof cache, "public, max-age=%u", max_age_s);
    return respond_problem(
        r, &(struct bf_problem_text){ .status = status, .code = code, .detail = detail, .instance = r->uri },
        max_age_s == 0 ? NULL : cache, retry_after_s);
}

int bf_problem_body(struct bf_request *r, const struct bf_body_error *e)
{
    return respond_problem(r,
                           &(struct bf_problem_text){ .status = 400,
                                                      .code = "bad_body",
                                                      .detail = e->detail,
                                                      .instance = r->uri,
                                                      .field = e->field,
                                                      .accepted = e->accepted },
                           NULL, 0);
}
