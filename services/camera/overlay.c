#include "camera/overlay.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/crc.h"

enum { BLACK = 16, WHITE = 235, NEUTRAL_CHROMA = 128 };

/* Seven rows of five dots each, the leftmost in bit 4. */
static const struct glyph {
    char c;
    uint8_t rows[7];
} font[] = {
    { '0', { 0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e } }, { '1', { 0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e } },
    { '2', { 0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f } }, { '3', { 0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e } },
    { '4', { 0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02 } }, { '5', { 0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e } },
    { '6', { 0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e } }, { '7', { 0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08 } },
    { '8', { 0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e } }, { '9', { 0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c } },
    { '-', { 0x00, 0x00, 0x00, 0x1f, 0x00, 0x00, 0x00 } }, { ':', { 0x00, 0x04, 0x04, 0x00, 0x04, 0x04, 0x00 } },
    { '.', { 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x06 } }, { 'T', { 0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04 } },
    { 'Z', { 0x1f, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1f } },
};

static const uint8_t *glyph_rows(char c)
{
    static const uint8_t blank[7];

    for (size_t i = 0; i < BF_COUNT_OF(font); i++)
        if (font[i].c == c)
            return font[i].rows;

    return blank;
}

uint64_t bf_barcode_bits(uint64_t unix_ms)
{
    uint8_t time[6];

    for (unsigned i = 0; i < sizeof(time); i++)
        time[i] = (uint8_t)(unix_ms >> (40 - 8 * i));

    return (uint64_t)BF_BARCODE_SYNC << 56 | (unix_ms & 0xffffffffffffu) << 8 | bf_crc8(time, sizeof(time));
}

static void neutral_chroma_rows(const struct bf_frame *f, uint32_t rows)
{
    uint32_t planes = f->format == BF_NV12 ? 2 : 3;
    uint32_t bytes = f->format == BF_NV12 ? f->width : f->width / 2;

    for (uint32_t p = 1; p < planes; p++)
        for (uint32_t y = 0; y < rows; y++)
            memset(f->planes[p] + (size_t)y * f->strides[p], NEUTRAL_CHROMA, bytes);
}

/* First column of a cell: a column belongs to the cell that its middle lies in, so that a reader who looks at the
 * middle of a cell finds that cell at any width. */
static uint32_t cell_start(uint32_t cell, uint32_t width)
{
    return (2 * cell * width + BF_BARCODE_CELLS - 1) / (2 * BF_BARCODE_CELLS);
}

void bf_barcode_paint(const struct bf_frame *f, uint64_t unix_ms)
{
    uint64_t bits = bf_barcode_bits(unix_ms);

    for (uint32_t i = 0; i < BF_BARCODE_CELLS; i++) {
        uint32_t from = cell_start(i, f->width), to = cell_start(i + 1, f->width);
        memset(f->planes[0] + from, bits >> (63 - i) & 1 ? WHITE : BLACK, to - from);
    }
    for (uint32_t y = 1; y < BF_BARCODE_ROWS; y++)
        memcpy(f->planes[0] + (size_t)y * f->strides[0], f->planes[0], f->width);

    neutral_chroma_rows(f, BF_BARCODE_ROWS / 2);
}

void bf_overlay_fill(const struct bf_frame *f, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint8_t luma)
{
    if (x >= f->width || y >= f->height)
        return;

    w = w < f->width - x ? w : f->width - x;
    h = h < f->height - y ? h : f->height - y;
    for (uint32_t row = y; row < y + h; row++)
        memset(f->planes[0] + (size_t)row * f->strides[0] + x, luma, w);
}

void bf_overlay_glyph(const struct bf_frame *f, uint32_t x, uint32_t y, uint32_t scale, char c)
{
    const uint8_t *rows = glyph_rows(c);

    bf_overlay_fill(f, x, y, BF_GLYPH_WIDTH * scale, BF_GLYPH_HEIGHT * scale, BLACK);
    for (uint32_t row = 0; row < 7; row++)
        for (uint32_t column = 0; column < 5; column++)
            if (rows[row] >> (4 - column) & 1)
                bf_overlay_fill(f, x + column * scale, y + row * scale, scale, scale, WHITE);
}
