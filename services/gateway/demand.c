#include "gateway/demand.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct bf_demand_camera {
    const struct bf_camera_config *config;
    atomic_ullong seen_ms;
    atomic_ullong not_before_ms; /* the end of the pause after a failure */
    atomic_bool stopped;         /* by hand */
    atomic_uint waiting;
};

struct bf_demand {
    struct bf_demand_camera *cameras;
    size_t n_cameras;
    unsigned most_waiting;
    atomic_uint waiting;
};

int bf_demand_new(struct bf_demand **ret, const struct bf_config *c, unsigned most_waiting)
{
    struct bf_demand *d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;

    d->most_waiting = most_waiting;
    d->cameras = calloc(c->n_cameras + 1, sizeof *d->cameras);
    if (d->cameras == NULL) {
        bf_demand_free(d);
        return -ENOMEM;
    }
    for (size_t i = 0; i < c->n_cameras; i++)
        if (c->cameras[i].on_demand)
            d->cameras[d->n_cameras++].config = &c->cameras[i];
    *ret = d;
    return 0;
}

void bf_demand_free(struct bf_demand *d)
{
    if (d == NULL)
        return;
    free(d->cameras);
    free(d);
}

struct bf_demand_camera *bf_demand_of(struct bf_demand *d, const char *camera)
{
    for (size_t i = 0; d != NULL && i < d->n_cameras; i++)
        if (strcmp(d->cameras[i].config->id, camera) == 0)
            return &d->cameras[i];
    return NULL;
}

void bf_demand_seen(struct bf_demand_camera *c, uint64_t now_ms)
{
    atomic_store_explicit(&c->seen_ms, now_ms, memory_order_relaxed);
}

bool bf_demand_is_idle(const struct bf_demand_camera *c, uint64_t now_ms)
{
    uint64_t seen_ms = atomic_load_explicit(&c->seen_ms, memory_order_relaxed);

    return now_ms > seen_ms && now_ms - seen_ms >= c->config->idle_timeout_ms;
}

static void give_place(struct bf_demand *d, struct bf_demand_camera *c)
{
    atomic_fetch_sub(&d->waiting, 1);
    atomic_fetch_sub(&c->waiting, 1);
}

/* The first of a camera always finds one, or a slow camera would keep the others from starting. */
static bool take_place(struct bf_demand *d, struct bf_demand_camera *c)
{
    bool is_first = atomic_fetch_add(&c->waiting, 1) == 0;
    bool is_free = atomic_fetch_add(&d->waiting, 1) < d->most_waiting;

    if (!is_first && !is_free)
        give_place(d, c);
    return is_first || is_free;
}

enum bf_demand_verdict bf_demand_enter(struct bf_demand *d, struct bf_demand_camera *c, bool known, uint64_t now_ms)
{
    if (atomic_load(&c->stopped) && known)
        return BF_DEMAND_STOPPED;
    if (now_ms < atomic_load(&c->not_before_ms))
        return BF_DEMAND_PAUSE;
    if (!take_place(d, c))
        return BF_DEMAND_FULL;
    atomic_store(&c->stopped, false);
    return BF_DEMAND_START;
}

void bf_demand_leave(struct bf_demand *d, struct bf_demand_camera *c, bool failed, uint64_t now_ms)
{
    if (failed)
        atomic_store(&c->not_before_ms, now_ms + BF_DEMAND_PAUSE_MS);
    give_place(d, c);
}

void bf_demand_by_hand(struct bf_demand_camera *c, bool stopped)
{
    if (c != NULL)
        atomic_store(&c->stopped, stopped);
}
