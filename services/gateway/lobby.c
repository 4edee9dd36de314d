#include "gateway/lobby_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/cond.h"

#define POLITE_IDLE_MS 250 /* who has been idle for less may be about to ask */
#define TRY_AGAIN_MS 50

/* --- lists --- */

void bf_lobby_append(struct bf_lobby_list *list, struct bf_lobby_entry *e)
{
    e->before = list->last;
    e->after = NULL;
    *(list->last == NULL ? &list->first : &list->last->after) = e;
    list->last = e;
    list->n++;
}

void bf_lobby_take_out(struct bf_lobby_list *list, struct bf_lobby_entry *e)
{
    *(e->before == NULL ? &list->first : &e->before->after) = e->after;
    *(e->after == NULL ? &list->last : &e->after->before) = e->before;
    list->n--;
}

void bf_lobby_forget(struct bf_lobby *l, struct bf_lobby_entry *e)
{
    e->next = l->unused;
    l->unused = e;
}

static struct bf_lobby_entry **bucket_of(struct bf_lobby *l, const struct sockaddr_in *client)
{
    uint64_t h = ((uint64_t)client->sin_addr.s_addr << 16 | client->sin_port) * UINT64_C(0x9e3779b97f4a7c15);

    return &l->buckets[(h >> 40) % BF_LOBBY_BUCKETS];
}

void bf_lobby_tell(struct bf_lobby *l, enum bf_lobby_event event)
{
    if (l->options.event != NULL)
        l->options.event(l->options.user, event);
}

/* --- the bell: other threads wake the accepting one --- */

static void ring(struct bf_lobby *l)
{
    if (!l->rung)
        eventfd_write(l->bell, 1);
    l->rung = true;
}

static void unring(struct bf_lobby *l)
{
    eventfd_t n;

    if (l->rung && !l->ended)
        eventfd_read(l->bell, &n);
    l->rung = l->ended;
}

/* --- idle connections --- */

static struct bf_lobby_entry *longest_idle(struct bf_lobby *l, int kind, uint64_t since_ms)
{
    struct bf_lobby_entry *found = NULL;

    for (struct bf_lobby_entry *e = l->served.first; e != NULL; e = e->after) {
        uint64_t idle_since_ms = atomic_load_explicit(&e->c.idle_since_ms, memory_order_relaxed);

        if (idle_since_ms == 0 || idle_since_ms > since_ms || e->asked_to_end)
            continue;
        if (kind >= 0 && atomic_load_explicit(&e->c.kind, memory_order_relaxed) != kind)
            continue;
        found = e;
        since_ms = idle_since_ms;
    }
    return found;
}

/* It will read the end of what the client sends, after what has come until now. */
static void ask_to_end(struct bf_lobby_entry *e)
{
    e->asked_to_end = true;
    shutdown(e->c.fd, SHUT_RD);
}

static bool evict_idle(struct bf_lobby *l, int kind, uint64_t idle_ms)
{
    struct bf_lobby_entry *e = longest_idle(l, kind, bf_mono_ms() - idle_ms);

    if (e == NULL)
        return false;
    ask_to_end(e);
    bf_lobby_tell(l, BF_LOBBY_IDLE);
    return true;
}

void bf_lobby_evict_idle(struct bf_lobby *l, enum bf_conn_kind kind, uint64_t idle_ms)
{
    pthread_mutex_lock(&l->lock);
    evict_idle(l, (int)kind, idle_ms);
    pthread_mutex_unlock(&l->lock);
}

/* --- workers --- */

static unsigned free_workers(const struct bf_lobby *l)
{
    return l->options.workers - l->served.n;
}

static bool is_same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
}

static struct bf_lobby_entry *find_served(struct bf_lobby *l, const struct sockaddr_in *client)
{
    struct bf_lobby_entry *e = *bucket_of(l, client);

    while (e != NULL && !is_same(&e->c.client, client))
        e = e->next;
    return e;
}

static void serve(struct bf_lobby *l, struct bf_lobby_entry *e)
{
    struct bf_lobby_entry **bucket = bucket_of(l, &e->c.client);

    bf_lobby_take_out(&l->ready, e);
    e->place = BF_LOBBY_SERVED;
    bf_lobby_append(&l->served, e);
    e->next = *bucket;
    *bucket = e;
}

/* A client may come again from the same port before the worker that had it has noticed its end, or from one port to two
 * addresses of this host. A worker could not tell the two apart: the second one waits. */
static struct bf_lobby_entry *first_to_serve(struct bf_lobby *l)
{
    struct bf_lobby_entry *e = l->ready.first;

    while (e != NULL && find_served(l, &e->c.client) != NULL)
        e = e->after;
    return e;
}

static int hand_over(struct bf_lobby *l, struct sockaddr_in *ret_client)
{
    struct bf_lobby_entry *e = l->shut ? NULL : first_to_serve(l);

    if (e == NULL)
        return -EAGAIN;
    if (free_workers(l) <= l->options.spare && !evict_idle(l, -1, POLITE_IDLE_MS) && free_workers(l) == 0)
        bf_lobby_start_timer(l, TRY_AGAIN_MS);
    if (free_workers(l) == 0)
        return -EAGAIN; /* whoever leaves rings */
    serve(l, e);
    *ret_client = e->c.client;
    return e->c.fd;
}

static int take_over(struct bf_lobby *l, int listener)
{
    int own = fcntl(listener, F_DUPFD_CLOEXEC, 0);

    if (own < 0)
        return -errno;
    fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK);
    if (dup3(l->epoll_fd, listener, O_CLOEXEC) < 0) {
        int r = -errno;
        close(own);
        return r;
    }
    if (l->options.tune != NULL)
        l->options.tune(own);
    l->listener = own;
    return 0;
}

