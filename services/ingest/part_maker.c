#include "ingest/part_maker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void bf_part_maker_done(struct bf_part_maker *m)
{
    bf_cmaf_free(m->cmaf);
    free(m->held);
    *m = (struct bf_part_maker){ 0 };
}

int bf_part_maker_picture(struct bf_part_maker *m, const struct bf_picture *p)
{
    struct bf_nal sps = bf_picture_sps(p), pps = bf_picture_pps(p);

    bf_cmaf_free(BF_TAKE(m->cmaf));
    bf_part_maker_next(m);
    return bf_cmaf_new(&m->cmaf, &sps, &pps, p->sps.width, p->sps.height, NULL);
}

int bf_part_maker_release(struct bf_part_maker *m, uint32_t duration_90k)
{
    const struct bf_timing *t = &m->held_timing;

    if (!m->holds)
        return 0;
    m->holds = false;
    int r = bf_cmaf_add(m->cmaf, m->held, m->held_size, t->dts_90k, t->pts_90k, duration_90k, m->held_idr);
    if (r != 0) {
        m->refused++;
        return r == -ENOMEM ? r : 0;
    }

    if (m->part.frames++ == 0) {
        m->part.decode_time_90k = t->dts_90k;
        m->part.capture_us = t->capture_us;
        m->part.independent = m->held_idr;
    }
    m->part.duration_90k = (uint32_t)(t->dts_90k - m->part.decode_time_90k) + duration_90k;
    return 0;
}

int bf_part_maker_release_until(struct bf_part_maker *m, int64_t dts_90k)
{
    return m->holds ? bf_part_maker_release(m, (uint32_t)(dts_90k - m->held_timing.dts_90k)) : 0;
}

static int make_room(struct bf_part_maker *m, size_t size)
{
    if (size <= m->held_room)
        return 0;
    size_t room = size + size / 2;
    uint8_t *grown = realloc(m->held, room);
    if (grown == NULL)
        return -ENOMEM;

    m->held = grown;
    m->held_room = room;
    return 0;
}

int bf_part_maker_hold(struct bf_part_maker *m, const struct bf_access_unit *au, const struct bf_timing *timing,
                       bool idr)
{
    int r = make_room(m, au->size);

    if (r != 0)
        return r;
    memcpy(m->held, au->data, au->size);
    m->held_size = au->size;
    m->held_timing = *timing;
    m->held_idr = idr;
    m->holds = true;
    return 0;
}

int bf_part_maker_close(struct bf_part_maker *m, uint32_t last_90k, const uint8_t **ret, size_t *ret_size)
{
    int r = bf_part_maker_release(m, last_90k);

    if (r == 0)
        r = m->cmaf == NULL ? -ENODATA : bf_cmaf_flush(m->cmaf, ret, ret_size);
    return r;
}

void bf_part_maker_next(struct bf_part_maker *m)
{
    m->holds = false;
    m->part = (struct bf_part){ 0 };
}
