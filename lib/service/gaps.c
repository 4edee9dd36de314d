#include "service/gaps.h"

#include <string.h>

/* The place of the one that was told least recently is the next one's when there is no other. */
static size_t place_for(struct bf_gaps *g)
{
    size_t oldest = 0;

    if (g->n < BF_GAP_NODES)
        return g->n++;
    for (size_t i = 1; i < g->n; i++)
        if (g->seen[i].handed_on_ms < g->seen[oldest].handed_on_ms)
            oldest = i;
    return oldest;
}

static size_t find(const struct bf_gaps *g, const char *node)
{
    size_t i = 0;

    while (i < g->n && strcmp(g->seen[i].node, node) != 0)
        i++;
    return i;
}

static bool has_moved(int64_t a, int64_t b)
{
    int64_t by;

    return __builtin_sub_overflow(a, b, &by) || by > BF_CLOCK_SKEW_MS || by < -BF_CLOCK_SKEW_MS;
}

struct bf_gap_verdict bf_gaps_judge(struct bf_gaps *g, const struct bf_clock_gap *gap, uint64_t now_ms)
{
    struct bf_gap_verdict v = { .report = true, .hand_on = true };
    size_t i = find(g, gap->node);

    if (i < g->n) {
        uint64_t pause_ms = has_moved(gap->ahead_ms, g->seen[i].ahead_ms) ? BF_GAP_MOVED_MS : BF_GAP_SAME_MS;

        v.report = now_ms - g->seen[i].reported_ms >= pause_ms;
        v.hand_on = now_ms - g->seen[i].handed_on_ms >= BF_GAP_HANDED_ON_MS;
    } else {
        i = place_for(g);
        memcpy(g->seen[i].node, gap->node, sizeof(gap->node));
    }
    if (v.hand_on)
        g->seen[i].handed_on_ms = now_ms;
    if (v.report) {
        g->seen[i].reported_ms = now_ms;
        g->seen[i].ahead_ms = gap->ahead_ms;
    }
    return v;
}
