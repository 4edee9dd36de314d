#include "stream/profile.h"

#include <string.h>

#include "base/cleanup.h"

static const struct bf_profile profiles[] = {
    { BELFRY__V1__PROFILE__PROFILE_REALTIME, "realtime", .part_frames = 2, .segment_ms = 500, .lists_parts = true },
    { BELFRY__V1__PROFILE__PROFILE_BALANCED, "balanced", .part_ms = 200, .segment_ms = 1000, .lists_parts = true },
    { BELFRY__V1__PROFILE__PROFILE_ECONOMY, "economy", .part_ms = 500, .segment_ms = 2000 },
};

const struct bf_profile *bf_profile_of(Belfry__V1__Profile id)
{
    for (size_t i = 0; i < BF_COUNT_OF(profiles); i++)
        if (profiles[i].id == id)
            return &profiles[i];
    return NULL;
}

const struct bf_profile *bf_profile_named(const char *name)
{
    for (size_t i = 0; name != NULL && i < BF_COUNT_OF(profiles); i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

uint32_t bf_profile_part_ms(const struct bf_profile *p, uint32_t fps)
{
    uint32_t rate = fps == 0 ? 30 : fps;
    uint32_t ms = p->part_frames == 0 ? p->part_ms : (p->part_frames * 1000 + rate / 2) / rate;

    return ms < BF_PART_MS_MIN ? BF_PART_MS_MIN : ms;
}

uint32_t bf_gop_frames(uint32_t gop_ms, uint32_t fps)
{
    uint64_t frames = (uint64_t)gop_ms * fps / 1000;

    if (gop_ms == 0 || fps == 0)
        return 0;
    return frames > 0 ? (uint32_t)frames : 1;
}
