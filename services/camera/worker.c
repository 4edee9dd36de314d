#include "camera/worker.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mailbox.h"

enum { EVENTS = 32 };

struct bf_worker {
    struct bf_camera_session session;
    char *file, *sensor, *encoder;
    void (*wake)(void *user);
    void *user;

    struct bf_stop stop;
    struct bf_mailbox *events;
    atomic_bool ended;           /* set last by the thread: then the pipeline may be looked at */
    struct bf_pipeline pipeline; /* the thread's until then, but for what others may do to its link */

    pthread_t thread;
    bool has_link, has_thread, end_told;
};

static void describe(struct bf_worker_event *ret, const struct bf_pipeline *p, const char *code,
                     const struct bf_error *why)
{
    ret->code = code;
    ret->width = p->format.width;
    ret->height = p->format.height;
    ret->counters = p->counters;
    if (why != NULL)
        ret->error = *why;
    if (p->encoder != NULL)
        snprintf(ret->encoder, sizeof(ret->encoder), "%s", bf_encoder_name(p->encoder));
}

/* A full mailbox means that the loop is stuck: it will see the next ones, and always the end. */
static void tell(void *user, enum bf_pipeline_event kind, const char *code, const struct bf_error *why)
{
    struct bf_worker *w = user;
    struct bf_worker_event event = { .kind = (enum bf_worker_event_kind)kind };

    describe(&event, &w->pipeline, code, why);
    bf_mailbox_put(w->events, &event);
}

static void *run(void *user)
{
    struct bf_worker *w = user;

    pthread_setname_np(pthread_self(), "camera-worker");
    bf_pipeline_run(&w->pipeline);
    atomic_store(&w->ended, true);
    w->wake(w->user);
    return NULL;
}

/* Signals are the loop thread's. */
static int start_thread(struct bf_worker *w)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->has_thread = r == 0;
    return -r;
}

static int copy(char **ret, const char *text)
{
    *ret = strdup(text != NULL ? text : "");
    return *ret != NULL ? 0 : -ENOMEM;
}

static int prepare(struct bf_worker *w, const struct bf_worker_options *o)
{
    int r = copy(&w->file, o->file);

    if (r == 0)
        r = copy(&w->sensor, o->sensor);
    if (r == 0)
        r = copy(&w->encoder, o->encoder);
    if (r == 0)
        r = bf_stop_init(&w->stop);
    if (r == 0)
        r = bf_mailbox_new(&w->events, sizeof(struct bf_worker_event), EVENTS, o->wake, o->user);
    if (r < 0)
        return r;

    w->session = *o->session;
    w->wake = o->wake;
    w->user = o->user;
    w->pipeline = (struct bf_pipeline){
        .session = &w->session,
        .ops = o->source,
        .file = w->file,
        .sensor = w->sensor,
        .encoder_name = w->encoder,
        .stop = &w->stop,
        .barcode = o->barcode,
        .no_frame_ms = o->no_frame_ms,
        .tell = tell,
        .user = w,
    };
    bf_link_init(&w->pipeline.link, &w->session.endpoint, o->epoch, &w->stop);
    w->has_link = true;
    return 0;
}

BF_DEFINE_CLEANUP(struct bf_worker, bf_worker_free)

int bf_worker_new(struct bf_worker **ret, const struct bf_worker_options *o, struct bf_error *e)
{
    _cleanup_(bf_worker_freep) struct bf_worker *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return bf_fail(e, -ENOMEM, "no memory for a worker");

    w->stop.fd = -1;
    int r = prepare(w, o);
    if (r == 0)
        r = start_thread(w);
    if (r < 0)
        return bf_fail(e, r, "a worker for session %s does not start: %s", o->session->id, strerror(-r));

    *ret = BF_TAKE(w);
    return 0;
}

int bf_worker_poll(struct bf_worker *w, struct bf_worker_event *ret)
{
    bool ended = atomic_load(&w->ended); /* before the mailbox: what was put until then comes out first */

    if (bf_mailbox_take(w->events, ret) == 0)
        return 0;
    if (!ended || w->end_told)
        return -EAGAIN;

    w->end_told = true;
    *ret = (struct bf_worker_event){ .kind = BF_WORKER_ENDED };
    describe(ret, &w->pipeline, w->pipeline.end_code, &w->pipeline.end_error);
    return 0;
}

void bf_worker_stop(struct bf_worker *w)
{
    bf_stop_raise(&w->stop);
    bf_link_interrupt(&w->pipeline.link);
}

void bf_worker_redirect(struct bf_worker *w, const struct bf_camera_endpoint *endpoint)
{
    bf_link_redirect(&w->pipeline.link, endpoint);
}

void bf_worker_free(struct bf_worker *w)
{
    if (w == NULL)
        return;
    if (w->has_thread) {
        bf_worker_stop(w);
        pthread_join(w->thread, NULL);
        malloc_trim(0); /* most of the process was its encoder's memory: an idle camera gives it back */
    }
    if (w->has_link)
        bf_link_done(&w->pipeline.link);
    bf_mailbox_free(w->events);
    bf_stop_done(&w->stop);
    bf_camera_session_wipe(&w->session);
    free(w->file);
    free(w->sensor);
    free(w->encoder);
    free(w);
}
