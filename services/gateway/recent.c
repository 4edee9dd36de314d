#include "gateway/recent.h"

static void drop(struct bf_recent *r, size_t slot)
{
    if (r->slots[slot].blob == NULL)
        return;
    r->bytes -= r->slots[slot].blob->size;
    bf_blob_unref(BF_TAKE(r->slots[slot].blob));
}

/* The oldest part that is kept; BF_RECENT_PARTS: none. */
static size_t oldest(const struct bf_recent *r)
{
    size_t found = BF_RECENT_PARTS;

    for (size_t i = 0; i < BF_RECENT_PARTS; i++)
        if (r->slots[i].blob != NULL && (found == BF_RECENT_PARTS || r->slots[i].counter < r->slots[found].counter))
            found = i;
    return found;
}

struct bf_blob *bf_recent_get(const struct bf_recent *r, uint64_t counter)
{
    size_t slot = counter % BF_RECENT_PARTS;
    struct bf_blob *blob = r->slots[slot].blob;

    return blob == NULL || r->slots[slot].counter != counter ? NULL : bf_blob_ref(blob);
}

void bf_recent_put(struct bf_recent *r, uint64_t counter, struct bf_blob *blob)
{
    size_t slot = counter % BF_RECENT_PARTS;

    if (blob->size > BF_RECENT_BYTES || (r->slots[slot].blob != NULL && r->slots[slot].counter >= counter))
        return;
    drop(r, slot);
    while (r->bytes + blob->size > BF_RECENT_BYTES) {
        size_t old = oldest(r);
        if (r->slots[old].counter > counter)
            return;
        drop(r, old);
    }
    r->slots[slot].counter = counter;
    r->slots[slot].blob = bf_blob_ref(blob);
    r->bytes += blob->size;
}

void bf_recent_done(struct bf_recent *r)
{
    for (size_t i = 0; i < BF_RECENT_PARTS; i++)
        drop(r, i);
}
