#include "gateway/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <civetweb.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/status_text.h"

#define HEAD_MAX 2048

/* Scripts, styles and media from here only; players make blob: URLs and workers of their own. */
#define PAGE_POLICY                                                                                                    \
    "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; img-src 'self' blob: data:; "                \
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

struct head {
    char text[HEAD_MAX];
    size_t size;
};

/* Every value is short and ours: one that does not fit cannot be. */
static void add(struct head *h, const char *text)
{
    size_t size = strlen(text);

    if (h->size + size <= sizeof h->text) {
        memcpy(h->text + h->size, text, size);
        h->size += size;
    }
}

static void add_number(struct head *h, uint64_t n)
{
    char digits[21], *at = digits + sizeof digits - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    add(h, at);
}

static void add_field(struct head *h, const char *name, const char *value)
{
    if (value == NULL)
        return;
    add(h, name);
    add(h, value);
    add(h, "\r\n");
}

static void format_time(char ret[static 32], uint64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(ret, 32, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static void add_expires(struct head *h, unsigned in_s)
{
    char text[32];

    if (in_s == 0)
        return;
    format_time(text, bf_unix_ms() / 1000 + in_s);
    add_field(h, "Expires: ", text);
}

/* Made once a second for each connection. */
static void add_date(struct head *h, struct bf_connection *c)
{
    uint64_t now_s = bf_unix_ms() / 1000;

    if (c->date_s != now_s) {
        format_time(c->date, now_s);
        c->date_s = now_s;
    }
    add_field(h, "Date: ", c->date);
}

static void add_cors(struct head *h, const struct bf_request *r, const struct bf_response *a)
{
    bool varies = r->app->config->gateway.n_cors > 0;

    if (varies || a->vary_encoding)
        add_field(h, "Vary: ", !varies ? "Accept-Encoding" : a->vary_encoding ? "Origin, Accept-Encoding" : "Origin");
    if (r->cors == NULL)
        return;
    add_field(h, "Access-Control-Allow-Origin: ", r->cors);
    if (a->preflight != NULL) {
        add_field(h, "Access-Control-Allow-Methods: ", a->preflight);
        add(h, "Access-Control-Allow-Headers: Content-Type, Idempotency-Key, Range\r\nAccess-Control-Max-Age: 600\r\n");
    }
    add(h, "Access-Control-Expose-Headers: Content-Range, Date, ETag, Location, Retry-After\r\n");
}

static bool speaks_1_1(const struct bf_request *r)
{
    const char *version = mg_get_request_info(r->conn)->http_version;

    return version != NULL && strcmp(version, "1.1") == 0;
}

/* Does the client want the connection to end? Must agree with what the HTTP library does next. */
static bool client_closes(const struct bf_request *r)
{
    const char *wish = bf_request_header(r, "Connection");

    return wish != NULL ? strcasestr(wish, "keep-alive") == NULL : !speaks_1_1(r);
}

static bool has_no_length(const struct bf_response *a)
{
    return a->event_stream || a->chunked;
}

static bool ends_here(struct bf_request *r, const struct bf_response *a)
{
    bool end = r->close || (has_no_length(a) && !r->chunked);

    if (end)
        mg_disable_connection_keep_alive(r->conn);
    return end || client_closes(r);
}

/* How long the body is, or how its end is seen. */
static void add_framing(struct head *h, const struct bf_request *r, const struct bf_response *a)
{
    if (r->chunked) {
        add(h, "Transfer-Encoding: chunked\r\n");
    } else if (!has_no_length(a) && a->status != 204 && a->status != 304) {
        add(h, "Content-Length: ");
        add_number(h, a->size);
        add(h, "\r\n");
    }
    if (has_no_length(a))
        add(h, "X-Accel-Buffering: no\r\n"); /* a proxy that knows it passes on what comes as it comes */
}

static void make_head(struct head *h, struct bf_request *r, const struct bf_response *a)
{
    r->chunked = a->chunked && speaks_1_1(r);
    h->size = 0;
    add(h, "HTTP/1.1 ");
    add_number(h, (uint64_t)a->status);
    add(h, " ");
    add(h, bf_status_text(a->status));
    add(h, "\r\n");
    add_date(h, r->connection);
    add_field(h, "Connection: ", ends_here(r, a) ? "close" : "keep-alive");
    add_framing(h, r, a);
    add_field(h, "Content-Type: ", a->type);
    add_field(h, "Content-Encoding: ", a->encoding);
    add_field(h, "Content-Range: ", a->content_range);
    add_field(h, "Accept-Ranges: ", a->accept_ranges ? "bytes" : NULL);
    add_field(h, "ETag: ", a->etag);
    add_field(h, "Location: ", a->location);
    add_field(h, "Allow: ", a->allow);
    if (a->retry_after_s > 0) {
        add(h, "Retry-After: ");
        add_number(h, a->retry_after_s);
        add(h, "\r\n");
    }
    add_expires(h, a->expires_s);
    add_field(h, "Cache-Control: ", a->cache == NULL ? "no-store" : a->cache);
    add_cors(h, r, a);
    add(h, "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n");
    add_field(h, "Content-Security-Policy: ", a->page ? PAGE_POLICY : NULL);
    add(h, "\r\n");
}

/* The connection is of no use any more when something could not be sent. */
static int after_sending(struct bf_request *r, int sent)
{
    if (sent == 0)
        return 0;
    if (sent == -ETIMEDOUT)
        bf_metrics_http_event(r->app->metrics, BF_HTTP_CUT_READER);
    r->close = true;
    mg_disable_connection_keep_alive(r->conn);
    return -EPIPE;
}

static int send_pieces(struct bf_request *r, struct iovec *pieces, int n, bool more)
{
    return after_sending(r, bf_send_pieces(r->connection->fd, pieces, n, more, &r->pace));
}

int bf_send(struct bf_request *r, const void *data, size_t size)
{
    struct iovec piece = { .iov_base = (void *)data, .iov_len = size };

    return send_pieces(r, &piece, 1, false);
}

int bf_send_chunk(struct bf_request *r, const void *data, size_t size)
{
    char line[24];
    struct iovec pieces[] = {
        { .iov_base = line, .iov_len = (size_t)snprintf(line, sizeof line, "%zx\r\n", size) },
        { .iov_base = (void *)data, .iov_len = size },
        { .iov_base = (void *)"\r\n", .iov_len = 2 },
    };

    if (size == 0)
        return 0; /* as a chunk it would be the end */
    return r->chunked ? send_pieces(r, pieces, 3, false) : send_pieces(r, pieces + 1, 1, false);
}

int bf_send_end(struct bf_request *r)
{
    bool chunked = r->chunked;

    r->chunked = false;
    return chunked ? bf_send(r, "0\r\n\r\n", 5) : 0;
}

int bf_respond_head(struct bf_request *r, const struct bf_response *a)
{
    struct head h;

    make_head(&h, r, a);
    return bf_send(r, h.text, h.size);
}

static void copy_text(char *ret, size_t size, const char *text)
{
    snprintf(ret, size, "%s", text == NULL ? "" : text);
}

/* For whoever asks the same again. Without memory nothing is kept, and nobody else is told anything. */
static void keep(struct bf_answer *ret, const struct bf_response *a)
{
    struct bf_answer answer = { .retry_after_s = a->retry_after_s, .body = (char *)a->body, .size = a->size };

    copy_text(answer.type, sizeof answer.type, a->type);
    copy_text(answer.location, sizeof answer.location, a->location);
    copy_text(answer.allow, sizeof answer.allow, a->allow);
    copy_text(answer.cache, sizeof answer.cache, a->cache);
    if (bf_answer_copy(ret, &answer) == 0)
        ret->status = a->status;
}

int bf_respond(struct bf_request *r, const struct bf_response *a)
{
    size_t size = r->method == BF_HEAD || a->status == 304 ? 0 : a->size;
    struct head h;

    if (r->answer != NULL)
        keep(r->answer, a);
    make_head(&h, r, a);
    struct iovec pieces[] = {
        { .iov_base = h.text, .iov_len = h.size },
        { .iov_base = (void *)a->body, .iov_len = size },
    };
    send_pieces(r, pieces, 2, false);
    bf_metrics_sent(r->app->metrics, size);
    return a->status;
}

/* A file that ends early ends the connection, so that the client sees that something is missing. */
int bf_respond_from_file(struct bf_request *r, const struct bf_response *a, int file, uint64_t offset)
{
    struct head h;

    make_head(&h, r, a);
    struct iovec piece = { .iov_base = h.text, .iov_len = h.size };
    if (send_pieces(r, &piece, 1, true) == 0)
        after_sending(r, bf_send_range(r->connection->fd, file, offset, a->size, &r->pace));
    bf_metrics_sent(r->app->metrics, a->size);
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
