/* LD_PRELOAD: the wall clock of one process, off by as much as a file says, which a test may change at any moment.
 *
 * CLOCK_REALTIME (and its coarse form), time(), gettimeofday() are off; CLOCK_MONOTONIC and CLOCK_BOOTTIME are the
 * machine's own. A wait on a condition variable with a deadline on the wall clock ends when that clock, as the process
 * sees it, gets there: a step lengthens or shortens it, as the kernel's step would.
 *
 * BELFRY_TEST_CLOCK names the file: 8 bytes, nanoseconds to add, in the machine's byte order. Without it nothing is off;
 * with one that cannot be mapped the process ends, so that no test measures nothing. */
#define _GNU_SOURCE /* dlvsym */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define LOOK_AGAIN_NS (SECOND_NS / 20)

typedef int clock_gettime_fn(clockid_t id, struct timespec *t);
typedef int timedwait_fn(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);

static const _Atomic int64_t none;
static const _Atomic int64_t *offset_ns = &none;
static _Atomic(clock_gettime_fn *) real_clock_gettime;
static _Atomic(timedwait_fn *) real_timedwait;

static void *next(const char *name, const char *version)
{
    void *found = version != NULL ? dlvsym(RTLD_NEXT, name, version) : NULL;

    return found != NULL ? found : dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("BELFRY_TEST_CLOCK");
    if (path == NULL)
        return;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        fprintf(stderr, "clock_shim: BELFRY_TEST_CLOCK=%s cannot be mapped\n", path);
        _exit(127);
    }
    close(fd);
    offset_ns = page;
}

static int machine_time(clockid_t id, struct timespec *t)
{
    clock_gettime_fn *fn = atomic_load(&real_clock_gettime);

    if (fn == NULL) {
        fn = (clock_gettime_fn *)next("clock_gettime", NULL);
        atomic_store(&real_clock_gettime, fn);
    }
    return fn(id, t);
}

static int64_t to_ns(const struct timespec *t)
{
    return t->tv_sec * SECOND_NS + t->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    return (struct timespec){ .tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS };
}

static int64_t now_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return to_ns(&t);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int r = machine_time(id, t);

    if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        *t = from_ns(to_ns(t) + atomic_load(offset_ns));
    return r;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    int64_t us = now_ns(CLOCK_REALTIME) / 1000;

    (void)zone;
    *t = (struct timeval){ .tv_sec = us / 1000000, .tv_usec = us % 1000000 };
    return 0;
}

time_t time(time_t *ret)
{
    time_t seconds = now_ns(CLOCK_REALTIME) / SECOND_NS;

    if (ret != NULL)
        *ret = seconds;
    return seconds;
}

static uint64_t distance(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)(a - b) : (uint64_t)(b - a);
}

/* Nothing tells from outside which clock a condition variable goes by: its deadline is near the one that it means. */
static int is_on_wall_clock(int64_t until_ns)
{
    return distance(until_ns, now_ns(CLOCK_REALTIME)) < distance(until_ns, now_ns(CLOCK_MONOTONIC));
}

int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m,
                           const struct timespec *restrict until)
{
    timedwait_fn *fn = atomic_load(&real_timedwait);
    int64_t until_ns = to_ns(until), left_ns;

    if (fn == NULL) {
        fn = (timedwait_fn *)next("pthread_cond_timedwait", "GLIBC_2.3.2");
        atomic_store(&real_timedwait, fn);
    }
    if (!is_on_wall_clock(until_ns))
        return fn(c, m, until);
    while ((left_ns = until_ns - now_ns(CLOCK_REALTIME)) > 0) {
        struct timespec machine;

        machine_time(CLOCK_REALTIME, &machine);
        machine = from_ns(to_ns(&machine) + (left_ns < LOOK_AGAIN_NS ? left_ns : LOOK_AGAIN_NS));
        int r = fn(c, m, &machine);
        if (r != ETIMEDOUT)
            return r;
    }
    return ETIMEDOUT;
}
