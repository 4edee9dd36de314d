/* A bounded queue from any thread to the loop thread: library callbacks and worker threads hand over here and nowhere
 * else. Fixed-size items are copied in and out; pointers inside them change owner with the item. */
#ifndef BELFRY_BASE_MAILBOX_H
#define BELFRY_BASE_MAILBOX_H

#include <stddef.h>

struct bf_mailbox;

/* `wake` is called after each successful put, on the putting thread, without the lock held (uv_async_send fits). */
int bf_mailbox_new(struct bf_mailbox **ret, size_t item_size, size_t capacity, void (*wake)(void *user), void *user);
void bf_mailbox_free(struct bf_mailbox *m); /* drain first: items left inside are not released. NULL is fine */

int bf_mailbox_put(struct bf_mailbox *m, const void *item); /* -ENOBUFS when full: the caller still owns the item */
int bf_mailbox_take(struct bf_mailbox *m, void *ret_item);  /* -EAGAIN when empty */

#endif
