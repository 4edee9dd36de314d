/* An SRT transport: one connection at a time, either made by dialling or taken from a listener. Private to
 * lib/media/transport_srt*.c. */
#ifndef BELFRY_MEDIA_TRANSPORT_SRT_H
#define BELFRY_MEDIA_TRANSPORT_SRT_H

#include "media/srt_library.h"
#include "media/transport_callers.h"
#include "media/transport_impl.h"

/* What libsrt's thread, which asks whether a caller may come in, shares with the thread that reads. */
struct bf_srt_door {
    atomic_bool taken;              /* somebody is in */
    _Atomic uint64_t token;         /* the highest fencing token of those who are */
    _Atomic uint64_t look_until_ms; /* monotonic: a caller may be waiting to be accepted */
    struct bf_callers callers;      /* libsrt's thread alone */
};

struct bf_srt {
    struct bf_transport base;
    SRTSOCKET listener;     /* SRT_INVALID_SOCK for a sender */
    _Atomic SRTSOCKET peer; /* the connection; SRT_INVALID_SOCK for none */
    SRTSOCKET next;         /* takes its place once what the peer had sent before is read; SRT_INVALID_SOCK for none */
    uint64_t peer_since_ms; /* monotonic */
    struct bf_srt_door door;
    uint64_t looked_ms;           /* monotonic: when the epoll was last asked, and with it the listener's queue */
    int epoll;                    /* a sender's connection, or the listener */
    bool ended;                   /* the peer has left or must; what it sent becomes due within the latency */
    uint64_t tail_until_ms;       /* monotonic: and is waited for until then */
    int latency_ms;               /* as agreed with the peer */
    _Atomic uint64_t lost_before; /* by connections that are over */
};

/* transport_srt.c */
int bf_srt_new(struct bf_srt **ret, const struct bf_transport_options *o, struct bf_error *e);
void bf_srt_release(struct bf_srt *s);
int bf_srt_set_options(SRTSOCKET socket, const struct bf_transport_options *o);
int bf_srt_watch(struct bf_srt *s, SRTSOCKET socket, int events);
void bf_srt_note_port(struct bf_srt *s, SRTSOCKET socket);
void bf_srt_hang_up(struct bf_srt *s);
/* A datagram that only shows how long the way is, and is not handed to the receiver: one null packet. */
void bf_srt_probe(uint8_t ret[static BF_TS_PACKET_SIZE]);
/* Waits for something to happen at the epoll, and accepts callers: -EAGAIN; -EIO where the epoll fails. */
int bf_srt_wait(struct bf_srt *s, int wait_ms);

/* transport_srt_listen.c */
/* Takes callers out of the listener's queue: the first becomes the peer, one with a higher token is `next`. */
void bf_srt_accept(struct bf_srt *s);
void bf_srt_seat_next(struct bf_srt *s);
bool bf_srt_may_be_called(const struct bf_srt *s);

#endif
