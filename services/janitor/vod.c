#include "janitor/vod.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "stream/layout.h"

#define TICKS_PER_S 90000u
#define EXTINF_SCALE 100000u

size_t bf_vod_first(const struct bf_session_view *v, uint64_t first_msn)
{
    size_t i = 0;
    while (i < v->n_segments && (v->segments[i].msn < first_msn || !v->segments[i].complete || v->segments[i].gap))
        i++;
    return i;
}

/* Whole seconds, at least the constant of the session: EXTINF rounded must not exceed it (rfc8216bis 4.4.3.1). */
static uint64_t target_duration_s(const struct bf_session_view *v, size_t first)
{
    uint64_t target = v->target_duration_s;
    for (size_t i = first; i < v->n_segments; i++) {
        uint64_t rounded = (v->segments[i].duration_90k + TICKS_PER_S / 2) / TICKS_PER_S;
        if (v->segments[i].complete && rounded > target)
            target = rounded;
    }
    return target;
}

static bool every_segment_is_independent(const struct bf_session_view *v, size_t first)
{
    for (size_t i = first; i < v->n_segments; i++) {
        const struct bf_segment_view *s = &v->segments[i];
        if (s->complete && !s->gap && (s->n_parts == 0 || !v->parts[s->first_part].independent))
            return false;
    }
    return true;
}

static void print_map(FILE *f, const struct bf_session_view *v, unsigned init_index)
{
    fprintf(f, "#EXT-X-MAP:URI=\"%s\"\n", v->inits[init_index].file);
}

static void print_segment(FILE *f, const struct bf_segment_view *s)
{
    char name[BF_NAME_SIZE];
    bf_segment_name(name, s->msn);
    fprintf(f, "#EXTINF:%" PRIu64 ".%05" PRIu64 ",\n%s%s\n", s->duration_90k / TICKS_PER_S,
            s->duration_90k % TICKS_PER_S * EXTINF_SCALE / TICKS_PER_S, s->gap ? "#EXT-X-GAP\n" : "", name);
}

void bf_vod_print(FILE *f, const struct bf_session_view *v, size_t first)
{
    fprintf(f,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%" PRIu64 "\n#EXT-X-PLAYLIST-TYPE:VOD\n"
            "#EXT-X-MEDIA-SEQUENCE:%" PRIu64 "\n%s",
            target_duration_s(v, first), first < v->n_segments ? v->segments[first].msn : 0,
            every_segment_is_independent(v, first) ? "#EXT-X-INDEPENDENT-SEGMENTS\n" : "");

    unsigned map = UINT_MAX;
    for (size_t i = first; i < v->n_segments; i++) {
        const struct bf_segment_view *s = &v->segments[i];
        char time[25];
        if (!s->complete)
            continue;
        bool new_map = !s->gap && s->init_index != map;
        if (i > first && (s->discontinuity || new_map))
            fputs("#EXT-X-DISCONTINUITY\n", f);
        if (new_map) {
            map = s->init_index;
            print_map(f, v, map);
        }
        if (!s->gap && s->capture_us > 0)
            fprintf(f, "#EXT-X-PROGRAM-DATE-TIME:%s\n", bf_rfc3339(time, s->capture_us / 1000));
        print_segment(f, s);
    }
    fputs("#EXT-X-ENDLIST\n", f);
}

static bool goes_on(const struct bf_session_view *v, size_t i, const struct bf_segment_view *before)
{
    const struct bf_segment_view *s = &v->segments[i];
    return before != NULL && before->msn + 1 == s->msn && before->init_index == s->init_index && !s->discontinuity;
}

int bf_vod_runs_make(struct bf_vod_runs *ret, const struct bf_session_view *v, size_t first)
{
    size_t n = v->n_segments + 1;
    struct bf_vod_runs made = { .runs = calloc(n, sizeof *made.runs),
                                .names = calloc(n, sizeof *made.names),
                                .texts = calloc(n, sizeof *made.texts) };
    if (made.runs == NULL || made.names == NULL || made.texts == NULL) {
        bf_vod_runs_done(&made);
        return -ENOMEM;
    }

    const struct bf_segment_view *before = NULL;
    size_t n_names = 0;
    for (size_t i = first; i < v->n_segments; i++) {
        const struct bf_segment_view *s = &v->segments[i];
        if (!s->complete || s->gap)
            continue;
        bf_segment_name(made.texts[n_names], s->msn);
        made.names[n_names] = made.texts[n_names];
        if (!goes_on(v, i, before))
            made.runs[made.n_runs++] =
                (struct bf_export_run){ .init = v->inits[s->init_index].file, .segments = &made.names[n_names] };
        made.runs[made.n_runs - 1].n_segments++;
        n_names++;
        before = s;
    }
    *ret = made;
    return 0;
}

void bf_vod_runs_done(struct bf_vod_runs *r)
{
    free(r->runs);
    free(r->names);
    free(r->texts);
    *r = (struct bf_vod_runs){ 0 };
}
