/* Pictures without a camera: a static background is drawn once; per frame only what moves is repainted (a textured
 * square on its way round, a band of noise that scrolls, the digits that changed, the barcode). That gives an encoder
 * something to do and the processor almost nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/overlay.h"
#include "camera/pace.h"
#include "camera/source.h"

enum { CLOCK_SIZE = 25, NOISE_PERIOD = 1024 };

struct picture {
    struct bf_frame frame;
    uint8_t *memory;
};

struct test_pattern {
    const struct bf_stop *stop;
    struct bf_pace pace;
    struct picture background; /* as it is without what moves */
    struct picture shown;
    uint64_t count;
    uint32_t top;    /* first row below the clock, even */
    uint32_t square; /* side of the square, pixels, even */
    uint32_t square_x, square_y;
    uint32_t band_y, band_rows;
    uint32_t clock_scale;
    char clock[CLOCK_SIZE];          /* what stands there now */
    uint8_t noise[2 * NOISE_PERIOD]; /* one period twice, so that a scrolled row is one copy */
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int picture_init(struct picture *p, uint32_t width, uint32_t height)
{
    size_t luma = (size_t)width * height;

    p->memory = calloc(1, luma * 3 / 2);
    if (p->memory == NULL)
        return -ENOMEM;

    p->frame = (struct bf_frame){
        .format = BF_I420,
        .width = width,
        .height = height,
        .planes = { p->memory, p->memory + luma, p->memory + luma + luma / 4 },
        .strides = { width, width / 2, width / 2 },
    };
    return 0;
}

/* Copies a rectangle with even edges in all three planes. */
static void copy_rectangle(const struct bf_frame *to, const struct bf_frame *from, uint32_t x, uint32_t y,
                           uint32_t side)
{
    for (unsigned p = 0; p < 3; p++) {
        unsigned shift = p > 0;
        for (uint32_t row = y >> shift; row < (y + side) >> shift; row++) {
            size_t offset = (size_t)row * to->strides[p] + (x >> shift);
            memcpy(to->planes[p] + offset, from->planes[p] + offset, side >> shift);
        }
    }
}

/* Eight bars of colour over a gentle slope of light; the first `grey_rows`, where the clock stands, without colour. */
static void draw_background(const struct bf_frame *f, uint32_t grey_rows)
{
    static const uint8_t u[8] = { 128, 44, 156, 72, 184, 100, 212, 128 };
    static const uint8_t v[8] = { 128, 142, 44, 58, 198, 212, 114, 128 };

    for (uint32_t y = 0; y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++)
            f->planes[0][(size_t)y * f->strides[0] + x] =
                (uint8_t)(48 + (7 - x * 8 / f->width) * 18 + y * 40 / f->height);

    for (uint32_t y = 0; y < f->height / 2; y++)
        for (uint32_t x = 0; x < f->width / 2; x++) {
            size_t at = (size_t)y * f->strides[1] + x;
            uint32_t bar = y < grey_rows / 2 ? 0 : x * 16 / f->width;
            f->planes[1][at] = u[bar];
            f->planes[2][at] = v[bar];
        }
}

/* xorshift32: the same picture on every machine. */
static void make_noise(uint8_t noise[static 2 * NOISE_PERIOD])
{
    uint32_t x = 2463534242u;

    for (unsigned i = 0; i < NOISE_PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        noise[i] = noise[i + NOISE_PERIOD] = (uint8_t)(96 + x % 64);
    }
}

/* Position on a path that goes to and fro over `range`, even. */
static uint32_t to_and_fro(uint64_t distance, uint32_t range)
{
    uint32_t at = range > 0 ? (uint32_t)(distance % (2 * (uint64_t)range)) : 0;

    return (at <= range ? at : 2 * range - at) & ~1u;
}

static void move_square(struct test_pattern *t)
{
    const struct bf_frame *f = &t->shown.frame;

    copy_rectangle(f, &t->background.frame, t->square_x, t->square_y, t->square);
    t->square_x = to_and_fro(t->count * 4, f->width - t->square);
    t->square_y = t->top + to_and_fro(t->count * 2, t->band_y - t->top - t->square);

    for (uint32_t row = 0; row < t->square; row++) {
        uint8_t *luma = f->planes[0] + (size_t)(t->square_y + row) * f->strides[0] + t->square_x;
        memcpy(luma, t->noise + row * 37 % NOISE_PERIOD, t->square);
    }
    for (uint32_t row = 0; row < t->square / 2; row++) {
        size_t at = (size_t)(t->square_y / 2 + row) * f->strides[1] + t->square_x / 2;
        memset(f->planes[1] + at, 90, t->square / 2);
        memset(f->planes[2] + at, 170, t->square / 2);
    }
}

