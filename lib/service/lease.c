#include "service/service.h"

#include "base/clock.h"

/* libuv's timers stand still while the machine sleeps, leases do not: the timer looks again at least this often. */
#define LOOK_AGAIN_MS 250U

static void arm(struct bf_lease_timer *t);

static void look(uv_timer_t *timer)
{
    struct bf_lease_timer *t = (struct bf_lease_timer *)((char *)timer - offsetof(struct bf_lease_timer, timer));

    if (bf_boot_ms() >= t->deadline_boot_ms)
        t->expired(t->user);
    else
        arm(t);
}

static void arm(struct bf_lease_timer *t)
{
    uint64_t now = bf_boot_ms();
    uint64_t left = t->deadline_boot_ms > now ? t->deadline_boot_ms - now : 0;

    uv_timer_start(&t->timer, look, left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS, 0);
}

void bf_lease_timer_init(struct bf_lease_timer *t, uv_loop_t *loop, void (*expired)(void *user), void *user)
{
    *t = (struct bf_lease_timer){ .expired = expired, .user = user };
    uv_timer_init(loop, &t->timer);
}

void bf_lease_timer_renew(struct bf_lease_timer *t, uint32_t lease_ms)
{
    t->deadline_boot_ms = bf_boot_ms() + lease_ms;
    uv_update_time(t->timer.loop); /* a handler may have run long before it renews */
    arm(t);
}

void bf_lease_timer_stop(struct bf_lease_timer *t)
{
    uv_timer_stop(&t->timer);
}

void bf_lease_timer_close(struct bf_lease_timer *t, uv_close_cb closed)
{
    uv_close((uv_handle_t *)&t->timer, closed);
}
