/* The libcamera source: waits for pictures and decides which to keep; libcamera itself is behind source_libcamera.h. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/moment.h"
#include "camera/pace.h"
#include "camera/source.h"
#include "camera/source_libcamera.h"

struct sensor {
    const struct bf_stop *stop;
    struct bf_pace pace;
    bool too_early; /* the picture that is held came before its tick */
    struct bf_libcamera *camera;
};

static void sensor_close(void *source)
{
    struct sensor *s = source;

    if (s == NULL)
        return;
    bf_libcamera_close(s->camera);
    free(s);
}
BF_DEFINE_CLEANUP(struct sensor, sensor_close)

static int sensor_open(void **ret, const struct bf_source_options *o, struct bf_source_format *ret_format,
                       struct bf_error *e)
{
    const struct bf_libcamera_options options = { o->sensor, o->width, o->height, o->fps };
    _cleanup_(sensor_closep) struct sensor *s = calloc(1, sizeof(*s));
    struct bf_libcamera_mode mode;
    int r;

    if (s == NULL)
        return bf_fail(e, -ENOMEM, "no memory for a camera");

    r = bf_libcamera_open(&s->camera, &options, e);
    if (r == 0)
        r = bf_libcamera_start(s->camera, e);
    if (r < 0)
        return r;

    s->stop = o->stop;
    bf_pace_init(&s->pace, o->fps, bf_mono_us());
    bf_libcamera_mode_of(s->camera, &mode);
    *ret_format = (struct bf_source_format){ mode.format, mode.width, mode.height };
    *ret = BF_TAKE(s);
    return 0;
}

static struct bf_now now(void)
{
    struct timespec boot;

    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (struct bf_now){
        .unix_us = bf_unix_us(),
        .mono_us = bf_mono_us(),
        .boot_us = (uint64_t)boot.tv_sec * 1000000 + (uint64_t)boot.tv_nsec / 1000,
    };
}

/* A driver that ignores the frame rate fills every buffer at once: its pictures are kept from it until the tick is due,
 * so that it neither spins nor delivers pictures that have aged in a queue. */
static int let_the_tick_come(struct sensor *s)
{
    int r;

    if (!s->too_early)
        return 0;

    r = bf_stop_wait_until(s->stop, bf_pace_due(&s->pace));
    s->too_early = false;
    return r;
}

static int sensor_next(void *source, uint64_t deadline_us, struct bf_frame *ret, struct bf_error *e)
{
    struct sensor *s = source;

    for (;;) {
        struct bf_frame f;
        uint64_t sensor_us;
        int r = let_the_tick_come(s);

        if (r == 0)
            r = bf_stop_wait_fd(s->stop, bf_libcamera_fd(s->camera), deadline_us);
        if (r == 0)
            return bf_fail(e, -ETIMEDOUT, "camera %s (%s) gives no pictures", bf_libcamera_id(s->camera),
                           bf_libcamera_model(s->camera));
        if (r < 0)
            return bf_fail(e, r, "the wait for the next picture ended");

        r = bf_libcamera_take(s->camera, &f, &sensor_us, e);
        if (r == -EAGAIN)
            continue;
        if (r < 0)
            return r;

        struct bf_now n = now();
        struct bf_moment moment = bf_moment_of(sensor_us, &n);
        f.capture_us = moment.capture_us;
        f.mono_us = moment.mono_us;
        if (bf_pace_admit(&s->pace, f.mono_us)) {
            *ret = f;
            return 0;
        }
        s->too_early = true;
    }
}

const struct bf_source_ops bf_source_libcamera = {
    .name = "libcamera",
    .open = sensor_open,
    .next = sensor_next,
    .close = sensor_close,
};
