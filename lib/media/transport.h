/* Datagrams of MPEG-TS, over plain UDP or SRT (libsrt), for one sender and one receiver. Calls block on the calling
 * worker thread; bf_transport_cancel, from any thread, makes them return -ECANCELED within 100 ms, from then on. */
#ifndef BELFRY_MEDIA_TRANSPORT_H
#define BELFRY_MEDIA_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define BF_DATAGRAM_SIZE 1316 /* 7 TS packets of 188 bytes: fits an Ethernet frame */
#define BF_PASSPHRASE_SIZE 33 /* 32 characters and the terminator */

enum bf_transport_kind { BF_TRANSPORT_SRT = 1, BF_TRANSPORT_UDP = 2 };

struct bf_transport;

struct bf_transport_options {
    enum bf_transport_kind kind;
    const char *host;        /* sender: where to; receiver: local address to bind */
    uint16_t port;
    unsigned latency_ms;     /* SRT */
    const char *passphrase;  /* SRT: 10..64 characters (AES-256), NULL for none. Copied, wiped on close */
    const char *source;      /* receiver, UDP: the one address datagrams may come from; NULL: any on loopback tests only */
    unsigned timeout_ms;     /* sender: to connect; receiver: silence after which bf_transport_recv gives -ETIMEDOUT */
};

/* A sender: connects (SRT) within timeout_ms. -ECONNREFUSED, -EACCES (passphrase), -ETIMEDOUT, -ECANCELED. */
int bf_transport_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);
/* A receiver: returns as soon as the port is bound and listening (so LISTENING may be told). -EADDRINUSE. */
int bf_transport_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);

int bf_transport_send(struct bf_transport *t, const void *data, size_t size); /* -EPIPE when the peer is gone */
/* One datagram; returns its size. An SRT receiver takes one caller at a time, refuses others, and goes back to
 * listening when that one leaves: -EPIPE once, then the next call waits for the next caller. -ETIMEDOUT on silence. */
int bf_transport_recv(struct bf_transport *t, void *ret, size_t size);

void bf_transport_cancel(struct bf_transport *t);
void bf_transport_free(struct bf_transport *t);

struct bf_transport_counters {
    uint64_t datagrams, bytes, refused_source, refused_form, lost;
};
struct bf_transport_counters bf_transport_counters(const struct bf_transport *t);

#endif
