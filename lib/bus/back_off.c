#include "bus/back_off.h"

#define DOUBLINGS_MAX 5 /* beyond, the ceiling is the limit anyway */

void bf_back_off_failed(struct bf_back_off *b, bool was_up, bool steady)
{
    if (was_up && steady) {
        *b = (struct bf_back_off){ .failures = 1 };
        return;
    }
    b->failures++;
    b->brief += was_up;
}

static uint64_t limit_ms(const struct bf_back_off *b, uint64_t max_ms)
{
    bool asked = max_ms > 0 && max_ms < BF_BACK_OFF_MAX_MS;

    return asked && b->brief <= BF_BACK_OFF_BRIEF_MAX ? max_ms : BF_BACK_OFF_MAX_MS;
}

uint64_t bf_back_off_ms(const struct bf_back_off *b, uint64_t floor_ms, uint64_t max_ms, uint32_t random)
{
    unsigned doublings = b->failures == 0 ? 0 : b->failures - 1;
    uint64_t ceiling = (uint64_t)BF_BACK_OFF_FIRST_MS << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    uint64_t limit = limit_ms(b, max_ms);

    if (ceiling > limit)
        ceiling = limit;
    return ceiling <= floor_ms ? floor_ms : floor_ms + (ceiling - floor_ms) * random / UINT32_MAX;
}

uint64_t bf_silence_ms(uint64_t now_ms, uint64_t heard_at_ms, uint64_t asked_at_ms)
{
    uint64_t since_ms = asked_at_ms > heard_at_ms ? asked_at_ms : heard_at_ms;

    return now_ms > since_ms ? now_ms - since_ms : 0;
}
