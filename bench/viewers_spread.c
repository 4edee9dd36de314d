#include "viewers.h"

#include <stdlib.h>
#include <string.h>

void spread_add(struct spread *s, uint64_t counter, uint64_t us)
{
    struct part_times *p = &s->parts[counter % SPREAD_PARTS];

    if (p->viewers == 0 || p->counter < counter)
        *p = (struct part_times){ .counter = counter, .first_us = us };
    else if (p->counter > counter)
        return; /* so late that its place has been taken */
    p->last_us = us;
    p->viewers++;
    if (p->first_us < s->from_us)
        return;

    uint64_t delay_ms = (us - p->first_us) / 1000;
    s->delays_ms[delay_ms < DELAY_BINS ? delay_ms : DELAY_BINS - 1]++;
    s->deliveries++;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static uint32_t delay_at(const struct spread *s, uint64_t permille)
{
    uint64_t sum = 0;
    uint32_t ms = 0;

    while (ms < DELAY_BINS - 1 && (sum += s->delays_ms[ms]) * 1000 < s->deliveries * permille)
        ms++;
    return ms;
}

static bool within(const struct part_times *p, uint64_t from_us, uint64_t until_us)
{
    return p->viewers > 0 && p->first_us >= from_us && p->first_us < until_us;
}

struct spread_summary spread_summary(const struct spread *s, uint64_t from_us, uint64_t until_us)
{
    struct spread_summary r = { .delay_p50_ms = delay_at(s, 500),
                                .delay_p99_ms = delay_at(s, 990),
                                .delay_p999_ms = delay_at(s, 999) };
    uint64_t *spreads = calloc(SPREAD_PARTS, sizeof *spreads);

    for (size_t i = 0; i < SPREAD_PARTS; i++)
        if (within(&s->parts[i], from_us, until_us) && s->parts[i].viewers > r.most_viewers)
            r.most_viewers = s->parts[i].viewers;
    r.least_viewers = r.most_viewers;
    for (size_t i = 0; spreads != NULL && i < SPREAD_PARTS; i++) {
        const struct part_times *p = &s->parts[i];

        if (!within(p, from_us, until_us))
            continue;
        if (p->viewers < r.least_viewers)
            r.least_viewers = p->viewers;
        if (p->viewers >= r.most_viewers / 2)
            spreads[r.parts++] = p->last_us - p->first_us;
    }
    if (r.parts > 0) {
        qsort(spreads, r.parts, sizeof *spreads, by_value);
        r.p50_us = spreads[r.parts / 2];
        r.p99_us = spreads[r.parts * 99 / 100];
        r.max_us = spreads[r.parts - 1];
    }
    free(spreads);
    return r;
}
