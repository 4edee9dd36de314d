/* Condition variables with deadlines on the monotonic clock. */
#ifndef BELFRY_GATEWAY_COND_H
#define BELFRY_GATEWAY_COND_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

static inline int bf_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int r = pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
    return -r;
}

/* 0, or ETIMEDOUT (positive, as pthread has it) once bf_mono_us() has reached `until_us`. */
static inline int bf_cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t until_us)
{
    const struct timespec until = {
        .tv_sec = (time_t)(until_us / 1000000),
        .tv_nsec = (long)(until_us % 1000000 * 1000),
    };

    return pthread_cond_timedwait(c, lock, &until);
}

#endif
