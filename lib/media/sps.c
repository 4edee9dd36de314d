#include "media/h264.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "media/rbsp.h"

#define MBS_MAX 139264u    /* Table A-1, MaxFS of level 6.2 */
#define MBS_SIDE_MAX 1055u /* A.3.1: sqrt(8 * MaxFS) */

/* What later parts of the SPS need from earlier ones. */
struct geometry {
    uint32_t chroma_array_type; /* 0..3 */
    uint32_t poc_type;
    uint32_t width_mbs, height_map_units;
    uint32_t field_factor; /* 2 - frame_mbs_only_flag */
};

static bool has_chroma_format(unsigned profile_idc)
{
    static const uint8_t with[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };
    for (size_t i = 0; i < sizeof(with); i++)
        if (with[i] == profile_idc)
            return true;
    return false;
}

static void skip_scaling_list(struct bf_rbsp *r, unsigned size)
{
    int last = 8, next = 8;
    for (unsigned i = 0; i < size && !r->failed; i++) {
        if (next != 0) {
            int32_t delta = bf_rbsp_se(r);
            if (delta < -128 || delta > 127)
                r->failed = true;
            else
                next = (last + delta + 256) % 256;
        }
        last = next != 0 ? next : last;
    }
}

static void read_chroma(struct bf_rbsp *r, struct geometry *g, struct bf_sps *sps)
{
    uint32_t format = bf_rbsp_ue_max(r, 3);
    sps->separate_planes = format == 3 && bf_rbsp_bits(r, 1) != 0;
    g->chroma_array_type = sps->separate_planes ? 0 : format;

    bf_rbsp_ue_max(r, 6); /* bit_depth_luma_minus8 */
    bf_rbsp_ue_max(r, 6);
    bf_rbsp_bits(r, 1); /* qpprime_y_zero_transform_bypass_flag */

    bool scaling_matrix = bf_rbsp_bits(r, 1) != 0;
    for (unsigned i = 0; scaling_matrix && i < (format == 3 ? 12u : 8u); i++)
        if (bf_rbsp_bits(r, 1) != 0)
            skip_scaling_list(r, i < 6 ? 16 : 64);
}

static void read_order_count(struct bf_rbsp *r, struct geometry *g)
{
    g->poc_type = bf_rbsp_ue_max(r, 2);
    if (g->poc_type == 0)
        bf_rbsp_ue_max(r, 12); /* log2_max_pic_order_cnt_lsb_minus4 */
    if (g->poc_type != 1)
        return;

    bf_rbsp_bits(r, 1); /* delta_pic_order_always_zero_flag */
    bf_rbsp_se(r);
    bf_rbsp_se(r);
    uint32_t cycle = bf_rbsp_ue_max(r, 255);
    for (uint32_t i = 0; i < cycle && !r->failed; i++)
        bf_rbsp_se(r);
}

static void read_size(struct bf_rbsp *r, struct geometry *g, struct bf_sps *sps)
{
    uint32_t crop_x = 0, crop_y = 0;
    g->width_mbs = bf_rbsp_ue_max(r, MBS_SIDE_MAX - 1) + 1;
    g->height_map_units = bf_rbsp_ue_max(r, MBS_SIDE_MAX - 1) + 1;
    bool frame_mbs_only = bf_rbsp_bits(r, 1) != 0;
    g->field_factor = frame_mbs_only ? 1 : 2;
    if (!frame_mbs_only)
        bf_rbsp_bits(r, 1); /* mb_adaptive_frame_field_flag */
    bf_rbsp_bits(r, 1);     /* direct_8x8_inference_flag */

    uint32_t width = g->width_mbs * 16, height = g->height_map_units * 16 * g->field_factor;
    if (bf_rbsp_bits(r, 1) != 0) {
        uint32_t unit_x = g->chroma_array_type == 1 || g->chroma_array_type == 2 ? 2 : 1;
        uint32_t unit_y = (g->chroma_array_type == 1 ? 2 : 1) * g->field_factor;
        crop_x = (bf_rbsp_ue_max(r, width) + bf_rbsp_ue_max(r, width)) * unit_x;
        crop_y = (bf_rbsp_ue_max(r, height) + bf_rbsp_ue_max(r, height)) * unit_y;
    }
    if (height > MBS_SIDE_MAX * 16 || width / 16 * (height / 16) > MBS_MAX || crop_x >= width || crop_y >= height)
        r->failed = true;
    else {
        sps->width = width - crop_x;
        sps->height = height - crop_y;
    }
}

static void skip_hrd(struct bf_rbsp *r)
{
    uint32_t count = bf_rbsp_ue_max(r, 31) + 1;
    bf_rbsp_bits(r, 8); /* bit_rate_scale, cpb_size_scale */
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        bf_rbsp_ue(r);
        bf_rbsp_ue(r);
        bf_rbsp_bits(r, 1);
    }
    bf_rbsp_bits(r, 20);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A frame takes two ticks (E.2.1, DeltaTfiDivisor). */
static void read_timing(struct bf_rbsp *r, struct bf_sps *sps)
{
    uint32_t ticks = bf_rbsp_bits(r, 32), scale = bf_rbsp_bits(r, 32);
    bf_rbsp_bits(r, 1); /* fixed_frame_rate_flag */
    if (ticks == 0 || scale == 0)
        return;

    uint32_t divisor = common_divisor(ticks, scale);
    ticks /= divisor;
    scale /= divisor;
    if (scale % 2 == 0)
        scale /= 2;
    else if (ticks <= UINT32_MAX / 2)
        ticks *= 2;
    else
        return;
    sps->fps_num = scale;
    sps->fps_den = ticks;
}

