#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <srt/access_control.h>

#include "base/clock.h"
#include "media/srt_library.h"
#include "media/transport_impl.h"

#define PEER_IDLE_MS 2000 /* a peer that vanished without a word gives its place free after this */
#define TAIL_SLACK_MS 100
#define TAIL_SLICE_MS 5
#define LOOK_MS 100 /* how long a second caller may believe that it is the one */
#define BACKLOG 4   /* callers at the same moment; all but the first are closed on accept */
#define AES_256_BYTES 32
#define PAYLOAD_MAX ((size_t)SRT_LIVE_MAX_PLSIZE)

struct srt {
    struct bf_transport base;
    SRTSOCKET listener;           /* SRT_INVALID_SOCK for a sender */
    _Atomic SRTSOCKET peer;       /* the connection; SRT_INVALID_SOCK for none */
    atomic_bool taken;            /* read by libsrt's thread in refuse_while_taken */
    int epoll;                    /* a sender's connection, or the listener */
    uint64_t look_at_ms;          /* when the listener is looked at next while a peer sends */
    bool ended;                   /* the peer has left; what is in the buffer becomes due within the latency */
    struct bf_deadline tail;      /* and is waited for until then */
    int latency_ms;               /* as agreed with the peer */
    _Atomic uint64_t lost_before; /* by connections that are over */
};

static int set_options(SRTSOCKET s, const struct bf_transport_options *o)
{
    const int latency_ms = (int)o->latency_ms, key_bytes = AES_256_BYTES, idle_ms = PEER_IDLE_MS, blocking = 0,
              connect_ms = o->timeout_ms != 0 ? (int)o->timeout_ms : INT32_MAX;
    const struct {
        SRT_SOCKOPT name;
        const void *value;
        size_t size;
    } options[] = {
        { SRTO_RCVSYN, &blocking, sizeof(blocking) },
        { SRTO_SNDSYN, &blocking, sizeof(blocking) },
        { SRTO_LATENCY, &latency_ms, sizeof(latency_ms) },
        { SRTO_PEERIDLETIMEO, &idle_ms, sizeof(idle_ms) },
        { SRTO_CONNTIMEO, &connect_ms, sizeof(connect_ms) },
        { SRTO_PBKEYLEN, &key_bytes, sizeof(key_bytes) },
        { SRTO_PASSPHRASE, o->passphrase, o->passphrase != NULL ? strlen(o->passphrase) : 0 },
    };
    for (size_t i = 0; i < BF_COUNT_OF(options); i++)
        if (options[i].size > 0 && srt_setsockflag(s, options[i].name, options[i].value, (int)options[i].size) < 0)
            return -EINVAL;
    return 0;
}

static int watch(struct srt *s, SRTSOCKET socket, int events)
{
    return srt_epoll_add_usock(s->epoll, socket, &events) < 0 ? bf_srt_error() : 0;
}

/* What the connection dropped or gave up on; libsrt answers for a socket that is gone too. */
static uint64_t lost_by(SRTSOCKET peer)
{
    SRT_TRACEBSTATS stats;
    if (peer == SRT_INVALID_SOCK || srt_bistats(peer, &stats, 0, 1) < 0)
        return 0;
    return (uint64_t)stats.pktRcvDropTotal + (uint64_t)stats.pktSndDropTotal;
}

static uint64_t srt_lost(const struct bf_transport *t)
{
    const struct srt *s = (const struct srt *)t;
    return atomic_load_explicit(&s->lost_before, memory_order_relaxed) + lost_by(atomic_load(&s->peer));
}

static void hang_up(struct srt *s)
{
    SRTSOCKET peer = atomic_load(&s->peer);
    if (peer == SRT_INVALID_SOCK)
        return;
    uint64_t lost = lost_by(peer);
    atomic_store(&s->peer, SRT_INVALID_SOCK);
    bf_count(&s->lost_before, lost);
    s->ended = false;
    srt_close(peer);
    atomic_store(&s->taken, false);
}

