/* LD_PRELOAD: a disk that fails, for one process, where and as a file says that a test may change at any moment.
 *
 * BELFRY_TEST_DISK names the file: a struct control in the machine's byte order. While `kinds` is 0 nothing is touched.
 * Else each call of one of the kinds on a path that `pattern` fits (fnmatch, absolute paths, '*' crosses slashes) fails
 * with `error` and is counted. A write that is `torn` leaves the first half of its bytes behind, as a real one may.
 * With a file that cannot be mapped the process ends, so that no test measures nothing. */
#define _GNU_SOURCE /* RTLD_NEXT, O_TMPFILE */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4, CREATE = 8, READ_OPEN = 16, TRUNCATE = 32, MKDIR = 64, REMOVE = 128 };

struct control {
    _Atomic uint32_t kinds; /* written last by the test */
    int32_t error;
    uint32_t torn;
    _Atomic uint32_t hits;
    char pattern[496];
};

static struct control idle;
static struct control *control = &idle;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("BELFRY_TEST_DISK");
    if (path == NULL)
        return;

    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof idle, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        fprintf(stderr, "disk_faults: %s: %s\n", path, strerror(errno));
        _exit(99);
    }
    close(fd);
    control = mapped;
}

static bool asked(uint32_t kind)
{
    return (atomic_load_explicit(&control->kinds, memory_order_acquire) & kind) != 0;
}

static bool fits(const char *path)
{
    if (fnmatch(control->pattern, path, 0) != 0)
        return false;
    atomic_fetch_add(&control->hits, 1);
    errno = control->error;
    return true;
}

static bool path_of(char ret[PATH_MAX], int fd)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, ret, PATH_MAX - 1);
    ret[n > 0 ? n : 0] = '\0';
    return n > 0 && ret[0] == '/';
}

static bool fails(uint32_t kind, int fd)
{
    char path[PATH_MAX];
    int kept = errno;
    if (!asked(kind))
        return false;
    if (path_of(path, fd) && fits(path))
        return true;
    errno = kept;
    return false;
}

static bool fails_at(uint32_t kind, int dirfd, const char *name)
{
    char path[2 * PATH_MAX], base[PATH_MAX] = "";
    int kept = errno;
    if (!asked(kind))
        return false;
    if (name[0] != '/' && !(dirfd == AT_FDCWD ? getcwd(base, sizeof base) != NULL : path_of(base, dirfd)))
        return false;
    snprintf(path, sizeof path, "%s%s%s", base, name[0] == '/' ? "" : "/", name);
    if (fits(path))
        return true;
    errno = kept;
    return false;
}

/* The next one in line: libc's, or that of a sanitizer's runtime in front of it. */
#define NEXT(name)                                                                                                     \
    static __typeof__(&name) next;                                                                                     \
    if (next == NULL)                                                                                                  \
    next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static uint32_t kind_of(int flags)
{
    return (flags & O_ACCMODE) == O_RDONLY ? READ_OPEN : CREATE;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    NEXT(open);
    return fails_at(kind_of(flags), AT_FDCWD, path) ? -1 : next(path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    NEXT(openat);
    return fails_at(kind_of(flags), dirfd, path) ? -1 : next(dirfd, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t size)
{
    NEXT(write);
    if (!fails(WRITE, fd))
        return next(fd, data, size);
    int error = errno;
    if (control->torn != 0 && next(fd, data, size / 2) < 0)
        return -1;
    errno = error;
    return -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    NEXT(pwrite);
    return fails(WRITE, fd) ? -1 : next(fd, data, size, offset);
}

int fsync(int fd)
{
    NEXT(fsync);
    return fails(SYNC, fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    return fails(SYNC, fd) ? -1 : next(fd);
}

int ftruncate(int fd, off_t size)
{
    NEXT(ftruncate);
    return fails(TRUNCATE, fd) ? -1 : next(fd, size);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    NEXT(renameat);
    return fails_at(RENAME, to_dir, to) ? -1 : next(from_dir, from, to_dir, to);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    NEXT(mkdirat);
    return fails_at(MKDIR, dirfd, path) ? -1 : next(dirfd, path, mode);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    NEXT(unlinkat);
    return fails_at(REMOVE, dirfd, path) ? -1 : next(dirfd, path, flags);
}
