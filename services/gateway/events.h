/* Server-sent events (HTML Living Standard, 9.2): a short ring of ready-made messages that every listener reads at its
 * own pace. Publishing never waits; a listener that falls behind the ring is told so and starts over. Any thread. */
#ifndef BELFRY_GATEWAY_EVENTS_H
#define BELFRY_GATEWAY_EVENTS_H

#include <stdint.h>

#include "gateway/blob.h"

struct bf_events;

int bf_events_new(struct bf_events **ret);
void bf_events_free(struct bf_events *e); /* no listener may be left; NULL is fine */

/* `json` is one line. */
int bf_events_publish(struct bf_events *e, const char *name, const char *json);
/* The place of the next event to come: where a new listener begins. */
uint64_t bf_events_head(struct bf_events *e);
/* The event at *at, or wait for it; moves *at on. -ETIMEDOUT: none came; -EOVERFLOW: it has left the
 * ring; -ESHUTDOWN. */
int bf_events_next(struct bf_events *e, uint64_t *at, uint64_t timeout_ms, struct bf_blob **ret);
void bf_events_shut(struct bf_events *e); /* wakes every listener */

/* "event: <name>\ndata: <json>\n\n" */
struct bf_blob *bf_event_format(const char *name, const char *json);

#endif
