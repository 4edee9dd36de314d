#include "gateway/periods.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define US_PER_MS 1000
#define LATE_SEGMENTS 5         /* so many in a row are a clock; fewer are the network */
#define CLOCKS_APART_US 1000000 /* a capture time this far after the arrival is of another clock … */
#define LONGEST_WAY_US 10000000 /* … and so is one this long before it */
#define US_OF_90K(ticks) ((ticks)*100 / 9)

/* One segment as it came. */
struct arrival {
    uint64_t msn;
    uint64_t media_90k;   /* decode time */
    uint64_t came_us;     /* when its first frame would have been written, had it been written alone */
    uint64_t capture_us;  /* 0: not by a clock like ours */
    uint64_t segment_90k; /* what such segments last now */
    unsigned init_index;
    bool discontinuity;
};

static int64_t minus(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b);
}

static struct bf_period *last_period(const struct bf_periods *p)
{
    return p->n == 0 ? NULL : &p->list[p->n - 1];
}

/* --- what came --- */

/* The nominal duration, unless the last two segments agree on quite another: a source whose GOP nobody has told. */
static uint64_t usual_90k(const struct bf_session_view *v, size_t index)
{
    uint64_t nominal = v->segment_us * UINT64_C(9) / 100;

    if (index < 2 || v->segments[index - 1].gap || v->segments[index - 2].gap)
        return nominal;
    uint64_t last = v->segments[index - 1].duration_90k;
    uint64_t apart = (uint64_t)llabs(minus(last, v->segments[index - 2].duration_90k));
    uint64_t off = (uint64_t)llabs(minus(last, nominal));

    return apart <= last / 8 && off > nominal / 8 ? last : nominal;
}

static uint64_t came_us(const struct bf_part_view *p)
{
    return p->written_us == 0 ? p->capture_us : p->written_us - US_OF_90K((uint64_t)p->duration_90k);
}

static struct arrival arrival_of(const struct bf_session_view *v, size_t index)
{
    const struct bf_segment_view *s = &v->segments[index];
    const struct bf_part_view *part = &v->parts[s->first_part];
    int64_t way = minus(came_us(part), part->capture_us);

    return (struct arrival){
        .msn = s->msn,
        .media_90k = part->decode_time_90k,
        .came_us = came_us(part),
        .capture_us = way < LONGEST_WAY_US && way > -CLOCKS_APART_US ? part->capture_us : 0,
        .segment_90k = usual_90k(v, index),
        .init_index = s->init_index,
        .discontinuity = s->discontinuity,
    };
}

/* --- where a period ends --- */

uint64_t bf_period_media_us(const struct bf_period *p, const struct bf_session_view *v, const struct bf_segment_view *s)
{
    if (s->n_parts == 0)
        return p->length_us;
    return US_OF_90K(v->parts[s->first_part].decode_time_90k + s->duration_90k - p->media_90k);
}

/* Half a segment is what the standard allows between a segment's place by its number and its real one. */
static bool media_is_off(const struct bf_period *last, const struct arrival *a)
{
    uint64_t expected = last->media_90k + (a->msn - last->first_msn) * last->segment_90k;

    return llabs(minus(a->media_90k, expected)) > (int64_t)(last->segment_90k / 2);
}

/* What comes too late by up to a segment costs nothing: requests wait for it. What comes before its time is time lost to
 * every viewer, and no network does that: the period began late. */
static bool clock_is_off(struct bf_periods *p, const struct bf_period *last, const struct arrival *a)
{
    int64_t segment_us = (int64_t)US_OF_90K(last->segment_90k);
    uint64_t expected = p->origin_us + last->start_us + (a->msn - last->first_msn) * (uint64_t)segment_us;
    int64_t late_us = minus(a->came_us, expected);

    p->late = late_us > segment_us / 4 * 3 ? p->late + 1 : 0;
    return p->late >= LATE_SEGMENTS || late_us < -segment_us / 4;
}

