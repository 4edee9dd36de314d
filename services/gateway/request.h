/* One HTTP request on its thread: what it says, and the ways to answer it. Only request.c, respond.c and http_server.c
 * know the HTTP library. */
#ifndef BELFRY_GATEWAY_REQUEST_H
#define BELFRY_GATEWAY_REQUEST_H

#include <stdint.h>

#include "gateway/app.h"
#include "gateway/body.h"
#include "gateway/idempotency.h"
#include "gateway/lobby.h"
#include "gateway/sending.h"

struct mg_connection;

struct bf_request {
    struct bf_app *app;
    struct mg_connection *conn;
    struct bf_connection *connection;
    struct bf_pace pace;   /* of the client, in taking the answer */
    enum bf_method method; /* 0: one that no route knows */
    struct bf_path path;
    const char *query; /* without the '?'; NULL: none */
    struct bf_params params;
    const char *cors; /* origin that may read the answer; NULL: none asked, or not allowed */
    const char *uri;  /* of the path, for problems: parsed, so safe to print; "" before that */
    const char *body; /* read already, BF_BODY_MAX bytes at most; NULL: not yet */
    size_t body_size;
    struct bf_answer *answer; /* what is answered is copied there; may be NULL */
    bool close;               /* the connection ends with this answer */
    bool chunked;             /* the body that is being sent goes out in chunks */
};

const char *bf_request_header(const struct bf_request *r, const char *name); /* first of that name, or NULL */
unsigned bf_request_header_count(const struct bf_request *r, const char *name);
const char *bf_request_address(const struct bf_request *r); /* of the client */

/* Has the route's handler answer, or repeats what it has answered to the same request and Idempotency-Key. Returns the
 * status. */
int bf_handle_once(struct bf_request *r, const struct bf_http_route *route);

/* Reads the body; `buf` holds BF_BODY_MAX + 1 bytes, a zero byte follows. 0; or the status of the problem that it has
 * answered with. */
int bf_request_body(struct bf_request *r, char *buf, size_t *ret_size);
/* Reads and parses a JSON body. 0, or the status of the problem that it has answered with. */
int bf_request_json(struct bf_request *r, const struct bf_body_field *fields, size_t n);

struct bf_response {
    int status;
    const char *type; /* Content-Type; NULL: no body */
    const void *body;
    size_t size;
    const char *cache; /* Cache-Control; NULL: no-store */
    const char *etag, *location, *allow, *content_range;
    const char *encoding;   /* Content-Encoding */
    const char *preflight;  /* methods that another origin may use here, in answer to its OPTIONS */
    unsigned retry_after_s; /* 0: none */
    unsigned expires_s;     /* Expires so long from now; 0: none */
    bool vary_encoding;
    bool accept_ranges;
    bool page;         /* HTML, CSS, scripts: with a Content-Security-Policy */
    bool event_stream; /* no length: it ends with the connection */
    bool chunked;      /* no length: follows by bf_send_chunk, and ends with bf_send_end; with HTTP/1.0 as above */
};

/* Header and body in one write. Returns the status. */
int bf_respond(struct bf_request *r, const struct bf_response *a);
/* Header, then a->size bytes of `file`: out of the page cache, without a copy. Returns the status. */
int bf_respond_from_file(struct bf_request *r, const struct bf_response *a, int file, uint64_t offset);
/* The header only, for a body of a->size bytes that follows by bf_send. -EPIPE: the client is gone, or has
 * been cut off since it did not take what it had asked for (sending.h). */
int bf_respond_head(struct bf_request *r, const struct bf_response *a);
int bf_send(struct bf_request *r, const void *data, size_t size); /* 0 or -EPIPE */

/* One chunk of the body of an answer with `chunked`, in one write. 0 or -EPIPE. */
int bf_send_chunk(struct bf_request *r, const void *data, size_t size);
/* The end of that body. One that is not ended ends with its connection, and the client sees that it was cut. */
int bf_send_end(struct bf_request *r);
/* Bytes that are in memory, or the part of them that the Range header asks for; otherwise like bf_send_file. */
int bf_send_blob(struct bf_request *r, const struct bf_blob *blob, const struct bf_response *a);

/* RFC 9457. `code` is a stable lower-case word. */
int bf_problem(struct bf_request *r, int status, const char *code, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with the time after which to try again, and how long the problem may be cached. */
int bf_problem_for(struct bf_request *r, int status, const char *code, unsigned retry_after_s, unsigned max_age_s,
                   const char *detail);
int bf_problem_body(struct bf_request *r, const struct bf_body_error *e); /* 400 */

/* Sends bytes [offset, offset + length) of a regular file, or the part of it that the Range header asks for. `a`
 * carries type, caching and entity tag. 404 where the file is gone. */
int bf_send_file(struct bf_request *r, int dirfd, const char *name, uint64_t offset, uint64_t length,
                 const struct bf_response *a);
/* The same for the whole file; the entity tag is made from its size and time. */
int bf_send_whole_file(struct bf_request *r, int dirfd, const char *name, const struct bf_response *a);

/* Asks the loop and answers with what it says; a problem when it says nothing in time. */
int bf_ask_and_respond(struct bf_request *r, struct bf_call *call, uint64_t timeout_ms);
int bf_problem_unanswered(struct bf_request *r, int error); /* bf_calls_ask failed with that */

/* {"type","title","status","detail","instance"} and, where given, "code", "field", "accepted", "step"; malloc'd. */
struct bf_problem_text {
    int status;
    const char *code, *detail, *instance, *field, *accepted, *step;
};
char *bf_problem_json(const struct bf_problem_text *p);

#endif
