#include "ingest/shape.h"

#define TICKS_PER_S UINT64_C(90000)
#define TICKS_PER_MS UINT64_C(90)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

/* The nearest whole number of `unit_90k`, one at least, in ticks. */
static uint64_t whole_number_of(uint64_t unit_90k, uint64_t ticks)
{
    uint64_t n = (ticks + unit_90k / 2) / unit_90k;

    return (n > 0 ? n : 1) * unit_90k;
}

/* rfc8216bis 4.4.4.9: 85 % to 100 % of PART-TARGET. A part in the middle of that has the same room either way, 8 % of
 * itself, for clocks that shake and for frame rates that are a little off. */
static uint64_t part_target_us_of(uint64_t part_90k)
{
    return divide_up(part_90k * 200 * 100, 185 * 9);
}

static uint64_t part_90k_of(uint64_t part_target_us)
{
    return part_target_us * 9 * 185 / (200 * 100);
}

static void set_part_target(struct bf_shape *shape, uint64_t part_target_us)
{
    shape->part_target_us = (uint32_t)part_target_us;
    shape->part_target_90k = (uint32_t)(part_target_us * 9 / 100);
    shape->part_min_90k = (uint32_t)divide_up(part_target_us * 9 * 85, 10000);
}

static void set_target_duration(struct bf_shape *shape, uint32_t target_duration_s)
{
    shape->target_duration_s = target_duration_s;
    shape->segment_max_90k = (uint32_t)(target_duration_s * TICKS_PER_S + TICKS_PER_S / 2 - 1);
}

/* An IDR counts as the one that was expected when it is an eighth of a segment early, or half a GOP: cameras do not keep
 * to the frame rate that was asked of them. */
static uint64_t early(uint64_t segment_90k, uint64_t gop_90k, uint64_t frame_90k)
{
    return segment_90k - most(least(segment_90k / 8, gop_90k / 2), frame_90k / 2);
}

static void set_segment(struct bf_shape *shape, uint64_t segment_90k, uint64_t gop_90k, uint64_t frame_90k)
{
    if (gop_90k == 0) {
        set_target_duration(shape, BF_TARGET_DURATION_UNKNOWN_S);
        shape->segment_us = BF_TARGET_DURATION_UNKNOWN_S * 1000000;
        shape->segment_90k = (uint32_t)early(segment_90k, 0, least(frame_90k, segment_90k));
        return;
    }
    uint64_t gop = whole_number_of(frame_90k, gop_90k);
    uint64_t whole = whole_number_of(gop, segment_90k);

    set_target_duration(shape, (uint32_t)divide_up(most(whole, segment_90k) + frame_90k, TICKS_PER_S));
    shape->segment_us = (uint32_t)(whole * 100 / 9);
    shape->segment_90k = (uint32_t)early(whole, gop, frame_90k);
}

void bf_shape_of(struct bf_shape *ret, uint32_t part_ms, uint32_t segment_ms, uint32_t gop_90k, uint32_t frame_90k)
{
    struct bf_shape shape = { 0 };

    set_segment(&shape, segment_ms * TICKS_PER_MS, gop_90k, frame_90k);
    uint64_t segment_90k = least(segment_ms * TICKS_PER_MS, shape.segment_us * UINT64_C(9) / 100);
    shape.part_90k = (uint32_t)whole_number_of(frame_90k, least(part_ms * TICKS_PER_MS, segment_90k));
    set_part_target(&shape, part_target_us_of(shape.part_90k));
    *ret = shape;
}

void bf_shape_keep(struct bf_shape *shape, uint32_t part_target_us, uint32_t target_duration_s, uint32_t segment_us)
{
    set_part_target(shape, part_target_us);
    set_target_duration(shape, target_duration_s);
    shape->segment_us = segment_us;
    if (shape->part_90k < shape->part_min_90k || shape->part_90k > shape->part_target_90k)
        shape->part_90k = (uint32_t)part_90k_of(part_target_us);
}
