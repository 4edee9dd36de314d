#include "gateway/live_internal.h"

#include <errno.h>

#include "base/clock.h"
#include "gateway/cond.h"

#define HOLD_TARGETS 3 /* a held request is given up after so many target durations (6.2.5.2) */

unsigned bf_live_waiting(const struct bf_live *l)
{
    return atomic_load_explicit(&l->waiting, memory_order_relaxed);
}

uint32_t bf_live_target_s(const struct bf_live_session *s)
{
    uint32_t known = atomic_load_explicit(&s->target_s, memory_order_relaxed);

    return known == 0 ? 1 : known;
}

static int wait_until(struct bf_live *l, struct bf_live_session *s, uint64_t deadline_us, bf_ready_fn ready, void *user)
{
    for (;;) {
        int r = s->gone ? -ENOENT : ready(s, user);
        if (r != -EAGAIN)
            return r;
        if (atomic_load(&l->shut))
            return -ESHUTDOWN;
        if (bf_cond_wait_until(&s->moved, &s->lock, deadline_us) == ETIMEDOUT)
            return s->gone || (r = ready(s, user)) == -EAGAIN ? -ETIMEDOUT : r;
    }
}

int bf_live_await(struct bf_live *l, struct bf_live_session *s, bool entitled, bf_ready_fn ready, void *user)
{
    int r = s->gone ? -ENOENT : ready(s, user);

    if (r != -EAGAIN)
        return r;
    if (atomic_fetch_add(&l->waiting, 1) >= l->max_waiting && !entitled) {
        r = -EBUSY;
    } else {
        s->waiting++;
        r = wait_until(l, s, bf_mono_us() + (uint64_t)bf_live_target_s(s) * HOLD_TARGETS * 1000000, ready, user);
        s->waiting--;
    }
    atomic_fetch_sub(&l->waiting, 1);
    return r;
}
