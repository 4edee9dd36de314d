/* Every step that changes a session's directory goes through this table, so that tests can end the process, fill the
 * disk or pull the plug at any one of them. 0 or a negative errno. */
#ifndef BELFRY_JANITOR_FILE_OPS_H
#define BELFRY_JANITOR_FILE_OPS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "media/export.h"

struct bf_file_ops {
    int (*create)(void *user, int dirfd, const char *name); /* a new file, for writing: its descriptor */
    int (*write)(void *user, int fd, const void *data, size_t size);
    int (*sync)(void *user, int fd); /* fdatasync */
    int (*rename)(void *user, int dirfd, const char *from, const char *to);
    int (*sync_dir)(void *user, int dirfd);
    int (*remove)(void *user, int dirfd, const char *name); /* that it is gone already is no error */
    int (*remove_dir)(void *user, int dirfd, const char *name);
    int (*export_mp4)(void *user, int dirfd, const struct bf_export_run *runs, size_t n_runs, int out_fd,
                      _Atomic unsigned *progress_percent, const atomic_bool *cancel, struct bf_error *e);
    int (*export_jpeg)(void *user, int dirfd, const char *init, const char *segment, uint64_t offset, uint64_t length,
                       uint32_t max_width, uint8_t **ret, size_t *ret_size, struct bf_error *e);
    void *user;
};

extern const struct bf_file_ops bf_file_ops_real;

/* `name` whole or not at all: temporary name, write, sync, rename, sync of the directory. */
int bf_ops_replace(const struct bf_file_ops *ops, int dirfd, const char *temporary, const char *name, const void *data,
                   size_t size);

#endif
