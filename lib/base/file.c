#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/id.h"

#define TEMPORARY_SIZE 32

int bf_write_all(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int bf_pread_all(int fd, void *data, size_t size, off_t offset)
{
    uint8_t *at = data;

    while (size > 0) {
        ssize_t n = pread(fd, at, size, offset);
        if (n == 0)
            return -ENODATA;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            at += n;
            size -= (size_t)n;
            offset += n;
        }
    }
    return 0;
}

static int read_file(int dirfd, const char *name, int flags, size_t max, uint8_t **ret, size_t *ret_size)
{
    /* O_NONBLOCK: a FIFO in the file's place must not hold us; it has no effect on regular files. */
    _cleanup_(bf_closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
    if (fd < 0)
        return -errno;

    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if ((uintmax_t)st.st_size > max)
        return -EFBIG;

    size_t size = (size_t)st.st_size;
    _cleanup_(bf_freep) uint8_t *data = malloc(size + 1);
    if (data == NULL)
        return -ENOMEM;
    int r = bf_pread_all(fd, data, size, 0);
    if (r < 0)
        return r;

    data[size] = 0;
    *ret = BF_TAKE(data);
    *ret_size = size;
    return 0;
}

int bf_read_file(int dirfd, const char *name, size_t max, uint8_t **ret, size_t *ret_size)
{
    return read_file(dirfd, name, O_NOFOLLOW, max, ret, ret_size);
}

int bf_read_linked_file(int dirfd, const char *name, size_t max, uint8_t **ret, size_t *ret_size)
{
    return read_file(dirfd, name, 0, max, ret, ret_size);
}

static int open_parent(int dirfd, const char *name, const char **ret_base)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash != NULL ? slash + 1 : name;
    if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return -EINVAL;

    char parent[PATH_MAX] = ".";
    if (slash != NULL) {
        size_t n = slash == name ? 1 : (size_t)(slash - name);
        if (n >= sizeof parent)
            return -ENAMETOOLONG;
        memcpy(parent, name, n);
        parent[n] = '\0';
    }

    int fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_base = base;
    return fd;
}

static int write_durably(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
    _cleanup_(bf_closep) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;

    int r = bf_write_all(fd, data, size);
    if (r == 0 && fchmod(fd, mode) < 0) /* the umask has no say in what the caller asked for */
        r = -errno;
    if (r == 0 && fdatasync(fd) < 0)
        r = -errno;
    return r;
}

