/* The barcode painter against a reader that shares no code with it, and the text painter against its outline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "barcode_reader.h"
#include "base/cleanup.h"
#include "camera/overlay.h"

struct canvas {
    struct bf_frame f;
    uint8_t *memory;
    size_t size;
};

/* Strides are wider than the picture, and the space between holds a mark that nobody may paint over. */
enum { MARGIN = 24, MARK = 0x5a };

static struct canvas canvas_new(enum bf_pixel_format format, uint32_t width, uint32_t height)
{
    uint32_t luma = width + MARGIN, chroma = format == BF_NV12 ? luma : width / 2 + MARGIN;
    size_t luma_size = (size_t)luma * height, chroma_size = (size_t)chroma * height / 2;
    struct canvas c = { .size = luma_size + 2 * chroma_size };

    c.memory = malloc(c.size);
    assert_non_null(c.memory);
    memset(c.memory, MARK, c.size);
    c.f = (struct bf_frame){ .format = format, .width = width, .height = height };
    c.f.planes[0] = c.memory;
    c.f.planes[1] = c.memory + luma_size;
    c.f.planes[2] = format == BF_NV12 ? NULL : c.f.planes[1] + chroma_size;
    c.f.strides[0] = luma;
    c.f.strides[1] = chroma;
    c.f.strides[2] = format == BF_NV12 ? 0 : chroma;
    return c;
}

static void barcode_reads_back(void **state)
{
    static const uint32_t sizes[][2] = { { 64, 64 },   { 66, 64 },   { 100, 64 },  { 126, 64 },   { 320, 240 },
                                         { 640, 480 }, { 720, 576 }, { 854, 480 }, { 1920, 1080 } };
    static const uint64_t times[] = { 0, 1, 0xa7a7a7a7a7a7, 0xffffffffffff, 1795330000123, 1795330000124 };
    static const enum bf_pixel_format formats[] = { BF_I420, BF_NV12 };

    (void)state;
    for (size_t s = 0; s < BF_COUNT_OF(sizes); s++)
        for (size_t t = 0; t < BF_COUNT_OF(times); t++)
            for (size_t p = 0; p < BF_COUNT_OF(formats); p++) {
                struct canvas c = canvas_new(formats[p], sizes[s][0], sizes[s][1]);
                bf_barcode_paint(&c.f, times[t]);
                for (uint32_t row = 0; row < 16; row++) {
                    uint64_t ms = UINT64_MAX;
                    assert_int_equal(read_barcode(&c.f, row, &ms), 0);
                    assert_int_equal(ms, times[t]);
                }
                free(c.memory);
            }
}

static void barcode_bits_are_the_published_ones(void **state)
{
    (void)state;
    assert_int_equal(bf_barcode_bits(0) >> 56, 0xa7);
    assert_int_equal(bf_barcode_bits(0) & 0xffffffffffffff, 0);
    assert_int_equal(bf_barcode_bits(0x0123456789ab) >> 8, 0xa70123456789ab);
    assert_int_equal(bf_barcode_bits(1) & 0xff, 0x07);
    assert_int_equal(bf_barcode_bits(0xff0000000000000) >> 56, 0xa7); /* beyond 48 bits: cut off */
}

static void barcode_stays_in_its_rows(void **state)
{
    static const enum bf_pixel_format formats[] = { BF_I420, BF_NV12 };

    (void)state;
    for (size_t p = 0; p < BF_COUNT_OF(formats); p++) {
        struct canvas c = canvas_new(formats[p], 640, 480);
        unsigned chroma_bytes = formats[p] == BF_NV12 ? 640 : 320;
        bf_barcode_paint(&c.f, 1795330000123);
        for (uint32_t y = 0; y < 480; y++)
            for (uint32_t x = y < 16 ? 640 : 0; x < c.f.strides[0]; x++)
                assert_int_equal(c.f.planes[0][y * c.f.strides[0] + x], MARK);
        for (uint32_t x = 0; x < 640; x++)
            assert_true(c.f.planes[0][x] == 16 || c.f.planes[0][x] == 235);
        for (unsigned plane = 1; plane < (formats[p] == BF_NV12 ? 2 : 3); plane++)
            for (uint32_t y = 0; y < 240; y++)
                for (uint32_t x = 0; x < c.f.strides[plane]; x++)
                    assert_int_equal(c.f.planes[plane][y * c.f.strides[plane] + x],
                                     y < 8 && x < chroma_bytes ? 128 : MARK);
        free(c.memory);
    }
}

static void glyphs_differ_and_scale(void **state)
{
    static const char alphabet[] = "0123456789-:.TZ";
    uint8_t shapes[sizeof(alphabet) - 1][8 * 6];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(alphabet); i++) {
        struct canvas c = canvas_new(BF_I420, 64, 64);
        unsigned white = 0;
        bf_overlay_glyph(&c.f, 4, 8, 3, alphabet[i]);
        for (uint32_t y = 0; y < 8; y++)
            for (uint32_t x = 0; x < 6; x++) {
                uint8_t dot = c.f.planes[0][(8 + 3 * y) * c.f.strides[0] + 4 + 3 * x];
                for (uint32_t k = 0; k < 9; k++) /* each dot is 3 by 3 pixels */
                    assert_int_equal(c.f.planes[0][(8 + 3 * y + k / 3) * c.f.strides[0] + 4 + 3 * x + k % 3], dot);
                shapes[i][y * 6 + x] = dot;
                white += dot == 235;
            }
        assert_in_range(white, 2, 20);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(shapes[i], shapes[j], sizeof(shapes[i]));
        free(c.memory);
    }
}

static void painting_is_clipped(void **state)
{
    static const uint32_t at[][4] = {
        { 60, 60, 100, 100 }, { 0, 0, 64, 64 }, { 64, 0, 1, 1 }, { 0, 64, 1, 1 }, { 63, 63, 1, 1 }
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(at); i++) {
        struct canvas c = canvas_new(BF_I420, 64, 64);
        unsigned painted = 0, right = at[i][0] + at[i][2], bottom = at[i][1] + at[i][3];
        unsigned w = (right < 64 ? right : 64) - (at[i][0] < 64 ? at[i][0] : 64);
        unsigned h = (bottom < 64 ? bottom : 64) - (at[i][1] < 64 ? at[i][1] : 64);
        bf_overlay_fill(&c.f, at[i][0], at[i][1], at[i][2], at[i][3], 200);
        for (size_t k = 0; k < c.size; k++)
            painted += c.memory[k] == 200;
        assert_int_equal(painted, w * h);
        free(c.memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(barcode_reads_back),        cmocka_unit_test(barcode_bits_are_the_published_ones),
        cmocka_unit_test(barcode_stays_in_its_rows), cmocka_unit_test(glyphs_differ_and_scale),
        cmocka_unit_test(painting_is_clipped),
    };

    return cmocka_run_group_tests_name("camera.overlay", tests, NULL, NULL);
}
