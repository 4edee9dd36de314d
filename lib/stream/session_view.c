#include "stream/session_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "stream/chain.h"
#include "stream/layout.h"
#include "stream/profile.h"

#define TICKS_PER_MS 90
#define KEEP_SLACK_MS 10000
#define TARGET_DURATION_MAX_S 3600

void bf_session_view_init(struct bf_session_view *v)
{
    *v = (struct bf_session_view){ 0 };
}

void bf_session_view_done(struct bf_session_view *v)
{
    free(v->inits);
    free(v->segments);
    free(v->parts);
    bf_session_view_init(v);
}

static struct bf_segment_view *last_segment(const struct bf_session_view *v)
{
    return v->n_segments == 0 ? NULL : &v->segments[v->n_segments - 1];
}

static struct bf_segment_view *open_segment(const struct bf_session_view *v)
{
    struct bf_segment_view *last = last_segment(v);

    return last != NULL && !last->complete ? last : NULL;
}

static int push_segment(struct bf_session_view *v, const struct bf_segment_view *segment)
{
    struct bf_segment_view *segments = bf_array_room(v->segments, sizeof *segments, v->n_segments, &v->segments_room);
    if (segments == NULL)
        return -ENOMEM;
    v->segments = segments;
    v->segments[v->n_segments++] = *segment;
    v->next_msn = segment->msn + 1;
    return 0;
}

static int link_of_start(uint8_t ret[static 32], const Belfry__V1__Record *record)
{
    size_t size = belfry__v1__record__get_packed_size(record);
    uint8_t *packed = malloc(size);

    if (packed == NULL)
        return -ENOMEM;
    belfry__v1__record__pack(record, packed);
    bf_chain_start(ret, packed, size);
    free(packed);
    return 0;
}

static int apply_start(struct bf_session_view *v, const Belfry__V1__Record *record)
{
    const Belfry__V1__SessionStart *s = record->start;

    if (v->started || !bf_id_valid(s->camera) || !bf_ulid_valid(s->session_id) || !bf_id_valid(s->ingest))
        return -EBADMSG;
    if (s->part_target_us == 0 || s->window_ms == 0)
        return -EBADMSG;
    if (s->target_duration_s == 0 || s->target_duration_s > TARGET_DURATION_MAX_S)
        return -EBADMSG;
    /* A journal whose writer knew no profiles reads as balanced. */
    Belfry__V1__Profile profile =
        s->profile == BELFRY__V1__PROFILE__PROFILE_UNSPECIFIED ? BELFRY__V1__PROFILE__PROFILE_BALANCED : s->profile;
    if (bf_profile_of(profile) == NULL)
        return -EBADMSG;
    int failed = link_of_start(v->chain_head, record);
    if (failed != 0)
        return failed;

    v->started = true;
    memcpy(v->camera, s->camera, strlen(s->camera) + 1);
    memcpy(v->session_id, s->session_id, BF_ULID_SIZE);
    memcpy(v->ingest, s->ingest, strlen(s->ingest) + 1);
    v->started_at_ms = s->started_at_ms;
    v->record = s->record;
    v->part_target_us = s->part_target_us;
    v->target_duration_s = s->target_duration_s;
    v->window_ms = s->window_ms;
    v->profile = profile;
    v->segment_us = s->segment_us == 0 ? s->target_duration_s * 1000000 : s->segment_us;
    return 0;
}