int bf_lobby_next(struct bf_lobby *l, int listener, struct sockaddr_in *ret_client)
{
    int r = 0;

    pthread_mutex_lock(&l->lock);
    if (l->listener < 0 && !l->shut) {
        r = take_over(l, listener);
        pthread_cond_broadcast(&l->moved);
    }
    if (r == 0) {
        unring(l);
        bf_lobby_listen(l);
        bf_lobby_take_events(l);
        r = hand_over(l, ret_client);
    }
    if (r >= 0 && l->ready.first != NULL)
        ring(l); /* the next one */
    pthread_mutex_unlock(&l->lock);
    return r;
}

struct bf_connection *bf_lobby_find(struct bf_lobby *l, const struct sockaddr_in *client)
{
    pthread_mutex_lock(&l->lock);
    struct bf_lobby_entry *e = find_served(l, client);
    pthread_mutex_unlock(&l->lock);
    return e == NULL ? NULL : &e->c;
}

void bf_lobby_leave(struct bf_lobby *l, struct bf_connection *c)
{
    struct bf_lobby_entry *e = (struct bf_lobby_entry *)c;

    pthread_mutex_lock(&l->lock);
    struct bf_lobby_entry **at = bucket_of(l, &c->client);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    bf_lobby_take_out(&l->served, e);
    bf_lobby_forget(l, e);
    if (l->ready.n > 0 || !l->listening)
        ring(l);
    if (l->served.n == 0)
        pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
}

unsigned bf_lobby_free_workers(struct bf_lobby *l)
{
    pthread_mutex_lock(&l->lock);
    unsigned n = free_workers(l);
    pthread_mutex_unlock(&l->lock);
    return n;
}

void bf_lobby_census(struct bf_lobby *l, unsigned ret[static BF_CONN_KINDS])
{
    memset(ret, 0, BF_CONN_KINDS * sizeof ret[0]);
    pthread_mutex_lock(&l->lock);
    ret[BF_CONN_SILENT] = l->waits.n + l->ready.n;
    for (struct bf_lobby_entry *e = l->served.first; e != NULL; e = e->after)
        ret[atomic_load_explicit(&e->c.kind, memory_order_relaxed)]++;
    pthread_mutex_unlock(&l->lock);
}

/* --- begin and end --- */

bool bf_lobby_wait_taken_over(struct bf_lobby *l, uint64_t timeout_ms)
{
    uint64_t until_us = bf_mono_us() + timeout_ms * 1000;
    int r = 0;

    pthread_mutex_lock(&l->lock);
    while (l->listener < 0 && r == 0)
        r = bf_cond_wait_until(&l->moved, &l->lock, until_us);
    bool taken_over = l->listener >= 0;
    pthread_mutex_unlock(&l->lock);
    return taken_over;
}

static int make_descriptors(struct bf_lobby *l)
{
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->epoll_fd < 0 || l->bell < 0 || l->timer < 0)
        return -errno;
    int r = bf_lobby_watch(l, l->bell, EPOLLIN, &l->bell);
    return r < 0 ? r : bf_lobby_watch(l, l->timer, EPOLLIN, &l->timer);
}

int bf_lobby_new(struct bf_lobby **ret, const struct bf_lobby_options *o)
{
    struct bf_lobby *l = calloc(1, sizeof *l);
    if (l == NULL)
        return -ENOMEM;

    l->options = *o;
    l->listener = l->epoll_fd = l->bell = l->timer = -1;
    pthread_mutex_init(&l->lock, NULL);
    bf_cond_init(&l->moved);
    l->pool = calloc(o->room + o->workers, sizeof *l->pool);
    l->header = malloc(o->header_max);
    int r = l->pool == NULL || l->header == NULL ? -ENOMEM : make_descriptors(l);
    if (r < 0) {
        bf_lobby_free(l);
        return r;
    }
    for (unsigned i = o->room + o->workers; i > 0; i--)
        bf_lobby_forget(l, &l->pool[i - 1]);
    *ret = l;
    return 0;
}

void bf_lobby_limit(struct bf_lobby *l, unsigned workers)
{
    pthread_mutex_lock(&l->lock);
    if (workers < l->options.workers)
        l->options.workers = workers;
    pthread_mutex_unlock(&l->lock);
}

void bf_lobby_free(struct bf_lobby *l)
{
    if (l == NULL)
        return;
    bf_closep(&l->listener);
    bf_closep(&l->timer);
    bf_closep(&l->bell);
    bf_closep(&l->epoll_fd);
    pthread_cond_destroy(&l->moved);
    pthread_mutex_destroy(&l->lock);
    free(l->header);
    free(l->pool);
    free(l);
}

static void wait_until_all_left(struct bf_lobby *l, uint64_t ms)
{
    uint64_t until_us = bf_mono_us() + ms * 1000;
    int r = 0;

    while (l->served.n > 0 && r == 0)
        r = bf_cond_wait_until(&l->moved, &l->lock, until_us);
}

void bf_lobby_shut(struct bf_lobby *l, uint64_t grace_ms)
{
    pthread_mutex_lock(&l->lock);
    l->shut = true;
    bf_lobby_stop_listening(l);
    while (l->waits.first != NULL)
        bf_lobby_end(l, l->waits.first);
    while (l->ready.first != NULL)
        bf_lobby_end(l, l->ready.first);
    for (struct bf_lobby_entry *e = l->served.first; e != NULL; e = e->after)
        ask_to_end(e);
    wait_until_all_left(l, grace_ms);
    for (struct bf_lobby_entry *e = l->served.first; e != NULL; e = e->after)
        shutdown(e->c.fd, SHUT_RDWR);
    wait_until_all_left(l, grace_ms);
    ring(l);
    l->ended = true;
    pthread_mutex_unlock(&l->lock);
}
