/* One connection's worth of paho: a client object, used for a single connection and then thrown away, so that no state
 * of an old connection can hurt a new one. Internal to the bus.
 *
 * Paho's threads call back into this module; it only copies and puts notes into the inbox. Everything declared here is
 * called on the loop thread, except bf_link_free, which may block for a second and belongs on a worker thread. */
#ifndef BELFRY_BUS_MQTT_LINK_H
#define BELFRY_BUS_MQTT_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mailbox.h"
#include "bus/mqtt.h"
#include "bus/mqtt_limits.h"

enum bf_note_kind {
    BF_NOTE_CONNECTED,
    BF_NOTE_NOT_CONNECTED, /* text says why */
    BF_NOTE_TLS_DETAIL,    /* text says what OpenSSL found */
    BF_NOTE_SUBSCRIBED,
    BF_NOTE_NOT_SUBSCRIBED,
    BF_NOTE_MESSAGE, /* text is the topic */
    BF_NOTE_ACKNOWLEDGED,
    BF_NOTE_NOT_ACCEPTED, /* a publication; text says why */
    BF_NOTE_LOST,
    BF_NOTE_TAKEN_OVER, /* lost, because another connection has the same client id */
    BF_NOTE_DISCONNECTED
};

struct bf_note {
    enum bf_note_kind kind;
    uint64_t link; /* number of the link that it is about */
    bool retained;
    char *text;       /* owned; may be NULL when memory ran out, but not for a message */
    uint8_t *payload; /* owned */
    size_t size;
};

/* Where the notes of all links of one bf_mqtt arrive, in order. Messages beyond the bounds are dropped and counted; the
 * other notes always find room, because what they answer is bounded. */
#define BF_INBOX_MESSAGES 256
#define BF_INBOX_BYTES (4 * 1024 * 1024)
#define BF_INBOX_OF_A_TOPIC 64 /* messages: noise on one topic leaves room for the others */
#define BF_INBOX_SHARES 128    /* topics that fall on the same one have it together */

struct bf_inbox {
    struct bf_mailbox *mailbox;
    atomic_size_t messages, bytes;
    atomic_uint shares[BF_INBOX_SHARES]; /* messages by topic */
    atomic_uint_fast64_t dropped;
};

int bf_inbox_init(struct bf_inbox *i, void (*wake)(void *user), void *user);
int bf_inbox_take(struct bf_inbox *i, struct bf_note *ret); /* -EAGAIN when empty; release with bf_note_done */
void bf_note_done(struct bf_note *n);
void bf_inbox_done(struct bf_inbox *i);

struct bf_link;

/* `number` marks the notes of this link. The inbox must outlive it. */
int bf_link_new(struct bf_link **ret, const struct bf_mqtt_options *o, uint64_t number, struct bf_inbox *inbox,
                struct bf_error *e);
void bf_link_free(struct bf_link *l); /* blocks; no callback after it */

struct bf_will {
    const char *topic; /* NULL: none */
    const uint8_t *payload;
    size_t size;
};

/* Each starts something that a note answers; 0 or negative errno. */
int bf_link_connect(struct bf_link *l, const struct bf_mqtt_options *o, const struct bf_will *will);
int bf_link_subscribe(struct bf_link *l, char *const *filters, size_t n); /* n <= BF_MQTT_FILTERS_AT_ONCE */
int bf_link_publish(struct bf_link *l, const char *topic, const void *payload, size_t size, bool retain);
int bf_link_disconnect(struct bf_link *l);
/* No note answers these. The second wakes paho's send thread by a request that changes nothing. */
int bf_link_unsubscribe(struct bf_link *l, const char *filter);
int bf_link_nudge(struct bf_link *l);

#endif
