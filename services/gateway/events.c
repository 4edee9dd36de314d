#include "gateway/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "gateway/cond.h"

#define RING 128

struct bf_events {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct bf_blob *ring[RING]; /* event n is in place n % RING */
    uint64_t head;              /* number of the next event */
    bool shut;
};

int bf_events_new(struct bf_events **ret)
{
    struct bf_events *e = calloc(1, sizeof *e);

    if (e == NULL)
        return -ENOMEM;
    pthread_mutex_init(&e->lock, NULL);
    bf_cond_init(&e->more);
    *ret = e;
    return 0;
}

void bf_events_free(struct bf_events *e)
{
    if (e == NULL)
        return;
    for (int i = 0; i < RING; i++)
        bf_blob_unref(e->ring[i]);
    pthread_cond_destroy(&e->more);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

struct bf_blob *bf_event_format(const char *name, const char *json)
{
    struct bf_text t = { 0 };

    bf_text_add(&t, "event: %s\ndata: %s\n\n", name, json);
    return bf_text_take(&t);
}

int bf_events_publish(struct bf_events *e, const char *name, const char *json)
{
    struct bf_blob *event = bf_event_format(name, json);
    if (event == NULL)
        return -ENOMEM;

    pthread_mutex_lock(&e->lock);
    struct bf_blob **place = &e->ring[e->head++ % RING];
    bf_blob_unref(*place);
    *place = event;
    pthread_cond_broadcast(&e->more);
    pthread_mutex_unlock(&e->lock);
    return 0;
}

uint64_t bf_events_head(struct bf_events *e)
{
    pthread_mutex_lock(&e->lock);
    uint64_t head = e->head;
    pthread_mutex_unlock(&e->lock);
    return head;
}

int bf_events_next(struct bf_events *e, uint64_t *at, uint64_t timeout_ms, struct bf_blob **ret)
{
    uint64_t until_us = bf_mono_us() + timeout_ms * 1000;
    int r = 0;

    pthread_mutex_lock(&e->lock);
    while (*at >= e->head && !e->shut && r != ETIMEDOUT)
        r = bf_cond_wait_until(&e->more, &e->lock, until_us);
    if (e->shut)
        r = -ESHUTDOWN;
    else if (*at >= e->head)
        r = -ETIMEDOUT;
    else if (e->head - *at > RING)
        r = -EOVERFLOW;
    else
        r = 0;
    if (r == 0)
        *ret = bf_blob_ref(e->ring[(*at)++ % RING]);
    pthread_mutex_unlock(&e->lock);
    return r;
}

void bf_events_shut(struct bf_events *e)
{
    pthread_mutex_lock(&e->lock);
    e->shut = true;
    pthread_cond_broadcast(&e->more);
    pthread_mutex_unlock(&e->lock);
}
