#include "viewers.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HOLD_BACK_PARTS = 3, /* further behind than this a player jumps */
    ANSWER_MS = 20000,
    RETRY_MS = 1000, /* after an error */
    HEAD_BYTES = 2048
};

uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_ms(void)
{
    return now_us() / 1000;
}

/* --- connections --- */

static void close_link(struct link *k)
{
    if (k->fd >= 0)
        close(k->fd);
    k->fd = -1;
    k->state = LINK_CLOSED;
}

static void retry_later(struct viewer *v, uint64_t ms)
{
    v->begin_ms = now_ms() + ms;
}

static void fail(struct link *k, uint64_t *counter)
{
    (*counter)++;
    close_link(k);
    retry_later(k->viewer, RETRY_MS);
}

static bool poll_for(struct load *l, struct link *k, int how, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = k };

    return epoll_ctl(l->epoll_fd, how, k->fd, &e) == 0;
}

static void bind_source(const struct load *l, int fd)
{
    const int one = 1;
    const struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + l->source) };

    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&from, sizeof from) < 0)
        perror("bind");
}

static int try_connect(const struct load *l, struct link *k)
{
    const int one = 1;

    k->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->fd < 0)
        return -errno;
    setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (l->source > 0)
        bind_source(l, k->fd);
    if (connect(k->fd, (const struct sockaddr *)&l->server, sizeof l->server) < 0 && errno != EINPROGRESS)
        return -errno;
    return 0;
}

static void open_link(struct load *l, struct link *k)
{
    int r = try_connect(l, k);

    if (r == -EADDRNOTAVAIL) {
        l->source++;
        close_link(k);
        r = try_connect(l, k);
    }
    if (r < 0 || !poll_for(l, k, EPOLL_CTL_ADD, EPOLLOUT)) {
        fail(k, &l->counts.errors_connect);
        return;
    }
    l->counts.connects++;
    k->state = LINK_CONNECTING;
    k->deadline_ms = now_ms() + ANSWER_MS;
}

/* --- requests --- */

static int target(const struct load *l, const struct link *k, char *buf, size_t size)
{
    const struct viewer *v = k->viewer;
    const struct playlist *p = &v->playlist;

    switch (k->wanted) {
    case WANT_INDEX:
        return snprintf(buf, size, "/live/%s/index.m3u8", l->camera);
    case WANT_INIT:
        return snprintf(buf, size, "%s%s", v->directory, p->map);
    case WANT_PART:
        return snprintf(buf, size, "%spart-%" PRIu64 ".m4s", v->directory, k->part);
    default:
        if (!p->has_parts)
            return snprintf(buf, size, "%smedia.m3u8", v->directory);
        return snprintf(buf, size, "%smedia.m3u8?_HLS_msn=%" PRIu64 "&_HLS_part=%" PRIu64, v->directory,
                        p->media_sequence + p->segments, p->open_parts);
    }
}

static void send_request(struct load *l, struct link *k)
{
    char path[256], text[512];

    target(l, k, path, sizeof path);
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: viewers\r\nAccept: */*\r\n\r\n",
                        path, l->host);
    k->answer = (struct answer){ 0 };
    k->lines.n = 0;
    k->viewer->read = k->wanted == WANT_PLAYLIST || k->wanted == WANT_INDEX ? (struct playlist){ 0 } : k->viewer->read;
    k->deadline_ms = now_ms() + ANSWER_MS;
    k->state = LINK_READING;
    if (send(k->fd, text, (size_t)size, MSG_NOSIGNAL) != size) {
        fail(k, &l->counts.errors_closed);
        return;
    }
    l->counts.requests++;
}

static void want(struct load *l, struct link *k, enum wanted wanted, uint64_t part)
{
    k->wanted = wanted;
    k->part = part;
    if (k->state == LINK_CLOSED)
        open_link(l, k); /* the request follows when it is connected */
    else
        send_request(l, k);
}

/* --- what a player does next --- */

