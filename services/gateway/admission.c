#include "gateway/admission.h"

#include <stdbool.h>
#include <string.h>

const char *bf_conn_kind_name(enum bf_conn_kind kind)
{
    static const char *const names[BF_CONN_KINDS] = {
        [BF_CONN_SILENT] = "silent", [BF_CONN_OTHER] = "other",   [BF_CONN_OPS] = "ops",
        [BF_CONN_MEDIA] = "media",   [BF_CONN_EVENTS] = "events",
    };

    return names[kind];
}

enum bf_conn_kind bf_conn_kind_of(const char *pattern)
{
    static const struct {
        const char *prefix;
        enum bf_conn_kind kind;
    } table[] = {
        { "/live/", BF_CONN_MEDIA }, { "/recordings/", BF_CONN_MEDIA }, { "/api/v1/events", BF_CONN_EVENTS },
        { "/healthz", BF_CONN_OPS }, { "/readyz", BF_CONN_OPS },        { "/metrics", BF_CONN_OPS },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(pattern, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].kind;
    return BF_CONN_OTHER;
}

static unsigned at_least_one(unsigned n)
{
    return n == 0 ? 1 : n;
}

struct bf_limits bf_limits_of(unsigned workers)
{
    unsigned reserve = workers / 8 < 8 ? 8 : workers / 8;

    if (reserve > workers / 2)
        reserve = workers / 2;
    return (struct bf_limits){
        .workers = workers,
        .staying = workers - reserve,
        .others = workers / 2,
        .crowded = at_least_one(reserve / 2),
        .ops = at_least_one(reserve / 4),
    };
}

void bf_admission_init(struct bf_admission *a, unsigned workers)
{
    a->limits = bf_limits_of(workers);
    atomic_init(&a->staying, 0);
    atomic_init(&a->others, 0);
}

static bool take(atomic_uint *held, unsigned limit)
{
    if (atomic_fetch_add_explicit(held, 1, memory_order_relaxed) < limit)
        return true;
    atomic_fetch_sub_explicit(held, 1, memory_order_relaxed);
    return false;
}

static bool stays(enum bf_conn_kind kind)
{
    return kind == BF_CONN_MEDIA || kind == BF_CONN_EVENTS;
}

static enum bf_verdict for_how_long(struct bf_admission *a, enum bf_conn_kind kind, unsigned free_workers)
{
    unsigned others = atomic_load_explicit(&a->others, memory_order_relaxed);
    bool is_crowded = free_workers <= a->limits.crowded || others > a->limits.others / 2;

    return is_crowded && !stays(kind) ? BF_ADMITTED_ONCE : BF_ADMITTED;
}

enum bf_verdict bf_admit(struct bf_admission *a, enum bf_conn_kind from, enum bf_conn_kind to, unsigned free_workers)
{
    bool has_place = from == to || (stays(from) && stays(to));

    if (has_place)
        return for_how_long(a, to, free_workers);
    if (to != BF_CONN_OPS && free_workers < a->limits.ops)
        return BF_FULL;
    if (stays(to) && !take(&a->staying, a->limits.staying))
        return BF_FULL_OF_VIEWERS;
    if (to == BF_CONN_OTHER && !take(&a->others, a->limits.others))
        return BF_FULL;
    bf_admission_left(a, from);
    return for_how_long(a, to, free_workers);
}

void bf_admission_left(struct bf_admission *a, enum bf_conn_kind from)
{
    if (stays(from))
        atomic_fetch_sub_explicit(&a->staying, 1, memory_order_relaxed);
    else if (from == BF_CONN_OTHER)
        atomic_fetch_sub_explicit(&a->others, 1, memory_order_relaxed);
}
