#include "ingest/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mailbox.h"
#include "ingest/picture.h"
#include "media/ts.h"

#define EVENTS 128

struct bf_worker {
    /* Fixed before the thread starts. */
    struct bf_worker_options options;
    char site[BF_ID_SIZE], node[BF_ID_SIZE], camera[BF_ID_SIZE], session_id[BF_ULID_SIZE];
    struct bf_transport *transport;

    /* Shared. */
    atomic_bool stop;
    _Atomic(const char *) reason;
    struct bf_mailbox *events;
    atomic_bool ended; /* set last; `end` may be read then */

    /* The worker's thread alone. */
    struct bf_ts_reader *reader;
    struct bf_intake *intake;     /* until the constants are known */
    uint32_t stated_frame_90k;    /* by the last SPS that came */
    struct bf_session_dir *dir;   /* then these two */
    struct bf_packager *packager;
    struct bf_worker_end end;

    /* The loop thread alone. */
    pthread_t thread;
    bool has_thread, end_told;
};

/* ---- telling the loop ---- */

static struct bf_worker_event event_of(const struct bf_worker *w, enum bf_worker_event_kind kind)
{
    struct bf_worker_event event = {.kind = kind, .at_ms = bf_unix_ms()};

    if (w->dir != NULL) {
        event.counters.parts = bf_session_dir_place(w->dir)->parts;
        event.counters.bytes = bf_session_dir_place(w->dir)->bytes;
    }
    if (w->packager != NULL)
        event.counters.packager = bf_packager_counters(w->packager);
    event.counters.transport = bf_transport_counters(w->transport);
    return event;
}

/* A full mailbox means that the loop is stuck: it will see the next parts, and always the end. */
static void on_part(void *user)
{
    struct bf_worker *w = user;
    struct bf_worker_event event = event_of(w, BF_WORKER_PART);

    bf_mailbox_put(w->events, &event);
}

static void tell_counters(struct bf_worker *w)
{
    struct bf_worker_event event = event_of(w, BF_WORKER_COUNTERS);

    bf_mailbox_put(w->events, &event);
}

static void on_segment(void *user, struct bf_sync *sync)
{
    struct bf_worker *w = user;
    struct bf_worker_event event = event_of(w, BF_WORKER_SYNC);

    if (!bf_sync_wanted(sync))
        return;
    event.sync = *sync;
    if (bf_mailbox_put(w->events, &event) != 0)
        bf_sync_run(sync);
}

static void on_storage(void *user, int code)
{
    struct bf_worker *w = user;
    struct bf_worker_event event = event_of(w, BF_WORKER_STORAGE);

    event.code = code;
    bf_mailbox_put(w->events, &event);
}

static const struct bf_packager_events packager_events = {
    .part = on_part,
    .segment = on_segment,
    .storage = on_storage,
};

/* Remembers what ended the worker; the first cause counts. */
static int fail(struct bf_worker *w, const char *word, int code, const struct bf_error *e)
{
    if (w->end.failure == NULL) {
        w->end.failure = word;
        w->end.error = *e;
    }
    return code;
}

static int fail_storage(struct bf_worker *w, int code, const struct bf_error *e)
{
    return fail(w, bf_disk_full(code) ? "disk_full" : "storage_failed", code, e);
}

/* ---- the session's directory ---- */

static uint32_t window_ms(const struct bf_worker *w, const struct bf_shape *shape)
{
    uint32_t least = 3000 * shape->target_duration_s;

    return w->options.window_ms > least ? w->options.window_ms : least;
}

static int open_directory(struct bf_worker *w, const struct bf_shape *shape)
{
    Belfry__V1__SessionStart start = BELFRY__V1__SESSION_START__INIT;
    struct bf_error e;

    start.site = w->site;
    start.camera = w->camera;
    start.session_id = w->session_id;
    start.ingest = w->node;
    start.started_at_ms = bf_unix_ms();
    start.record = w->options.record;
    start.part_target_us = shape->part_target_us;
    start.target_duration_s = shape->target_duration_s;
    start.window_ms = window_ms(w, shape);
    start.lease_epoch = w->options.lease_epoch;
    const struct bf_session_dir_options options = {
        .media_fd = w->options.media_fd,
        .start = &start,
        .key = w->options.key,
        .reserve_bytes = w->options.reserve_bytes,
    };
    int r = bf_session_dir_open(&w->dir, &options, &e);
    if (r == -EALREADY)
        return fail(w, "session_ended", r, &e);
    return r == 0 ? 0 : fail_storage(w, r, &e);
}

static int begin_session(struct bf_worker *w, uint32_t frame_90k, uint32_t gop_ms)
{
    struct bf_packager_options options = {.frame_90k = frame_90k, .events = &packager_events, .user = w};

    bf_shape_of(&options.shape, w->options.part_ms, w->options.segment_ms, gop_ms, frame_90k);
    int r = open_directory(w, &options.shape);
    if (r != 0)
        return r;

    const struct bf_session_place *place = bf_session_dir_place(w->dir);
    bf_shape_keep(&options.shape, place->part_target_us, place->target_duration_s);
    options.dir = w->dir;
    return bf_packager_new(&w->packager, &options);
}

