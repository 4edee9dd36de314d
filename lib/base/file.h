/* Files that survive a power cut, reached through directory descriptors. Every function returns 0 or a negative errno
 * unless said otherwise, handles EINTR and short transfers, and opens with O_CLOEXEC | O_NOFOLLOW (bf_read_linked_file
 * without the latter). */
#ifndef BELFRY_BASE_FILE_H
#define BELFRY_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int bf_write_all(int fd, const void *data, size_t size);
int bf_pread_all(int fd, void *data, size_t size, off_t offset); /* -ENODATA when the file is shorter */

/* Reads a whole regular file of at most `max` bytes; *ret is malloc'd, caller frees, a zero byte follows the data.
 * -EFBIG when longer. */
int bf_read_file(int dirfd, const char *name, size_t max, uint8_t **ret, size_t *ret_size);
/* The same through symbolic links, for files whose place the owner of the machine chose. */
int bf_read_linked_file(int dirfd, const char *name, size_t max, uint8_t **ret, size_t *ret_size);

/* Replaces `name` atomically: temporary name (".tmp-…"), write, fdatasync, rename, fsync of the directory. */
int bf_replace_file(int dirfd, const char *name, const void *data, size_t size, mode_t mode);
/* Two files of `dirfd` that belong together: both are written before the first takes its place, so that a full disk
 * leaves the old pair. Where root replaces them their owners stay. */
struct bf_replacement {
    const char *name;
    const void *data;
    size_t size;
};
int bf_replace_pair(int dirfd, const struct bf_replacement pair[static 2], mode_t mode);

/* Opens a directory; `create` makes it (and its parents) with `mode` first and fsyncs the parent. Returns the
 * descriptor, or a negative errno. */
int bf_open_dir(int dirfd, const char *path, int create, mode_t mode);

/* Bytes that an unprivileged process may still write to the file system of `fd`. */
int bf_free_bytes(int fd, uint64_t *ret);

/* A counter that only goes up, kept in file `name` as decimal text: reads it (0 when absent), adds one, stores it
 * durably, returns the new value. -EBADMSG when the file holds something else: the caller must not guess. */
int bf_counter_next(int dirfd, const char *name, uint64_t *ret);
int bf_counter_read(int dirfd, const char *name, uint64_t *ret); /* the same file as it is; 0 when absent */
int bf_counter_store(int dirfd, const char *name, uint64_t value);

#endif
