/* Where connections wait until they have something to say.
 *
 * The HTTP library gives each connection a thread as soon as it is there, silent or not; a few hundred clients that
 * connect and say nothing would take all of them. So its listening socket is taken over: what it polls from then on is
 * the lobby, and what it accepts is a connection whose first request header has come in whole, while a worker is free.
 * Silent clients and slow headers cost a descriptor and a hundred bytes each, for a bounded time, and no thread.
 *
 * bf_lobby_next is called by the library's accepting thread alone; everything else by any thread. */
#ifndef BELFRY_GATEWAY_LOBBY_H
#define BELFRY_GATEWAY_LOBBY_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/admission.h"

struct bf_lobby;

/* A client's connection, from accept to close. The public fields belong to the worker that serves it. */
struct bf_connection {
    int fd; /* owned by the lobby, then by the HTTP library */
    struct sockaddr_in client;
    atomic_ullong idle_since_ms; /* between two requests; 0: not idle */
    atomic_int kind;             /* enum bf_conn_kind of its last request */
    uint64_t date_s;             /* of the Date line that is kept for its next answers */
    char date[32];
};

/* What happened, for the counters. */
enum bf_lobby_event {
    BF_LOBBY_LATE_HEADER, /* its header did not come in time */
    BF_LOBBY_CROWDED_OUT, /* no room: the longest silent of the address with the most silent ones went */
    BF_LOBBY_IDLE,        /* idle between requests while others waited for a worker */
    BF_LOBBY_EVENTS
};

struct bf_lobby_options {
    unsigned workers;
    unsigned spare;             /* so few free workers left: whoever is idle between requests is asked to end */
    unsigned room;              /* connections that wait here at a time */
    uint64_t header_ms;         /* from accept to the end of the first header */
    size_t header_max;          /* longer ones are handed over as they are, to be refused */
    void (*tune)(int listener); /* options for the listening socket, which connections inherit; may be NULL */
    void (*event)(void *user, enum bf_lobby_event event); /* under the lock: must not call back */
    void *user;
};

int bf_lobby_new(struct bf_lobby **ret, const struct bf_lobby_options *o);
void bf_lobby_limit(struct bf_lobby *l, unsigned workers); /* there are fewer of them than was thought */
void bf_lobby_free(struct bf_lobby *l);                    /* after bf_lobby_shut; NULL is fine */

/* The next connection for a worker, by its descriptor, or -EAGAIN. The first call takes `listener` over: the number
 * then stands for the lobby itself, readable when there may be something to accept. */
int bf_lobby_next(struct bf_lobby *l, int listener, struct sockaddr_in *ret_client);

/* Has that first call been made? Waits for it. */
bool bf_lobby_wait_taken_over(struct bf_lobby *l, uint64_t timeout_ms);

/* The connection of that client that a worker has; NULL: none. */
struct bf_connection *bf_lobby_find(struct bf_lobby *l, const struct sockaddr_in *client);
/* Call before its descriptor is closed; the connection is gone then. */
void bf_lobby_leave(struct bf_lobby *l, struct bf_connection *c);
/* Asks the connection of that kind that has been idle longest, for so long at least, to end. */
void bf_lobby_evict_idle(struct bf_lobby *l, enum bf_conn_kind kind, uint64_t idle_ms);

/* Lets nobody in any more, ends who is silent or idle, lets answers be finished for `grace_ms`, then ends them too.
 * Returns when every worker has let go, or after as long again. */
void bf_lobby_shut(struct bf_lobby *l, uint64_t grace_ms);

unsigned bf_lobby_free_workers(struct bf_lobby *l);
/* How many connections there are of each kind; those that wait here are silent. */
void bf_lobby_census(struct bf_lobby *l, unsigned ret[static BF_CONN_KINDS]);

#endif
