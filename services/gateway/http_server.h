/* The HTTP server: civetweb with everything of its own switched off. One callback takes each request, checks how it is
 * framed and where it comes from, parses its path strictly, and hands it to its route. A thread per connection that has
 * something to ask (lobby.h), with a small stack; they touch nothing but struct bf_app. */
#ifndef BELFRY_GATEWAY_HTTP_SERVER_H
#define BELFRY_GATEWAY_HTTP_SERVER_H

#include <stdint.h>

#include "base/error.h"
#include "gateway/app.h"

struct bf_http_server;

/* `listen` is "address:port"; port 0 takes a free one. `app` must live until bf_http_server_stop has returned. */
int bf_http_server_start(struct bf_http_server **ret, struct bf_app *app, const char *listen, unsigned threads,
                         struct bf_error *e);
uint16_t bf_http_server_port(const struct bf_http_server *s);
/* Waits for every thread: wake whoever waits (live, events, calls) first. NULL is fine. */
void bf_http_server_stop(struct bf_http_server *s);

#endif
