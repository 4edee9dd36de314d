#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 0: go on. */
static int step(struct faults *f)
{
    if (f->dead)
        return -EIO;
    if (++f->step != f->fail_at)
        return 0;
    f->dead = f->crash;
    return f->error;
}

static int fault_create(void *user, int dirfd, const char *name)
{
    int r = step(user);
    return r < 0 ? r : bf_file_ops_real.create(NULL, dirfd, name);
}

static int fault_write(void *user, int fd, const void *data, size_t size)
{
    struct faults *f = user;
    bool alive = !f->dead;
    int r = step(f);
    if (r < 0 && alive && f->half_write)
        bf_file_ops_real.write(NULL, fd, data, size / 2);
    return r < 0 ? r : bf_file_ops_real.write(NULL, fd, data, size);
}

static int fault_sync(void *user, int fd)
{
    int r = step(user);
    return r < 0 ? r : bf_file_ops_real.sync(NULL, fd);
}

static int fault_rename(void *user, int dirfd, const char *from, const char *to)
{
    int r = step(user);
    return r < 0 ? r : bf_file_ops_real.rename(NULL, dirfd, from, to);
}

static int fault_sync_dir(void *user, int dirfd)
{
    int r = step(user);
    return r < 0 ? r : bf_file_ops_real.sync_dir(NULL, dirfd);
}

static int fault_remove(void *user, int dirfd, const char *name)
{
    int r = step(user);
    return r < 0 ? r : bf_file_ops_real.remove(NULL, dirfd, name);
}

static int fault_remove_dir(void *user, int dirfd, const char *name)
{
    int r = step(user);
    return r < 0 ? r : bf_file_ops_real.remove_dir(NULL, dirfd, name);
}

static int fault_export_mp4(void *user, int dirfd, const struct bf_export_run *runs, size_t n_runs, int out_fd,
                            _Atomic unsigned *progress_percent, const atomic_bool *cancel, struct bf_error *e)
{
    (void)dirfd;
    (void)runs;
    (void)cancel;
    int r = fault_write(user, out_fd, "made-up download", 16);
    if (progress_percent != NULL)
        atomic_store(progress_percent, 100);
    return r < 0 ? bf_fail(e, r, "made-up failure of %zu runs", n_runs) : 0;
}

static int fault_export_jpeg(void *user, int dirfd, const char *init, const char *segment, uint64_t offset,
                             uint64_t length, uint32_t max_width, uint8_t **ret, size_t *ret_size, struct bf_error *e)
{
    (void)dirfd;
    (void)init;
    (void)segment;
    (void)offset;
    (void)length;
    (void)max_width;
    int r = step(user);
    if (r < 0)
        return bf_fail(e, r, "made-up failure");
    *ret = (uint8_t *)strdup("made-up poster");
    *ret_size = strlen("made-up poster");
    return *ret != NULL ? 0 : -ENOMEM;
}

struct bf_file_ops faults_ops(struct faults *f)
{
    return (struct bf_file_ops){ .create = fault_create,
                                 .write = fault_write,
                                 .sync = fault_sync,
                                 .rename = fault_rename,
                                 .sync_dir = fault_sync_dir,
                                 .remove = fault_remove,
                                 .remove_dir = fault_remove_dir,
                                 .export_mp4 = fault_export_mp4,
                                 .export_jpeg = fault_export_jpeg,
                                 .user = f };
}
