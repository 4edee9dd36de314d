/* What an ingest session's worker writes: the real stream directory, with the real journal; each picture is a part that
 * says who sent it. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ingest_worker.h"
#include "stream/layout.h"

#define PARTS_A_SEGMENT 3
#define PART_90K 36000

void sim_worker_open(struct bf_worker *w)
{
    Belfry__V1__SessionStart start = BELFRY__V1__SESSION_START__INIT;
    struct bf_error e = { "" };

    start.site = w->site;
    start.camera = w->camera;
    start.session_id = w->session;
    start.ingest = w->ingest;
    start.started_at_ms = bf_unix_ms();
    start.record = w->options.record;
    start.part_target_us = 432400;
    start.target_duration_s = 2;
    start.profile = w->options.profile->id;
    start.segment_us = PARTS_A_SEGMENT * SIM_PART_US;
    start.window_ms = w->options.window_ms;
    start.lease_epoch = w->options.lease_epoch;
    const struct bf_session_dir_options options = { .media_fd = w->options.media_fd,
                                                    .start = &start,
                                                    .key = w->options.key };
    int r = bf_session_dir_open(&w->dir, &options, &e);
    if (r < 0) {
        sim_worker_fail(w, r == -EALREADY ? "session_ended" : "storage_failed", &e);
        return;
    }
    w->known = sim_session_make(w->session, w->camera, w->options.record);
    w->end.begun = true;
    sim_media_touched();
}

void sim_worker_end_segment(struct bf_worker *w)
{
    struct bf_sync sync;
    struct bf_error e;

    if (w->dir == NULL || !bf_session_dir_place(w->dir)->segment_open)
        return;
    int r = bf_session_dir_end_segment(w->dir, &sync);
    if (r < 0) {
        bf_fail(&e, r, "ending a segment");
        sim_worker_fail(w, "storage_failed", &e);
        return;
    }
    w->parts_in_segment = 0;
    w->known->segments++;
    if (bf_sync_wanted(&sync))
        sim_worker_tell(w, BF_WORKER_SYNC, &sync);
}

static int make_init(struct bf_worker *w)
{
    uint8_t data[SIM_PART_SIZE] = "init";

    int r = w->has_init ? 0 : bf_session_dir_init(w->dir, data, sizeof data, "avc1.42c01e", 640, 480, 30000);
    w->has_init = r == 0;
    return r;
}

void sim_worker_write(struct bf_worker *w, const struct sim_picture *p)
{
    char data[SIM_PART_SIZE] = "";
    bool pause = sim.now_us - w->last_us > 4 * SIM_PART_US;

    if (strcmp(p->session, w->session) != 0 || strcmp(p->camera, w->camera) != 0)
        sim_violate("pictures of %s/%s arrive in session %s/%s", p->camera, p->session, w->camera, w->session);
    if (pause || w->parts_in_segment == PARTS_A_SEGMENT)
        sim_worker_end_segment(w);
    snprintf(data, sizeof data, "%s %s\n", p->camera, p->session);
    const struct bf_part part = { .capture_us = bf_unix_us(),
                                  .decode_time_90k = (int64_t)bf_session_dir_place(w->dir)->next_90k,
                                  .duration_90k = PART_90K,
                                  .frames = 12,
                                  .independent = !bf_session_dir_place(w->dir)->segment_open,
                                  .discontinuity = pause && bf_session_dir_place(w->dir)->parts > 0 };
    if (make_init(w) < 0 || bf_session_dir_part(w->dir, data, sizeof data, &part) < 0)
        return;
    w->parts_in_segment++;
    w->last_us = sim.now_us;
    w->known->parts++;
    sim_worker_tell(w, BF_WORKER_PART, NULL);
    sim_media_touched();
}

void sim_worker_close(struct bf_worker *w)
{
    struct bf_error e = { "" };

    sim_worker_end_segment(w);
    int r = bf_session_dir_end(w->dir, w->reason != NULL ? w->reason : "failed", bf_unix_ms());
    if (r < 0) {
        bf_fail(&e, r, "ending the session");
        sim_worker_fail(w, "storage_failed", &e);
    }
    const struct bf_session_place *place = bf_session_dir_place(w->dir);
    w->end.closed = place->ended;
    w->end.segments = place->segments;
    memcpy(w->end.chain_head, place->chain_head, sizeof w->end.chain_head);
    bf_session_dir_free(BF_TAKE(w->dir));
    sim_media_touched();
}
