#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "media/transport_impl.h"

/* Room for the burst of a large IDR; the kernel grants what net.core.rmem_max allows. */
#define SOCKET_BUFFER_BYTES (4 << 20)

struct udp {
    struct bf_transport base;
    int fd;
    bool filter;
    struct bf_address source;
    _Atomic uint64_t dropped; /* by the host, since the socket was opened (SO_RXQ_OVFL) */
    size_t last_size;
    uint8_t last[BF_TS_DATAGRAM_MAX]; /* the datagram that was received last */
};

static int wait_for(const struct udp *u, short events, int wait_ms)
{
    struct pollfd p = { .fd = u->fd, .events = events };
    int n = poll(&p, 1, wait_ms);
    if (n < 0 && errno != EINTR)
        return -errno;
    return n > 0 ? 0 : -EAGAIN;
}

static int udp_send(struct bf_transport *t, const void *data, size_t size)
{
    struct udp *u = (struct udp *)t;
    for (;;) {
        int wait_ms = bf_transport_slice(t, (struct bf_deadline){ UINT64_MAX });
        if (wait_ms < 0)
            return wait_ms;
        if (send(u->fd, data, size, MSG_DONTWAIT) >= 0)
            return 0;
        if (errno == EAGAIN) {
            int r = wait_for(u, POLLOUT, wait_ms);
            if (r < 0 && r != -EAGAIN)
                return r;
        } else if (errno == ECONNREFUSED || errno == ENOBUFS) {
            /* An ICMP answer to an earlier datagram, or a full queue of the interface: this one is lost, as UDP may. */
            bf_count(&u->dropped, 1);
            return 0;
        } else if (errno != EINTR)
            return -errno;
    }
}

static void note_dropped(struct udp *u, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        uint32_t total;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&total, CMSG_DATA(c), sizeof(total));
        atomic_store_explicit(&u->dropped, total, memory_order_relaxed);
    }
}

/* Networks deliver a datagram twice now and then. Of two TS packets of the same content and counter the second means
 * nothing (ISO/IEC 13818-1, 2.4.3.3), but libavformat takes it for a loss and calls the access unit corrupt. */
static bool is_repeated(struct udp *u, const uint8_t *data, size_t size)
{
    if (size == u->last_size && memcmp(data, u->last, size) == 0)
        return true;
    memcpy(u->last, data, size);
    u->last_size = size;
    return false;
}

/* The socket's own timeout is a slice: waiting for so long costs no call beside the one that receives. */
static int udp_recv(struct bf_transport *t, uint8_t *room, size_t size, int wait_ms)
{
    struct udp *u = (struct udp *)t;
    int r = wait_ms < BF_TRANSPORT_SLICE_MS ? wait_for(u, POLLIN, wait_ms) : 0;
    if (r < 0)
        return r;

    struct bf_address from = { 0 };
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
    struct iovec part = { .iov_base = room, .iov_len = size };
    struct msghdr m = { .msg_name = &from.storage,
                        .msg_namelen = sizeof(from.storage),
                        .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(u->fd, &m, 0);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED ? -EAGAIN : -errno;

    note_dropped(u, &m);
    if (u->filter && !bf_address_same_host(&from, &u->source)) {
        bf_count(&t->refused_source, 1);
        return -EAGAIN;
    }
    if (n == 0 || (m.msg_flags & MSG_TRUNC) != 0) {
        bf_count(&t->refused_form, 1);
        return -EAGAIN;
    }
    if (is_repeated(u, room, (size_t)n)) {
        bf_count(&t->repeated, 1);
        return -EAGAIN;
    }
    return (int)n;
}

static int udp_silent(struct bf_transport *t)
{
    (void)t;
    return -ETIMEDOUT;
}

static bool udp_has_tail(struct bf_transport *t)
{
    (void)t;
    return false;
}

static uint64_t udp_lost(const struct bf_transport *t)
{
    return atomic_load_explicit(&((const struct udp *)t)->dropped, memory_order_relaxed);
}

static void udp_free(struct bf_transport *t)
{
    struct udp *u = (struct udp *)t;
    if (u->fd >= 0)
        close(u->fd);
    free(u);
}

static const struct bf_transport_ops udp_ops = { .send = udp_send,
                                                 .recv = udp_recv,
                                                 .silent = udp_silent,
                                                 .has_tail = udp_has_tail,
                                                 .lost = udp_lost,
                                                 .free = udp_free };

static int udp_new(struct udp **ret, const struct bf_transport_options *o, int family)
{
    struct udp *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return -ENOMEM;
    u->base.ops = &udp_ops;
    u->base.timeout_ms = o->timeout_ms;
    u->base.stop = o->stop;
    u->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (u->fd < 0) {
        int code = -errno;
        udp_free(&u->base);
        return code;
    }
    *ret = u;
    return 0;
}

static void note_port(struct udp *u)
{
    struct bf_address local = { .size = sizeof(local.storage) };
    if (getsockname(u->fd, (struct sockaddr *)&local.storage, &local.size) == 0)
        u->base.port = bf_address_port(&local);
}

int bf_udp_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    struct bf_address to;
    struct udp *u = NULL;
    int r = bf_address_resolve(&to, o->host, o->port, e);
    if (r < 0)
        return r;
    r = udp_new(&u, o, to.storage.ss_family);
    if (r < 0)
        return bf_fail(e, r, "UDP socket: %s", strerror(-r));

    int room = SOCKET_BUFFER_BYTES;
    setsockopt(u->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    if (connect(u->fd, (struct sockaddr *)&to.storage, to.size) < 0) {
        r = -errno;
        udp_free(&u->base);
        return bf_fail(e, r, "UDP to %s port %u: %s", o->host, o->port, strerror(-r));
    }
    note_port(u);
    *ret = &u->base;
    return 0;
}

static int resolve_source(struct udp *u, const struct bf_transport_options *o, const struct bf_address *local,
                          struct bf_error *e)
{
    u->filter = o->source != NULL;
    if (u->filter)
        return bf_address_resolve(&u->source, o->source, 0, e);
    if (bf_address_loopback(local))
        return 0;
    return bf_fail(e, -EINVAL, "UDP receiver on %s: anyone could send to it; name the source address", o->host);
}

static int udp_bind(struct udp *u, const struct bf_transport_options *o, const struct bf_address *local,
                    struct bf_error *e)
{
    int room = SOCKET_BUFFER_BYTES, on = 1;
    struct timeval slice = { .tv_usec = BF_TRANSPORT_SLICE_MS * 1000 };
    if (setsockopt(u->fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice)) < 0) {
        int code = -errno;
        return bf_fail(e, code, "UDP receiver on %s port %u: setting its timeout: %s", o->host, o->port,
                       strerror(-code));
    }
    setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    setsockopt(u->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (bind(u->fd, (const struct sockaddr *)&local->storage, local->size) < 0) {
        int code = -errno;
        return bf_fail(e, code, "UDP receiver on %s port %u: %s", o->host, o->port, strerror(-code));
    }
    note_port(u);
    return 0;
}

int bf_udp_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    struct bf_address local;
    struct udp *u = NULL;
    int r = bf_address_resolve(&local, o->host, o->port, e);
    if (r < 0)
        return r;
    r = udp_new(&u, o, local.storage.ss_family);
    if (r < 0)
        return bf_fail(e, r, "UDP socket: %s", strerror(-r));

    r = resolve_source(u, o, &local, e);
    if (r == 0)
        r = udp_bind(u, o, &local, e);
    if (r < 0) {
        udp_free(&u->base);
        return r;
    }
    *ret = &u->base;
    return 0;
}
