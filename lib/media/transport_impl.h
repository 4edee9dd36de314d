/* What the kinds of transport share. Private to lib/media/transport*.c. */
#ifndef BELFRY_MEDIA_TRANSPORT_IMPL_H
#define BELFRY_MEDIA_TRANSPORT_IMPL_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "media/framer.h"
#include "media/transport.h"

/* Longest wait in one piece: what a cancel may take. */
#define BF_TRANSPORT_SLICE_MS 50

struct bf_transport_ops {
    int (*send)(struct bf_transport *t, const void *data, size_t size);
    /* One datagram into the room of the framer; its size, or a negative errno: -EAGAIN for none within wait_ms. */
    int (*recv)(struct bf_transport *t, uint8_t *room, size_t size, int wait_ms);
    /* Nothing of use came within the time-out: what recv gives then. */
    int (*silent)(struct bf_transport *t);
    /* Has the sender left, and is there something of it that becomes due soon? */
    bool (*has_tail)(struct bf_transport *t);
    uint64_t (*lost)(const struct bf_transport *t);
    void (*free)(struct bf_transport *t);
};

/* First member of each kind. */
struct bf_transport {
    const struct bf_transport_ops *ops;
    unsigned timeout_ms;
    uint16_t port;
    atomic_bool cancelled;
    const atomic_bool *stop;
    _Atomic uint64_t datagrams, bytes, refused_source, refused_form, repeated;
    struct bf_framer framer; /* receivers */
};

/* A wait in slices. Milliseconds to wait now, or -ECANCELED, or -ETIMEDOUT when the deadline has passed. */
struct bf_deadline {
    uint64_t at_ms; /* monotonic; UINT64_MAX: none */
};
struct bf_deadline bf_deadline_in(unsigned timeout_ms); /* 0: none */
int bf_transport_slice(const struct bf_transport *t, struct bf_deadline deadline);

struct bf_address {
    struct sockaddr_storage storage;
    socklen_t size;
};
int bf_address_resolve(struct bf_address *ret, const char *host, uint16_t port, struct bf_error *e);
bool bf_address_loopback(const struct bf_address *a);
bool bf_address_same_host(const struct bf_address *a, const struct bf_address *b); /* ::ffff:1.2.3.4 is 1.2.3.4 */
uint16_t bf_address_port(const struct bf_address *a);

static inline void bf_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

int bf_udp_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);
int bf_udp_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);
int bf_srt_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);
int bf_srt_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e);

BF_DEFINE_CLEANUP(struct bf_transport, bf_transport_free)

#endif
