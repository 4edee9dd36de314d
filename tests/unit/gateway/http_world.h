/* A server over real sockets, with one camera and one session: its first segment of five parts, 1000 bytes each. The
 * loop runs in the test's own thread; each client has a thread of its own. */
#ifndef BELFRY_TESTS_HTTP_WORLD_H
#define BELFRY_TESTS_HTTP_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "gateway/http_server.h"
#include "media_dir.h"

struct http_world {
    uv_loop_t loop;
    struct media_dir media;
    struct bf_config config;
    struct bf_camera_config camera;
    char *origins[1];
    struct bf_app app;
    struct bf_http_server *server;
    struct bf_want want; /* of the last start */
    bool present_asked;
    bool call_is_live;     /* a start makes the session the present one */
    unsigned calls;        /* that have reached the loop */
    int status;            /* to answer them with; 0: as they went well */
    const char *code;      /* of a problem; NULL: none */
    struct bf_call **hold; /* where it points to NULL, the next call is put there, to be answered by the test */
};
extern struct http_world t;

void http_world_answer(struct bf_call *call);
int http_world_begin(void **state);
int http_world_end(void **state);

struct client {
    const char *request;
    const char *until; /* stop reading when this has come; NULL: at the end of the connection */
    char answer[16384];
    atomic_size_t size;
    pthread_t thread;
    atomic_bool done;
    uv_async_t wake;
};
void begin(struct client *c, const char *request, const char *until);
void end(struct client *c);
const char *ask(const char *request); /* the whole answer; valid until the next one */

int status_of(const char *answer);
bool has(const char *answer, const char *what);

#define HOST "Host: cam:8080\r\nConnection: close\r\n"
#define LIVE "/live/door/" BUILDER_SESSION "/"
#define get(path) ask("GET " path " HTTP/1.1\r\n" HOST "\r\n")

#endif
