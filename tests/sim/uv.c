/* libuv as the services see it, on the virtual clock. What they call is here; what they do not call does not link. */
#include <stdlib.h>

#include "sim.h"

enum { CLOSING = 1, ACTIVE = 2 };
#define EVENT_OF(handle) ((struct sim_event **)&(handle)->u.reserved[0])

static void forget_event(uv_handle_t *h)
{
    sim_cancel(*EVENT_OF(h));
    *EVENT_OF(h) = NULL;
    h->flags &= ~(unsigned)ACTIVE;
}

/* A process that is being killed may still close the handle. */
static void drop_event(void *arg)
{
    uv_handle_t *h = arg;

    *EVENT_OF(h) = NULL;
    h->flags &= ~(unsigned)ACTIVE;
}

static void expect_event(uv_handle_t *h, uint64_t delay_us, void (*run)(void *arg))
{
    forget_event(h);
    *EVENT_OF(h) = sim_after(sim_node_of_loop(h->loop), delay_us, run, drop_event, h);
    h->flags |= ACTIVE;
}

static int init(uv_loop_t *loop, uv_handle_t *h)
{
    h->loop = loop;
    h->flags = 0;
    h->close_cb = NULL;
    *EVENT_OF(h) = NULL;
    return 0;
}

/* --- timers --- */

int uv_timer_init(uv_loop_t *loop, uv_timer_t *t)
{
    t->timer_cb = NULL;
    return init(loop, (uv_handle_t *)t);
}

static void on_timer(void *arg)
{
    uv_timer_t *t = arg;

    *EVENT_OF(t) = NULL;
    t->flags &= ~(unsigned)ACTIVE;
    if (t->repeat > 0)
        expect_event((uv_handle_t *)t, t->repeat * MSEC, on_timer);
    t->timer_cb(t);
}

int uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    if ((t->flags & CLOSING) != 0)
        return UV_EINVAL;
    t->timer_cb = cb;
    t->repeat = repeat;
    /* A loop is never quite on time, and never early. */
    expect_event((uv_handle_t *)t, timeout * MSEC + sim_random(900), on_timer);
    return 0;
}

/* While a machine is suspended its CLOCK_MONOTONIC, which libuv goes by, is too. */
void sim_timers_stand_still(const struct sim_node *n, uint64_t duration_us)
{
    sim_postpone_all_of(n, on_timer, duration_us);
}

int uv_timer_stop(uv_timer_t *t)
{
    forget_event((uv_handle_t *)t);
    return 0;
}

/* --- async --- */

int uv_async_init(uv_loop_t *loop, uv_async_t *a, uv_async_cb cb)
{
    a->async_cb = cb;
    return init(loop, (uv_handle_t *)a);
}

static void on_async(void *arg)
{
    uv_async_t *a = arg;

    *EVENT_OF(a) = NULL;
    a->async_cb(a);
}

int uv_async_send(uv_async_t *a)
{
    if (*EVENT_OF(a) == NULL && (a->flags & CLOSING) == 0)
        expect_event((uv_handle_t *)a, sim_between_us(20, 2000), on_async);
    return 0;
}

/* --- inotify's descriptor: the only one that is polled --- */

struct poll_handle {
    uv_poll_t *handle;
    struct poll_handle *next;
};
static struct poll_handle *polls;

int uv_poll_init(uv_loop_t *loop, uv_poll_t *p, int fd)
{
    (void)fd;
    struct poll_handle *entry = malloc(sizeof *entry);
    if (entry == NULL)
        abort();
    *entry = (struct poll_handle){ p, polls };
    polls = entry;
    p->poll_cb = NULL;
    return init(loop, (uv_handle_t *)p);
}

int uv_poll_start(uv_poll_t *p, int events, uv_poll_cb cb)
{
    (void)events;
    p->poll_cb = cb;
    sim_media_touched();
    return 0;
}

static void on_poll(void *arg)
{
    uv_poll_t *p = arg;

    *EVENT_OF(p) = NULL;
    p->poll_cb(p, 0, UV_READABLE);
}

void sim_media_touched(void)
{
    for (struct poll_handle *entry = polls; entry != NULL; entry = entry->next)
        if (entry->handle->poll_cb != NULL && *EVENT_OF(entry->handle) == NULL)
            expect_event((uv_handle_t *)entry->handle, sim_between_us(100, 3000), on_poll);
}

static void forget_poll(const uv_handle_t *h)
{
    for (struct poll_handle **at = &polls; *at != NULL; at = &(*at)->next)
        if ((const void *)(*at)->handle == h) {
            struct poll_handle *gone = *at;
            *at = gone->next;
            free(gone);
            return;
        }
}

/* --- closing --- */

static void on_close(void *arg)
{
    uv_handle_t *h = arg;

    if (h->close_cb != NULL)
        h->close_cb(h);
}

void uv_close(uv_handle_t *h, uv_close_cb cb)
{
    if (h->loop == NULL || (h->flags & CLOSING) != 0)
        return; /* never initialised: signals have nothing to do here */
    forget_event(h);
    forget_poll(h);
    h->flags |= CLOSING;
    h->close_cb = cb;
    sim_after(sim_node_of_loop(h->loop), 0, on_close, on_close, h);
}

int uv_is_closing(const uv_handle_t *h)
{
    return (h->flags & CLOSING) != 0;
}

int uv_is_active(const uv_handle_t *h)
{
    return (h->flags & ACTIVE) != 0;
}

/* --- work on other threads --- */

static void on_work(void *arg)
{
    uv_work_t *w = arg;

    w->work_cb(w);
    sim_media_touched();
    w->after_work_cb(w, 0);
}

/* The process is killed while the work is under way: part of it has been done. */
static void drop_work(void *arg)
{
    uv_work_t *w = arg;
    struct sim_node *n = sim_node_of_loop(w->loop);

    if (n->role == BF_ROLE_JANITOR && sim_chance(50)) {
        n->effects_left = (unsigned)sim_random(12);
        w->work_cb(w);
        n->effects_left = 0;
    }
    w->after_work_cb(w, UV_ECANCELED);
}

int uv_queue_work(uv_loop_t *loop, uv_work_t *w, uv_work_cb work, uv_after_work_cb after)
{
    w->loop = loop;
    w->work_cb = work;
    w->after_work_cb = after;
    sim_after(sim_node_of_loop(loop), sim_between_us(500, 200 * MSEC), on_work, drop_work, w);
    return 0;
}

/* Whatever waits for its closing, or for a thread, is through at once. */
void sim_finish_handles(struct sim_node *n)
{
    sim_run_all_of(n, on_close);
    sim_drop_events(n);
}

/* --- the rest --- */

void uv_update_time(uv_loop_t *loop)
{
    (void)loop;
}

uint64_t uv_now(const uv_loop_t *loop)
{
    return (sim.now_us - sim.hosts[sim_node_of_loop(loop)->host].slept_us) / MSEC;
}

void uv_unref(uv_handle_t *h)
{
    (void)h;
}

void uv_stop(uv_loop_t *loop)
{
    (void)loop;
}
