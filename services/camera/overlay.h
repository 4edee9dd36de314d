/* What is painted onto pictures: the time barcode that machines read and text that people read. Pure: planes and values
 * in, pixels out. Luma 16 is black, 235 white (limited range). */
#ifndef BELFRY_CAMERA_OVERLAY_H
#define BELFRY_CAMERA_OVERLAY_H

#include <stdint.h>

#include "media/frame.h"

#define BF_BARCODE_ROWS 16  /* the top rows of a frame */
#define BF_BARCODE_CELLS 64 /* side by side over the whole width */
#define BF_BARCODE_SYNC 0xa7u

/* The 64 bits, most significant first on the left: 8 sync, 48 Unix time in ms, 8 CRC-8 over the six time bytes. */
uint64_t bf_barcode_bits(uint64_t unix_ms);

/* Paints them over the top rows; frames are at least 64 pixels wide and 16 high. */
void bf_barcode_paint(const struct bf_frame *f, uint64_t unix_ms);

/* Fills luma [x, x + w) by [y, y + h), clipped to the frame. */
void bf_overlay_fill(const struct bf_frame *f, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint8_t luma);

/* Luma text of 5 by 7 dots in cells of 6 by 8, each dot `scale` pixels wide and high, clipped to the frame. The font
 * has what a time stamp needs: digits, '-', ':', '.', 'T', 'Z'; anything else is blank. */
#define BF_GLYPH_WIDTH 6
#define BF_GLYPH_HEIGHT 8
void bf_overlay_glyph(const struct bf_frame *f, uint32_t x, uint32_t y, uint32_t scale, char c);

#endif