/* libsrt's receiver thread asks before a caller's passphrase is looked at; a taken receiver answers "conflict". */
static int refuse_while_taken(void *user, SRTSOCKET caller, int version, const struct sockaddr *from,
                              const char *stream_id)
{
    struct srt *s = user;
    (void)version, (void)from, (void)stream_id;
    if (!atomic_load(&s->taken))
        return 0;
    bf_count(&s->base.refused_source, 1);
    srt_setrejectreason(caller, SRT_REJX_CONFLICT);
    return -1;
}

/* Reads of this connection block, a slice at most. A wait in the epoll would wake up every 10 ms and at each packet, and
 * each read that finds nothing costs a C++ exception. This fails only where the caller has left again; then no read
 * blocks. */
static void block_reads(SRTSOCKET peer)
{
    const int blocking = 1, slice_ms = BF_TRANSPORT_SLICE_MS;
    srt_setsockflag(peer, SRTO_RCVTIMEO, &slice_ms, sizeof(slice_ms));
    srt_setsockflag(peer, SRTO_RCVSYN, &blocking, sizeof(blocking));
}

/* Takes the first caller in the queue; others that got into it at the same moment are sent away. */
static void accept_callers(struct srt *s)
{
    for (;;) {
        SRTSOCKET caller = srt_accept(s->listener, NULL, NULL);
        if (caller == SRT_INVALID_SOCK)
            return;
        if (atomic_load(&s->peer) != SRT_INVALID_SOCK) {
            bf_count(&s->base.refused_source, 1);
            srt_close(caller);
            continue;
        }
        block_reads(caller);
        int size = sizeof(s->latency_ms);
        srt_getsockflag(caller, SRTO_RCVLATENCY, &s->latency_ms, &size);
        atomic_store(&s->peer, caller);
        atomic_store(&s->taken, true);
    }
}

static int wait_ready(struct srt *s, int wait_ms)
{
    SRT_EPOLL_EVENT ready[2];
    int n = srt_epoll_uwait(s->epoll, ready, 2, wait_ms);
    for (int i = 0; i < n; i++)
        if (ready[i].fd == s->listener)
            accept_callers(s);
    return n < 0 ? -EIO : -EAGAIN;
}

static bool holds_data(SRTSOCKET peer)
{
    int packets = 0, size = sizeof(packets);
    return srt_getsockflag(peer, SRTO_RCVDATA, &packets, &size) == 0 && packets > 0;
}

/* refuse_while_taken keeps callers out while a peer sends, but for one that it let in just before: that one would
 * believe itself to be connected. */
static void send_others_away(struct srt *s)
{
    uint64_t now_ms = bf_mono_ms();
    if (now_ms < s->look_at_ms)
        return;
    s->look_at_ms = now_ms + LOOK_MS;
    wait_ready(s, 0);
}

/* libsrt hands packets out when they are due, also those that it holds when the peer says goodbye: they are waited for.
 * Reads of a connection that has ended do not block. */
static int wait_for_tail(struct srt *s, SRTSOCKET peer)
{
    if (!s->ended) {
        s->ended = true;
        s->tail = bf_deadline_in((unsigned)s->latency_ms + TAIL_SLACK_MS);
    }
    if (holds_data(peer) && bf_transport_slice(&s->base, s->tail) > 0)
        return wait_ready(s, TAIL_SLICE_MS);
    hang_up(s);
    return -EPIPE;
}

/* A read that waits while the connection ends takes the next packet out and still tells of the end alone. What it wrote
 * over marks made before is that packet, as far as it is whole TS packets: those of our senders always are. */
static void mark(uint8_t *room, size_t size)
{
    for (size_t at = 0; at < size; at += BF_TS_PACKET_SIZE)
        room[at] = 0;
}

static size_t written_over_marks(const uint8_t *room, size_t size)
{
    size_t at = 0;
    while (at + BF_TS_PACKET_SIZE <= size && room[at] == 0x47)
        at += BF_TS_PACKET_SIZE;
    return at;
}

