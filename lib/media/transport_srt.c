#include "media/transport_srt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define PEER_IDLE_MS 2000 /* a peer that vanished without a word gives its place free after this */
#define TAIL_SLACK_MS 100
#define TAIL_SLICE_MS 5
#define AES_256_BYTES 32
#define FIRST_SAFE_VERSION 0x010300 /* before 1.3.0 callers are let in before they have shown the passphrase */
#define PAYLOAD_MAX ((size_t)SRT_LIVE_MAX_PLSIZE)

/* Without periodic loss reports the sender itself sends again what is not acknowledged in time, beside what a report at
 * once asks for. The periodic ones are too slow for usual latencies: their interval follows from a round trip that is
 * taken for 100 ms at first (draft-sharabayko-srt, 4.10). And they never ask for the last packet, behind which nothing
 * shows that it is missing. */
int bf_srt_set_options(SRTSOCKET socket, const struct bf_transport_options *o)
{
    const int latency_ms = (int)o->latency_ms, key_bytes = AES_256_BYTES, idle_ms = PEER_IDLE_MS, blocking = 0,
              nak_report = 0, version = FIRST_SAFE_VERSION,
              connect_ms = o->timeout_ms != 0 ? (int)o->timeout_ms : INT32_MAX;
    const struct {
        SRT_SOCKOPT name;
        const void *value;
        size_t size;
    } options[] = {
        { SRTO_RCVSYN, &blocking, sizeof(blocking) },
        { SRTO_SNDSYN, &blocking, sizeof(blocking) },
        { SRTO_LATENCY, &latency_ms, sizeof(latency_ms) },
        { SRTO_NAKREPORT, &nak_report, sizeof(nak_report) },
        { SRTO_PEERIDLETIMEO, &idle_ms, sizeof(idle_ms) },
        { SRTO_CONNTIMEO, &connect_ms, sizeof(connect_ms) },
        { SRTO_MINVERSION, &version, sizeof(version) },
        { SRTO_PBKEYLEN, &key_bytes, sizeof(key_bytes) },
        { SRTO_PASSPHRASE, o->passphrase, o->passphrase != NULL ? strlen(o->passphrase) : 0 },
    };
    for (size_t i = 0; i < BF_COUNT_OF(options); i++)
        if (options[i].size > 0 && srt_setsockflag(socket, options[i].name, options[i].value, (int)options[i].size) < 0)
            return -EINVAL;
    return 0;
}

int bf_srt_watch(struct bf_srt *s, SRTSOCKET socket, int events)
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
    const struct bf_srt *s = (const struct bf_srt *)t;
    return atomic_load_explicit(&s->lost_before, memory_order_relaxed) + lost_by(atomic_load(&s->peer));
}

void bf_srt_hang_up(struct bf_srt *s)
{
    SRTSOCKET peer = atomic_load(&s->peer);
    if (peer == SRT_INVALID_SOCK)
        return;
    uint64_t lost = lost_by(peer);
    atomic_store(&s->peer, SRT_INVALID_SOCK);
    bf_count(&s->lost_before, lost);
    s->ended = false;
    srt_close(peer);
    atomic_store(&s->door.taken, false);
}

int bf_srt_wait(struct bf_srt *s, int wait_ms)
{
    SRT_EPOLL_EVENT ready[2];
    s->looked_ms = bf_mono_ms();
    int n = srt_epoll_uwait(s->epoll, ready, 2, wait_ms);
    for (int i = 0; i < n; i++)
        if (ready[i].fd == s->listener)
            bf_srt_accept(s);
    return n < 0 ? -EIO : -EAGAIN;
}

static bool holds_data(SRTSOCKET peer)
{
    int packets = 0, size = sizeof(packets);
    return srt_getsockflag(peer, SRTO_RCVDATA, &packets, &size) == 0 && packets > 0;
}

/* libsrt hands packets out when they are due, also those that it holds when the peer says goodbye: they are waited for.
 */
static bool tail_is_left(struct bf_srt *s, SRTSOCKET peer)
{
    if (!s->ended) {
        s->ended = true;
        s->tail_until_ms = bf_mono_ms() + (unsigned)s->latency_ms + TAIL_SLACK_MS;
    }
    return holds_data(peer) && bf_mono_ms() < s->tail_until_ms;
}

/* Reads of a connection that has ended do not block. */
static int wait_for_tail(struct bf_srt *s, SRTSOCKET peer)
{
    if (tail_is_left(s, peer))
        return bf_srt_wait(s, TAIL_SLICE_MS);
    bf_srt_hang_up(s);
    return -EPIPE;
}

/* Who stops a sender first and then its receiver wants all that was sent. That the sender has left may not be known
 * here: it says so once, and networks lose that too. */
