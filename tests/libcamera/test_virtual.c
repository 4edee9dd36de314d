/* The libcamera source on libcamera's own virtual camera: what is captured has the right pixels at the right pace, and
 * survives the encoder. Needs libcamera 0.4 or later; with an older one run tests/libcamera/run-in-trixie. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/overlay.h"
#include "camera/source.h"
#include "camera/source_libcamera.h"
#include "media/encoder.h"
#include "media/h264.h"
#include "media/video_file.h"

enum { WIDTH = 640, HEIGHT = 480, FPS = 30, FRAMES = 100, BARS = 8 };

static struct bf_stop stop;
static const struct bf_source_options options = {
    .width = WIDTH, .height = HEIGHT, .fps = FPS, .sensor = "0", .stop = &stop
};

/* Luma, Cb and Cr of 100 % colour bars, BT.601, limited range. */
static const uint8_t bars[BARS][3] = { { 235, 128, 128 }, { 210, 16, 146 }, { 170, 166, 16 }, { 145, 54, 34 },
                                       { 106, 202, 222 }, { 81, 90, 240 },  { 41, 240, 110 }, { 16, 128, 128 } };

static void *open_camera(struct bf_source_format *ret_format)
{
    struct bf_error e = { 0 };
    void *source = NULL;

    if (bf_source_libcamera.open(&source, &options, ret_format, &e) < 0)
        fail_msg("%s", e.text);
    return source;
}

static struct bf_frame next_picture(void *source)
{
    struct bf_error e = { 0 };
    struct bf_frame f;

    if (bf_source_libcamera.next(source, bf_mono_us() + 3000000, &f, &e) < 0)
        fail_msg("%s", e.text);
    return f;
}

static bool near(int a, int b)
{
    return abs(a - b) <= 4;
}

/* Which bar the column shows, or -1. */
static int bar_at(const struct bf_frame *f, uint32_t x, uint32_t y)
{
    int luma = f->planes[0][(size_t)y * f->strides[0] + x];
    const uint8_t *chroma = f->planes[1] + (size_t)(y / 2) * f->strides[1] + (x & ~1u);

    for (int i = 0; i < BARS; i++)
        if (near(luma, bars[i][0]) && near(chroma[0], bars[i][1]) && near(chroma[1], bars[i][2]))
            return i;
    return -1;
}

/* The bars move sideways: all eight are there, in order, each an eighth of the width, in each row. */
static void check_bars(const struct bf_frame *f)
{
    uint32_t widths[BARS] = { 0 }, unclear = 0;
    int last = -1, changes = 0;

    for (uint32_t x = 0; x < f->width; x++) {
        int bar = bar_at(f, x, 0);
        if (bar < 0) {
            unclear++;
            continue;
        }
        widths[bar]++;
        if (last >= 0 && bar != last) {
            assert_int_equal(bar, (last + 1) % BARS);
            changes++;
        }
        last = bar;
    }
    assert_in_range(changes, BARS - 1, BARS);
    assert_in_range(unclear, 0, 4 * BARS);
    for (int i = 0; i < BARS; i++)
        assert_in_range(widths[i], f->width / BARS - 6, f->width / BARS + 2);
    for (uint32_t y = 1; y < f->height; y++)
        assert_memory_equal(f->planes[0] + (size_t)y * f->strides[0], f->planes[0], f->width);
    for (uint32_t y = 1; y < f->height / 2; y++)
        assert_memory_equal(f->planes[1] + (size_t)y * f->strides[1], f->planes[1], f->width);
}

static struct bf_encoder *new_encoder(const struct bf_source_format *format)
{
    const struct bf_encoder_options o = { "libx264", format->width, format->height, FPS, 4000, FPS, format->format };
    struct bf_encoder *encoder = NULL;
    struct bf_error e = { 0 };

    if (bf_encoder_new(&encoder, &o, &e) < 0)
        fail_msg("%s", e.text);
    return encoder;
}

static void check_unit(const struct bf_encoded *unit, const struct bf_frame *f, bool first)
{
    struct bf_au au;
    struct bf_sps sps;

    bf_au_scan(unit->data, unit->size, &au);
    assert_true(au.has_slice);
    assert_int_equal(au.capture_us, f->capture_us);
    if (!first)
        return;
    assert_true(au.idr);
    assert_int_equal(bf_sps_parse(au.sps.data, au.sps.size, &sps), 0);
    assert_int_equal(sps.width, WIDTH);
    assert_int_equal(sps.height, HEIGHT);
}

/* The first picture again, out of what the encoder made of it. */
static void check_decoded(const char *path, const uint8_t *luma)
{
    struct bf_video_file *video = NULL;
    struct bf_error e = { 0 };
    struct bf_frame f;
    uint64_t squares = 0;

    if (bf_video_file_open(&video, path, WIDTH, HEIGHT, &e) < 0 || bf_video_file_next(video, &f, &e) < 0)
        fail_msg("%s", e.text);
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++) {
            int d = f.planes[0][(size_t)y * f.strides[0] + x] - luma[(size_t)y * WIDTH + x];
            squares += (uint64_t)(d * d);
        }
    print_message("mean squared error of the first picture after encoding: %.2f\n", (double)squares / (WIDTH * HEIGHT));
    assert_in_range(squares, 0, 30u * WIDTH * HEIGHT); /* better than 33 dB */
    bf_video_file_free(video);
}

