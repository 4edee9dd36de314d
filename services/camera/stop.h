/* A stop flag that threads can also wait on: raised once, from any thread, it ends every wait at once and stays up. */
#ifndef BELFRY_CAMERA_STOP_H
#define BELFRY_CAMERA_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bf_stop {
    int fd; /* eventfd, readable once raised; never read */
    atomic_bool raised;
};

int bf_stop_init(struct bf_stop *s);
void bf_stop_done(struct bf_stop *s);
void bf_stop_raise(struct bf_stop *s);
bool bf_stop_raised(const struct bf_stop *s);

/* Waits until `mono_us` (CLOCK_MONOTONIC): 0 when the time has come, -ECANCELED as soon as the flag is up. */
int bf_stop_wait_until(const struct bf_stop *s, uint64_t mono_us);
/* The same, but 1 as soon as `fd` is readable. */
int bf_stop_wait_fd(const struct bf_stop *s, int fd, uint64_t mono_us);

#endif
