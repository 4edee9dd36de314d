/* What a process does to the world, step by step: files are changed through these functions of libc, which the
 * linker leads here (--wrap), messages are published in mqtt.c. A process that is killed does so many more of them,
 * then none. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim.h"

bool sim_effect_lost(void)
{
    struct sim_node *n = sim.current;

    if (n == NULL || n->effects_left == SIM_NO_END)
        return false;
    if (n->effects_left > 0) {
        n->effects_left--;
        return false;
    }
    n->dead = true;
    return true;
}

static int lost(void)
{
    errno = EIO;
    return -1;
}

int __real_openat(int dirfd, const char *path, int flags, ...);
int __wrap_openat(int dirfd, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to);
int __wrap_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to);
int __real_unlinkat(int dirfd, const char *path, int flags);
int __wrap_unlinkat(int dirfd, const char *path, int flags);
int __real_mkdirat(int dirfd, const char *path, mode_t mode);
int __wrap_mkdirat(int dirfd, const char *path, mode_t mode);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);

int __wrap_openat(int dirfd, const char *path, int flags, ...)
{
    va_list args;

    if ((flags & O_CREAT) == 0)
        return __real_openat(dirfd, path, flags);
    if (sim_effect_lost())
        return lost();
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    return __real_openat(dirfd, path, flags, mode);
}

/* The last write of a process may come to the disk in part. */
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    bool was_dead = sim.current != NULL && sim.current->dead;

    if (!sim_effect_lost())
        return __real_write(fd, data, size);
    if (!was_dead && size > 1 && sim_chance(30) && __real_write(fd, data, 1 + (size_t)sim_random(size - 1)) < 0)
        return -1;
    return lost();
}

int __wrap_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
    return sim_effect_lost() ? lost() : __real_renameat(from_dirfd, from, to_dirfd, to);
}

int __wrap_unlinkat(int dirfd, const char *path, int flags)
{
    return sim_effect_lost() ? lost() : __real_unlinkat(dirfd, path, flags);
}

int __wrap_mkdirat(int dirfd, const char *path, mode_t mode)
{
    return sim_effect_lost() ? lost() : __real_mkdirat(dirfd, path, mode);
}

int __wrap_ftruncate(int fd, off_t size)
{
    return sim_effect_lost() ? lost() : __real_ftruncate(fd, size);
}
