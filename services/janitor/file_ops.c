#include "janitor/file_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static int real_create(void *user, int dirfd, const char *name)
{
    (void)user;
    int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd >= 0 ? fd : -errno;
}

static int real_write(void *user, int fd, const void *data, size_t size)
{
    (void)user;
    return bf_write_all(fd, data, size);
}

static int real_sync(void *user, int fd)
{
    (void)user;
    return fdatasync(fd) == 0 ? 0 : -errno;
}

static int real_rename(void *user, int dirfd, const char *from, const char *to)
{
    (void)user;
    return renameat(dirfd, from, dirfd, to) == 0 ? 0 : -errno;
}

static int real_sync_dir(void *user, int dirfd)
{
    (void)user;
    return fsync(dirfd) == 0 ? 0 : -errno;
}

static int real_remove(void *user, int dirfd, const char *name)
{
    (void)user;
    return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

static int real_remove_dir(void *user, int dirfd, const char *name)
{
    (void)user;
    return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

static int real_export_mp4(void *user, int dirfd, const struct bf_export_run *runs, size_t n_runs, int out_fd,
                           _Atomic unsigned *progress_percent, const atomic_bool *cancel, struct bf_error *e)
{
    (void)user;
    return bf_export_mp4(dirfd, runs, n_runs, out_fd, progress_percent, cancel, e);
}

static int real_export_jpeg(void *user, int dirfd, const char *init, const char *segment, uint64_t offset,
                            uint64_t length, uint32_t max_width, uint8_t **ret, size_t *ret_size, struct bf_error *e)
{
    (void)user;
    return bf_export_jpeg(dirfd, init, segment, offset, length, max_width, ret, ret_size, e);
}

const struct bf_file_ops bf_file_ops_real = { .create = real_create,
                                              .write = real_write,
                                              .sync = real_sync,
                                              .rename = real_rename,
                                              .sync_dir = real_sync_dir,
                                              .remove = real_remove,
                                              .remove_dir = real_remove_dir,
                                              .export_mp4 = real_export_mp4,
                                              .export_jpeg = real_export_jpeg };

int bf_ops_replace(const struct bf_file_ops *ops, int dirfd, const char *temporary, const char *name, const void *data,
                   size_t size)
{
    int r = ops->remove(ops->user, dirfd, temporary);
    if (r < 0)
        return r;
    _cleanup_(bf_closep) int fd = ops->create(ops->user, dirfd, temporary);
    if (fd < 0)
        return fd;

    r = ops->write(ops->user, fd, data, size);
    if (r == 0)
        r = ops->sync(ops->user, fd);
    if (r == 0)
        r = ops->rename(ops->user, dirfd, temporary, name);
    if (r < 0) {
        ops->remove(ops->user, dirfd, temporary);
        return r;
    }
    return ops->sync_dir(ops->user, dirfd);
}