static int srt_receive(struct bf_transport *t, uint8_t *room, size_t size, int wait_ms)
{
    struct srt *s = (struct srt *)t;
    SRTSOCKET peer = atomic_load(&s->peer);
    if (peer == SRT_INVALID_SOCK)
        return wait_ready(s, wait_ms);

    send_others_away(s);
    if (size > PAYLOAD_MAX)
        size = PAYLOAD_MAX;
    mark(room, size);
    int n = srt_recvmsg(peer, (char *)room, (int)size);
    if (n > 0)
        return n;
    if (n < 0 && bf_srt_error() == -EAGAIN)
        return -EAGAIN;
    n = (int)written_over_marks(room, size);
    return n > 0 ? n : wait_for_tail(s, peer);
}

static int srt_transmit(struct bf_transport *t, const void *data, size_t size)
{
    struct srt *s = (struct srt *)t;
    for (;;) {
        int wait_ms = bf_transport_slice(t, (struct bf_deadline){ UINT64_MAX });
        if (wait_ms < 0)
            return wait_ms;
        if (srt_sendmsg2(atomic_load(&s->peer), data, (int)size, NULL) >= 0)
            return 0;
        if (bf_srt_error() != -EAGAIN)
            return -EPIPE;
        wait_ready(s, wait_ms);
    }
}

/* Lets srt_close wait until the peer has acknowledged the tail of the stream. */
static void linger(SRTSOCKET peer)
{
    const struct linger tail = { .l_onoff = 1, .l_linger = 1 };
    const int blocking = 1;
    if (srt_getsockstate(peer) != SRTS_CONNECTED)
        return;
    srt_setsockflag(peer, SRTO_LINGER, &tail, sizeof(tail));
    srt_setsockflag(peer, SRTO_SNDSYN, &blocking, sizeof(blocking));
}

static void srt_release(struct bf_transport *t)
{
    struct srt *s = (struct srt *)t;
    if (s->listener != SRT_INVALID_SOCK)
        srt_close(s->listener); /* no callback runs after this */
    else if (atomic_load(&s->peer) != SRT_INVALID_SOCK && !atomic_load(&t->cancelled))
        linger(atomic_load(&s->peer));
    hang_up(s);
    if (s->epoll >= 0)
        srt_epoll_release(s->epoll);
    bf_srt_library_stop();
    free(s);
}

static const struct bf_transport_ops srt_ops = {
    .send = srt_transmit, .recv = srt_receive, .lost = srt_lost, .free = srt_release
};

static int srt_new(struct srt **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    if (o->passphrase != NULL && (strlen(o->passphrase) < 10 || strlen(o->passphrase) > 64))
        return bf_fail(e, -EINVAL, "SRT passphrase: 10 to 64 characters are accepted");

    struct srt *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    if (bf_srt_library_start() < 0) {
        free(s);
        return bf_fail(e, -EIO, "SRT: libsrt does not start: %s", srt_getlasterror_str());
    }
    s->base.ops = &srt_ops;
    s->base.timeout_ms = o->timeout_ms;
    s->base.stop = o->stop;
    s->listener = SRT_INVALID_SOCK;
    atomic_init(&s->peer, SRT_INVALID_SOCK);
    s->epoll = srt_epoll_create();
    if (s->epoll < 0) {
        srt_release(&s->base);
        return bf_fail(e, -EIO, "SRT: no epoll: %s", srt_getlasterror_str());
    }
    *ret = s;
    return 0;
}

static void note_port(struct srt *s, SRTSOCKET socket)
{
    struct bf_address local;
    int size = sizeof(local.storage);
    if (srt_getsockname(socket, (struct sockaddr *)&local.storage, &size) == 0)
        s->base.port = bf_address_port(&local);
}

