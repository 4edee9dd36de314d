/* An ingest session's worker (ingest/worker.h) without transport, scan and packaging: it listens, takes pictures,
 * ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest_worker.h"

struct sim_listener *sim_listeners;

void sim_worker_tell(struct bf_worker *w, enum bf_worker_event_kind kind, struct bf_sync *sync)
{
    if (w->n_events == SIM_WORKER_EVENTS) {
        if (sync != NULL)
            bf_sync_run(sync);
        return;
    }
    struct bf_worker_event *event = &w->events[(w->first + w->n_events++) % SIM_WORKER_EVENTS];
    memset(event, 0, sizeof *event);
    event->kind = kind;
    event->at_ms = bf_unix_ms();
    if (sync != NULL)
        event->sync = *sync;
    if (w->dir != NULL) {
        event->counters.parts = bf_session_dir_place(w->dir)->parts;
        event->counters.bytes = bf_session_dir_place(w->dir)->bytes;
    }
    w->options.wake(w->options.user);
}

static void stop_listening(struct bf_worker *w)
{
    for (struct sim_listener **at = &sim_listeners; *at != NULL && w->listens; at = &(*at)->next)
        if (*at == &w->listener) {
            *at = w->listener.next;
            w->listens = false;
            return;
        }
}

void sim_worker_fail(struct bf_worker *w, const char *word, const struct bf_error *e)
{
    if (w->end.failure != NULL)
        return;
    w->end.failure = word;
    w->end.error = *e;
}

/* Called on the camera's time: from here on it is ingest's. */
static void take(void *worker, const struct sim_picture *p)
{
    struct bf_worker *w = worker;
    struct sim_node *sender = sim.current;

    if (w->ended || w->dir == NULL || w->node->frozen_until_us > sim.now_us)
        return;
    sim.current = w->node;
    sim_worker_write(w, p);
    sim.current = sender;
}

/* --- life --- */

static void finish(struct bf_worker *w)
{
    stop_listening(w);
    if (w->dir == NULL && w->end.failure == NULL)
        sim_worker_open(w); /* told to stop before it had begun */
    if (w->dir != NULL)
        sim_worker_close(w);
    w->ended = true;
    w->options.wake(w->options.user);
}

static void on_finish(void *arg)
{
    struct bf_worker *w = arg;

    w->next = NULL;
    finish(w);
}

static void on_begin(void *arg)
{
    struct bf_worker *w = arg;

    w->next = NULL;
    sim_worker_open(w);
    if (w->dir == NULL)
        finish(w);
}

int bf_worker_new(struct bf_worker **ret, const struct bf_worker_options *o)
{
    struct bf_worker *w = calloc(1, sizeof *w);

    if (w == NULL)
        return -ENOMEM;
    w->options = *o;
    w->node = sim.current;
    snprintf(w->site, sizeof w->site, "%s", o->site);
    snprintf(w->ingest, sizeof w->ingest, "%s", o->node);
    snprintf(w->camera, sizeof w->camera, "%s", o->camera);
    snprintf(w->session, sizeof w->session, "%s", o->session_id);
    *ret = w;
    return 0;
}

int bf_worker_listen(struct bf_worker *w, const struct bf_transport_options *transport, struct bf_error *e)
{
    for (const struct sim_listener *l = sim_listeners; l != NULL; l = l->next)
        if (l->port == transport->port && strcmp(l->host, transport->host) == 0)
            return bf_fail(e, -EADDRINUSE, "port %u is in use", transport->port);
    w->listener = (struct sim_listener){
        .port = transport->port, .session = w->session, .take = take, .worker = w, .next = sim_listeners
    };
    snprintf(w->listener.host, sizeof w->listener.host, "%s", transport->host);
    if (transport->passphrase != NULL)
        snprintf(w->listener.passphrase, sizeof w->listener.passphrase, "%s", transport->passphrase);
    w->listener.node = w->node;
    sim_listeners = &w->listener;
    w->listens = true;
    return 0;
}

int bf_worker_start(struct bf_worker *w)
{
    w->next = sim_after(w->node, sim_between_us(MSEC, 20 * MSEC), on_begin, NULL, w);
    return 0;
}

int bf_worker_poll(struct bf_worker *w, struct bf_worker_event *ret)
{
    if (w->n_events > 0) {
        *ret = w->events[w->first];
        w->first = (w->first + 1) % SIM_WORKER_EVENTS;
        w->n_events--;
        return 0;
    }
    if (!w->ended || w->end_told)
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
    if (w->reason == NULL)
        w->reason = reason;
    if (w->ended)
        return;
    w->listener.stopping = true;
    sim_cancel(w->next);
    w->next = sim_after(w->node, sim_between_us(5 * MSEC, 200 * MSEC), on_finish, NULL, w);
}

/* In a process that is killed nothing is ended: what is open is repaired by the next one. */
void bf_worker_free(struct bf_worker *w)
{
    if (w == NULL)
        return;
    sim_cancel(BF_TAKE(w->next));
    if (!w->ended && w->listens && !w->node->dead) {
        bf_worker_stop(w, "shutdown");
        sim_cancel(BF_TAKE(w->next));
        finish(w);
    }
    stop_listening(w);
    bf_session_dir_free(w->dir);
    for (size_t i = 0; i < w->n_events; i++)
        if (w->events[(w->first + i) % SIM_WORKER_EVENTS].kind == BF_WORKER_SYNC)
            bf_sync_run(&w->events[(w->first + i) % SIM_WORKER_EVENTS].sync);
    free(w);
}
