#include "gateway/calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "gateway/cond.h"

#define CALLS_MAX 512 /* in the mailbox; each is a thread that waits, so more cannot be unless threads are that many */

enum call_state { CALL_WAITING, CALL_ANSWERED, CALL_ABANDONED, CALL_SHUT };

struct call {
    struct bf_call call; /* first, so that one is the other */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned refs;
    enum call_state state;
};

struct bf_calls {
    struct bf_mailbox *box;
    uv_async_t wake;
    bool has_wake;
    pthread_mutex_t lock;
    bool shut; /* under the lock */
    void (*handle)(void *user, struct bf_call *c);
    void *user;
};

/* --- one call --- */

struct bf_call *bf_call_new(enum bf_call_kind kind)
{
    struct call *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->call.kind = kind;
    c->refs = 1;
    pthread_mutex_init(&c->lock, NULL);
    bf_cond_init(&c->answered);
    return &c->call;
}

struct bf_call *bf_call_ref(struct bf_call *call)
{
    struct call *c = (struct call *)call;

    pthread_mutex_lock(&c->lock);
    c->refs++;
    pthread_mutex_unlock(&c->lock);
    return call;
}

void bf_call_unref(struct bf_call *call)
{
    struct call *c = (struct call *)call;

    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    unsigned left = --c->refs;
    pthread_mutex_unlock(&c->lock);
    if (left > 0)
        return;
    pthread_cond_destroy(&c->answered);
    pthread_mutex_destroy(&c->lock);
    free(c->call.body);
    free(c);
}

static void finish(struct bf_call *call, enum call_state state)
{
    struct call *c = (struct call *)call;

    pthread_mutex_lock(&c->lock);
    if (c->state == CALL_WAITING)
        c->state = state;
    pthread_cond_signal(&c->answered);
    pthread_mutex_unlock(&c->lock);
}

void bf_call_answer(struct bf_call *call)
{
    finish(call, CALL_ANSWERED);
}

bool bf_call_wanted(struct bf_call *call)
{
    struct call *c = (struct call *)call;

    pthread_mutex_lock(&c->lock);
    bool wanted = c->state == CALL_WAITING;
    pthread_mutex_unlock(&c->lock);
    return wanted;
}

static int await(struct call *c, uint64_t timeout_ms)
{
    uint64_t until_us = bf_mono_us() + timeout_ms * 1000;
    int r = 0;

    pthread_mutex_lock(&c->lock);
    while (c->state == CALL_WAITING && r != ETIMEDOUT)
        r = bf_cond_wait_until(&c->answered, &c->lock, until_us);
    if (c->state == CALL_WAITING)
        c->state = CALL_ABANDONED;
    enum call_state state = c->state;
    pthread_mutex_unlock(&c->lock);
    return state == CALL_ANSWERED ? 0 : state == CALL_SHUT ? -ESHUTDOWN : -ETIMEDOUT;
}

/* --- the way over --- */

static void wake_loop(void *user)
{
    uv_async_send(user);
}

static void on_wake(uv_async_t *handle)
{
    struct bf_calls *c = handle->data;
    struct bf_call *call;

    while (bf_mailbox_take(c->box, &call) == 0) {
        if (bf_call_wanted(call))
            c->handle(c->user, call);
        bf_call_unref(call);
    }
}

int bf_calls_new(struct bf_calls **ret, uv_loop_t *loop, void (*handle)(void *user, struct bf_call *c), void *user)
{
    struct bf_calls *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;

    c->handle = handle;
    c->user = user;
    pthread_mutex_init(&c->lock, NULL);
    int r = bf_mailbox_new(&c->box, sizeof(struct bf_call *), CALLS_MAX, wake_loop, &c->wake);
    if (r == 0)
        r = uv_async_init(loop, &c->wake, on_wake);
    if (r < 0) {
        bf_calls_free(c);
        return r;
    }
    c->wake.data = c;
    c->has_wake = true;
    *ret = c;
    return 0;
}

int bf_calls_ask(struct bf_calls *c, struct bf_call *call, uint64_t timeout_ms)
{
    bf_call_ref(call); /* the mailbox's */
    pthread_mutex_lock(&c->lock);
    int r = c->shut ? -ESHUTDOWN : bf_mailbox_put(c->box, &call);
    pthread_mutex_unlock(&c->lock);
    if (r < 0) {
        bf_call_unref(call);
        return r;
    }
    return await((struct call *)call, timeout_ms);
}

static void drain(struct bf_calls *c)
{
    struct bf_call *call;

    while (bf_mailbox_take(c->box, &call) == 0) {
        finish(call, CALL_SHUT);
        bf_call_unref(call);
    }
}

void bf_calls_shut(struct bf_calls *c)
{
    pthread_mutex_lock(&c->lock);
    c->shut = true;
    pthread_mutex_unlock(&c->lock);
    drain(c);
}

static void release(struct bf_calls *c)
{
    if (c->box != NULL)
        drain(c);
    bf_mailbox_free(c->box);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void bf_calls_free(struct bf_calls *c)
{
    if (c == NULL)
        return;
    if (c->has_wake)
        uv_close((uv_handle_t *)&c->wake, on_closed);
    else
        release(c);
}
