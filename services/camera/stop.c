#include "camera/stop.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

int bf_stop_init(struct bf_stop *s)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return -errno;

    s->fd = fd;
    atomic_init(&s->raised, false);
    return 0;
}

void bf_stop_done(struct bf_stop *s)
{
    bf_closep(&s->fd);
    s->fd = -1;
}

void bf_stop_raise(struct bf_stop *s)
{
    if (!atomic_exchange(&s->raised, true))
        eventfd_write(s->fd, 1); /* cannot fail: the counter goes from 0 to 1 once */
}

bool bf_stop_raised(const struct bf_stop *s)
{
    return atomic_load(&s->raised);
}

int bf_stop_wait_until(const struct bf_stop *s, uint64_t mono_us)
{
    return bf_stop_wait_fd(s, -1, mono_us);
}

int bf_stop_wait_fd(const struct bf_stop *s, int fd, uint64_t mono_us)
{
    struct pollfd fds[] = { { .fd = s->fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

    for (;;) {
        uint64_t now = bf_mono_us();
        uint64_t left = mono_us > now ? mono_us - now : 0;
        struct timespec timeout = { .tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000 };
        int n = ppoll(fds, BF_COUNT_OF(fds), &timeout, NULL);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (bf_stop_raised(s))
            return -ECANCELED;
        if (n > 0 && fds[1].revents != 0)
            return 1;
        if (n == 0)
            return 0;
    }
}
