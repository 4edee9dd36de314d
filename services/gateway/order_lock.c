/* One gateway of a state directory orders. */
#include "gateway/gateway_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/exit_code.h"

#define ORDER_LOCK_NAME "gateway.orders.lock"

/* The node's own lock keeps out a second process of the node; this one, any other gateway that would write the same
 * intents and count the same epochs. */
int bf_gateway_lock_orders(struct bf_gateway *g, struct bf_error *e)
{
    const char *dir = g->config->storage.state;

    g->order_lock =
        openat(bf_service_state_dir(g->service), ORDER_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (g->order_lock < 0)
        return bf_fail(e, -errno, "%s/%s: cannot be opened: %s", dir, ORDER_LOCK_NAME, strerror(errno));
    if (flock(g->order_lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return bf_fail(e, -errno, "%s/%s: cannot be locked: %s", dir, ORDER_LOCK_NAME, strerror(errno));
    return bf_fail(e, -EBUSY,
                   "%s/%s: another gateway with this storage.state is running, and one only may order: stop it, or set "
                   "gateway.media_only here",
                   dir, ORDER_LOCK_NAME);
}

void bf_gateway_keep_lock(struct bf_gateway *g)
{
    struct stat st;

    if (g->order_lock < 0 || g->draining || fstat(g->order_lock, &st) < 0 || st.st_nlink > 0)
        return;
    bf_err("the lock on this gateway's orders was deleted: another gateway may take it",
           "file=%s/" ORDER_LOCK_NAME
           " remedy=\"start it again; sessions go on meanwhile, for as long as their lease. Files "
           "of storage.state are nobody else's to delete\"",
           g->config->storage.state);
    bf_service_quit(g->service, BF_EXIT_FAILURE);
}