static void read_reordering(struct bf_rbsp *r, struct bf_sps *sps)
{
    bf_rbsp_bits(r, 1); /* motion_vectors_over_pic_boundaries_flag */
    bf_rbsp_ue(r);
    bf_rbsp_ue(r);
    bf_rbsp_ue_max(r, 32);
    bf_rbsp_ue_max(r, 32);
    uint32_t reorder = bf_rbsp_ue_max(r, 16);
    if (bf_rbsp_ue_max(r, 16) < reorder)
        r->failed = true;
    sps->reorders = reorder > 0;
}

static void read_vui(struct bf_rbsp *r, struct bf_sps *sps)
{
    enum { EXTENDED_SAR = 255 };
    if (bf_rbsp_bits(r, 1) != 0 && bf_rbsp_bits(r, 8) == EXTENDED_SAR)
        bf_rbsp_bits(r, 32);
    if (bf_rbsp_bits(r, 1) != 0)
        bf_rbsp_bits(r, 1); /* overscan_appropriate_flag */
    if (bf_rbsp_bits(r, 1) != 0) {
        bf_rbsp_bits(r, 4); /* video_format, video_full_range_flag */
        if (bf_rbsp_bits(r, 1) != 0)
            bf_rbsp_bits(r, 24);
    }
    if (bf_rbsp_bits(r, 1) != 0) {
        bf_rbsp_ue_max(r, 5); /* chroma_sample_loc_type */
        bf_rbsp_ue_max(r, 5);
    }
    if (bf_rbsp_bits(r, 1) != 0)
        read_timing(r, sps);

    bool nal_hrd = bf_rbsp_bits(r, 1) != 0;
    if (nal_hrd)
        skip_hrd(r);
    bool vcl_hrd = bf_rbsp_bits(r, 1) != 0;
    if (vcl_hrd)
        skip_hrd(r);
    if (nal_hrd || vcl_hrd)
        bf_rbsp_bits(r, 1); /* low_delay_hrd_flag */
    bf_rbsp_bits(r, 1);     /* pic_struct_present_flag */
    if (bf_rbsp_bits(r, 1) != 0)
        read_reordering(r, sps);
}

/* Without bitstream_restriction: only profiles and order count types that rule reordering out are trusted. */
static bool may_reorder(const struct bf_sps *sps, const struct geometry *g)
{
    enum { BASELINE = 66, CAVLC_INTRA = 44 };
    return sps->profile_idc != BASELINE && sps->profile_idc != CAVLC_INTRA && g->poc_type != 2;
}

int bf_sps_parse(const uint8_t *nal, size_t size, struct bf_sps *ret)
{
    struct bf_rbsp r = bf_rbsp_of(nal, size);
    struct bf_sps sps = { .fps_num = 0, .fps_den = 1 };
    struct geometry g = { .chroma_array_type = 1 };

    if ((bf_rbsp_bits(&r, 8) & 0x9f) != BF_NAL_SPS) /* forbidden_zero_bit and nal_unit_type */
        return -EBADMSG;
    sps.profile_idc = (uint8_t)bf_rbsp_bits(&r, 8);
    sps.constraint_flags = (uint8_t)bf_rbsp_bits(&r, 8);
    sps.level_idc = (uint8_t)bf_rbsp_bits(&r, 8);
    bf_rbsp_ue_max(&r, 31); /* seq_parameter_set_id */
    if (has_chroma_format(sps.profile_idc))
        read_chroma(&r, &g, &sps);

    sps.frame_num_bits = (uint8_t)(bf_rbsp_ue_max(&r, 12) + 4);
    read_order_count(&r, &g);
    bf_rbsp_ue_max(&r, 16); /* max_num_ref_frames */
    sps.frame_num_gaps = bf_rbsp_bits(&r, 1) != 0;
    read_size(&r, &g, &sps);

    sps.reorders = may_reorder(&sps, &g);
    if (bf_rbsp_bits(&r, 1) != 0)
        read_vui(&r, &sps);
    if (r.failed)
        return -EBADMSG;
    *ret = sps;
    return 0;
}

int bf_slice_parse(const struct bf_nal *nal, const struct bf_sps *sps, struct bf_slice *ret)
{
    struct bf_rbsp r = bf_rbsp_of(nal->data, nal->size);

    uint32_t header = bf_rbsp_bits(&r, 8);
    bf_rbsp_ue(&r);          /* first_mb_in_slice */
    bf_rbsp_ue_max(&r, 9);   /* slice_type */
    bf_rbsp_ue_max(&r, 255); /* pic_parameter_set_id */
    if (sps->separate_planes)
        bf_rbsp_bits(&r, 2); /* colour_plane_id */
    uint32_t frame_num = bf_rbsp_bits(&r, sps->frame_num_bits);
    if (r.failed)
        return -EBADMSG;
    *ret = (struct bf_slice){ .frame_num = frame_num, .reference = (header & 0x60) != 0 };
    return 0;
}

const char *bf_sps_codecs(const struct bf_sps *sps, char buf[static 12])
{
    snprintf(buf, 12, "avc1.%02" PRIx8 "%02" PRIx8 "%02" PRIx8, sps->profile_idc, sps->constraint_flags,
             sps->level_idc);
    return buf;
}