/* RFC 6381 names of one codec: they go into playlists as they are. */
static bool codecs_valid(const char *codecs, size_t size)
{
    size_t n = strspn(codecs, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.");

    return n > 0 && n < size && codecs[n] == '\0';
}

static int apply_init(struct bf_session_view *v, const Belfry__V1__Record *record)
{
    const Belfry__V1__Init *i = record->init;
    struct bf_init_view init = { .width = i->width, .height = i->height, .frame_rate_milli = i->frame_rate_milli };
    unsigned index;

    if (!v->started || open_segment(v) != NULL)
        return -EBADMSG;
    if (!bf_init_name_parse(i->file, &index) || index != v->n_inits || !codecs_valid(i->codecs, sizeof init.codecs))
        return -EBADMSG;

    memcpy(init.file, i->file, strlen(i->file) + 1);
    memcpy(init.codecs, i->codecs, strlen(i->codecs) + 1);
    struct bf_init_view *inits = bf_array_room(v->inits, sizeof *inits, v->n_inits, &v->inits_room);
    if (inits == NULL)
        return -ENOMEM;
    v->inits = inits;
    v->inits[v->n_inits++] = init;
    return 0;
}

/* The part's own segment: the open one, or a new one that it begins. */
static int segment_for(struct bf_session_view *v, const Belfry__V1__Part *p, struct bf_segment_view **ret)
{
    struct bf_segment_view *open = open_segment(v);

    if (open != NULL) {
        if (p->msn != open->msn || p->offset != open->bytes || p->discontinuity)
            return -EBADMSG;
        *ret = open;
        return 0;
    }
    if (p->msn != v->next_msn || p->offset != 0)
        return -EBADMSG;

    struct bf_segment_view fresh = {
        .msn = p->msn,
        .first_part = v->n_parts,
        .capture_us = p->capture_us,
        .init_index = (unsigned)(v->n_inits - 1),
        .discontinuity = p->discontinuity,
    };
    int failed = push_segment(v, &fresh);
    if (failed == 0)
        *ret = last_segment(v);
    return failed;
}

static int apply_part(struct bf_session_view *v, const Belfry__V1__Record *record)
{
    const Belfry__V1__Part *p = record->part;
    struct bf_segment_view *segment = NULL;

    if (v->n_inits == 0 || p->counter != v->next_counter || p->length == 0 || p->duration_90k == 0 || p->frames == 0)
        return -EBADMSG;
    if (p->length > INT64_MAX || p->offset > INT64_MAX - p->length)
        return -EBADMSG;
    struct bf_part_view *parts = bf_array_room(v->parts, sizeof *parts, v->n_parts, &v->parts_room);
    if (parts == NULL)
        return -ENOMEM;
    v->parts = parts;
    int failed = segment_for(v, p, &segment);
    if (failed != 0)
        return failed;

    v->parts[v->n_parts++] = (struct bf_part_view){
        .counter = p->counter,
        .msn = p->msn,
        .offset = p->offset,
        .length = p->length,
        .capture_us = p->capture_us,
        .decode_time_90k = p->decode_time_90k,
        .duration_90k = p->duration_90k,
        .frames = p->frames,
        .independent = p->independent,
        .written_us = p->written_us,
    };
    v->next_counter++;
    segment->n_parts++;
    segment->bytes += p->length;
    segment->duration_90k += p->duration_90k;
    return 0;
}

static int apply_segment_end(struct bf_session_view *v, const Belfry__V1__Record *record)
{
    const Belfry__V1__SegmentEnd *s = record->segment_end;
    struct bf_segment_view *open = open_segment(v);

    if (open == NULL || s->msn != open->msn || s->bytes != open->bytes || s->duration_90k != open->duration_90k)
        return -EBADMSG;
    if (s->sha256.len != sizeof open->sha256 || s->link.len != sizeof open->link)
        return -EBADMSG;

    memcpy(open->sha256, s->sha256.data, sizeof open->sha256);
    memcpy(open->link, s->link.data, sizeof open->link);
    memcpy(v->chain_head, s->link.data, sizeof v->chain_head);
    open->complete = true;
    return 0;
}

static uint64_t captured_until(const struct bf_segment_view *s)
{
    return s == NULL || s->capture_us == 0 ? 0 : s->capture_us + s->duration_90k * 100 / 9;
}

static int apply_gap(struct bf_session_view *v, const Belfry__V1__Record *record)
{
    const Belfry__V1__Gap *g = record->gap;

    if (!v->started || open_segment(v) != NULL || g->msn != v->next_msn || g->duration_90k == 0)
        return -EBADMSG;
    struct bf_segment_view gap = {
        .msn = g->msn,
        .first_part = v->n_parts,
        .duration_90k = g->duration_90k,
        .capture_us = captured_until(last_segment(v)),
        .init_index = v->n_inits == 0 ? 0 : (unsigned)(v->n_inits - 1),
        .complete = true,
        .gap = true,
    };
    return push_segment(v, &gap);
}

static int apply_end(struct bf_session_view *v, const Belfry__V1__Record *record)
{
    const Belfry__V1__SessionEnd *s = record->end;

    if (!v->started || open_segment(v) != NULL || strlen(s->reason) >= sizeof v->end_reason)
        return -EBADMSG;

    memcpy(v->end_reason, s->reason, strlen(s->reason) + 1);
    v->ended_at_ms = s->ended_at_ms;
    v->ended = true;
    return 0;
}

int bf_session_view_apply(struct bf_session_view *v, const Belfry__V1__Record *record)
{
    static int (*const apply[])(struct bf_session_view *, const Belfry__V1__Record *) = {
        [BELFRY__V1__RECORD__KIND_START] = apply_start, [BELFRY__V1__RECORD__KIND_INIT] = apply_init,
        [BELFRY__V1__RECORD__KIND_PART] = apply_part,   [BELFRY__V1__RECORD__KIND_SEGMENT_END] = apply_segment_end,
        [BELFRY__V1__RECORD__KIND_GAP] = apply_gap,     [BELFRY__V1__RECORD__KIND_END] = apply_end,
    };
    size_t kind = (size_t)record->kind_case;

    if (v->ended || kind >= sizeof apply / sizeof apply[0] || apply[kind] == NULL)
        return -EBADMSG;
    int failed = apply[kind](v, record);
    if (failed == 0)
        v->revision++;
    return failed;
}

void bf_session_view_forget(struct bf_session_view *v, uint64_t msn)
{
    size_t segments = 0, parts = 0;

    while (segments < v->n_segments && v->segments[segments].complete && v->segments[segments].msn < msn)
        parts += v->segments[segments++].n_parts;
    if (segments == 0)
        return;

    v->n_segments -= segments;
    v->n_parts -= parts;
    memmove(v->segments, v->segments + segments, v->n_segments * sizeof *v->segments);
    if (parts > 0)
        memmove(v->parts, v->parts + parts, v->n_parts * sizeof *v->parts);
    for (size_t i = 0; i < v->n_segments; i++)
        v->segments[i].first_part -= parts;
}

const struct bf_part_view *bf_session_view_part(const struct bf_session_view *v, uint64_t counter)
{
    if (v->n_parts == 0 || counter < v->parts[0].counter || counter - v->parts[0].counter >= v->n_parts)
        return NULL;
    return &v->parts[counter - v->parts[0].counter];
}

const struct bf_segment_view *bf_session_view_segment(const struct bf_session_view *v, uint64_t msn)
{
    if (v->n_segments == 0 || msn < v->segments[0].msn || msn - v->segments[0].msn >= v->n_segments)
        return NULL;
    return &v->segments[msn - v->segments[0].msn];
}

const struct bf_segment_view *bf_session_view_open_segment(const struct bf_session_view *v)
{
    return open_segment(v);
}

/* First msn of the last complete segments that together last at least `least_90k`. */
static uint64_t start_of_last(const struct bf_session_view *v, uint64_t least_90k)
{
    uint64_t covered_90k = 0;

    for (size_t i = v->n_segments; i > 0; i--) {
        const struct bf_segment_view *s = &v->segments[i - 1];

        if (s->complete)
            covered_90k += s->duration_90k;
        if (covered_90k >= least_90k)
            return s->msn;
    }
    return v->n_segments == 0 ? v->next_msn : v->segments[0].msn;
}

static uint64_t window_90k(const struct bf_session_view *v)
{
    uint64_t least_ms = 3000 * (uint64_t)v->target_duration_s;

    return TICKS_PER_MS * (v->window_ms > least_ms ? v->window_ms : least_ms);
}

uint64_t bf_session_view_window_start(const struct bf_session_view *v)
{
    return start_of_last(v, window_90k(v));
}

uint64_t bf_session_view_keep_90k(const struct bf_session_view *v)
{
    uint64_t target_90k = TICKS_PER_MS * 1000 * (uint64_t)v->target_duration_s;
    uint64_t longest_90k = window_90k(v) + 2 * target_90k; /* first segment may overshoot, and one is open */

    return window_90k(v) + longest_90k + target_90k + TICKS_PER_MS * KEEP_SLACK_MS;
}

uint64_t bf_session_view_keep_start(const struct bf_session_view *v)
{
    return start_of_last(v, bf_session_view_keep_90k(v));
}
