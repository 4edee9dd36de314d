/* What nodes of the site have really said: signed messages of every type, fresh and stale, for every node and start of
 * it, some by keys that no longer count, some of nodes that lie under a good signature. With each is kept what it was
 * said for, so that what a receiver should make of it follows from here and not from the code under test. */
#ifndef BELFRY_TESTS_FORGERY_STATEMENT_H
#define BELFRY_TESTS_FORGERY_STATEMENT_H

#include "bus/topic.h"
#include "forgery/prng.h"
#include "forgery/site.h"

#define SEQUENCE_MAX 320 /* five windows */
#define PRESENT_START 3  /* of every node; earlier ones are over */
#define NOBODY SITE_NODES

struct statement {
    enum bf_message_type type;
    enum site_node signer;
    enum site_key key;
    bool lie; /* no receiver may believe it, whoever signed */
    const char *site;
    char topic[BF_TOPIC_SIZE];
    enum site_node owner;     /* of the topic */
    bool directed;            /* to one node alone: desired, cmd, rsp */
    enum site_node recipient; /* where it is directed: the owner, unless the sender mixes them up */
    bool bound;               /* to a start of a node: desired, cmd */
    enum site_node bound_to;
    unsigned starts;
    bool will, clock_synced;
    int channel; /* the wire's */
    uint64_t epoch, sequence, issued_at_ms;
    uint32_t ttl_ms;

    uint8_t *payload, *envelope; /* owned */
    size_t payload_size, envelope_size;
};

/* Where and when something is delivered. */
struct place {
    const char *site;    /* the receiver's */
    enum site_node node; /* NOBODY: one who watches */
    unsigned starts;     /* of the receiver: which boot id it has */
    char topic[2 * BF_TOPIC_SIZE];
    uint64_t now_ms;
    bool clock_synced;
};

/* `id` is found again in the message id. */
void statement_make(struct statement *ret, struct prng *p, uint32_t id);
void statement_done(struct statement *s);
/* The id that was given to statement_make, read from a header; UINT32_MAX when there is none. */
uint32_t statement_id(const Belfry__V1__Header *h);

/* Does everything but the replay window hold for this statement there? */
bool statement_counts(const struct statement *s, const struct place *at);

#endif
