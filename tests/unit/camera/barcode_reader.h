/* The time barcode read back by its definition, sharing no code with the painter: threshold at 128 in the middle of
 * each of the 64 cells, CRC by division of polynomials bit by bit. 0, -1 (no sync), -2 (CRC). */
#ifndef BELFRY_TESTS_BARCODE_READER_H
#define BELFRY_TESTS_BARCODE_READER_H

#include <stdint.h>

#include "media/frame.h"

static inline int read_barcode(const struct bf_frame *f, uint32_t row, uint64_t *ret_ms)
{
    unsigned char bits[64], remainder = 0;
    unsigned sync = 0;
    uint64_t ms = 0;

    for (unsigned i = 0; i < 64; i++)
        bits[i] = f->planes[0][row * f->strides[0] + (2 * i + 1) * f->width / 128] > 128;
    for (unsigned i = 0; i < 8; i++)
        sync = sync * 2 + bits[i];
    if (sync != 0xa7)
        return -1;
    for (unsigned i = 8; i < 64; i++) {
        unsigned carry = remainder >> 7;
        remainder = (unsigned char)(remainder << 1 | bits[i]);
        if (carry)
            remainder ^= 0x07;
    }
    if (remainder != 0)
        return -2;
    for (unsigned i = 8; i < 56; i++)
        ms = ms * 2 + bits[i];

    *ret_ms = ms;
    return 0;
}

#endif
