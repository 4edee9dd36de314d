/* The newest parts of a session, so that its viewers do not read the same bytes one by one from the file. Bounded in
 * number and bytes; what is not here is read as before. Its owner locks. */
#ifndef BELFRY_GATEWAY_RECENT_H
#define BELFRY_GATEWAY_RECENT_H

#include "gateway/blob.h"

#define BF_RECENT_PARTS 32
#define BF_RECENT_BYTES (8u << 20)

struct bf_recent {
    struct {
        uint64_t counter;
        struct bf_blob *blob; /* NULL: empty */
    } slots[BF_RECENT_PARTS];
    size_t bytes;
};

/* Zero-initialise. A reference to the part, or NULL. */
struct bf_blob *bf_recent_get(const struct bf_recent *r, uint64_t counter);
/* Keeps the part (with a reference of its own) and lets the oldest go until all fit. One that is older than all of
 * these, or too big, is not kept. */
void bf_recent_put(struct bf_recent *r, uint64_t counter, struct bf_blob *blob);
void bf_recent_done(struct bf_recent *r);

#endif
