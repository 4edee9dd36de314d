#include "media/transport_callers.h"

#include "base/cleanup.h"

static bool is_over(const struct bf_caller *c, uint64_t now_ms)
{
    return c->tries == 0 || now_ms - c->second_ms >= 1000;
}

/* The address's own place, or one that nobody needs any more; NULL when all are taken. */
static struct bf_caller *place_of(struct bf_callers *c, const struct bf_address *from, uint64_t now_ms)
{
    struct bf_caller *free_place = NULL;
    for (size_t i = 0; i < BF_COUNT_OF(c->list); i++) {
        if (is_over(&c->list[i], now_ms))
            free_place = &c->list[i];
        else if (bf_address_same_host(&c->list[i].from, from))
            return &c->list[i];
    }
    if (free_place != NULL)
        *free_place = (struct bf_caller){ .from = *from, .second_ms = now_ms };
    return free_place;
}

bool bf_callers_may_try(struct bf_callers *c, const struct bf_address *from, uint64_t now_ms)
{
    struct bf_caller *place = place_of(c, from, now_ms);
    if (place == NULL || place->tries == BF_CALLER_TRIES_PER_SECOND)
        return false;
    place->tries++;
    return true;
}
