#include "media/transport.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "media/transport_impl.h"

int bf_transport_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    return o->kind == BF_TRANSPORT_SRT ? bf_srt_dial(ret, o, e) : bf_udp_dial(ret, o, e);
}

int bf_transport_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    return o->kind == BF_TRANSPORT_SRT ? bf_srt_listen(ret, o, e) : bf_udp_listen(ret, o, e);
}

int bf_transport_send(struct bf_transport *t, const void *data, size_t size)
{
    if (size > BF_DATAGRAM_SIZE)
        return -EMSGSIZE;
    int r = t->ops->send(t, data, size);
    if (r < 0)
        return r;
    bf_count(&t->datagrams, 1);
    bf_count(&t->bytes, size);
    return 0;
}

/* One datagram into the framer's room, or what the silence until the deadline means. */
static int receive(struct bf_transport *t, struct bf_deadline deadline)
{
    int wait_ms = bf_transport_slice(t, deadline);
    if (wait_ms == -ETIMEDOUT)
        return t->ops->silent(t);
    if (wait_ms == -ECANCELED && t->ops->has_tail(t))
        wait_ms = BF_TRANSPORT_SLICE_MS;
    return wait_ms < 0 ? wait_ms : t->ops->recv(t, bf_framer_room(&t->framer), BF_TS_DATAGRAM_MAX, wait_ms);
}

int bf_transport_recv(struct bf_transport *t, void *ret, size_t size)
{
    struct bf_deadline deadline = bf_deadline_in(t->timeout_ms); /* refused datagrams are silence too */
    if (size < BF_TS_PACKET_SIZE)
        return -EINVAL;
    for (;;) {
        size_t whole = bf_framer_take(&t->framer, ret, size);
        if (whole > 0)
            return (int)whole;

        int r = receive(t, deadline);
        if (r == -EAGAIN)
            continue;
        if (r == -EPIPE)
            bf_framer_reset(&t->framer);
        if (r < 0)
            return r;
        if (!bf_framer_accept(&t->framer, (size_t)r)) {
            bf_count(&t->refused_form, 1);
            continue;
        }
        bf_count(&t->datagrams, 1);
        bf_count(&t->bytes, (uint64_t)r);
    }
}

uint16_t bf_transport_port(const struct bf_transport *t)
{
    return t->port;
}

void bf_transport_cancel(struct bf_transport *t)
{
    atomic_store(&t->cancelled, true);
}

void bf_transport_free(struct bf_transport *t)
{
    if (t != NULL)
        t->ops->free(t);
}

struct bf_transport_counters bf_transport_counters(const struct bf_transport *t)
{
    return (struct bf_transport_counters){
        .datagrams = atomic_load_explicit(&t->datagrams, memory_order_relaxed),
        .bytes = atomic_load_explicit(&t->bytes, memory_order_relaxed),
        .refused_source = atomic_load_explicit(&t->refused_source, memory_order_relaxed),
        .refused_form = atomic_load_explicit(&t->refused_form, memory_order_relaxed),
        .repeated = atomic_load_explicit(&t->repeated, memory_order_relaxed),
        .lost = t->ops->lost(t),
    };
}

struct bf_deadline bf_deadline_in(unsigned timeout_ms)
{
    return (struct bf_deadline){ timeout_ms == 0 ? UINT64_MAX : bf_mono_ms() + timeout_ms };
}

int bf_transport_slice(const struct bf_transport *t, struct bf_deadline deadline)
{
    if (atomic_load_explicit(&t->cancelled, memory_order_relaxed) ||
        (t->stop != NULL && atomic_load_explicit(t->stop, memory_order_relaxed)))
        return -ECANCELED;
    if (deadline.at_ms == UINT64_MAX)
        return BF_TRANSPORT_SLICE_MS;

    uint64_t now_ms = bf_mono_ms();
    if (now_ms >= deadline.at_ms)
        return -ETIMEDOUT;
    uint64_t left_ms = deadline.at_ms - now_ms;
    return left_ms < BF_TRANSPORT_SLICE_MS ? (int)left_ms : BF_TRANSPORT_SLICE_MS;
}

int bf_address_resolve(struct bf_address *ret, const char *host, uint16_t port, struct bf_error *e)
{
    char service[6];
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
    snprintf(service, sizeof(service), "%u", port);
    int r = getaddrinfo(host, service, &hints, &found);
    if (r != 0)
        return bf_fail(e, r == EAI_AGAIN ? -EAGAIN : -EINVAL, "host \"%s\": %s", host, gai_strerror(r));

    memcpy(&ret->storage, found->ai_addr, found->ai_addrlen);
    ret->size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

/* The 16 bytes of an address as IPv6 writes it. */
static struct in6_addr as_v6(const struct bf_address *a)
{
    if (a->storage.ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)&a->storage)->sin6_addr;
    struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
    memcpy(&mapped.s6_addr[12], &((const struct sockaddr_in *)&a->storage)->sin_addr, 4);
    return mapped;
}

bool bf_address_loopback(const struct bf_address *a)
{
    struct in6_addr v6 = as_v6(a);
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool bf_address_same_host(const struct bf_address *a, const struct bf_address *b)
{
    struct in6_addr one = as_v6(a), other = as_v6(b);
    return memcmp(&one, &other, sizeof(one)) == 0;
}

uint16_t bf_address_port(const struct bf_address *a)
{
    /* sin_port and sin6_port stand at the same place. */
    return ntohs(((const struct sockaddr_in *)&a->storage)->sin_port);
}
