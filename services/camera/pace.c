#include "camera/pace.h"

static uint64_t tick_us(const struct bf_pace *p, uint64_t tick)
{
    return p->start_us + tick * 1000000 / p->fps;
}

void bf_pace_init(struct bf_pace *p, uint32_t fps, uint64_t now_us)
{
    *p = (struct bf_pace){ .start_us = now_us, .fps = fps };
}

uint64_t bf_pace_next(struct bf_pace *p, uint64_t now_us)
{
    if (now_us > tick_us(p, p->tick + 1)) {
        uint64_t current = (now_us - p->start_us) * p->fps / 1000000;
        p->missed += current - p->tick;
        p->tick = current;
    }
    return tick_us(p, p->tick++);
}

bool bf_pace_admit(struct bf_pace *p, uint64_t mono_us)
{
    uint64_t interval = 1000000 / p->fps;
    uint64_t due = tick_us(p, p->tick);

    if (mono_us + interval / 2 < due)
        return false;

    /* A camera's clock is not ours: the grid follows it, so that drift never adds up to a picture. */
    p->start_us = mono_us;
    p->tick = 1;
    return true;
}

uint64_t bf_pace_due(const struct bf_pace *p)
{
    return tick_us(p, p->tick);
}