static bool goes_on(struct bf_periods *p, const struct bf_period *last, const struct arrival *a)
{
    bool off = clock_is_off(p, last, a);

    return last->end_msn == UINT64_MAX && last->init_index == a->init_index && !a->discontinuity &&
           !media_is_off(last, a) && !off;
}

/* `index` is of the first segment that is not the period's. */
static void close_period(struct bf_period *last, const struct bf_session_view *v, size_t index)
{
    if (last == NULL || last->end_msn != UINT64_MAX)
        return;
    last->end_msn = v->segments[index].msn;
    last->length_us = US_OF_90K((last->end_msn - last->first_msn) * last->segment_90k);
    if (index > 0)
        last->length_us = bf_period_media_us(last, v, &v->segments[index - 1]);
}

/* --- where one begins --- */

/* Right behind what was before, where that fits the time of day; else where the time of day says, less a quarter of a
 * segment, so that what comes a little earlier is in time as well. */
static uint64_t start_after(const struct bf_periods *p, const struct bf_period *last, const struct arrival *a)
{
    int64_t segment_us = (int64_t)US_OF_90K(a->segment_90k);
    int64_t behind = (int64_t)(last->start_us + US_OF_90K(a->media_90k - last->media_90k));
    int64_t now = minus(a->came_us, p->origin_us);
    int64_t least = (int64_t)last->start_us + 1;

    if (now >= behind - segment_us / 4 && now <= behind + segment_us / 4 * 3)
        return (uint64_t)behind;
    return (uint64_t)(now - segment_us / 4 > least ? now - segment_us / 4 : least);
}

/* The capture time, if that is at most half a segment before the arrival: a player's latency is then the true one. */
static uint64_t origin_of(const struct arrival *a)
{
    uint64_t half_us = US_OF_90K(a->segment_90k) / 2;
    uint64_t origin = a->came_us;

    if (a->capture_us != 0 && a->capture_us < a->came_us)
        origin = a->came_us - a->capture_us < half_us ? a->capture_us : a->came_us - half_us;
    return origin / US_PER_MS * US_PER_MS;
}

static int begin_period(struct bf_periods *p, const struct bf_session_view *v, size_t index, const struct arrival *a)
{
    struct bf_period *list = bf_array_room(p->list, sizeof *list, p->n, &p->room);
    if (list == NULL)
        return -ENOMEM;
    p->list = list;

    struct bf_period *last = last_period(p);
    if (last == NULL)
        p->origin_us = origin_of(a);
    close_period(last, v, index);
    p->list[p->n++] = (struct bf_period){
        .first_msn = a->msn,
        .end_msn = UINT64_MAX,
        .start_us = last == NULL ? 0 : start_after(p, last, a),
        .media_90k = a->media_90k,
        .segment_90k = a->segment_90k,
        .capture_us = a->capture_us,
        .init_index = a->init_index,
    };
    p->late = 0;
    return 0;
}

static int take_segment(struct bf_periods *p, const struct bf_session_view *v, size_t index)
{
    if (v->segments[index].gap) {
        close_period(last_period(p), v, index);
        return 0;
    }
    struct arrival a = arrival_of(v, index);
    struct bf_period *last = last_period(p);

    return last != NULL && goes_on(p, last, &a) ? 0 : begin_period(p, v, index, &a);
}

int bf_periods_take(struct bf_periods *p, const struct bf_session_view *v)
{
    while (v->n_segments > 0 && p->next_msn < v->next_msn) {
        uint64_t first = v->segments[0].msn;
        if (p->next_msn < first)
            p->next_msn = first;

        int r = take_segment(p, v, (size_t)(p->next_msn - first));
        if (r < 0)
            return r;
        p->next_msn++;
    }
    return 0;
}

void bf_periods_forget(struct bf_periods *p, uint64_t msn)
{
    size_t gone = 0;

    while (gone + 1 < p->n && p->list[gone].end_msn <= msn)
        gone++;
    if (gone == 0)
        return;
    p->n -= gone;
    memmove(p->list, p->list + gone, p->n * sizeof *p->list);
}

void bf_periods_done(struct bf_periods *p)
{
    free(p->list);
    *p = (struct bf_periods){ 0 };
}
