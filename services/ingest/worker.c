#include "ingest/worker_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define EVENTS 128

int bf_worker_new(struct bf_worker **ret, const struct bf_worker_options *o)
{
    struct bf_worker *w = calloc(1, sizeof *w);

    if (w == NULL)
        return -ENOMEM;
    w->options = *o;
    memccpy(w->site, o->site, 0, sizeof w->site - 1);
    memccpy(w->node, o->node, 0, sizeof w->node - 1);
    memccpy(w->camera, o->camera, 0, sizeof w->camera - 1);
    memccpy(w->session_id, o->session_id, 0, sizeof w->session_id - 1);
    int r = bf_mailbox_new(&w->events, sizeof(struct bf_worker_event), EVENTS, o->wake, o->user);
    if (r != 0) {
        free(w);
        return r;
    }
    *ret = w;
    return 0;
}

int bf_worker_listen(struct bf_worker *w, const struct bf_transport_options *transport, struct bf_error *e)
{
    struct bf_transport_options options = *transport;

    options.stop = &w->stop;
    return bf_transport_listen(&w->transport, &options, e);
}

int bf_worker_start(struct bf_worker *w)
{
    int r = pthread_create(&w->thread, NULL, bf_worker_run, w);

    w->has_thread = r == 0;
    return -r;
}

int bf_worker_poll(struct bf_worker *w, struct bf_worker_event *ret)
{
    bool ended = atomic_load(&w->ended); /* before the mailbox: nothing is put after it */

    if (bf_mailbox_take(w->events, ret) == 0)
        return 0;
    if (!ended || w->end_told)
        return -EAGAIN;
    w->end_told = true;
    *ret = (struct bf_worker_event){ .kind = BF_WORKER_ENDED, .at_ms = bf_unix_ms() };
    return 0;
}

const struct bf_worker_end *bf_worker_end(const struct bf_worker *w)
{
    return &w->end;
}

void bf_worker_stop(struct bf_worker *w, const char *reason)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&w->reason, &none, reason);
    atomic_store(&w->stop, true);
}

void bf_worker_free(struct bf_worker *w)
{
    struct bf_worker_event event;

    if (w == NULL)
        return;
    if (w->has_thread) {
        bf_worker_stop(w, "shutdown");
        pthread_join(w->thread, NULL);
    }
    while (bf_mailbox_take(w->events, &event) == 0)
        if (event.kind == BF_WORKER_SYNC)
            bf_sync_run(&event.sync);
    bf_mailbox_free(w->events);
    bf_transport_free(w->transport);
    free(w);
}
