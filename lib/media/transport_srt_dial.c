#include "media/transport_srt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <srt/access_control.h>

#include "media/transport_stream_id.h"

#define ROUND_TRIP_UNKNOWN_MS 100.0 /* what libsrt assumes (draft-sharabayko-srt, 4.10) */
#define PROBE_EVERY_MS 10           /* as often as it acknowledges */
#define PROBES_MAX 10

static int why_not_connected(struct bf_error *e, SRTSOCKET peer, const struct bf_transport_options *o)
{
    int reason = srt_getrejectreason(peer);
    if (reason == SRT_REJ_BADSECRET || reason == SRT_REJ_UNSECURE)
        return bf_fail(e, -EACCES, "SRT to %s port %u: the passphrase is not the one expected there", o->host, o->port);
    if (reason == SRT_REJ_TIMEOUT)
        return bf_fail(e, -ETIMEDOUT, "SRT to %s port %u: no answer within %u ms", o->host, o->port, o->timeout_ms);
    if (reason == SRT_REJX_CONFLICT)
        return bf_fail(e, -ECONNREFUSED, "SRT to %s port %u: another sender is connected", o->host, o->port);
    if (reason == SRT_REJX_OVERLOAD)
        return bf_fail(e, -ECONNREFUSED, "SRT to %s port %u: too many others want to connect at the moment", o->host,
                       o->port);
    return bf_fail(e, -ECONNREFUSED, "SRT to %s port %u: refused: %s", o->host, o->port, srt_rejectreason_str(reason));
}

static int await_connection(struct bf_srt *s, const struct bf_transport_options *o, struct bf_error *e)
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
        bf_srt_wait(s, wait_ms);
    }
}

static bool round_trip_unknown(SRTSOCKET peer)
{
    SRT_TRACEBSTATS stats;

    return srt_bstats(peer, &stats, 0) == 0 && stats.msRTT == ROUND_TRIP_UNKNOWN_MS;
}

/* Until it has measured the round trip libsrt waits for 320 ms before it sends again what is not acknowledged: too long
 * for the first picture, which is the largest. A few null packets, 20 to 30 ms on a short way, give it something to
 * measure; it remembers the result for the host's next connection. */
static void measure_round_trip(struct bf_srt *s)
{
    SRTSOCKET peer = atomic_load(&s->peer);
    uint8_t probe[BF_TS_PACKET_SIZE];

    bf_srt_probe(probe);
    for (unsigned i = 0; i < PROBES_MAX && round_trip_unknown(peer); i++) {
        if (bf_transport_slice(&s->base, (struct bf_deadline){ UINT64_MAX }) < 0 ||
            srt_sendmsg2(peer, (const char *)probe, sizeof(probe), NULL) < 0)
            return;
        poll(NULL, 0, PROBE_EVERY_MS);
    }
}

static int introduce(SRTSOCKET peer, uint64_t fencing_token)
{
    char stream_id[BF_STREAM_ID_SIZE];

    bf_stream_id_make(stream_id, fencing_token);
    return srt_setsockflag(peer, SRTO_STREAMID, stream_id, (int)strlen(stream_id));
}

static int call(struct bf_srt *s, const struct bf_address *to, const struct bf_transport_options *o, struct bf_error *e)
{
    SRTSOCKET peer = srt_create_socket();
    if (peer == SRT_INVALID_SOCK)
        return bf_srt_fail(e, o, "to");
    atomic_store(&s->peer, peer);
    if (bf_srt_set_options(peer, o) < 0 || (o->fencing_token != 0 && introduce(peer, o->fencing_token) < 0) ||
        bf_srt_watch(s, peer, SRT_EPOLL_OUT | SRT_EPOLL_ERR) < 0 ||
        srt_connect(peer, (const struct sockaddr *)&to->storage, (int)to->size) < 0)
        return bf_srt_fail(e, o, "to");

    int r = await_connection(s, o, e);
    if (r == 0) {
        bf_srt_note_port(s, peer);
        measure_round_trip(s);
    }
    return r;
}

int bf_srt_dial(struct bf_transport **ret, const struct bf_transport_options *o, struct bf_error *e)
{
    struct bf_address to;
    struct bf_srt *s;
    int r = bf_address_resolve(&to, o->host, o->port, e);
    if (r == 0)
        r = bf_srt_new(&s, o, e);
    if (r < 0)
        return r;

    r = call(s, &to, o, e);
    if (r < 0) {
        bf_srt_release(s);
        return r;
    }
    *ret = &s->base;
    return 0;
}
