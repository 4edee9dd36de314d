/* H.264 by libavcodec, low delay: no B-frames, SPS and PPS before every IDR, the packet of a frame in the same call
 * (libx264) or as soon as the hardware has it. One thread at a time. */
#ifndef BELFRY_MEDIA_ENCODER_H
#define BELFRY_MEDIA_ENCODER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "media/frame.h"

struct bf_encoder;

struct bf_encoder_options {
    const char *name; /* "auto": h264_v4l2m2m if it really encodes a probe frame, else libx264; or one of the two */
    uint32_t width, height; /* even */
    uint32_t fps;
    uint32_t bitrate_kbps;
    uint32_t gop_frames;
    enum bf_pixel_format format;
};

struct bf_encoded {
    const uint8_t *data; /* Annex B, capture time SEI included; borrowed until the next call */
    size_t size;
    bool idr;
    uint64_t capture_us; /* of the frame it came from */
    uint64_t mono_us;
};

int bf_encoder_new(struct bf_encoder **ret, const struct bf_encoder_options *o, struct bf_error *e);
const char *bf_encoder_name(const struct bf_encoder *c); /* libavcodec's */
/* -EAGAIN: the frame was taken, its packet comes with a later call. */
int bf_encoder_encode(struct bf_encoder *c, const struct bf_frame *f, bool force_idr, struct bf_encoded *ret);
void bf_encoder_free(struct bf_encoder *c);

#endif
