#include "camera/pipeline.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/overlay.h"

enum { PROGRESS_US = 1000000 };

/* What ends the run. -ECANCELED is the way out when it was told to stop, not a failure. */
static int end_with(struct bf_pipeline *p, const char *code, int r)
{
    if (r != -ECANCELED)
        p->end_code = code;

    return r;
}

static int open_source(struct bf_pipeline *p)
{
    int r = p->ops->open(&p->source, &p->source_options, &p->format, &p->end_error);

    return r < 0 ? end_with(p, "source_failed", r) : 0;
}

static void close_source(struct bf_pipeline *p)
{
    p->ops->close(p->source);
    p->source = NULL;
}

/* Makes an encoder for the source's format, unless there is one already. */
static int open_encoder(struct bf_pipeline *p)
{
    const struct bf_encoder_options options = {
        .name = p->encoder_name,
        .width = p->format.width,
        .height = p->format.height,
        .fps = p->session->fps,
        .bitrate_kbps = p->session->bitrate_kbps,
        .gop_frames = bf_camera_session_gop_frames(p->session),
        .format = p->format.format,
    };

    if (p->encoder != NULL && memcmp(&p->encoder_format, &p->format, sizeof(p->format)) == 0)
        return 0;

    bf_encoder_free(BF_TAKE(p->encoder));
    int r = bf_encoder_new(&p->encoder, &options, &p->end_error);
    if (r < 0)
        return end_with(p, "encoder_failed", r);

    p->encoder_format = p->format;
    return 0;
}

static void forget_link(struct bf_pipeline *p)
{
    if (p->linked)
        p->counters.reconnects++;
    p->linked = p->streaming = false;
}

/* Goes where the receiver is now, and tries it when it is time to. The lease decides how long it is worth trying. */
static void keep_linked(struct bf_pipeline *p)
{
    struct bf_error e = { 0 };

    if (bf_link_follow(&p->link))
        forget_link(p);
    if (p->linked)
        return;

    int r = bf_link_try(&p->link, &e);
    if (r == 0)
        p->linked = p->force_idr = true;
    else if (r != -EAGAIN && r != -ECANCELED && bf_link_failures(&p->link) == 1)
        p->tell(p->user, BF_PIPELINE_UNREACHABLE, "receiver_unreachable", &e);
}

static void lose_link(struct bf_pipeline *p, int why)
{
    struct bf_error e;

    bf_fail(&e, why, "the receiver at %s port %u has left (%s); dialling it again", p->link.endpoint.host,
            (unsigned)p->link.endpoint.port, strerror(-why));
    bf_link_down(&p->link);
    forget_link(p);
    p->tell(p->user, BF_PIPELINE_UNREACHABLE, "receiver_lost", &e);
}

/* The watchdog: a silent source is closed and opened again. */
static int restart_source(struct bf_pipeline *p, const struct bf_error *why)
{
    if (!p->silent)
        p->tell(p->user, BF_PIPELINE_NO_FRAMES, "no_frames", why);
    p->silent = true;
    p->counters.source_restarts++;
    close_source(p);

    int r = open_source(p);
    return r < 0 ? r : open_encoder(p);
}

/* 0 with a picture; 1: none this time. */
static int next_frame(struct bf_pipeline *p, struct bf_frame *ret)
{
    uint64_t patience_us = ((uint64_t)p->no_frame_ms + 1000 / p->session->fps) * 1000;
    struct bf_error e = { 0 };
    int r = p->ops->next(p->source, bf_mono_us() + patience_us, ret, &e);

    if (r == -ETIMEDOUT) {
        r = restart_source(p, &e);
        return r < 0 ? r : 1;
    }
    if (r < 0) {
        p->end_error = e;
        return end_with(p, "source_failed", r);
    }
    if (p->silent)
        p->tell(p->user, BF_PIPELINE_FRAMES, NULL, NULL);
    p->silent = false;
    return 0;
}

/* Time stamps come from the moment of capture, so that its jitter is kept; they only ever go up. */
static int64_t pts_90k(struct bf_pipeline *p, uint64_t mono_us)
{
    int64_t pts = (int64_t)(mono_us * 9 / 100);

    if (pts <= p->last_pts_90k)
        pts = p->last_pts_90k + 1;

    return p->last_pts_90k = pts;
}

/* A receiver begins with an IDR. An encoder that holds pictures back gives what it still had before the one that was
 * asked for: those are let go. */
static void send_unit(struct bf_pipeline *p, const struct bf_encoded *unit)
{
    int64_t pts = pts_90k(p, unit->mono_us);
    int r = p->streaming || unit->idr ? bf_link_write(&p->link, unit->data, unit->size, pts, unit->idr) : -EAGAIN;

    if (r < 0) {
        p->counters.unsent++;
        if (r != -ECANCELED && r != -EAGAIN)
            lose_link(p, r);
        return;
    }
    p->counters.frames++;
    p->counters.bytes += unit->size;
    if (!p->streaming)
        p->tell(p->user, BF_PIPELINE_STREAMING, NULL, NULL);
    p->streaming = true;
}

static int encode_and_send(struct bf_pipeline *p, const struct bf_frame *f)
{
    struct bf_encoded unit;

    if (p->barcode && !p->ops->paints_barcode)
        bf_barcode_paint(f, f->capture_us / 1000);

    int r = bf_encoder_encode(p->encoder, f, p->force_idr, &unit);
    if (r < 0 && r != -EAGAIN) {
        bf_fail(&p->end_error, r, "encoder %s failed on a picture: %s", bf_encoder_name(p->encoder), strerror(-r));
        return end_with(p, "encoder_failed", r);
    }
    p->force_idr = false;
    if (r == 0)
        send_unit(p, &unit);
    return 0;
}

static void tell_progress(struct bf_pipeline *p)
{
    uint64_t now_us = bf_mono_us();

    if (now_us < p->next_progress_us)
        return;

    p->next_progress_us = now_us + PROGRESS_US;
    p->tell(p->user, BF_PIPELINE_PROGRESS, NULL, NULL);
}

/* One picture, from the source to the wire. Without a receiver pictures are let go unencoded. */
static int step(struct bf_pipeline *p)
{
    struct bf_frame f;

    keep_linked(p);
    int r = next_frame(p, &f);
    if (r != 0)
        return r < 0 ? r : 0;

    if (p->linked)
        r = encode_and_send(p, &f);
    else
        p->counters.unsent++;
    tell_progress(p);
    return r;
}

void bf_pipeline_run(struct bf_pipeline *p)
{
    p->end_code = "";
    p->source_options = (struct bf_source_options){ p->session->width, p->session->height, p->session->fps,
                                                    p->file,           p->sensor,          p->stop };
    p->next_progress_us = bf_mono_us() + PROGRESS_US;

    int r = open_source(p);
    if (r == 0)
        r = open_encoder(p);
    while (r == 0 && !bf_stop_raised(p->stop))
        r = step(p);

    bf_link_down(&p->link);
    close_source(p);
    bf_encoder_free(BF_TAKE(p->encoder));
}
