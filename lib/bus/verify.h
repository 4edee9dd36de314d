/* The receiver's checks, in the order of docs/architecture.md "Messages", fail closed, one counter per refusal.
 * Pure: time is an argument. Used by the bus, by belfryctl and by tests. */
#ifndef BELFRY_BUS_VERIFY_H
#define BELFRY_BUS_VERIFY_H

#include "bus/message.h"
#include "bus/replay.h"
#include "bus/topic.h"
#include "bus/trust.h"

#include "header.pb-c.h"

enum bf_refusal {
    BF_OK,
    BF_REFUSED_SIZE,     /* over 16 KiB */
    BF_REFUSED_ENVELOPE, /* does not parse */
    BF_REFUSED_TYPE,     /* unknown, or not allowed on this topic */
    BF_REFUSED_KEY,      /* no key that is valid, not revoked, and may send this type on this topic */
    BF_REFUSED_SIGNATURE,
    BF_REFUSED_PAYLOAD, /* does not parse, or a value is out of its range */
    BF_REFUSED_SITE,
    BF_REFUSED_RECIPIENT,
    BF_REFUSED_TOPIC,  /* signed for another topic */
    BF_REFUSED_SENDER, /* not the node that the key belongs to, or not the owner of the topic */
    BF_REFUSED_AGE,
    BF_REFUSED_BOOT_ID,
    BF_REFUSED_REPLAY,      /* left of the window, or of an earlier epoch */
    BF_REFUSED_WILL,        /* a last will of another epoch than the current one */
    BF_REFUSED_LEASE_EPOCH, /* counted by the handler's service through bf_bus_refuse */
    BF_DUPLICATE,           /* not a refusal: everything holds, but it has been seen */
    BF_REFUSALS             /* count */
};
const char *bf_refusal_name(enum bf_refusal r); /* "refused_signature" …, "duplicate", "ok" */

/* How far two synchronised clocks may be apart before a message counts as too old or as from the future. */
#define BF_CLOCK_SKEW_MS 10000

/* A message is refused for its age, and is news in every other respect: the sender's clock and this one's are too far
 * apart, or the message was on its way for so long. */
struct bf_clock_gap {
    char node[BF_ID_SIZE]; /* who sent it; "": none */
    enum bf_role role;     /* of its own topic; BF_ROLE_NONE where it wrote on another's */
    int64_t ahead_ms;      /* the sender's clock of this one's; negative: behind */
};

struct bf_verifier {
    const char *site;
    const char *node;       /* who receives; NULL (belfryctl watch, decode): any recipient, any boot id */
    const uint8_t *boot_id; /* 16 bytes; NULL with node NULL */
    const struct bf_trust *trust;
    struct bf_replay *replay; /* NULL: no window (a message from a file) */
    struct bf_clock_gap *gap; /* NULL: not asked for; filled by such a message, else left as it is */
};

/* A verified message. `message` is of the row's type, owned by this struct until bf_incoming_done. */
struct bf_incoming {
    const struct bf_message_row *row;
    struct bf_topic topic;
    ProtobufCMessage *message;
    const Belfry__V1__Header *header; /* inside message */
    bool will;                        /* a last will: node.online is false and the channel is WILL */
    bool retained;
};

/* Checks one message that came on `topic`; on BF_OK and BF_DUPLICATE fills *ret (call bf_incoming_done). Otherwise `e` says what was found
 * and what was expected, without quoting bytes that came from outside unless they are valid ids. */
enum bf_refusal bf_verify(const struct bf_verifier *v, const char *topic, const void *data, size_t size,
                          uint64_t unix_ms, bool clock_synced, struct bf_incoming *ret, struct bf_error *e);
void bf_incoming_done(struct bf_incoming *m);

/* For documents at rest (trust bundle aside): opens a sealed envelope of exactly `payload_type`, verified with a key of
 * `role` that is or was valid at `unix_ms`; *ret_payload is malloc'd. */
int bf_document_open(const struct bf_trust *t, enum bf_role role, const char *payload_type, const void *data,
                     size_t size, uint64_t unix_ms, uint8_t **ret_payload, size_t *ret_size, struct bf_error *e);

#endif
