/* Who may send to an SRT listener. The passphrase is asked of everybody; among those that have it the fencing token
 * decides. A token is believed only once its caller has been accepted, that is, has shown the passphrase: before that
 * it merely spares libsrt the work. */
#include "media/transport_srt.h"

#include <netinet/in.h>
#include <string.h>

#include <srt/access_control.h>

#include "base/clock.h"
#include "media/transport_stream_id.h"

#define BACKLOG 4
#define LOOK_MS 1000 /* from the moment when a caller is let through until it is surely in the queue */

static int refuse(struct bf_srt *s, SRTSOCKET caller, int reason)
{
    bf_count(&s->base.refused_source, 1);
    srt_setrejectreason(caller, reason);
    return -1;
}

static bool may_try(struct bf_srt_door *d, const struct sockaddr *from, uint64_t now_ms)
{
    struct bf_address address = { .size = from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                      : sizeof(struct sockaddr_in) };
    memcpy(&address.storage, from, address.size);
    return bf_callers_may_try(&d->callers, &address, now_ms);
}

/* On libsrt's receiver thread, before the caller's passphrase is looked at. */
static int may_come_in(void *user, SRTSOCKET caller, int version, const struct sockaddr *from, const char *stream_id)
{
    struct bf_srt *s = user;
    uint64_t now_ms = bf_mono_ms();
    (void)version;

    if (atomic_load(&s->door.taken) && bf_stream_id_token(stream_id) <= atomic_load(&s->door.token))
        return refuse(s, caller, SRT_REJX_CONFLICT);
    if (atomic_load(&s->door.taken) && !may_try(&s->door, from, now_ms))
        return refuse(s, caller, SRT_REJX_OVERLOAD);
    atomic_store(&s->door.look_until_ms, now_ms + LOOK_MS);
    return 0;
}

/* Until one look has come after the end of the window: the thread that reads may stand still for longer than that. */
bool bf_srt_may_be_called(const struct bf_srt *s)
{
    return s->looked_ms <= atomic_load_explicit(&s->door.look_until_ms, memory_order_relaxed);
}

/* Reads of this connection block, a slice at most. A wait in the epoll would wake up every 10 ms and at each packet,
 * and each read that finds nothing costs a C++ exception. This fails only where the caller has left again; then no read
 * blocks. */
static void block_reads(SRTSOCKET peer)
{
    const int blocking = 1, slice_ms = BF_TRANSPORT_SLICE_MS;
    srt_setsockflag(peer, SRTO_RCVTIMEO, &slice_ms, sizeof(slice_ms));
    srt_setsockflag(peer, SRTO_RCVSYN, &blocking, sizeof(blocking));
}

static uint64_t token_of(SRTSOCKET caller)
{
    char stream_id[513]; /* libsrt's limit and the terminator */
    int size = sizeof(stream_id);

    if (srt_getsockflag(caller, SRTO_STREAMID, stream_id, &size) < 0)
        return 0;
    stream_id[size < (int)sizeof(stream_id) ? size : (int)sizeof(stream_id) - 1] = '\0';
    return bf_stream_id_token(stream_id);
}

static void seat(struct bf_srt *s, SRTSOCKET caller)
{
    int size = sizeof(s->latency_ms);

    block_reads(caller);
    srt_getsockflag(caller, SRTO_RCVLATENCY, &s->latency_ms, &size);
    s->peer_since_ms = bf_mono_ms();
    atomic_store(&s->peer, caller);
    atomic_store(&s->door.taken, true);
}

void bf_srt_seat_next(struct bf_srt *s)
{
    SRTSOCKET next = s->next;

    s->next = SRT_INVALID_SOCK;
    bf_srt_hang_up(s);
    seat(s, next);
}

static bool is_occupied(const struct bf_srt *s)
{
    return atomic_load(&s->peer) != SRT_INVALID_SOCK || s->next != SRT_INVALID_SOCK;
}

void bf_srt_accept(struct bf_srt *s)
{
    for (;;) {
        SRTSOCKET caller = srt_accept(s->listener, NULL, NULL);
        if (caller == SRT_INVALID_SOCK)
            return;

        uint64_t token = token_of(caller);
        if (is_occupied(s) && token <= atomic_load(&s->door.token)) {
            bf_count(&s->base.refused_source, 1);
            srt_close(caller);
            continue;
        }
        atomic_store(&s->door.token, token);
        if (!is_occupied(s)) {
            seat(s, caller);
            continue;
        }
        if (s->next != SRT_INVALID_SOCK)
            srt_close(s->next);
        s->next = caller;
    }
}

static int open_listener(struct bf_srt *s, const struct bf_address *local, const struct bf_transport_options *o,
                         struct bf_error *e)
{
    s->listener = srt_create_socket();
    if (s->listener == SRT_INVALID_SOCK || bf_srt_set_options(s->listener, o) < 0 ||
        srt_listen_callback(s->listener, may_come_in, s) < 0 ||
        srt_bind(s->listener, (const struct sockaddr *)&local->storage, (int)local->size) < 0 ||
        srt_listen(s->listener, BACKLOG) < 0 || bf_srt_watch(s, s->listener, SRT_EPOLL_IN | SRT_EPOLL_ERR) < 0)
        return bf_srt_fail(e, o, "receiver on");
    bf_srt_note_port(s, s->listener);
    return 0;
}

int bf_srt_listen(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    struct bf_address local;
    struct bf_srt *s;
    int r = bf_address_resolve(&local, o->host, o->port, e);
    if (r == 0)
        r = bf_srt_new(&s, o, e);
    if (r < 0)
        return r;

    r = open_listener(s, &local, o, e);
    if (r < 0) {
        bf_srt_release(s);
        return r;
    }
    *ret = &s->base;
    return 0;
}
