/* A video file in an endless loop, paced at the session's frame rate. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/pace.h"
#include "camera/source.h"
#include "media/video_file.h"

struct file_source {
    const struct bf_stop *stop;
    struct bf_pace pace;
    struct bf_video_file *video;
};

static void file_close(void *source)
{
    struct file_source *s = source;

    if (s == NULL)
        return;
    bf_video_file_free(s->video);
    free(s);
}
BF_DEFINE_CLEANUP(struct file_source, file_close)

static int file_open(void **ret, const struct bf_source_options *o, struct bf_source_format *ret_format,
                     struct bf_error *e)
{
    _cleanup_(file_closep) struct file_source *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL)
        return bf_fail(e, -ENOMEM, "no memory for a file source");

    r = bf_video_file_open(&s->video, o->file, o->width, o->height, e);
    if (r < 0)
        return r;

    s->stop = o->stop;
    bf_pace_init(&s->pace, o->fps, bf_mono_us());
    *ret_format = (struct bf_source_format){ BF_I420, o->width, o->height };
    *ret = BF_TAKE(s);
    return 0;
}

/* Decoded before the wait, so that the time this takes is not added to the tick. */
static int file_next(void *source, uint64_t deadline_us, struct bf_frame *ret, struct bf_error *e)
{
    struct file_source *s = source;
    struct bf_frame f;
    uint64_t due_us;
    int r;

    (void)deadline_us;
    r = bf_video_file_next(s->video, &f, e);
    if (r < 0)
        return r;

    due_us = bf_pace_next(&s->pace, bf_mono_us());
    r = bf_stop_wait_until(s->stop, due_us);
    if (r < 0)
        return bf_fail(e, r, "the wait for the next picture ended");

    f.mono_us = due_us;
    f.capture_us = bf_unix_us() - (bf_mono_us() - due_us);
    *ret = f;
    return 0;
}

const struct bf_source_ops bf_source_file = {
    .name = "file",
    .open = file_open,
    .next = file_next,
    .close = file_close,
};