static void captures_and_encodes(void **state)
{
    char path[] = "/tmp/belfry-virtual-XXXXXX.h264";
    struct bf_source_format format;
    void *source = open_camera(&format);
    struct bf_encoder *encoder = new_encoder(&format);
    uint8_t *luma = malloc((size_t)WIDTH * HEIGHT);
    FILE *out = fdopen(mkstemps(path, 5), "w");
    uint64_t begin_us = bf_mono_us(), first_us = 0, last_us = 0, bytes = 0;

    (void)state;
    assert_int_equal(format.format, BF_NV12);
    assert_int_equal(format.width, WIDTH);
    assert_int_equal(format.height, HEIGHT);
    assert_non_null(luma);
    assert_non_null(out);
    for (unsigned i = 0; i < FRAMES; i++) {
        struct bf_frame f = next_picture(source);
        struct bf_encoded unit;

        assert_true(f.mono_us > last_us);
        assert_in_range(f.mono_us, begin_us - 1000000, bf_mono_us());
        first_us = i == 0 ? f.mono_us : first_us;
        last_us = f.mono_us;
        check_bars(&f);
        for (uint32_t y = 0; i == 0 && y < HEIGHT; y++)
            memcpy(luma + (size_t)y * WIDTH, f.planes[0] + (size_t)y * f.strides[0], WIDTH);
        assert_int_equal(bf_encoder_encode(encoder, &f, false, &unit), 0);
        check_unit(&unit, &f, i == 0);
        assert_int_equal(fwrite(unit.data, 1, unit.size, out), unit.size);
        bytes += unit.size;
    }
    fclose(out);
    check_decoded(path, luma);
    print_message("libcamera %s: %u pictures captured and encoded (%s), %.1f fps, %llu bytes\n", bf_libcamera_version(),
                  (unsigned)FRAMES, bf_encoder_name(encoder), (FRAMES - 1) * 1e6 / (double)(last_us - first_us),
                  (unsigned long long)bytes);
    assert_in_range(last_us - first_us, 99 * 1000000 / FPS * 9 / 10,
                    99 * 1000000 / FPS * 2); /* a busy machine is slower */

    unlink(path);
    free(luma);
    bf_encoder_free(encoder);
    bf_source_libcamera.close(source);
}

static void takes_the_barcode(void **state)
{
    struct bf_source_format format;
    void *source = open_camera(&format);
    struct bf_frame f = next_picture(source);
    uint64_t bits = bf_barcode_bits(f.capture_us / 1000);

    (void)state;
    bf_barcode_paint(&f, f.capture_us / 1000);
    for (unsigned i = 0; i < BF_BARCODE_CELLS; i++)
        assert_int_equal(f.planes[0][8 * f.strides[0] + i * 10 + 5] > 128, bits >> (63 - i) & 1);
    bf_source_libcamera.close(source);
}

static void refuses_an_unknown_sensor(void **state)
{
    static const char *const sensors[] = { "7", "no-such-camera", "" };
    struct bf_source_options o = options;

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(sensors); i++) {
        struct bf_source_format format;
        struct bf_error e = { 0 };
        void *source = NULL;
        o.sensor = sensors[i];
        assert_int_equal(bf_source_libcamera.open(&source, &o, &format, &e), -ENODEV);
        assert_null(source);
        assert_non_null(strstr(e.text, "Virtual"));
    }
}

static unsigned entries(const char *path)
{
    DIR *d = opendir(path);
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void leaks_nothing_over_restarts(void **state)
{
    unsigned fds = 0, threads = 0;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        struct bf_source_format format;
        void *source = open_camera(&format);
        next_picture(source);
        uint64_t before_us = bf_mono_us();
        bf_source_libcamera.close(source);
        assert_in_range(bf_mono_us() - before_us, 0, 250000);
        if (i == 0) {
            fds = entries("/proc/self/fd");
            threads = entries("/proc/self/task");
        }
    }
    assert_int_equal(entries("/proc/self/fd"), fds);
    assert_int_equal(entries("/proc/self/task"), threads);
}

static void obeys_the_stop_flag(void **state)
{
    struct bf_source_format format;
    void *source = open_camera(&format);
    struct bf_error e = { 0 };
    struct bf_frame f;

    (void)state;
    next_picture(source);
    bf_stop_raise(&stop);
    assert_int_equal(bf_source_libcamera.next(source, bf_mono_us() + 3000000, &f, &e), -ECANCELED);
    bf_source_libcamera.close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_and_encodes),      cmocka_unit_test(takes_the_barcode),
        cmocka_unit_test(refuses_an_unknown_sensor), cmocka_unit_test(leaks_nothing_over_restarts),
        cmocka_unit_test(obeys_the_stop_flag),
    };
    int major = 0, minor = 0;

    if (sscanf(bf_libcamera_version(), "v%d.%d", &major, &minor) == 2 && major == 0 && minor < 4) {
        fprintf(stderr, "libcamera %s has no virtual camera: run tests/libcamera/run-in-trixie\n",
                bf_libcamera_version());
        return 1;
    }
    if (bf_stop_init(&stop) < 0)
        return 1;
    int failed = cmocka_run_group_tests_name("libcamera.virtual", tests, NULL, NULL);
    bf_stop_done(&stop);
    return failed;
}
