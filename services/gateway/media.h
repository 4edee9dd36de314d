/* Shared by the routes below /live. */
#ifndef BELFRY_GATEWAY_MEDIA_H
#define BELFRY_GATEWAY_MEDIA_H

#include "base/cleanup.h"
#include "gateway/request.h"

BF_DEFINE_CLEANUP(struct bf_live_session, bf_live_unref)

/* Lifetimes in caches, in target durations (rfc8216bis B.1). */
#define BF_LIFE_BLOCKING 6        /* what answers a blocking request: it never changes */
#define BF_LIFE_BLOCKING_FAILED 4 /* a blocking playlist request that has no answer */
#define BF_LIFE_FAILED 1          /* any other */

/* The session that the address names, or 404, whose status is then in *ret_status; it lives for so many seconds. */
int bf_media_acquire(struct bf_request *r, unsigned life_s, struct bf_live_session **ret, int *ret_status);

/* Nothing is live on the camera: where it starts on demand, and this viewer may start it, it is started and waited for.
 * 0: it is live now; -ENOENT: it does not start; else the status of the answer that has been sent. */
int bf_demand_answer(struct bf_request *r);

/* What the live store could not give, as a problem. What is wrong for good may be cached for `life_s`; what may be right
 * a moment later is never cached, lest one who asks too early shuts out all who ask in time. */
int bf_media_refuse(struct bf_request *r, int error, unsigned life_s, const char *why);

#endif