/* What root replaces goes on belonging to whom it belonged, who has to read it. */
static int keep_owner(int dirfd, const char *name, const char *temporary)
{
    struct stat st;
    if (geteuid() != 0 || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid == 0)
        return 0;
    return fchownat(dirfd, temporary, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* What is to become `f->name`, under a temporary name: the caller takes it away when this fails. */
static int write_aside(int dirfd, const struct bf_replacement *f, mode_t mode, char ret[static TEMPORARY_SIZE])
{
    uint64_t unique;
    ret[0] = '\0';
    int r = bf_random(&unique, sizeof unique);
    if (r < 0)
        return r;

    snprintf(ret, TEMPORARY_SIZE, ".tmp-%016" PRIx64, unique);
    return write_durably(dirfd, ret, f->data, f->size, mode);
}

int bf_replace_pair(int dirfd, const struct bf_replacement pair[static 2], mode_t mode)
{
    char temporary[2][TEMPORARY_SIZE] = { "", "" };
    int r = 0;
    for (size_t i = 0; r == 0 && i < 2; i++)
        r = write_aside(dirfd, &pair[i], mode, temporary[i]);
    for (size_t i = 0; r == 0 && i < 2; i++)
        r = keep_owner(dirfd, pair[i].name, temporary[i]);
    for (size_t i = 0; r == 0 && i < 2; i++)
        if (renameat(dirfd, temporary[i], dirfd, pair[i].name) < 0)
            r = -errno;
    for (size_t i = 0; r < 0 && i < 2; i++)
        if (temporary[i][0] != '\0')
            unlinkat(dirfd, temporary[i], 0);
    return r == 0 && fsync(dirfd) < 0 ? -errno : r;
}

int bf_replace_file(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
    const char *base = NULL;
    _cleanup_(bf_closep) int dir = open_parent(dirfd, name, &base);
    if (dir < 0)
        return dir;

    char temporary[TEMPORARY_SIZE];
    int r = write_aside(dir, &(struct bf_replacement){ base, data, size }, mode, temporary);
    if (r == 0 && renameat(dir, temporary, dir, base) < 0)
        r = -errno;
    if (r < 0) {
        if (temporary[0] != '\0')
            unlinkat(dir, temporary, 0);
        return r;
    }
    return fsync(dir) < 0 ? -errno : 0;
}

/* Makes one directory and its entry durable; that it is there already is no error. */
static int make_dir(int dirfd, const char *path, mode_t mode)
{
    if (mkdirat(dirfd, path, mode) < 0)
        return errno == EEXIST ? 0 : -errno;

    const char *base = NULL;
    _cleanup_(bf_closep) int parent = open_parent(dirfd, path, &base);
    if (parent < 0)
        return parent;
    return fsync(parent) < 0 ? -errno : 0;
}

static int make_dirs(int dirfd, const char *path, mode_t mode)
{
    char upto[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof upto)
        return n == 0 ? -ENOENT : -ENAMETOOLONG;
    memcpy(upto, path, n + 1);
    while (n > 1 && upto[n - 1] == '/')
        upto[--n] = '\0';

    for (char *slash = strchr(upto + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int r = faccessat(dirfd, upto, F_OK, 0) == 0 ? 0 : make_dir(dirfd, upto, mode);
        *slash = '/';
        if (r < 0)
            return r;
    }
    return faccessat(dirfd, upto, F_OK, 0) == 0 ? 0 : make_dir(dirfd, upto, mode);
}

int bf_open_dir(int dirfd, const char *path, int create, mode_t mode)
{
    if (create) {
        int r = make_dirs(dirfd, path, mode);
        if (r < 0)
            return r;
    }

    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int bf_free_bytes(int fd, uint64_t *ret)
{
    struct statvfs st;

    if (fstatvfs(fd, &st) < 0)
        return -errno;
    *ret = (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;
    return 0;
}

/* Digits and at most one newline; nothing else was ever written there. */
static int parse_counter(uint64_t *ret, const uint8_t *text, size_t size)
{
    if (size > 0 && text[size - 1] == '\n')
        size--;
    if (size == 0)
        return -EBADMSG;

    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EBADMSG;
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return -EBADMSG;
    }
    *ret = value;
    return 0;
}

int bf_counter_read(int dirfd, const char *name, uint64_t *ret)
{
    _cleanup_(bf_freep) uint8_t *text = NULL;
    size_t size = 0;

    int r = bf_read_file(dirfd, name, 32, &text, &size);
    if (r == -ENOENT) {
        *ret = 0;
        return 0;
    }
    if (r < 0)
        return r == -EFBIG ? -EBADMSG : r;
    return parse_counter(ret, text, size);
}

int bf_counter_store(int dirfd, const char *name, uint64_t value)
{
    char line[24];
    int n = snprintf(line, sizeof line, "%" PRIu64 "\n", value);

    return bf_replace_file(dirfd, name, line, (size_t)n, 0600);
}

int bf_counter_next(int dirfd, const char *name, uint64_t *ret)
{
    uint64_t value;

    int r = bf_counter_read(dirfd, name, &value);
    if (r == 0 && value == UINT64_MAX)
        r = -EBADMSG;
    if (r == 0)
        r = bf_counter_store(dirfd, name, value + 1);
    if (r == 0)
        *ret = value + 1;
    return r;
}