static void scroll_band(struct test_pattern *t)
{
    const struct bf_frame *f = &t->shown.frame;

    for (uint32_t row = 0; row < t->band_rows; row++) {
        uint8_t *luma = f->planes[0] + (size_t)(t->band_y + row) * f->strides[0];
        size_t from = (t->count * 2 + row * 131) % NOISE_PERIOD;
        for (uint32_t x = 0; x < f->width; x += NOISE_PERIOD)
            memcpy(luma + x, t->noise + from, f->width - x < NOISE_PERIOD ? f->width - x : NOISE_PERIOD);
    }
}

static void show_clock(struct test_pattern *t, uint64_t unix_ms)
{
    char text[CLOCK_SIZE];
    uint32_t advance = BF_GLYPH_WIDTH * t->clock_scale;

    bf_rfc3339(text, unix_ms);
    for (uint32_t i = 0; i + 1 < CLOCK_SIZE; i++)
        if (text[i] != t->clock[i])
            bf_overlay_glyph(&t->shown.frame, advance / 2 + i * advance, BF_BARCODE_ROWS + t->clock_scale,
                             t->clock_scale, text[i]);
    memcpy(t->clock, text, sizeof(text));
}

static void test_pattern_close(void *source)
{
    struct test_pattern *t = source;

    if (t == NULL)
        return;
    free(t->background.memory);
    free(t->shown.memory);
    free(t);
}
BF_DEFINE_CLEANUP(struct test_pattern, test_pattern_close)

/* From the top: barcode, clock, where the square moves, the band. The sizes leave room for all of them in any frame of
 * at least 64 by 64 pixels. */
static void lay_out(struct test_pattern *t, uint32_t width, uint32_t height)
{
    uint32_t scale = smaller(width / 160, height / 48);

    t->clock_scale = scale > 0 ? scale : 1;
    t->square = smaller(width, height) / 6 & ~1u;
    t->top = (BF_BARCODE_ROWS + (BF_GLYPH_HEIGHT + 2) * t->clock_scale + 1) & ~1u;
    t->square_y = t->top;
    t->band_rows = height / 12 & ~1u;
    t->band_y = height - t->band_rows;
}

static int test_pattern_open(void **ret, const struct bf_source_options *o, struct bf_source_format *ret_format,
                             struct bf_error *e)
{
    _cleanup_(test_pattern_closep) struct test_pattern *t = calloc(1, sizeof(*t));

    if (t == NULL || picture_init(&t->background, o->width, o->height) < 0 ||
        picture_init(&t->shown, o->width, o->height) < 0)
        return bf_fail(e, -ENOMEM, "no memory for a test pattern of %ux%u", o->width, o->height);

    t->stop = o->stop;
    lay_out(t, o->width, o->height);
    make_noise(t->noise);
    draw_background(&t->background.frame, t->top);
    memcpy(t->shown.memory, t->background.memory, (size_t)o->width * o->height * 3 / 2);
    bf_pace_init(&t->pace, o->fps, bf_mono_us());

    *ret_format = (struct bf_source_format){ BF_I420, o->width, o->height };
    *ret = BF_TAKE(t);
    return 0;
}

/* The moment of a picture is its tick, not when the thread woke up: the cadence is ideal, and the barcode counts a late
 * thread as latency, as a late sensor would be. */
static int test_pattern_next(void *source, uint64_t deadline_us, struct bf_frame *ret, struct bf_error *e)
{
    struct test_pattern *t = source;
    uint64_t now_us = bf_mono_us(), due_us = bf_pace_next(&t->pace, now_us);
    int r;

    (void)deadline_us;
    r = bf_stop_wait_until(t->stop, due_us);
    if (r < 0)
        return bf_fail(e, r, "the wait for the next picture ended");

    struct bf_frame *f = &t->shown.frame;
    f->mono_us = due_us;
    f->capture_us = bf_unix_us() - (bf_mono_us() - due_us);
    move_square(t);
    scroll_band(t);
    show_clock(t, f->capture_us / 1000);
    bf_barcode_paint(f, f->capture_us / 1000);
    t->count++;
    *ret = *f;
    return 0;
}

const struct bf_source_ops bf_source_test_pattern = {
    .name = "test-pattern",
    .paints_barcode = true,
    .open = test_pattern_open,
    .next = test_pattern_next,
    .close = test_pattern_close,
};
