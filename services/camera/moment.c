#include "camera/moment.h"

enum { OLDEST_US = 2000000 };

/* Age on one clock; UINT64_MAX where it cannot be. */
static uint64_t age_on(uint64_t clock_us, uint64_t sensor_us)
{
    if (sensor_us == 0 || sensor_us > clock_us || clock_us - sensor_us > OLDEST_US)
        return UINT64_MAX;

    return clock_us - sensor_us;
}

struct bf_moment bf_moment_of(uint64_t sensor_us, const struct bf_now *now)
{
    uint64_t mono = age_on(now->mono_us, sensor_us);
    uint64_t boot = age_on(now->boot_us, sensor_us);
    uint64_t age = mono < boot ? mono : boot;

    if (age == UINT64_MAX)
        age = 0;

    return (struct bf_moment){ .capture_us = now->unix_us - age, .mono_us = now->mono_us - age };
}