static void want_hinted(struct load *l, struct viewer *v)
{
    struct link *k = &v->hint_link;

    if (k->state != LINK_CLOSED && k->state != LINK_IDLE)
        return; /* it waits for an earlier one */
    if (v->playlist.has_hint && v->next_part <= v->playlist.hint)
        want(l, k, WANT_PART, v->next_part);
}

static void next_step(struct load *l, struct viewer *v)
{
    if (v->ended) {
        close_link(&v->link);
        close_link(&v->hint_link);
    } else if (!v->has_init) {
        want(l, &v->link, WANT_INIT, 0);
    } else if (l->hint) {
        want_hinted(l, v);
        want(l, &v->link, WANT_PLAYLIST, 0);
    } else if (v->next_part <= v->playlist.last_part) {
        want(l, &v->link, WANT_PART, v->next_part);
    } else {
        want(l, &v->link, WANT_PLAYLIST, 0);
    }
}

/* The place in the list to begin at: a hold-back from its end, where a picture can begin. */
static uint64_t first_wanted(const struct playlist *p)
{
    return p->last_part < p->last_independent + HOLD_BACK_PARTS ? p->last_independent
                                                                : p->last_part - HOLD_BACK_PARTS + 1;
}

static void jump_if_late(struct load *l, struct viewer *v)
{
    const struct playlist *p = &v->playlist;

    if (p->last_part < v->next_part + HOLD_BACK_PARTS)
        return;
    uint64_t missed = p->last_part - v->next_part;
    l->counts.late++;
    l->counts.missed += missed;
    v->missed += missed;
    v->next_part = p->last_part;
}

static void on_index(struct load *l, struct viewer *v)
{
    const char *slash = strrchr(v->read.first_uri, '/');

    if (slash == NULL) {
        fail(&v->link, &l->counts.errors_answer);
        return;
    }
    int whole = (int)(slash - v->read.first_uri) + 1;
    const char *base = v->read.first_uri[0] == '/' ? "" : "/live/";
    snprintf(v->directory, sizeof v->directory, "%s%s%s%.*s", base, base[0] == '\0' ? "" : l->camera,
             base[0] == '\0' ? "" : "/", whole, v->read.first_uri);
    want(l, &v->link, WANT_PLAYLIST, 0);
}

static void on_playlist(struct load *l, struct viewer *v)
{
    l->counts.playlists++;
    if (!v->read.is_playlist || !v->read.has_parts) {
        fail(&v->link, &l->counts.errors_answer);
        return;
    }
    v->playlist = v->read;
    if (v->playlist.ended) {
        v->ended = true;
        l->counts.ended++;
    }
    if (!v->started) {
        v->started = true;
        v->next_part = first_wanted(&v->playlist);
    }
    jump_if_late(l, v);
    next_step(l, v);
}

static void on_part(struct load *l, struct link *k)
{
    struct viewer *v = k->viewer;

    l->counts.parts++;
    spread_add(&l->spread, k->part, now_us());
    if (v->next_part == k->part)
        v->next_part++;
    if (k != &v->hint_link)
        next_step(l, v);
    else
        want_hinted(l, v);
}

static void refused(struct load *l, struct link *k)
{
    unsigned wait_s = k->answer.retry_after_s > 0 ? k->answer.retry_after_s : 1;

    close_link(k);
    if (k->answer.status == 503) {
        l->counts.busy_503++;
    } else {
        l->counts.errors_status++;
        l->counts.last_bad_status = k->answer.status;
        k->viewer->started = k->viewer->has_init = false; /* perhaps there is another session */
    }
    retry_later(k->viewer, wait_s * 1000);
}

static void on_answer(struct load *l, struct link *k)
{
    struct viewer *v = k->viewer;

    k->state = LINK_IDLE;
    if (k->answer.status != 200) {
        refused(l, k);
        return;
    }
    if (k->answer.close) {
        close_link(k);
        l->counts.reconnects++;
    }
    switch (k->wanted) {
    case WANT_INDEX:
        on_index(l, v);
        break;
    case WANT_PLAYLIST:
        on_playlist(l, v);
        break;
    case WANT_INIT:
        v->has_init = true;
        next_step(l, v);
        break;
    case WANT_PART:
        on_part(l, k);
        break;
    }
}

