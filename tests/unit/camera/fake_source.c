#include "fake_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barcode_reader.h"
#include "base/clock.h"
#include "camera/pace.h"

enum { SIDE = 64 };

struct fake {
    const struct bf_stop *stop;
    struct bf_pace pace;
    struct bf_frame frame;
    unsigned given;
    uint8_t pixels[SIDE * SIDE * 3 / 2];
};

struct fake_source_script fake_script;

void fake_source_reset(void)
{
    fake_script.open_result = 0;
    fake_script.silent_after = fake_script.broken_after = 0;
    fake_script.stays_silent = false;
    fake_script.opens = fake_script.closes = fake_script.barcodes_seen = 0;
}

static int fake_open(void **ret, const struct bf_source_options *o, struct bf_source_format *ret_format,
                     struct bf_error *e)
{
    if (fake_script.open_result < 0)
        return bf_fail(e, fake_script.open_result, "the fake does not open");

    struct fake *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -ENOMEM;

    fake_script.opens++;
    f->stop = o->stop;
    f->frame = (struct bf_frame){
        .format = BF_I420,
        .width = SIDE,
        .height = SIDE,
        .planes = { f->pixels, f->pixels + SIDE * SIDE, f->pixels + SIDE * SIDE * 5 / 4 },
        .strides = { SIDE, SIDE / 2, SIDE / 2 },
    };
    bf_pace_init(&f->pace, o->fps, bf_mono_us());
    *ret_format = (struct bf_source_format){ BF_I420, SIDE, SIDE };
    *ret = f;
    return 0;
}

static bool over(unsigned after, unsigned given)
{
    return after != 0 && given >= after;
}

static bool is_silent(const struct fake *f)
{
    return over(fake_script.silent_after, f->given) && (fake_script.stays_silent || fake_script.opens == 1);
}

static int fake_next(void *source, uint64_t deadline_us, struct bf_frame *ret, struct bf_error *e)
{
    struct fake *f = source;
    bool silent = is_silent(f);
    uint64_t ms, due_us = silent ? deadline_us : bf_pace_next(&f->pace, bf_mono_us());

    if (over(fake_script.broken_after, f->given))
        return bf_fail(e, -EIO, "the fake is broken");
    if (f->given > 0 && read_barcode(&f->frame, 8, &ms) == 0 && ms == f->frame.capture_us / 1000)
        fake_script.barcodes_seen++;

    int r = bf_stop_wait_until(f->stop, due_us);
    if (r < 0 || silent)
        return bf_fail(e, r < 0 ? r : -ETIMEDOUT, "the fake is silent");

    memset(f->pixels, 128, sizeof(f->pixels));
    f->given++;
    f->frame.mono_us = due_us;
    f->frame.capture_us = bf_unix_us();
    *ret = f->frame;
    return 0;
}

static void fake_close(void *source)
{
    if (source != NULL)
        fake_script.closes++;
    free(source);
}

const struct bf_source_ops fake_source = { .name = "fake", .open = fake_open, .next = fake_next, .close = fake_close };