static int why_not_connected(struct bf_error *e, SRTSOCKET peer, const struct bf_transport_options *o)
{
    int reason = srt_getrejectreason(peer);
    if (reason == SRT_REJ_BADSECRET || reason == SRT_REJ_UNSECURE)
        return bf_fail(e, -EACCES, "SRT to %s port %u: the passphrase is not the one expected there", o->host, o->port);
    if (reason == SRT_REJ_TIMEOUT)
        return bf_fail(e, -ETIMEDOUT, "SRT to %s port %u: no answer within %u ms", o->host, o->port, o->timeout_ms);
    if (reason == SRT_REJX_CONFLICT)
        return bf_fail(e, -ECONNREFUSED, "SRT to %s port %u: another sender is connected", o->host, o->port);
    return bf_fail(e, -ECONNREFUSED, "SRT to %s port %u: refused: %s", o->host, o->port, srt_rejectreason_str(reason));
}

static int await_connection(struct srt *s, const struct bf_transport_options *o, struct bf_error *e)
{
    struct bf_deadline deadline = bf_deadline_in(o->timeout_ms);
    SRTSOCKET peer = atomic_load(&s->peer);
    for (;;) {
        SRT_SOCKSTATUS state = srt_getsockstate(peer);
        if (state == SRTS_CONNECTED)
            return 0;
        if (state > SRTS_CONNECTED)
            return why_not_connected(e, peer, o);

        int wait_ms = bf_transport_slice(&s->base, deadline);
        if (wait_ms == -ETIMEDOUT)
            return bf_fail(e, wait_ms, "SRT to %s port %u: no answer within %u ms", o->host, o->port, o->timeout_ms);
        if (wait_ms < 0)
            return bf_fail(e, wait_ms, "SRT to %s port %u: cancelled", o->host, o->port);
        wait_ready(s, wait_ms);
    }
}

static int srt_call(struct srt *s, const struct bf_address *to, const struct bf_transport_options *o,
                    struct bf_error *e)
{
    SRTSOCKET peer = srt_create_socket();
    if (peer == SRT_INVALID_SOCK)
        return bf_srt_fail(e, o, "to");
    atomic_store(&s->peer, peer);
    if (set_options(peer, o) < 0 || watch(s, peer, SRT_EPOLL_OUT | SRT_EPOLL_ERR) < 0 ||
        srt_connect(peer, (const struct sockaddr *)&to->storage, (int)to->size) < 0)
        return bf_srt_fail(e, o, "to");

    int r = await_connection(s, o, e);
    if (r == 0)
        note_port(s, peer);
    return r;
}

int bf_srt_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    struct bf_address to;
    struct srt *s;
    int r = bf_address_resolve(&to, o->host, o->port, e);
    if (r == 0)
        r = srt_new(&s, o, e);
    if (r < 0)
        return r;

    r = srt_call(s, &to, o, e);
    if (r < 0) {
        srt_release(&s->base);
        return r;
    }
    *ret = &s->base;
    return 0;
}

static int srt_open(struct srt *s, const struct bf_address *local, const struct bf_transport_options *o,
                    struct bf_error *e)
{
    s->listener = srt_create_socket();
    if (s->listener == SRT_INVALID_SOCK || set_options(s->listener, o) < 0 ||
        srt_listen_callback(s->listener, refuse_while_taken, s) < 0 ||
        srt_bind(s->listener, (const struct sockaddr *)&local->storage, (int)local->size) < 0 ||
        srt_listen(s->listener, BACKLOG) < 0 || watch(s, s->listener, SRT_EPOLL_IN | SRT_EPOLL_ERR) < 0)
        return bf_srt_fail(e, o, "receiver on");
    note_port(s, s->listener);
    return 0;
}

int bf_srt_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    struct bf_address local;
    struct srt *s;
    int r = bf_address_resolve(&local, o->host, o->port, e);
    if (r == 0)
        r = srt_new(&s, o, e);
    if (r < 0)
        return r;

    r = srt_open(s, &local, o, e);
    if (r < 0) {
        srt_release(&s->base);
        return r;
    }
    *ret = &s->base;
    return 0;
}
