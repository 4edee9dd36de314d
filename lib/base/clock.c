#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#define LAST_SHOWN_MS 253402300799999U /* 9999-12-31T23:59:59.999Z: RFC 3339 years have four digits */

static uint64_t now_us(clockid_t id)
{
    struct timespec t = { 0 };

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

uint64_t bf_unix_us(void)
{
    return now_us(CLOCK_REALTIME);
}

uint64_t bf_unix_ms(void)
{
    return bf_unix_us() / 1000U;
}

uint64_t bf_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

uint64_t bf_mono_ms(void)
{
    return bf_mono_us() / 1000U;
}

uint64_t bf_boot_ms(void)
{
    return now_us(CLOCK_BOOTTIME) / 1000U;
}

bool bf_clock_synced(void)
{
    const char *said = getenv("BELFRY_CLOCK_SYNCED");
    if (said != NULL && (strcmp(said, "1") == 0 || strcmp(said, "0") == 0))
        return said[0] == '1';

    struct timex t = { .modes = 0 };
    int state = adjtimex(&t);

    return state >= 0 && state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
}

const char *bf_rfc3339(char buf[static 25], uint64_t unix_ms)
{
    uint64_t shown = unix_ms < LAST_SHOWN_MS ? unix_ms : LAST_SHOWN_MS;
    time_t seconds = (time_t)(shown / 1000U);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    size_t n = strftime(buf, 25, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, 25 - n, ".%03uZ", (unsigned)(shown % 1000U));
    return buf;
}
