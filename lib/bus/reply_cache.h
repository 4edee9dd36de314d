/* The last answers to commands, so that a duplicate of a command is answered as before and never executed twice.
 * Internal to the bus. Pure. */
#ifndef BELFRY_BUS_REPLY_CACHE_H
#define BELFRY_BUS_REPLY_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "bus/bus.h"

#define BF_REPLIES 64 /* the oldest is forgotten first */

struct bf_cached_reply {
    struct bf_asker asker;
    enum bf_message_type type;
    uint8_t *body; /* packed, without its header; NULL: empty slot */
    size_t size;
};

struct bf_reply_cache {
    struct bf_cached_reply replies[BF_REPLIES];
    unsigned next;
};

int bf_reply_cache_put(struct bf_reply_cache *c, const struct bf_asker *asker, enum bf_message_type type,
                       const uint8_t *body, size_t size); /* copies */
const struct bf_cached_reply *bf_reply_cache_find(const struct bf_reply_cache *c, const struct bf_asker *asker);
void bf_reply_cache_done(struct bf_reply_cache *c);

#endif