/* --- reading --- */

static bool is_text(const struct link *k)
{
    return k->wanted == WANT_INDEX || k->wanted == WANT_PLAYLIST;
}

/* Takes the head, if there is more of it. False: the link has failed. */
static bool read_head(struct load *l, struct link *k, const char **at, const char *end)
{
    const char *line;
    size_t size;

    while (!k->answer.head_done && lines_next(&k->lines, at, end, &line, &size))
        if (!answer_line(&k->answer, line, size)) {
            fail(k, &l->counts.errors_answer);
            return false;
        }
    return true;
}

static void read_body(struct link *k, const char *at, const char *end)
{
    const char *line;
    size_t size = (size_t)(end - at);

    if (size > k->answer.left)
        size = (size_t)k->answer.left;
    k->answer.left -= size;
    if (!is_text(k))
        return;
    end = at + size;
    while (lines_next(&k->lines, &at, end, &line, &size))
        playlist_line(&k->viewer->read, line, size);
}

/* Bodies of media are thrown away in the kernel, once their head has come. */
static ssize_t receive(struct load *l, struct link *k)
{
    if (k->answer.head_done && !is_text(k))
        return recv(k->fd, NULL, (size_t)k->answer.left, MSG_TRUNC | MSG_DONTWAIT);
    return recv(k->fd, l->piece, is_text(k) ? sizeof l->piece : HEAD_BYTES, MSG_DONTWAIT);
}

static void on_readable(struct load *l, struct link *k)
{
    for (;;) {
        bool head_was_done = k->answer.head_done;
        ssize_t n = receive(l, k);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0 || k->state != LINK_READING) {
            if (k->state == LINK_IDLE) {
                close_link(k);
                return;
            }
            fail(k, k->answer.head_done ? &l->counts.errors_truncated : &l->counts.errors_closed);
            return;
        }
        l->counts.bytes += (uint64_t)n;
        if (head_was_done && !is_text(k)) {
            k->answer.left -= (uint64_t)n;
        } else {
            const char *at = l->piece, *end = l->piece + n;

            if (!read_head(l, k, &at, end))
                return;
            if (k->answer.head_done)
                read_body(k, at, end);
        }
        if (k->answer.head_done && k->answer.left == 0) {
            on_answer(l, k);
            return;
        }
    }
}

static void on_connected(struct load *l, struct link *k)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0 ||
        !poll_for(l, k, EPOLL_CTL_MOD, EPOLLIN)) {
        fail(k, &l->counts.errors_connect);
        return;
    }
    send_request(l, k);
}

void link_event(struct load *l, struct link *k, uint32_t events)
{
    (void)events;
    if (k->state == LINK_CONNECTING)
        on_connected(l, k);
    else if (k->state != LINK_CLOSED)
        on_readable(l, k);
}

/* --- a viewer's life --- */

void viewer_init(struct viewer *v, uint64_t begin_ms)
{
    *v = (struct viewer){ .begin_ms = begin_ms, .link = { .fd = -1 }, .hint_link = { .fd = -1 } };
    v->link.viewer = v->hint_link.viewer = v;
}

void viewer_done(struct viewer *v)
{
    close_link(&v->link);
    close_link(&v->hint_link);
}

static void tick_link(struct load *l, struct link *k, uint64_t ms)
{
    bool waits = k->state == LINK_CONNECTING || k->state == LINK_READING;

    if (waits && ms >= k->deadline_ms)
        fail(k, k->state == LINK_CONNECTING ? &l->counts.errors_connect : &l->counts.errors_timeout);
}

void viewer_tick(struct load *l, struct viewer *v, uint64_t ms)
{
    tick_link(l, &v->link, ms);
    tick_link(l, &v->hint_link, ms);
    if (v->ended || ms < v->begin_ms)
        return;
    if (v->link.state == LINK_CLOSED)
        want(l, &v->link, v->started ? WANT_PLAYLIST : WANT_INDEX, 0);
    if (l->hint && v->has_init && v->hint_link.state == LINK_CLOSED)
        want_hinted(l, v);
}
