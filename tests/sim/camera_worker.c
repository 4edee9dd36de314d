/* A camera's worker (camera/worker.h) without sensor, encoder and SRT: it opens, dials, sends a picture every so
 * often, loses its receiver and dials again, is redirected, fails, ends. Built with its functions under other names:
 * ingest has a worker too. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "camera/worker.h"
#include "sim.h"

#define EVENTS_MAX 8
#define REDIAL_US (300 * MSEC)

struct bf_worker {
    struct sim_producer producer;
    uint64_t id; /* also its fencing token: later ones are higher */
    struct bf_camera_session session;
    void (*wake)(void *user);
    void *user;
    struct bf_worker_event events[EVENTS_MAX];
    size_t first, n_events;
    bool streaming, sent, ended;
    struct bf_pipeline_counters counters;
    struct sim_event *next;
};

struct sim_producer *sim_producers;
static uint64_t last_id;

int bf_source_find(const struct bf_source_ops **ret, const char *name, struct bf_error *e)
{
    static const struct bf_source_ops ops = { .name = "test-pattern" };

    (void)name;
    (void)e;
    *ret = &ops;
    return 0;
}

static void tell(struct bf_worker *w, enum bf_worker_event_kind kind, const char *code, const char *why)
{
    if (w->n_events == EVENTS_MAX)
        return; /* a bounded mailbox: the end is kept room for below */
    struct bf_worker_event *event = &w->events[(w->first + w->n_events++) % EVENTS_MAX];
    memset(event, 0, sizeof *event);
    event->kind = kind;
    event->code = code;
    event->counters = w->counters;
    event->width = 640;
    event->height = 480;
    snprintf(event->encoder, sizeof event->encoder, "none");
    snprintf(event->error.text, sizeof event->error.text, "%s", why);
    w->wake(w->user);
}

static void step(struct bf_worker *w, uint64_t delay_us, void (*run)(void *arg))
{
    sim_cancel(w->next);
    w->next = sim_after(w->producer.node, delay_us, run, NULL, w);
}

static void no_longer_produces(struct bf_worker *w)
{
    for (struct sim_producer **at = &sim_producers; *at != NULL; at = &(*at)->next)
        if (*at == &w->producer) {
            *at = w->producer.next;
            return;
        }
}

static struct sim_listener *listener_of(const struct bf_worker *w)
{
    const struct bf_camera_endpoint *to = &w->session.endpoint;

    if (sim.now_us < w->producer.node->media_cut_until_us)
        return NULL;
    for (struct sim_listener *l = sim_listeners; l != NULL; l = l->next)
        if (l->port == to->port && strcmp(l->host, to->host) == 0)
            return l;
    return NULL;
}

static void leave(struct bf_worker *w)
{
    for (struct sim_listener *l = sim_listeners; l != NULL; l = l->next)
        if (l->caller == w->id)
            l->caller = 0;
}

static void end(struct bf_worker *w, const char *code, const char *why)
{
    leave(w);
    no_longer_produces(w);
    w->ended = true;
    w->n_events = w->n_events == EVENTS_MAX ? EVENTS_MAX - 1 : w->n_events;
    tell(w, BF_WORKER_ENDED, code, why);
}

static void on_dial(void *arg);
static void on_send(void *arg);

static void lost(struct bf_worker *w, const char *why)
{
    leave(w);
    if (w->streaming || !w->sent)
        tell(w, BF_WORKER_UNREACHABLE, "receiver_unreachable", why);
    w->sent = true; /* told once before the first picture, too */
    w->streaming = false;
    step(w, sim_between_us(REDIAL_US, 4 * REDIAL_US), on_dial);
}

static void on_dial(void *arg)
{
    struct bf_worker *w = arg;
    struct sim_listener *l = listener_of(w);

    w->next = NULL;
    if (l == NULL || strcmp(l->passphrase, w->session.endpoint.passphrase) != 0 || l->caller > w->id) {
        lost(w, "nobody answers");
        return;
    }
    l->caller = w->id;
    step(w, sim_between_us(5 * MSEC, 100 * MSEC), on_send);
}

static void on_send(void *arg)
{
    struct bf_worker *w = arg;
    struct sim_listener *l = listener_of(w);

    w->next = NULL;
    if (sim.now_us < w->producer.node->source_fails_until_us) {
        end(w, "source_failed", "the source is gone");
        return;
    }
    if (l == NULL || l->caller != w->id) {
        lost(w, "the receiver has left");
        return;
    }
    const struct sim_picture picture = { .camera = w->producer.node->id,
                                         .session = w->producer.session,
                                         .idr = !w->streaming };
    w->counters.frames++;
    if (!w->streaming)
        tell(w, BF_WORKER_STREAMING, "", "");
    w->streaming = w->sent = true;
    l->heard_us = sim.now_us;
    step(w, SIM_PART_US, on_send);
    l->take(l->worker, &picture);
}

static void on_open(void *arg)
{
    struct bf_worker *w = arg;

    w->next = NULL;
    if (sim.now_us < w->producer.node->source_fails_until_us)
        end(w, "source_failed", "no such sensor");
    else
        on_dial(w);
}

static void on_end(void *arg)
{
    struct bf_worker *w = arg;

    w->next = NULL;
    end(w, "", "");
}

int bf_worker_new(struct bf_worker **ret, const struct bf_worker_options *o, struct bf_error *e)
{
    struct bf_worker *w = calloc(1, sizeof *w);

    (void)e;
    if (w == NULL)
        return -ENOMEM;
    w->producer.node = sim.current;
    memcpy(w->producer.session, o->session->id, sizeof w->producer.session);
    w->producer.next = sim_producers;
    sim_producers = &w->producer;
    w->id = ++last_id;
    w->session = *o->session;
    w->wake = o->wake;
    w->user = o->user;
    step(w, sim_between_us(10 * MSEC, 300 * MSEC), on_open);
    *ret = w;
    return 0;
}

int bf_worker_poll(struct bf_worker *w, struct bf_worker_event *ret)
{
    if (w->n_events == 0)
        return -EAGAIN;
    *ret = w->events[w->first];
    w->first = (w->first + 1) % EVENTS_MAX;
    w->n_events--;
    return 0;
}

void bf_worker_redirect(struct bf_worker *w, const struct bf_camera_endpoint *endpoint)
{
    if (w->ended || w->producer.stopping)
        return;
    leave(w);
    w->session.endpoint = *endpoint;
    w->streaming = false;
    step(w, sim_between_us(MSEC, 20 * MSEC), on_dial);
}

void bf_worker_stop(struct bf_worker *w)
{
    if (w->ended || w->producer.stopping)
        return;
    w->producer.stopping = true;
    leave(w);
    step(w, sim_between_us(5 * MSEC, 200 * MSEC), on_end);
}

void bf_worker_free(struct bf_worker *w)
{
    if (w == NULL)
        return;
    sim_cancel(w->next);
    leave(w);
    no_longer_produces(w);
    free(w);
}
