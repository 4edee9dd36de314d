/* What befalls the nodes: a list of steps made from the seed alone, so that a history with fewer steps is the same
 * history without them. */
#include <stdio.h>

#include "sim.h"

static const struct {
    const char *name;
    unsigned weight;
} kinds[SIM_KINDS] = {
    [SIM_START] = { "start", 30 },
    [SIM_STOP] = { "stop", 12 },
    [SIM_SNAPSHOT] = { "snapshot", 4 },
    [SIM_DELETE] = { "delete", 2 },
    [SIM_KILL] = { "kill", 10 },
    [SIM_CRASH] = { "crash", 12 },
    [SIM_TERMINATE] = { "terminate", 4 },
    [SIM_FREEZE] = { "freeze", 5 },
    [SIM_SUSPEND] = { "suspend", 3 },
    [SIM_CUT] = { "cut", 9 },
    [SIM_BROKER] = { "broker-restart", 4 },
    [SIM_NOISE] = { "noise", 8 },
    [SIM_CLOCK] = { "clock", 4 },
    [SIM_MEDIA_CUT] = { "media-cut", 4 },
    [SIM_SOURCE_FAILS] = { "source-fails", 2 },
    [SIM_REPLAY] = { "replay", 5 },
};

static enum sim_kind pick_kind(void)
{
    unsigned total = 0;

    for (size_t i = 0; i < SIM_KINDS; i++)
        total += kinds[i].weight;
    uint64_t at = sim_random(total);
    for (size_t i = 0; i < SIM_KINDS; i++) {
        if (at < kinds[i].weight)
            return (enum sim_kind)i;
        at -= kinds[i].weight;
    }
    return SIM_START;
}

size_t sim_script(struct sim_step *ret, uint64_t seed, size_t n, enum sim_gateways *ret_gateways)
{
    uint64_t at_us = 2 * SEC;

    sim.random = seed * 0x2545f4914f6cdd1dU + 1;
    unsigned gateways = (unsigned)sim_random(100);
    *ret_gateways = gateways < 50 ? SIM_ONE_GATEWAY : gateways < 70 ? SIM_GATEWAY_AND_STANDBY : SIM_TWO_GATEWAYS;
    n = n < SIM_STEPS_MAX ? n : SIM_STEPS_MAX;
    for (size_t i = 0; i < n; i++) {
        at_us += sim_chance(50) ? sim_between_us(0, 300 * MSEC) : sim_between_us(0, 4 * SEC);
        ret[i] = (struct sim_step){ .at_us = at_us,
                                    .kind = pick_kind(),
                                    .node = (unsigned)sim_random(1000),
                                    .a = sim_random(1U << 30),
                                    .b = sim_random(1U << 30) };
    }
    return n;
}

void sim_describe(const struct sim_step *s, char *buf, size_t size)
{
    snprintf(buf, size, "%llu.%03llu s %s node=%u a=%llu b=%llu", (unsigned long long)(s->at_us / SEC),
             (unsigned long long)(s->at_us % SEC / MSEC), kinds[s->kind].name, s->node, (unsigned long long)s->a,
             (unsigned long long)s->b);
}
