#include "ingest/shape.h"

#define TICKS_PER_S UINT64_C(90000)
#define TICKS_PER_MS UINT64_C(90)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
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

void bf_shape_of(struct bf_shape *ret, uint32_t part_ms, uint32_t segment_ms, uint32_t gop_ms, uint32_t frame_90k)
{
    uint64_t frames = (part_ms * TICKS_PER_MS + frame_90k / 2) / frame_90k;
    uint64_t part = (frames > 0 ? frames : 1) * frame_90k;
    uint64_t segment = segment_ms * TICKS_PER_MS, gop = gop_ms * TICKS_PER_MS;
    struct bf_shape shape = { .part_90k = (uint32_t)part, .segment_90k = (uint32_t)segment };

    set_part_target(&shape, divide_up((part + least(frame_90k, part * 17 / 100)) * 100, 9));
    if (gop == 0) {
        set_target_duration(&shape, BF_TARGET_DURATION_UNKNOWN_S);
    } else {
        uint64_t long_enough = segment > frame_90k / 2 ? segment - frame_90k / 2 : 1;
        uint64_t whole = divide_up(long_enough, gop) * gop;
        set_target_duration(&shape, (uint32_t)divide_up(whole + frame_90k, TICKS_PER_S));
    }
    *ret = shape;
}

void bf_shape_keep(struct bf_shape *shape, uint32_t part_target_us, uint32_t target_duration_s)
{
    set_part_target(shape, part_target_us);
    set_target_duration(shape, target_duration_s);
    if (shape->part_90k > shape->part_target_90k)
        shape->part_90k = shape->part_target_90k;
}
