#include "base/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bf_mailbox {
    pthread_mutex_t lock;
    size_t item_size;
    size_t capacity;
    size_t first; /* index of the oldest item */
    size_t count;
    void (*wake)(void *user);
    void *user;
    uint8_t items[]; /* a ring */
};

int bf_mailbox_new(struct bf_mailbox **ret, size_t item_size, size_t capacity, void (*wake)(void *user), void *user)
{
    size_t bytes;
    if (item_size == 0 || capacity == 0 || __builtin_mul_overflow(item_size, capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct bf_mailbox), &bytes))
        return -EINVAL;

    struct bf_mailbox *m = calloc(1, bytes);
    if (m == NULL)
        return -ENOMEM;
    int r = pthread_mutex_init(&m->lock, NULL);
    if (r != 0) {
        free(m);
        return -r;
    }

    m->item_size = item_size;
    m->capacity = capacity;
    m->wake = wake;
    m->user = user;
    *ret = m;
    return 0;
}

void bf_mailbox_free(struct bf_mailbox *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static uint8_t *slot(struct bf_mailbox *m, size_t offset)
{
    return m->items + (m->first + offset) % m->capacity * m->item_size;
}

int bf_mailbox_put(struct bf_mailbox *m, const void *item)
{
    pthread_mutex_lock(&m->lock);
    int full = m->count == m->capacity;
    if (!full)
        memcpy(slot(m, m->count++), item, m->item_size);
    pthread_mutex_unlock(&m->lock);

    if (full)
        return -ENOBUFS;
    if (m->wake != NULL)
        m->wake(m->user);
    return 0;
}

int bf_mailbox_take(struct bf_mailbox *m, void *ret_item)
{
    pthread_mutex_lock(&m->lock);
    int empty = m->count == 0;
    if (!empty) {
        memcpy(ret_item, slot(m, 0), m->item_size);
        m->first = (m->first + 1) % m->capacity;
        m->count--;
    }
    pthread_mutex_unlock(&m->lock);

    return empty ? -EAGAIN : 0;
}
