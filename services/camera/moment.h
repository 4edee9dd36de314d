/* When a picture was taken, from a sensor's time stamp. Pure. */
#ifndef BELFRY_CAMERA_MOMENT_H
#define BELFRY_CAMERA_MOMENT_H

#include <stdint.h>

/* The clocks, read together, microseconds. */
struct bf_now {
    uint64_t unix_us, mono_us, boot_us;
};

struct bf_moment {
    uint64_t capture_us; /* Unix time */
    uint64_t mono_us;
};

/* `sensor_us` counts since boot, on CLOCK_BOOTTIME by libcamera's documentation and on CLOCK_MONOTONIC in most kernel
 * drivers; the two differ by the time the machine slept. Whichever makes the picture younger is meant. 0 (none), the
 * future, and anything older than two seconds on both are not believed: then the moment is `now`. */
struct bf_moment bf_moment_of(uint64_t sensor_us, const struct bf_now *now);

#endif
