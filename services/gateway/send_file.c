#include "gateway/request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

static int gone(struct bf_request *r)
{
    return bf_problem(r, 404, "not_found", "There is nothing here (any more).");
}

/* The part of `length` bytes that the request asks for. False: none; it has been answered, *ret_status says how. */
static bool choose_range(struct bf_request *r, uint64_t length, const struct bf_response *a, struct bf_range *ret,
                         int *ret_status)
{
    const char *condition = bf_request_header(r, "If-Range");
    bool current = condition == NULL || (a->etag != NULL && strcmp(condition, a->etag) == 0);
    char content_range[64];

    *ret = bf_range_parse(current ? bf_request_header(r, "Range") : NULL, length);
    if (ret->kind != BF_RANGE_UNSATISFIABLE)
        return true;
    snprintf(content_range, sizeof content_range, "bytes */%" PRIu64, length);
    *ret_status = bf_respond(r, &(struct bf_response){ .status = 416, .content_range = content_range });
    return false;
}

/* Out of `data`, or where that is NULL out of the file. */
static int send_asked(struct bf_request *r, int fd, const char *data, uint64_t offset, uint64_t length,
                      const struct bf_response *a)
{
    struct bf_response b = *a;
    struct bf_range range;
    char content_range[80];
    int status;

    b.status = 200;
    b.accept_ranges = true;
    b.size = (size_t)length;
    if (a->etag != NULL && bf_etag_matches(bf_request_header(r, "If-None-Match"), a->etag)) {
        b.status = 304;
        return bf_respond(r, &b);
    }
    if (!choose_range(r, length, a, &range, &status))
        return status;
    if (range.kind == BF_RANGE_SLICE) {
        snprintf(content_range, sizeof content_range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first,
                 range.first + range.length - 1, length);
        b.status = 206;
        b.content_range = content_range;
        b.size = (size_t)range.length;
        offset += range.first;
    }
    b.body = data == NULL ? NULL : data + offset;
    if (data != NULL || r->method == BF_HEAD || b.size == 0)
        return bf_respond(r, &b);
    return bf_respond_from_file(r, &b, fd, offset);
}

/* A file that is not there, or could not be opened just now. */
static int not_opened(struct bf_request *r, int error)
{
    if (error == -EMFILE || error == -ENFILE)
        return bf_problem_for(r, 503, "busy", 1, 0, "Too many files are open.");
    if (error == -EIO || error == -ENOMEM)
        return bf_problem_for(
            r, 503, "storage_failed", 1, 0,
            "The file is there, but cannot be read: try again; if that does not help, check the disk.");
    return gone(r);
}

/* A descriptor, or a negative errno. */
static int open_file(int dirfd, const char *name, struct stat *ret)
{
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (fstat(fd, ret) == 0 && S_ISREG(ret->st_mode))
        return fd;
    close(fd);
    return -ENOENT;
}

int bf_send_file(struct bf_request *r, int dirfd, const char *name, uint64_t offset, uint64_t length,
                 const struct bf_response *a)
{
    struct stat st;
    _cleanup_(bf_closep) int fd = open_file(dirfd, name, &st);

    if (fd < 0)
        return not_opened(r, fd);
    if ((uint64_t)st.st_size < offset + length)
        return gone(r);
    return send_asked(r, fd, NULL, offset, length, a);
}

int bf_send_blob(struct bf_request *r, const struct bf_blob *blob, const struct bf_response *a)
{
    return send_asked(r, -1, blob->data, 0, blob->size, a);
}

int bf_send_whole_file(struct bf_request *r, int dirfd, const char *name, const struct bf_response *a)
{
    struct bf_response b = *a;
    struct stat st;
    char etag[64];
    _cleanup_(bf_closep) int fd = open_file(dirfd, name, &st);

    if (fd < 0)
        return not_opened(r, fd);
    snprintf(etag, sizeof etag, "\"%" PRIx64 "-%" PRIx64 ".%lx\"", (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
             (unsigned long)st.st_mtim.tv_nsec);
    b.etag = etag;
    return send_asked(r, fd, NULL, 0, (uint64_t)st.st_size, &b);
}
