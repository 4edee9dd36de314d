#include "ingest/segmenter.h"

void bf_segmenter_init(struct bf_segmenter *s, const struct bf_shape *shape)
{
    *s = (struct bf_segmenter){ .shape = *shape };
}

static bool ends_segment(const struct bf_segmenter *s, int64_t dts_90k, bool idr, bool discontinuity)
{
    if (!s->segment_open)
        return false;
    if (discontinuity || (idr && !s->independent))
        return true;
    return idr && dts_90k - s->segment_start_90k >= s->shape.segment_90k;
}

static bool ends_part(const struct bf_segmenter *s, int64_t dts_90k, bool idr, uint32_t frame_90k)
{
    int64_t length = dts_90k - s->part_start_90k;

    if (!s->part_open)
        return false;
    return (idr && length >= s->shape.part_min_90k) || length + frame_90k > s->shape.part_target_90k + frame_90k / 2;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    if (value > most)
        value = most;
    return value < least ? least : value;
}

/* Closes the part at `end_90k`, lasting at least `least_90k`; returns what is then the duration of its last sample. */
static uint32_t close_part(struct bf_segmenter *s, int64_t end_90k, uint32_t least_90k)
{
    int64_t length = clamp(end_90k - s->told_90k, least_90k, s->shape.part_target_90k);
    int64_t last = s->part_start_90k + length - s->last_90k;

    if (last < 1)
        last = 1;
    length = s->last_90k - s->part_start_90k + last;
    s->segment_90k += (uint64_t)length;
    s->told_90k += length;
    s->part_open = false;
    return (uint32_t)last;
}

static bool is_hole(const struct bf_segmenter *s, int64_t dts_90k)
{
    int64_t off_90k = dts_90k - s->told_90k;

    return off_90k < -(int64_t)s->shape.part_target_90k || off_90k > s->shape.part_target_90k;
}

static void open_part(struct bf_segmenter *s, int64_t dts_90k, bool idr, struct bf_cut *cut)
{
    bool outgrown = s->segment_90k + s->shape.part_target_90k > s->shape.segment_max_90k;

    if (s->segment_open && !cut->segment_before && outgrown) {
        cut->segment_before = true;
        cut->forced = !idr;
    }
    if (cut->segment_before || !s->segment_open) {
        s->segment_open = true;
        s->segment_start_90k = dts_90k;
        s->segment_90k = 0;
        s->independent = idr;
    }
    if (is_hole(s, dts_90k))
        s->told_90k = dts_90k;
    s->part_open = true;
    s->part_start_90k = dts_90k;
}

struct bf_cut bf_segmenter_next(struct bf_segmenter *s, int64_t dts_90k, bool idr, bool discontinuity,
                                uint32_t frame_90k)
{
    struct bf_cut cut = { .segment_before = ends_segment(s, dts_90k, idr, discontinuity) };

    if (s->part_open && (cut.segment_before || ends_part(s, dts_90k, idr, frame_90k))) {
        cut.part_before = true;
        cut.before_last_90k = close_part(s, dts_90k, cut.segment_before ? 1 : s->shape.part_min_90k);
    }
    if (!s->segment_open || discontinuity)
        s->told_90k = dts_90k;
    if (!s->part_open)
        open_part(s, dts_90k, idr, &cut);
    s->last_90k = dts_90k;

    int64_t length = dts_90k + frame_90k - s->part_start_90k;
    if (length + frame_90k > s->shape.part_90k + frame_90k / 2) {
        cut.part_after = true;
        cut.after_last_90k = close_part(s, dts_90k + frame_90k, s->shape.part_min_90k);
    }
    return cut;
}

uint32_t bf_segmenter_end(struct bf_segmenter *s, uint32_t frame_90k)
{
    uint32_t last = s->part_open ? close_part(s, s->last_90k + frame_90k, 1) : 0;

    s->segment_open = false;
    return last;
}