static bool srt_has_tail(struct bf_transport *t)
{
    struct bf_srt *s = (struct bf_srt *)t;
    SRTSOCKET peer = atomic_load(&s->peer);
    return peer != SRT_INVALID_SOCK && tail_is_left(s, peer);
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

/* Lets callers in, and the next one take the place: true when the peer that was read from is another one now. The next
 * one's packets become due a latency after they were sent, so waiting for the tail of the last one costs nothing. */
static bool is_replaced(struct bf_srt *s)
{
    if (bf_srt_may_be_called(s))
        bf_srt_wait(s, 0);
    if (s->next == SRT_INVALID_SOCK || tail_is_left(s, atomic_load(&s->peer)))
        return false;
    bf_srt_seat_next(s);
    return true;
}

void bf_srt_probe(uint8_t ret[static BF_TS_PACKET_SIZE])
{
    static const uint8_t header[] = { 0x47, 0x1f, 0xff, 0x10 }; /* ISO/IEC 13818-1, 2.4.3.2: PID 0x1fff */

    memset(ret, 0xff, BF_TS_PACKET_SIZE);
    memcpy(ret, header, sizeof(header));
}

static bool is_probe(const uint8_t *data, int size)
{
    uint8_t probe[BF_TS_PACKET_SIZE];

    bf_srt_probe(probe);
    return size == BF_TS_PACKET_SIZE && memcmp(data, probe, sizeof(probe)) == 0;
}

static int srt_receive(struct bf_transport *t, uint8_t *room, size_t size, int wait_ms)
{
    struct bf_srt *s = (struct bf_srt *)t;
    if (atomic_load(&s->peer) == SRT_INVALID_SOCK && s->next != SRT_INVALID_SOCK)
        bf_srt_seat_next(s);
    if (atomic_load(&s->peer) == SRT_INVALID_SOCK)
        return bf_srt_wait(s, wait_ms);
    if (is_replaced(s))
        return -EPIPE;

    SRTSOCKET peer = atomic_load(&s->peer);
    if (size > PAYLOAD_MAX)
        size = PAYLOAD_MAX;
    mark(room, size);
    int n = srt_recvmsg(peer, (char *)room, (int)size);
    if (n > 0)
        return is_probe(room, n) ? -EAGAIN : n;
    if (n < 0 && bf_srt_error() == -EAGAIN)
        return -EAGAIN;
    n = (int)written_over_marks(room, size);
    return n > 0 ? n : wait_for_tail(s, peer);
}

static int srt_transmit(struct bf_transport *t, const void *data, size_t size)
{
    struct bf_srt *s = (struct bf_srt *)t;
    for (;;) {
        int wait_ms = bf_transport_slice(t, (struct bf_deadline){ UINT64_MAX });
        if (wait_ms < 0)
            return wait_ms;
        if (srt_sendmsg2(atomic_load(&s->peer), data, (int)size, NULL) >= 0)
            return 0;
        if (bf_srt_error() != -EAGAIN)
            return -EPIPE;
        bf_srt_wait(s, wait_ms);
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

void bf_srt_release(struct bf_srt *s)
{
    if (s->listener != SRT_INVALID_SOCK)
        srt_close(s->listener); /* no callback runs after this */
    else if (atomic_load(&s->peer) != SRT_INVALID_SOCK && !atomic_load(&s->base.cancelled))
        linger(atomic_load(&s->peer));
    bf_srt_hang_up(s);
    if (s->next != SRT_INVALID_SOCK)
        srt_close(s->next);
    if (s->epoll >= 0)
        srt_epoll_release(s->epoll);
    bf_srt_library_stop();
    free(s);
}

static void srt_free(struct bf_transport *t)
{
    bf_srt_release((struct bf_srt *)t);
}

/* Keep-alives are not media: a caller that is silent for so long gives its place free. One that came a moment ago has
 * not been. */
static int srt_silent(struct bf_transport *t)
{
    struct bf_srt *s = (struct bf_srt *)t;
    if (atomic_load(&s->peer) == SRT_INVALID_SOCK || bf_mono_ms() - s->peer_since_ms < t->timeout_ms)
        return -ETIMEDOUT;
    bf_srt_hang_up(s);
    return -EPIPE;
}

static const struct bf_transport_ops srt_ops = { .send = srt_transmit,
                                                 .recv = srt_receive,
                                                 .silent = srt_silent,
                                                 .has_tail = srt_has_tail,
                                                 .lost = srt_lost,
                                                 .free = srt_free };

int bf_srt_new(struct bf_srt **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    if (o->passphrase != NULL && (strlen(o->passphrase) < 10 || strlen(o->passphrase) > 64))
        return bf_fail(e, -EINVAL, "SRT passphrase: 10 to 64 characters are accepted");

    struct bf_srt *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    if (bf_srt_library_start() < 0) {
        free(s);
        return bf_fail(e, -EIO, "SRT: libsrt does not start: %s", srt_getlasterror_str());
    }
    s->base.ops = &srt_ops;
    s->base.timeout_ms = o->timeout_ms;
    s->base.stop = o->stop;
    s->listener = s->next = SRT_INVALID_SOCK;
    atomic_init(&s->peer, SRT_INVALID_SOCK);
    s->epoll = srt_epoll_create();
    if (s->epoll < 0) {
        bf_srt_release(s);
        return bf_fail(e, -EIO, "SRT: no epoll: %s", srt_getlasterror_str());
    }
    *ret = s;
    return 0;
}

void bf_srt_note_port(struct bf_srt *s, SRTSOCKET socket)
{
    struct bf_address local;
    int size = sizeof(local.storage);
    if (srt_getsockname(socket, (struct sockaddr *)&local.storage, &size) == 0)
        s->base.port = bf_address_port(&local);
}
