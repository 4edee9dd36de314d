/* Raw pictures between source and encoder, 4:2:0 8 bit, limited range, BT.709 from 720 lines on, else BT.601. */
#ifndef BELFRY_MEDIA_FRAME_H
#define BELFRY_MEDIA_FRAME_H

#include <stdint.h>

enum bf_pixel_format { BF_I420 = 1, BF_NV12 = 2 };

struct bf_frame {
    enum bf_pixel_format format;
    uint32_t width, height; /* even */
    uint8_t *planes[3];     /* I420: Y, U, V; NV12: Y, UV, NULL */
    uint32_t strides[3];    /* bytes */
    uint64_t capture_us;    /* Unix time in us when it was made or exposed */
    uint64_t mono_us;       /* CLOCK_MONOTONIC of the same moment: drives timestamps */
};

#endif
