/* The accepting thread's part of the lobby: who comes in, whose header is there, who has waited too long. */
#include "gateway/lobby_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

#define EVENTS_AT_ONCE 64
#define ACCEPT_AT_ONCE 64
#define OUT_OF_DESCRIPTORS_MS 100

int bf_lobby_watch(struct bf_lobby *l, int fd, uint32_t events, void *what)
{
    struct epoll_event e = { .events = events, .data.ptr = what };

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void unwatch(struct bf_lobby *l, int fd)
{
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void bf_lobby_start_timer(struct bf_lobby *l, uint64_t in_ms)
{
    const struct itimerspec t = {
        .it_value = { .tv_sec = (time_t)(in_ms / 1000), .tv_nsec = (long)(in_ms % 1000 * 1000000) + 1 },
    };

    timerfd_settime(l->timer, 0, &t, NULL);
    l->timer_runs = true;
}

void bf_lobby_stop_listening(struct bf_lobby *l)
{
    if (l->listening)
        unwatch(l, l->listener);
    l->listening = false;
}

void bf_lobby_listen(struct bf_lobby *l)
{
    if (!l->listening && !l->shut)
        l->listening = bf_lobby_watch(l, l->listener, EPOLLIN, &l->listener) == 0;
}

/* --- connections --- */

static uint16_t *waiting_of(struct bf_lobby *l, const struct bf_lobby_entry *e)
{
    uint64_t h = e->c.client.sin_addr.s_addr * UINT64_C(0x9e3779b97f4a7c15);

    return &l->waiting_of[(h >> 40) % BF_LOBBY_ADDRESS_SLOTS];
}

static void stop_waiting(struct bf_lobby *l, struct bf_lobby_entry *e)
{
    --*waiting_of(l, e);
    bf_lobby_take_out(&l->waits, e);
}

void bf_lobby_end(struct bf_lobby *l, struct bf_lobby_entry *e)
{
    if (e->place == BF_LOBBY_WAITS)
        stop_waiting(l, e);
    else
        bf_lobby_take_out(&l->ready, e);
    close(e->c.fd); /* and no longer watched */
    bf_lobby_forget(l, e);
}

static void make_ready(struct bf_lobby *l, struct bf_lobby_entry *e)
{
    stop_waiting(l, e);
    unwatch(l, e->c.fd);
    e->place = BF_LOBBY_READY;
    bf_lobby_append(&l->ready, e);
}

static bool has_end(const char *text, size_t size)
{
    return memmem(text, size, "\r\n\r\n", 4) != NULL || memmem(text, size, "\n\n", 2) != NULL;
}

/* Looks at what has come, and leaves it for the library to read. */
static void look(struct bf_lobby *l, struct bf_lobby_entry *e, bool is_all)
{
    ssize_t n = recv(e->c.fd, l->header, l->options.header_max, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !is_all)
        return;
    if (n <= 0) {
        bf_lobby_end(l, e);
        return;
    }
    size_t size = (size_t)n, from = e->seen < 3 ? 0 : e->seen - 3;
    e->seen = size;
    if (size >= l->options.header_max || has_end(l->header + from, size - from))
        make_ready(l, e);
    else if (is_all)
        bf_lobby_end(l, e);
}

/* --- the door --- */

/* The longest waiting one of the address that has the most waiting: a crowd only gets in its own way. */
static void put_out_one(struct bf_lobby *l)
{
    struct bf_lobby_entry *victim = l->waits.first;

    for (struct bf_lobby_entry *e = victim; e != NULL; e = e->after)
        if (*waiting_of(l, e) > *waiting_of(l, victim))
            victim = e;
    bf_lobby_end(l, victim);
    bf_lobby_tell(l, BF_LOBBY_CROWDED_OUT);
}

static void let_in(struct bf_lobby *l, int fd, const struct sockaddr_in *client)
{
    if (l->waits.n + l->ready.n >= l->options.room)
        put_out_one(l);

    struct bf_lobby_entry *e = l->unused;
    l->unused = e->next;
    *e = (struct bf_lobby_entry){ .c = { .fd = fd, .client = *client },
                                  .place = BF_LOBBY_WAITS,
                                  .since_ms = bf_mono_ms() };
    bf_lobby_append(&l->waits, e);
    ++*waiting_of(l, e);
    if (bf_lobby_watch(l, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, e) < 0)
        bf_lobby_end(l, e);
    else if (!l->timer_runs)
        bf_lobby_start_timer(l, l->options.header_ms);
}

static void open_door(struct bf_lobby *l)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_in client = { 0 };
        socklen_t size = sizeof client;

        if (l->ready.n >= l->options.room) {
            bf_lobby_stop_listening(l); /* until a worker is free: nobody here could be put out */
            return;
        }
        int fd = accept4(l->listener, (struct sockaddr *)&client, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(l, fd, &client);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            bf_lobby_stop_listening(l); /* it would go on being readable */
            bf_lobby_start_timer(l, OUT_OF_DESCRIPTORS_MS);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void put_out_late(struct bf_lobby *l)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    uint64_t now_ms = bf_mono_ms(), expirations;

    (void)!read(l->timer, &expirations, sizeof expirations);
    l->timer_runs = false;
    while (l->waits.first != NULL && l->waits.first->since_ms + l->options.header_ms <= now_ms) {
        struct bf_lobby_entry *e = l->waits.first;

        if (e->seen > 0)
            send(e->c.fd, late, sizeof late - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        bf_lobby_end(l, e);
        bf_lobby_tell(l, BF_LOBBY_LATE_HEADER);
    }
    if (l->waits.first != NULL)
        bf_lobby_start_timer(l, l->waits.first->since_ms + l->options.header_ms - now_ms);
}

/* Connections come first, the door and the clock, which may end others of them, last: no event is left by then. */
void bf_lobby_take_events(struct bf_lobby *l)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    bool at_the_door = false, late = false;
    int n = epoll_wait(l->epoll_fd, events, EVENTS_AT_ONCE, 0);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == &l->listener)
            at_the_door = true;
        else if (events[i].data.ptr == &l->timer)
            late = true;
        else if (events[i].data.ptr != &l->bell)
            look(l, events[i].data.ptr, (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    }
    if (late)
        put_out_late(l);
    if (at_the_door)
        open_door(l);
}
