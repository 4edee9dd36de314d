/* Datagrams of MPEG-TS, over plain UDP or SRT (libsrt), for one sender and one receiver. Calls block on the calling
 * worker thread; bf_transport_cancel, from any thread, makes them return -ECANCELED within 100 ms, from then on. Only
 * what an SRT sender had sent before is still received, which takes the latency and 100 ms at most. */
#ifndef BELFRY_MEDIA_TRANSPORT_H
#define BELFRY_MEDIA_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define BF_DATAGRAM_SIZE 1316 /* 7 TS packets of 188 bytes: fits an Ethernet frame */
#define BF_PASSPHRASE_SIZE 33 /* 32 characters and the terminator */

enum bf_transport_kind { BF_TRANSPORT_SRT = 1, BF_TRANSPORT_UDP = 2 };

struct bf_transport;

struct bf_transport_options {
    enum bf_transport_kind kind;
    const char *host; /* sender: where to; receiver: local address to bind */
    uint16_t port;
    unsigned latency_ms;     /* SRT */
    const char *passphrase;  /* SRT: 10..64 characters (AES-256), NULL for none. Copied, wiped on close */
    const char *source;      /* receiver, UDP: the one address datagrams may come from; NULL: any, and then host must be
                              * a loopback address (-EINVAL) */
    uint64_t fencing_token;  /* SRT sender: it takes the place of one whose token is lower; 0 takes nobody's */
    unsigned timeout_ms;     /* sender: to connect; receiver: silence after which bf_transport_recv gives -ETIMEDOUT;
                              * 0: no limit */
    const atomic_bool *stop; /* becomes true: same as bf_transport_cancel, and the only way to end a dial. Outlives the
                              * transport. NULL for none */
};

/* A sender: connects (SRT) within timeout_ms. -ECONNREFUSED, -EACCES (passphrase), -ETIMEDOUT, -ECANCELED. */
int bf_transport_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);
/* A receiver: returns as soon as the port is bound and listening (so LISTENING may be told). -EADDRINUSE. */
int bf_transport_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);

/* At most BF_DATAGRAM_SIZE bytes. -EPIPE when the peer is gone (SRT; UDP never knows). */
int bf_transport_send(struct bf_transport *t, const void *data, size_t size);
/* Whole TS packets of one datagram; returns how many bytes. `size` at least 188; 2048 holds what common senders send at
 * once. An SRT receiver takes one caller at a time and refuses others, but for one that knows the passphrase and has a
 * higher fencing token: that one takes the place. Where the sender leaves, loses its place, or is silent for too long
 * (then it is sent away): -EPIPE once, and the next call is about the next caller. -ETIMEDOUT on silence otherwise. */
int bf_transport_recv(struct bf_transport *t, void *ret, size_t size);
/* The local port in use, where options said 0. */
uint16_t bf_transport_port(const struct bf_transport *t);

void bf_transport_cancel(struct bf_transport *t);
/* An SRT sender first waits, a second at most, until its peer has acknowledged what was sent; not after
 * bf_transport_cancel. */
void bf_transport_free(struct bf_transport *t);

struct bf_transport_counters {
    uint64_t datagrams, bytes; /* sent, or received and accepted */
    uint64_t refused_source;   /* UDP datagrams of another source; SRT callers while one was there that stays */
    uint64_t refused_form;     /* datagrams that are not MPEG-TS */
    uint64_t repeated;         /* UDP datagrams that were the same as the one before: left out */
    uint64_t lost;             /* datagrams that SRT gave up on, or that the host dropped because we were late */
};
struct bf_transport_counters bf_transport_counters(const struct bf_transport *t); /* any thread */

#endif
