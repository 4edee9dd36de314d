#include "gateway/sending.h"

#include <errno.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/clock.h"

#define FILE_CHUNK (1024 * 1024)

void bf_pace_begin(struct bf_pace *p, uint32_t patience_ms)
{
    p->patience_ms = p->left_ms = patience_ms;
}

void bf_pace_waited(struct bf_pace *p, uint64_t ms)
{
    p->left_ms = ms < p->left_ms ? p->left_ms - (uint32_t)ms : 0;
}

void bf_pace_taken(struct bf_pace *p, size_t bytes)
{
    uint64_t left_ms = p->left_ms + (uint64_t)bytes * 1000 / BF_PACE_BYTES_PER_S;

    p->left_ms = left_ms < p->patience_ms ? (uint32_t)left_ms : p->patience_ms;
}

/* Until the socket takes more. */
static int wait_for_room(int fd, struct bf_pace *pace)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    uint64_t began_ms = bf_mono_ms();

    if (pace->left_ms == 0)
        return -ETIMEDOUT;
    int n = poll(&p, 1, (int)pace->left_ms);
    bf_pace_waited(pace, bf_mono_ms() - began_ms);
    if (n < 0 && errno != EINTR)
        return -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

/* What a failed send or sendfile means: 0 to try again. */
static int after_failure(int fd, int error, struct bf_pace *pace)
{
    if (error == EAGAIN)
        return wait_for_room(fd, pace);
    if (error == EINTR)
        return 0;
    return error == ECONNRESET || error == ENOTCONN || error == ETIMEDOUT ? -EPIPE : -error;
}

static void skip(struct msghdr *m, size_t bytes)
{
    while (m->msg_iovlen > 0 && bytes >= m->msg_iov->iov_len) {
        bytes -= m->msg_iov->iov_len;
        m->msg_iov++;
        m->msg_iovlen--;
    }
    if (m->msg_iovlen > 0) {
        m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + bytes;
        m->msg_iov->iov_len -= bytes;
    }
}

int bf_send_pieces(int fd, struct iovec *pieces, int n, bool more, struct bf_pace *pace)
{
    struct msghdr m = { .msg_iov = pieces, .msg_iovlen = (size_t)n };
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);

    skip(&m, 0);
    while (m.msg_iovlen > 0) {
        ssize_t sent = sendmsg(fd, &m, flags);
        if (sent < 0) {
            int r = after_failure(fd, errno, pace);
            if (r < 0)
                return r;
            continue;
        }
        bf_pace_taken(pace, (size_t)sent);
        skip(&m, (size_t)sent);
    }
    return 0;
}

int bf_send_range(int fd, int file, uint64_t offset, uint64_t length, struct bf_pace *pace)
{
    off_t at = (off_t)offset;

    while (length > 0) {
        ssize_t sent = sendfile(fd, file, &at, length < FILE_CHUNK ? (size_t)length : FILE_CHUNK);
        if (sent == 0)
            return -ENODATA;
        if (sent < 0) {
            int r = after_failure(fd, errno, pace);
            if (r < 0)
                return r;
            continue;
        }
        bf_pace_taken(pace, (size_t)sent);
        length -= (uint64_t)sent;
    }
    return 0;
}
