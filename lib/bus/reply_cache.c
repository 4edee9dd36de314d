#include "bus/reply_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bf_reply_cache_put(struct bf_reply_cache *c, const struct bf_asker *asker, enum bf_message_type type,
                       const uint8_t *body, size_t size)
{
    struct bf_cached_reply *slot = &c->replies[c->next];
    uint8_t *copy = malloc(size + 1); /* an answer may be empty */

    if (copy == NULL)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, body, size);
    free(slot->body);
    *slot = (struct bf_cached_reply){ .asker = *asker, .type = type, .body = copy, .size = size };
    c->next = (c->next + 1) % BF_REPLIES;
    return 0;
}

const struct bf_cached_reply *bf_reply_cache_find(const struct bf_reply_cache *c, const struct bf_asker *asker)
{
    for (unsigned i = 0; i < BF_REPLIES; i++)
        if (c->replies[i].body != NULL && strcmp(c->replies[i].asker.node, asker->node) == 0 &&
            memcmp(c->replies[i].asker.message_id, asker->message_id, sizeof(asker->message_id)) == 0)
            return &c->replies[i];
    return NULL;
}

void bf_reply_cache_done(struct bf_reply_cache *c)
{
    for (unsigned i = 0; i < BF_REPLIES; i++)
        free(c->replies[i].body);
    *c = (struct bf_reply_cache){ 0 };
}