/* ---- media ---- */

static int repeat(void *user, const struct bf_access_unit *au)
{
    return bf_packager_add(user, au);
}

static int take_in(struct bf_worker *w, const struct bf_access_unit *au)
{
    uint32_t frame_90k, gop_ms;
    struct bf_sps sps;
    struct bf_au scanned;

    if (au->corrupt)
        return 0;
    bf_au_scan(au->data, au->size, &scanned);
    if (scanned.sps.size > 0 && bf_sps_parse(scanned.sps.data, scanned.sps.size, &sps) == 0)
        w->stated_frame_90k = bf_sps_frame_90k(&sps);
    int r = bf_intake_add(w->intake, au, scanned.idr, &frame_90k, &gop_ms);
    if (r != 1)
        return r;

    if (frame_90k == 0)
        frame_90k = w->stated_frame_90k != 0 ? w->stated_frame_90k : 3000;
    r = begin_session(w, frame_90k, gop_ms);
    if (r == 0)
        r = bf_intake_each(w->intake, repeat, w->packager);
    bf_intake_free(BF_TAKE(w->intake));
    return r;
}

static int take(struct bf_worker *w, const struct bf_ts_packet *packet)
{
    const struct bf_access_unit au = {
        .data = packet->data,
        .size = packet->size,
        .times = {.pts_90k = packet->pts_90k, .dts_90k = packet->dts_90k, .arrival_us = bf_unix_us()},
        .corrupt = packet->corrupt,
    };

    return w->packager != NULL ? bf_packager_add(w->packager, &au) : take_in(w, &au);
}

static int broken_off(struct bf_worker *w)
{
    tell_counters(w);
    if (w->packager != NULL)
        return bf_packager_pause(w->packager);
    bf_intake_reset(w->intake);
    return 0;
}

static int new_reader(struct bf_worker *w)
{
    struct bf_error e = {"out of memory"};

    bf_ts_reader_free(BF_TAKE(w->reader));
    int r = bf_ts_reader_new(&w->reader, w->transport, &e);
    return r == 0 ? 0 : fail(w, "receiver_failed", r, &e);
}

static int receive(struct bf_worker *w)
{
    struct bf_ts_packet packet;
    int r = bf_ts_read(w->reader, &packet);

    if (r == 0)
        return take(w, &packet);
    if (r == -ETIMEDOUT)
        return broken_off(w);
    if (r != -EPIPE)
        return r;
    r = broken_off(w);
    return r == 0 ? new_reader(w) : r;
}

/* ---- the thread ---- */

static int begin(struct bf_worker *w)
{
    int r = new_reader(w);

    if (r != 0)
        return r;
    if (w->options.fps == 0 || w->options.gop_ms == 0)
        return bf_intake_new(&w->intake);
    return begin_session(w, 90000 / w->options.fps, w->options.gop_ms);
}

static int close_session(struct bf_worker *w)
{
    const struct bf_session_place *place = bf_session_dir_place(w->dir);
    struct bf_sync sync;
    int r = w->packager != NULL ? bf_packager_pause(w->packager) : 0;

    if (r == 0 && place->segment_open) { /* the storage refused: perhaps a record fits now */
        r = bf_session_dir_end_segment(w->dir, &sync);
        if (r == 0)
            r = bf_sync_run(&sync);
    }
    if (r == 0)
        r = bf_session_dir_end(w->dir, atomic_load(&w->reason), bf_unix_ms());
    w->end.closed = place->ended;
    w->end.segments = place->segments;
    memcpy(w->end.chain_head, place->chain_head, sizeof w->end.chain_head);
    return r;
}

static void finish(struct bf_worker *w, int code)
{
    struct bf_error e;

    if (code != -ECANCELED) {
        const char *none = NULL;

        atomic_compare_exchange_strong(&w->reason, &none, "failed");
        bf_fail(&e, code, "receiving: %s", strerror(-code));
        fail(w, code == -ENOMEM ? "out_of_memory" : "receiver_failed", code, &e);
    }
    w->end.begun = w->dir != NULL;
    int r = w->dir != NULL ? close_session(w) : 0;
    if (r != 0) {
        bf_fail(&e, r, "ending the session's journal: %s", strerror(-r));
        fail_storage(w, r, &e);
    }
}

static void *run(void *user)
{
    struct bf_worker *w = user;
    int r = begin(w);

    while (r == 0)
        r = receive(w);
    finish(w, r);
    tell_counters(w);

    bf_packager_free(BF_TAKE(w->packager));
    bf_session_dir_free(BF_TAKE(w->dir));
    bf_intake_free(BF_TAKE(w->intake));
    bf_ts_reader_free(BF_TAKE(w->reader));
    atomic_store(&w->ended, true);
    w->options.wake(w->options.user);
    return NULL;
}

/* ---- the loop's side ---- */

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
    int r = pthread_create(&w->thread, NULL, run, w);

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
    *ret = (struct bf_worker_event){.kind = BF_WORKER_ENDED, .at_ms = bf_unix_ms()};
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
