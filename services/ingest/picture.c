#include "ingest/picture.h"

#include <string.h>

static void keep(struct bf_parameter_set *set, const struct bf_nal *nal)
{
    if (nal->size == 0 || nal->size > sizeof set->data)
        return;
    memcpy(set->data, nal->data, nal->size);
    set->size = nal->size;
}

static bool same(const struct bf_parameter_set *a, const struct bf_parameter_set *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

void bf_picture_see(struct bf_picture *p, const struct bf_au *au)
{
    struct bf_sps sps;

    if (au->sps.size > 0 && bf_sps_parse(au->sps.data, au->sps.size, &sps) == 0)
        keep(&p->seen_sps, &au->sps);
    keep(&p->seen_pps, &au->pps);
}

bool bf_picture_known(const struct bf_picture *p)
{
    return p->seen_sps.size > 0 && p->seen_pps.size > 0;
}

bool bf_picture_changed(const struct bf_picture *p)
{
    return !same(&p->seen_sps, &p->used_sps) || !same(&p->seen_pps, &p->used_pps);
}

void bf_picture_use(struct bf_picture *p)
{
    p->used_sps = p->seen_sps;
    p->used_pps = p->seen_pps;
    bf_sps_parse(p->used_sps.data, p->used_sps.size, &p->sps); /* parsed before it was kept */
}

struct bf_nal bf_picture_sps(const struct bf_picture *p)
{
    return (struct bf_nal){ .data = p->used_sps.data, .size = p->used_sps.size, .type = BF_NAL_SPS };
}

struct bf_nal bf_picture_pps(const struct bf_picture *p)
{
    return (struct bf_nal){ .data = p->used_pps.data, .size = p->used_pps.size, .type = BF_NAL_PPS };
}

uint32_t bf_sps_frame_90k(const struct bf_sps *sps)
{
    if (sps->fps_num == 0 || sps->fps_den == 0)
        return 0;
    uint64_t ticks = UINT64_C(90000) * sps->fps_den / sps->fps_num;
    return ticks >= 750 && ticks <= 90000 ? (uint32_t)ticks : 0;
}
