/* The worker's thread: receive, find the constants, package, end. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/picture.h"
#include "ingest/worker_state.h"

/* ---- telling the loop ---- */

static struct bf_worker_event event_of(const struct bf_worker *w, enum bf_worker_event_kind kind)
{
    struct bf_worker_event event = { .kind = kind, .at_ms = bf_unix_ms() };

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
    start.profile = w->options.profile->id;
    start.segment_us = shape->segment_us;
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

static void shape_of(struct bf_shape *ret, const struct bf_profile *profile, uint32_t gop_90k, uint32_t frame_90k)
{
    uint32_t fps = (90000 + frame_90k / 2) / frame_90k;

    bf_shape_of(ret, bf_profile_part_ms(profile, fps > 0 ? fps : 1), profile->segment_ms, gop_90k, frame_90k);
}

/* Of a session that goes on the journal knows how it was begun. */
static int begin_session(struct bf_worker *w, uint32_t frame_90k, uint32_t gop_90k)
{
    struct bf_packager_options options = { .frame_90k = frame_90k, .events = &packager_events, .user = w };

    shape_of(&options.shape, w->options.profile, gop_90k, frame_90k);
    int r = open_directory(w, &options.shape);
    if (r != 0)
        return r;

    const struct bf_session_place *place = bf_session_dir_place(w->dir);
    if (place->resumed) {
        shape_of(&options.shape, bf_profile_of(place->profile), gop_90k, frame_90k);
        bf_shape_keep(&options.shape, place->part_target_us, place->target_duration_s, place->segment_us);
    }
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
    uint32_t frame_90k, gop_90k;
    struct bf_sps sps;
    struct bf_au scanned;

    if (au->corrupt)
        return 0;
    bf_au_scan(au->data, au->size, &scanned);
    if (scanned.sps.size > 0 && bf_sps_parse(scanned.sps.data, scanned.sps.size, &sps) == 0)
        w->stated_frame_90k = bf_sps_frame_90k(&sps);
    int r = bf_intake_add(w->intake, au, scanned.idr, &frame_90k, &gop_90k);
    if (r != 1)
        return r;

    if (frame_90k == 0)
        frame_90k = w->stated_frame_90k != 0 ? w->stated_frame_90k : 3000;
    r = begin_session(w, frame_90k, gop_90k);
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
        .times = { .pts_90k = packet->pts_90k, .dts_90k = packet->dts_90k, .arrival_us = bf_unix_us() },
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
    struct bf_error e = { "out of memory" };

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
    if (w->options.fps == 0 || w->options.gop_frames == 0)
        return bf_intake_new(&w->intake);
    uint32_t frame_90k = (90000 + w->options.fps / 2) / w->options.fps;
    return begin_session(w, frame_90k, w->options.gop_frames * frame_90k);
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

void *bf_worker_run(void *user)
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
