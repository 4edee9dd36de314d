/* Shared by the HTTP server's own files only. */
#ifndef BELFRY_GATEWAY_HTTP_INTERNAL_H
#define BELFRY_GATEWAY_HTTP_INTERNAL_H

#include <semaphore.h>

#include "gateway/http_server.h"
#include "gateway/lobby.h"
#include "gateway/request.h"

#define BF_PATIENCE_MS 15000 /* with a client that does not take what it asked for (sending.h) */

struct mg_context;

struct bf_http_server {
    struct mg_context *context;
    struct bf_app *app;
    struct bf_lobby *lobby;
    sem_t begun; /* a post from each worker */
    struct bf_admission admission;
    enum bf_conn_kind kinds[BF_ROUTES_MAX]; /* of the routes */
    uint16_t port;
};

/* http_dispatch.c: answers a request; *ret_route is its place among the routes, n_routes where none fits.
 * `target` is its path as it was sent. */
int bf_http_dispatch(struct bf_http_server *s, struct bf_request *r, const char *target, size_t *ret_route);

/* http_accept.c: from now on the calling thread accepts connections out of this lobby; NULL: as everybody does. */
void bf_http_accept_from(struct bf_lobby *lobby);

#endif
