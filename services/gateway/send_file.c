#include "gateway/request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

#define CHUNK 65536

static int gone(struct bf_request *r)
{
    return bf_problem(r, 404, "not_found", "There is nothing here (any more).");
}

/* Bytes of a file after the header, chunk by chunk; a file that ends early ends the connection, so that the client sees
 * that something is missing. */
static int send_bytes(struct bf_request *r, int fd, uint64_t offset, uint64_t length)
{
    _cleanup_(bf_freep) char *chunk = malloc(CHUNK);

    while (chunk != NULL && length > 0) {
        size_t n = length < CHUNK ? (size_t)length : CHUNK;

        if (bf_pread_all(fd, chunk, n, (off_t)offset) < 0)
            break;
        if (bf_send(r, chunk, n) < 0)
            return -EPIPE;
        bf_metrics_sent(r->app->metrics, n);
        offset += n;
        length -= n;
    }
    if (length > 0)
        r->close = true;
    return 0;
}

/* A small body goes out with its header in one write. */
static int send_small(struct bf_request *r, int fd, uint64_t offset, struct bf_response *a)
{
    _cleanup_(bf_freep) char *body = malloc(a->size);

    if (body == NULL)
        return bf_problem_for(r, 503, "no_memory", 1, 0, "There is no memory to read the file.");
    int failed = bf_pread_all(fd, body, a->size, (off_t)offset);
    if (failed == -ENODATA)
        return gone(r);
    if (failed < 0)
        return bf_problem(r, 500, "read_failed", "The file could not be read: %s.", strerror(-failed));
    a->body = body;
    return bf_respond(r, a);
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

static int send_open_file(struct bf_request *r, int fd, uint64_t offset, uint64_t length, const struct bf_response *a)
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
    if (r->method == BF_HEAD || b.size == 0)
        return bf_respond(r, &b);
    if (b.size <= CHUNK)
        return send_small(r, fd, offset, &b);
    if (bf_respond_head(r, &b) == 0)
        send_bytes(r, fd, offset, b.size);
    return b.status;
}

static int open_file(int dirfd, const char *name, struct stat *ret)
{
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || (fstat(fd, ret) == 0 && S_ISREG(ret->st_mode)))
        return fd;
    close(fd);
    return -1;
}

int bf_send_file(struct bf_request *r, int dirfd, const char *name, uint64_t offset, uint64_t length,
                 const struct bf_response *a)
{
    struct stat st;
    _cleanup_(bf_closep) int fd = open_file(dirfd, name, &st);

    if (fd < 0 || (uint64_t)st.st_size < offset + length)
        return gone(r);
    return send_open_file(r, fd, offset, length, a);
}

int bf_send_whole_file(struct bf_request *r, int dirfd, const char *name, const struct bf_response *a)
{
    struct bf_response b = *a;
    struct stat st;
    char etag[64];
    _cleanup_(bf_closep) int fd = open_file(dirfd, name, &st);

    if (fd < 0)
        return gone(r);
    snprintf(etag, sizeof etag, "\"%" PRIx64 "-%" PRIx64 ".%lx\"", (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
             (unsigned long)st.st_mtim.tv_nsec);
    b.etag = etag;
    return send_open_file(r, fd, 0, (uint64_t)st.st_size, &b);
}
