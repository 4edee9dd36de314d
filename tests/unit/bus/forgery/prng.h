/* A seeded generator, so that every run can be had again: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
 * Number Generators, OOPSLA 2014). */
#ifndef BELFRY_TESTS_FORGERY_PRNG_H
#define BELFRY_TESTS_FORGERY_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *p)
{
    uint64_t z = p->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 … n - 1; the bias of the remainder does not matter here. */
static inline uint32_t prng_below(struct prng *p, uint32_t n)
{
    return (uint32_t)(prng_next(p) % n);
}

static inline bool prng_chance(struct prng *p, uint32_t percent)
{
    return prng_below(p, 100) < percent;
}

#endif
