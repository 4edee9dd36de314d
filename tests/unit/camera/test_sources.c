/* The sources that need no hardware. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "barcode_reader.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/source.h"
#include "media/encoder.h"

static struct bf_stop stop;

static void *open_source(const struct bf_source_ops *ops, const struct bf_source_options *o,
                         struct bf_source_format *ret)
{
    struct bf_error e = { 0 };
    void *source = NULL;

    if (ops->open(&source, o, ret, &e) < 0)
        fail_msg("%s: %s", ops->name, e.text);
    assert_int_equal(ret->format, BF_I420);
    assert_int_equal(ret->width, o->width);
    assert_int_equal(ret->height, o->height);
    return source;
}

static struct bf_frame next_picture(const struct bf_source_ops *ops, void *source)
{
    struct bf_error e = { 0 };
    struct bf_frame f;

    if (ops->next(source, bf_mono_us() + 3000000, &f, &e) < 0)
        fail_msg("%s: %s", ops->name, e.text);
    return f;
}

static void pattern_fits_every_size(void **state)
{
    static const uint32_t sizes[][2] = { { 64, 64 },   { 64, 4096 }, { 4096, 64 },  { 66, 70 },     { 160, 90 },
                                         { 640, 480 }, { 720, 576 }, { 1280, 720 }, { 1920, 1080 }, { 1922, 66 } };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(sizes); i++) {
        const struct bf_source_options o = { .width = sizes[i][0], .height = sizes[i][1], .fps = 120, .stop = &stop };
        struct bf_source_format format;
        void *source = open_source(&bf_source_test_pattern, &o, &format);
        for (unsigned k = 0; k < 12; k++) {
            struct bf_frame f = next_picture(&bf_source_test_pattern, source);
            uint64_t ms = 0;
            assert_int_equal(read_barcode(&f, 15, &ms), 0);
            assert_int_equal(ms, f.capture_us / 1000);
        }
        bf_source_test_pattern.close(source);
    }
}

static void pattern_keeps_an_even_cadence(void **state)
{
    const struct bf_source_options o = { .width = 64, .height = 64, .fps = 50, .stop = &stop };
    struct bf_source_format format;
    void *source = open_source(&bf_source_test_pattern, &o, &format);
    uint64_t last_us = 0;

    (void)state;
    for (unsigned i = 0; i < 25; i++) {
        struct bf_frame f = next_picture(&bf_source_test_pattern, source);
        uint64_t now_us = bf_mono_us(), unix_us = bf_unix_us();
        assert_true(now_us >= f.mono_us);
        assert_in_range(unix_us - f.capture_us + 50000, now_us - f.mono_us,
                        now_us - f.mono_us + 100000); /* one moment */
        if (i > 0)
            assert_int_equal((f.mono_us - last_us) % 20000, 0); /* whole ticks, never between */
        last_us = f.mono_us;
    }
    bf_source_test_pattern.close(source);
}

/* Moves enough to be a picture, little enough to be cheap. */
static void pattern_repaints_only_what_moves(void **state)
{
    const struct bf_source_options o = { .width = 640, .height = 480, .fps = 120, .stop = &stop };
    struct bf_source_format format;
    void *source = open_source(&bf_source_test_pattern, &o, &format);
    uint8_t *before = malloc(640 * 480);
    struct bf_frame f = next_picture(&bf_source_test_pattern, source);
    unsigned changed = 0;

    (void)state;
    assert_non_null(before);
    memcpy(before, f.planes[0], 640 * 480);
    f = next_picture(&bf_source_test_pattern, source);
    for (unsigned i = 0; i < 640 * 480; i++)
        changed += f.planes[0][i] != before[i];
    assert_in_range(changed, 640 * 480 / 100, 640 * 480 / 4);
    free(before);
    bf_source_test_pattern.close(source);
}

