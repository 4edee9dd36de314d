/* The way to the receiver: a transport with an MPEG-TS writer on it, dialled again and again with growing pauses.
 * Embedded; one thread but for what says otherwise. */
#ifndef BELFRY_CAMERA_LINK_H
#define BELFRY_CAMERA_LINK_H

#include <pthread.h>
#include <stdatomic.h>

#include "camera/session.h"
#include "camera/stop.h"
#include "media/ts.h"

#define BF_LINK_DIAL_MS 1000       /* one try */
#define BF_LINK_RETRY_FIRST_MS 100 /* pause after the first failure; doubles */
#define BF_LINK_RETRY_LAST_MS 2000

struct bf_link {
    const struct bf_stop *stop;         /* borrowed; goes up before the interruption that ends it all */
    uint64_t epoch;                     /* of this process: later ones have higher numbers */
    struct bf_camera_endpoint endpoint; /* of the running thread, like the rest up to the lock */
    struct bf_transport *transport;
    struct bf_ts_writer *writer;
    unsigned failures; /* in a row */
    uint64_t retry_at_us;

    pthread_mutex_t lock; /* of the next two */
    struct bf_camera_endpoint next;
    bool has_next;
    atomic_bool interrupted; /* ends a dial or a write that waits: -ECANCELED */
};

/* `epoch` is the process's start counter. Its dials take the place of what earlier processes, or earlier dials of this
 * one, left behind at the receiver. */
void bf_link_init(struct bf_link *l, const struct bf_camera_endpoint *endpoint, uint64_t epoch,
                  const struct bf_stop *stop);
void bf_link_done(struct bf_link *l); /* forgets the passphrases */

/* Any thread: what waits returns at once, -ECANCELED, until bf_link_follow; with the stop flag up, for good. */
void bf_link_interrupt(struct bf_link *l);
/* Any thread: the receiver is elsewhere from now on; the last word counts. Interrupts. */
void bf_link_redirect(struct bf_link *l, const struct bf_camera_endpoint *endpoint);

/* After an interruption, and cheap enough for each picture: true when the receiver is elsewhere. Then the link is down
 * and may be tried at once; what the old receiver had not acknowledged is let go. */
bool bf_link_follow(struct bf_link *l);
/* Dials, if the pause after the last failure is over: 0 when up, -EAGAIN when it is not time, else why it failed. */
int bf_link_try(struct bf_link *l, struct bf_error *e);
unsigned bf_link_failures(const struct bf_link *l);
int bf_link_write(struct bf_link *l, const uint8_t *au, size_t size, int64_t pts_90k, bool idr);
void bf_link_down(struct bf_link *l); /* also when it is not up */

#endif
