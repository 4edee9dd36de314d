#include "gateway/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <civetweb.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define BODY_MS 5000

const char *bf_request_header(const struct bf_request *r, const char *name)
{
    return mg_get_header(r->conn, name);
}

unsigned bf_request_header_count(const struct bf_request *r, const char *name)
{
    const struct mg_request_info *info = mg_get_request_info(r->conn);
    unsigned n = 0;

    for (int i = 0; i < info->num_headers; i++)
        n += strcasecmp(info->http_headers[i].name, name) == 0;
    return n;
}

const char *bf_request_address(const struct bf_request *r)
{
    return mg_get_request_info(r->conn)->remote_addr;
}

/* The client waits for leave to send its body. 0, or the status of the problem. */
static int go_on(struct bf_request *r)
{
    static const char leave[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *expect = bf_request_header(r, "Expect");

    if (expect == NULL)
        return 0;
    if (strcasecmp(expect, "100-continue") != 0) {
        r->close = true;
        return bf_problem(r, 417, "expectation_failed", "The only expectation that can be met is 100-continue.");
    }
    return bf_send(r, leave, sizeof leave - 1) < 0 ? 400 : 0;
}

int bf_request_body(struct bf_request *r, char *buf, size_t *ret_size)
{
    long long length = mg_get_request_info(r->conn)->content_length;
    size_t size = 0;

    *ret_size = 0;
    if (r->body != NULL) {
        memcpy(buf, r->body, r->body_size);
        buf[r->body_size] = '\0';
        *ret_size = r->body_size;
        return 0;
    }
    buf[0] = '\0';
    if (length <= 0)
        return 0;
    if (length > BF_BODY_MAX) {
        r->close = true; /* unread */
        return bf_problem(r, 413, "body_too_large", "The body has %lld bytes; at most %d are taken.", length,
                          BF_BODY_MAX);
    }
    int failed = go_on(r);
    if (failed != 0)
        return failed;
    uint64_t until_ms = bf_mono_ms() + BODY_MS;
    while (size < (size_t)length) {
        int n = mg_read(r->conn, buf + size, (size_t)length - size);
        if (size + (size_t)(n > 0 ? n : 0) < (size_t)length && bf_mono_ms() >= until_ms) {
            r->close = true;
            bf_metrics_http_event(r->app->metrics, BF_HTTP_CUT_BODY);
            return bf_problem(r, 408, "body_late", "The body has not come within %d seconds.", BODY_MS / 1000);
        }
        if (n <= 0) {
            r->close = true;
            return bf_problem(r, 400, "body_cut_off", "The body ended after %zu of %lld bytes.", size, length);
        }
        size += (size_t)n;
    }
    buf[size] = '\0';
    *ret_size = size;
    return 0;
}

int bf_request_json(struct bf_request *r, const struct bf_body_field *fields, size_t n)
{
    _cleanup_(bf_freep) char *buf = malloc(BF_BODY_MAX + 1);
    struct bf_body_error e;
    size_t size;

    if (buf == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the body.");
    int failed = bf_request_body(r, buf, &size);
    if (failed != 0)
        return failed;
    if (size > 0 && !bf_is_json_type(bf_request_header(r, "Content-Type")))
        return bf_problem(r, 415, "not_json", "The body must be application/json.");
    return bf_body_parse(buf, size, fields, n, &e) < 0 ? bf_problem_body(r, &e) : 0;
}

int bf_problem_unanswered(struct bf_request *r, int error)
{
    if (error == -ETIMEDOUT)
        return bf_problem(r, 504, "no_answer", "The gateway did not come to a result in time; see its log.");
    if (error == -ESHUTDOWN)
        return bf_problem_for(r, 503, "ending", 5, 0, "The gateway is being stopped.");
    return bf_problem_for(r, 503, "busy", 1, 0, "Too many requests wait already.");
}

int bf_ask_and_respond(struct bf_request *r, struct bf_call *call, uint64_t timeout_ms)
{
    snprintf(call->instance, sizeof call->instance, "%s", r->uri);
    int asked = bf_calls_ask(r->app->calls, call, timeout_ms);

    if (asked < 0)
        return bf_problem_unanswered(r, asked);
    const struct bf_response a = {
        .status = call->status,
        .type = call->body == NULL    ? NULL
                : call->status >= 400 ? "application/problem+json"
                                      : "application/json",
        .body = call->body,
        .size = call->body == NULL ? 0 : strlen(call->body),
        .location = call->location[0] == '\0' ? NULL : call->location,
        .retry_after_s = call->retry_after_s,
    };
    return bf_respond(r, &a);
}
