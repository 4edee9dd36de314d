/* H.264 byte streams (ITU-T H.264 Annex B): finding NAL units, reading a sequence parameter set, and the capture time
 * that travels in an SEI. Pure; every byte is taken as hostile. */
#ifndef BELFRY_MEDIA_H264_H
#define BELFRY_MEDIA_H264_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BF_NAL_SLICE = 1, BF_NAL_IDR = 5, BF_NAL_SEI = 6, BF_NAL_SPS = 7, BF_NAL_PPS = 8, BF_NAL_AUD = 9 };

struct bf_nal {
    const uint8_t *data; /* from the NAL header byte on, without start code */
    size_t size;
    unsigned type; /* nal_unit_type, 0..31 */
};

/* Walks the NAL units of an Annex B buffer: *offset starts at 0; false at the end. Empty units are skipped. */
bool bf_nal_next(const uint8_t *data, size_t size, size_t *offset, struct bf_nal *ret);

struct bf_au {
    bool idr;          /* holds an IDR slice */
    bool has_slice;    /* holds any coded slice */
    struct bf_nal sps; /* last SPS and PPS in it; size 0 where there is none. Borrowed from the buffer */
    struct bf_nal pps;
    struct bf_nal slice; /* the first coded one, likewise */
    uint64_t capture_us; /* from our SEI; 0 where there is none */
};
void bf_au_scan(const uint8_t *data, size_t size, struct bf_au *ret);

struct bf_sps {
    uint8_t profile_idc, constraint_flags, level_idc;
    uint32_t width, height;    /* after cropping */
    uint32_t fps_num, fps_den; /* from VUI timing; 0/1 where absent */
    bool reorders;             /* max_num_reorder_frames > 0 or unknown with a profile that allows B-frames */
    uint8_t frame_num_bits;    /* 4..16 */
    bool frame_num_gaps;       /* the sender leaves numbers out on purpose (gaps_in_frame_num_value_allowed_flag) */
    bool separate_planes;      /* separate_colour_plane_flag */
};
/* Section 7.3.2.1.1 and E.1.1. -EBADMSG for anything out of range. */
int bf_sps_parse(const uint8_t *nal, size_t size, struct bf_sps *ret);
/* RFC 6381: "avc1.42c01f"; buf holds 12 bytes. */
const char *bf_sps_codecs(const struct bf_sps *sps, char buf[static 12]);

struct bf_slice {
    uint32_t frame_num; /* 0 .. 2^frame_num_bits - 1 */
    bool reference;     /* later pictures may refer to it */
};
/* The beginning of a coded slice, section 7.3.3. -EBADMSG where it ends before that. */
int bf_slice_parse(const struct bf_nal *nal, const struct bf_sps *sps, struct bf_slice *ret);

/* user_data_unregistered SEI (D.1.7): 16-byte UUID, then capture time in us, 8 bytes big-endian; with emulation
 * prevention and a 4-byte start code. Returns its length (at most BF_SEI_MAX). */
#define BF_SEI_MAX 48
size_t bf_sei_capture_write(uint8_t ret[static BF_SEI_MAX], uint64_t capture_us);

#endif
