/* The way to the receiver: a transport with an MPEG-TS writer on it, dialled again and again with growing pauses.
 * Embedded; one thread. */
#ifndef BELFRY_CAMERA_LINK_H
#define BELFRY_CAMERA_LINK_H

#include "camera/session.h"
#include "camera/stop.h"
#include "media/ts.h"

#define BF_LINK_DIAL_MS 1000       /* one try */
#define BF_LINK_RETRY_FIRST_MS 100 /* pause after the first failure; doubles */
#define BF_LINK_RETRY_LAST_MS 2000

struct bf_link {
    const struct bf_camera_session *session; /* borrowed */
    const struct bf_stop *stop;              /* borrowed; ends a dial or a write that waits: -ECANCELED */
    struct bf_transport *transport;
    struct bf_ts_writer *writer;
    unsigned failures; /* in a row */
    uint64_t retry_at_us;
};

void bf_link_init(struct bf_link *l, const struct bf_camera_session *session, const struct bf_stop *stop);
/* Dials, if the pause after the last failure is over: 0 when up, -EAGAIN when it is not time, else why it failed. */
int bf_link_try(struct bf_link *l, struct bf_error *e);
unsigned bf_link_failures(const struct bf_link *l);
int bf_link_write(struct bf_link *l, const uint8_t *au, size_t size, int64_t pts_90k, bool idr);
void bf_link_down(struct bf_link *l); /* also when it is not up */

#endif
