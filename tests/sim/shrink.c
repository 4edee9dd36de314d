/* A failing history made smaller, and printed so that it can be run again. */
#include <stdio.h>

#include "sim.h"

static uint64_t mask(size_t bits)
{
    return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

static bool fails_without(struct sim_history *h, uint64_t without)
{
    struct sim_history less = *h;

    less.only &= ~without;
    if (less.only == h->only || sim_run(&less))
        return false;
    h->only = less.only;
    return true;
}

/* Leaves out halves, quarters, …, single steps, as long as anything can go. */
void sim_shrink(struct sim_history *h)
{
    h->only &= mask(h->steps);
    for (size_t size = h->steps / 2; size > 0;) {
        bool smaller = false;
        for (size_t at = 0; at < h->steps; at += size)
            smaller |= fails_without(h, mask(size) << at);
        if (!smaller || size > 1)
            size /= 2;
    }
    sim_run(h);
}

void sim_print_failure(const struct sim_history *h)
{
    printf("FAILED seed %llu: %s\n  again: sim --seed %llu --steps %zu --only %llx --trace\n",
           (unsigned long long)h->seed, sim.violation, (unsigned long long)h->seed, h->steps,
           (unsigned long long)h->only);
}

void sim_print_steps(const struct sim_history *h)
{
    static const char *const names[SIM_GATEWAYS] = { "one", "one, and a standby", "two" };
    struct sim_step steps[SIM_STEPS_MAX];
    enum sim_gateways gateways;
    size_t n = sim_script(steps, h->seed, h->steps, &gateways);
    char text[160];

    printf("  gateways: %s\n", names[gateways]);
    for (size_t i = 0; i < n; i++) {
        if ((h->only >> i & 1) == 0)
            continue;
        sim_describe(&steps[i], text, sizeof text);
        printf("  step %zu: %s\n", i, text);
    }
}
