/* Clocks, randomness, the room on the disk and the log, as the code under test sees them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "sim.h"

#define UNIX_START_MS 1767225600000U /* 2026-01-01 */

static const struct sim_host *host(void)
{
    static const struct sim_host exact = { .synced = true };

    return sim.current != NULL ? &sim.hosts[sim.current->host] : &exact;
}

uint64_t bf_mono_us(void)
{
    return 1000 * SEC + sim.now_us - host()->slept_us;
}

uint64_t bf_mono_ms(void)
{
    return bf_mono_us() / MSEC;
}

uint64_t bf_boot_ms(void)
{
    return (1005 * SEC + sim.now_us) / MSEC; /* the machines have slept a little before, too */
}

uint64_t bf_unix_us(void)
{
    return (UNIX_START_MS + (uint64_t)host()->wall_offset_ms) * MSEC + sim.now_us;
}

uint64_t bf_unix_ms(void)
{
    return bf_unix_us() / MSEC;
}

bool bf_clock_synced(void)
{
    return host()->synced;
}

const char *bf_rfc3339(char buf[static 25], uint64_t unix_ms)
{
    snprintf(buf, 25, "%llu", (unsigned long long)unix_ms);
    return buf;
}

/* For lib/base/id.c, and whoever else in the process asks. */
ssize_t getrandom(void *buf, size_t size, unsigned flags)
{
    uint8_t *to = buf;

    (void)flags;
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)sim_random(256);
    return (ssize_t)size;
}

/* States tell how much room there is: always the same. */
int __wrap_fstatvfs(int fd, struct statvfs *ret);
int __wrap_fstatvfs(int fd, struct statvfs *ret)
{
    (void)fd;
    *ret = (struct statvfs){ .f_frsize = 4096, .f_blocks = 1U << 24, .f_bfree = 1U << 23, .f_bavail = 1U << 23 };
    return 0;
}

/* --- the log --- */

void bf_log_init(const char *service, const char *node, enum bf_log_level least)
{
    (void)service;
    (void)node;
    (void)least;
}

int bf_log_level_parse(enum bf_log_level *ret, const char *word)
{
    (void)word;
    *ret = BF_LOG_DEBUG;
    return 0;
}

void bf_log(enum bf_log_level level, const char *msg, const char *fields, ...)
{
    char text[600] = "";
    va_list args;

    (void)level;
    if (!sim.trace)
        return;
    if (fields != NULL) {
        va_start(args, fields);
        vsnprintf(text, sizeof text, fields, args);
        va_end(args);
    }
    sim_say("  %s %s", msg, text);
}

const char *bf_log_quote(char *buf, unsigned long size, const char *text)
{
    snprintf(buf, size, "\"%s\"", text);
    return buf;
}

int bf_log_allow(struct bf_log_limit *limit, uint64_t now_ms, uint64_t interval_ms, uint64_t *ret_suppressed)
{
    (void)now_ms;
    (void)interval_ms;
    *ret_suppressed = limit->suppressed;
    return sim.trace;
}