static void pattern_is_cheap(void **state)
{
    const struct bf_source_options o = { .width = 640, .height = 480, .fps = 100, .stop = &stop };
    struct bf_source_format format;
    void *source = open_source(&bf_source_test_pattern, &o, &format);
    struct timespec before, after;

    (void)state;
    next_picture(&bf_source_test_pattern, source);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    for (unsigned i = 0; i < 100; i++)
        next_picture(&bf_source_test_pattern, source);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    int64_t us = (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
    print_message("test pattern 640x480: %lld us of CPU a picture, %.2f %% of a core at 30 fps\n", (long long)us / 100,
                  (double)us / 100 * 30 / 10000);
    assert_in_range(us, 1, 100 * 2000); /* wide: sanitizers run this too */
    bf_source_test_pattern.close(source);
}

/* Ten grey pictures, darker to lighter, as a raw H.264 file. */
static void write_video(const char *path)
{
    const struct bf_encoder_options o = { "libx264", 320, 240, 25, 500, 25, BF_I420 };
    uint8_t *pixels = malloc(320 * 240 * 3 / 2);
    struct bf_encoder *encoder = NULL;
    struct bf_error e = { 0 };
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_non_null(pixels);
    if (bf_encoder_new(&encoder, &o, &e) < 0)
        fail_msg("%s", e.text);
    memset(pixels, 128, 320 * 240 * 3 / 2);
    for (unsigned i = 0; i < 10; i++) {
        const struct bf_frame f = {
            BF_I420,           320,           240,          { pixels, pixels + 320 * 240, pixels + 320 * 240 * 5 / 4 },
            { 320, 160, 160 }, i * 40000 + 1, i * 40000 + 1
        };
        struct bf_encoded unit;
        memset(pixels, (int)(40 + 20 * i), 320 * 240);
        assert_int_equal(bf_encoder_encode(encoder, &f, false, &unit), 0);
        assert_int_equal(fwrite(unit.data, 1, unit.size, out), unit.size);
    }
    fclose(out);
    bf_encoder_free(encoder);
    free(pixels);
}

static void file_loops_at_the_wanted_size_and_pace(void **state)
{
    char path[] = "/tmp/belfry-file-XXXXXX.h264";
    int fd = mkstemps(path, 5);
    const struct bf_source_options o = { .width = 160, .height = 120, .fps = 100, .file = path, .stop = &stop };
    struct bf_source_format format;
    uint64_t first_us = 0, last_us = 0;
    unsigned restarts = 0;
    int last_luma = 0;

    (void)state;
    close(fd);
    write_video(path);
    void *source = open_source(&bf_source_file, &o, &format);
    for (unsigned i = 0; i < 25; i++) {
        struct bf_frame f = next_picture(&bf_source_file, source);
        int luma = f.planes[0][60 * f.strides[0] + 80];
        restarts += luma < last_luma - 10;
        last_luma = luma;
        first_us = i == 0 ? f.mono_us : first_us;
        assert_int_equal((f.mono_us - first_us) % 10000, 0);
        assert_true(f.mono_us > last_us);
        last_us = f.mono_us;
    }
    assert_int_equal(restarts, 2);
    bf_source_file.close(source);
    unlink(path);
}

static void file_that_is_not_there(void **state)
{
    const struct bf_source_options o = {
        .width = 160, .height = 120, .fps = 25, .file = "/nonexistent.mp4", .stop = &stop
    };
    struct bf_source_format format;
    struct bf_error e = { 0 };
    void *source = NULL;

    (void)state;
    assert_true(bf_source_file.open(&source, &o, &format, &e) < 0);
    assert_null(source);
    assert_non_null(strstr(e.text, "/nonexistent.mp4"));
}

static void names(void **state)
{
    const struct bf_source_ops *ops = NULL;
    struct bf_error e = { 0 };

    (void)state;
    assert_int_equal(bf_source_find(&ops, "test-pattern", &e), 0);
    assert_ptr_equal(ops, &bf_source_test_pattern);
    assert_int_equal(bf_source_find(&ops, "file", &e), 0);
    assert_ptr_equal(ops, &bf_source_file);
#ifdef BELFRY_LIBCAMERA
    assert_int_equal(bf_source_find(&ops, "libcamera", &e), 0);
    assert_ptr_equal(ops, &bf_source_libcamera);
#else
    assert_int_equal(bf_source_find(&ops, "libcamera", &e), -EINVAL);
    assert_non_null(strstr(e.text, "BELFRY_LIBCAMERA"));
#endif
    assert_int_equal(bf_source_find(&ops, "webcam", &e), -EINVAL);
    assert_non_null(strstr(e.text, "webcam"));
}

static void a_stop_ends_the_wait(void **state)
{
    const struct bf_source_options o = { .width = 64, .height = 64, .fps = 1, .stop = &stop };
    struct bf_source_format format;
    void *source = open_source(&bf_source_test_pattern, &o, &format);
    struct bf_error e = { 0 };
    struct bf_frame f;

    (void)state;
    next_picture(&bf_source_test_pattern, source);
    bf_stop_raise(&stop);
    uint64_t before_us = bf_mono_us();
    assert_int_equal(bf_source_test_pattern.next(source, before_us + 3000000, &f, &e), -ECANCELED);
    assert_in_range(bf_mono_us() - before_us, 0, 500000);
    bf_source_test_pattern.close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern_fits_every_size),
        cmocka_unit_test(pattern_keeps_an_even_cadence),
        cmocka_unit_test(pattern_repaints_only_what_moves),
        cmocka_unit_test(pattern_is_cheap),
        cmocka_unit_test(file_loops_at_the_wanted_size_and_pace),
        cmocka_unit_test(file_that_is_not_there),
        cmocka_unit_test(names),
        cmocka_unit_test(a_stop_ends_the_wait), /* last: the flag stays up */
    };

    if (bf_stop_init(&stop) < 0)
        return 1;
    int failed = cmocka_run_group_tests_name("camera.sources", tests, NULL, NULL);
    bf_stop_done(&stop);
    return failed;
}
