#include "janitor/retention.h"

#define DAY_MS 86400000ull

static bool too_old(const struct bf_retention *r, const struct bf_kept *k, uint64_t now_ms)
{
    return r->max_age_days > 0 && now_ms > k->ended_at_ms && now_ms - k->ended_at_ms > r->max_age_days * DAY_MS;
}

static bool too_much(const struct bf_retention *r, const struct bf_kept *kept, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(total, kept[i].bytes, &total))
            return true;
    return r->max_bytes > 0 && total > r->max_bytes;
}

size_t bf_retention_next(const struct bf_retention *r, const struct bf_kept *kept, size_t n, uint64_t now_ms,
                         bool clock_trusted)
{
    bool over = too_much(r, kept, n);
    for (size_t i = 0; i < n; i++)
        if (!kept[i].protected && (over || (clock_trusted && too_old(r, &kept[i], now_ms))))
            return i;
    return n;
}

bool bf_retention_stuck(const struct bf_retention *r, const struct bf_kept *kept, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!kept[i].protected)
            return false;
    return too_much(r, kept, n);
}

static bool jumped(const struct bf_clock_guard *g, uint64_t unix_ms, uint64_t boot_ms)
{
    uint64_t expected = g->unix_ms + (boot_ms - g->boot_ms);
    uint64_t off = unix_ms > expected ? unix_ms - expected : expected - unix_ms;
    return off > BF_CLOCK_JUMP_MS;
}

bool bf_clock_guard_check(struct bf_clock_guard *g, uint64_t unix_ms, uint64_t boot_ms, bool synced)
{
    if (!g->begun)
        g->trusted_from_boot_ms = synced ? boot_ms : boot_ms + BF_CLOCK_PROBATION_MS;
    else if (jumped(g, unix_ms, boot_ms))
        g->trusted_from_boot_ms = boot_ms + BF_CLOCK_PROBATION_MS;

    g->begun = true;
    g->unix_ms = unix_ms;
    g->boot_ms = boot_ms;
    return boot_ms >= g->trusted_from_boot_ms;
}
