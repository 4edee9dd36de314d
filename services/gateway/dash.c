#include "gateway/dash.h"

#include <inttypes.h>

#include "base/clock.h"
#include "gateway/playlist.h"

#define TIMESCALE 90000
#define UPDATE_TARGETS 2 /* how often a client looks for a new period, or the end, in target durations */
#define DELAY_SEGMENTS 3 /* how far behind a player of whole segments stays */
#define TIME_SOURCE "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"/api/v1/time\"/>"

/* What players that can are asked to keep to, in milliseconds. Measured to be held without stalls (bench/README.md). */
static const struct target {
    Belfry__V1__Profile profile;
    unsigned latency_ms, least_ms, most_ms;
} targets[] = {
    { BELFRY__V1__PROFILE__PROFILE_REALTIME, 500, 300, 2000 },
    { BELFRY__V1__PROFILE__PROFILE_BALANCED, 1000, 600, 3000 },
};

static const struct target *target_of(const struct bf_session_view *v)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (targets[i].profile == v->profile)
            return &targets[i];
    return NULL;
}

static void add_duration(struct bf_text *t, const char *name, uint64_t us)
{
    bf_text_add(t, " %s=\"PT%" PRIu64 ".%06" PRIu64 "S\"", name, us / 1000000, us % 1000000);
}

static void add_time(struct bf_text *t, const char *name, uint64_t us)
{
    char time[25];

    bf_text_add(t, " %s=\"%s\"", name, bf_rfc3339(time, us / 1000));
}

/* Bits per second with two significant binary digits, rounded up: it should not change with every segment. */
static uint64_t rounded_bandwidth(const struct bf_session_view *v)
{
    uint64_t rate = bf_playlist_bandwidth(v), step = 1;

    rate += rate / 10;
    while (rate / step >= 8)
        step *= 2;
    return (rate / step + 1) * step;
}

/* --- periods --- */

/* How long the period is, in its own media or until the next one takes its place; 0 while nobody can say. */
static uint64_t length_us(const struct bf_session_view *v, const struct bf_periods *p, size_t index)
{
    const struct bf_period *at = &p->list[index];
    uint64_t media = at->length_us;

    if (at->end_msn == UINT64_MAX)
        return v->ended ? bf_period_media_us(at, v, &v->segments[v->n_segments - 1]) : 0;
    if (index + 1 == p->n)
        return media;
    uint64_t until_next = p->list[index + 1].start_us - at->start_us;
    return media < until_next ? media : until_next;
}

static void add_adaptation_set(struct bf_text *t, const struct bf_session_view *v, const struct bf_period *at)
{
    const struct bf_init_view *init = &v->inits[at->init_index];
    uint32_t rate = init->frame_rate_milli;

    bf_text_add(
        t,
        "    <AdaptationSet id=\"0\" contentType=\"video\" mimeType=\"video/mp4\" codecs=\"%s\" width=\"%" PRIu32
        "\" height=\"%" PRIu32 "\"",
        init->codecs, init->width, init->height);
    if (rate % 1000 != 0)
        bf_text_add(t, " frameRate=\"%" PRIu32 "/1000\"", rate);
    else if (rate != 0)
        bf_text_add(t, " frameRate=\"%" PRIu32 "\"", rate / 1000);
    bf_text_add(t, " segmentAlignment=\"true\" startWithSAP=\"1\">\n");
}

/* When the period's first frame was taken: latency is then counted from the scene, not from its arrival here. */
static void add_producer_time(struct bf_text *t, const struct bf_period *at)
{
    if (at->capture_us == 0)
        return;
    bf_text_add(t, "      <ProducerReferenceTime id=\"0\" type=\"encoder\"");
    add_time(t, "wallClockTime", at->capture_us);
    bf_text_add(t, " presentationTime=\"%" PRIu64 "\">" TIME_SOURCE "</ProducerReferenceTime>\n", at->media_90k);
}

static void add_template(struct bf_text *t, const struct bf_session_view *v, const struct bf_period *at)
{
    uint64_t segment_us = at->segment_90k * 100 / 9;
    uint64_t offset_us = segment_us > v->part_target_us ? segment_us - v->part_target_us : 0;

    bf_text_add(t, "      <SegmentTemplate timescale=\"%d\" duration=\"%" PRIu64 "\" startNumber=\"%" PRIu64 "\"",
                TIMESCALE, at->segment_90k, at->first_msn);
    bf_text_add(t, " presentationTimeOffset=\"%" PRIu64 "\" initialization=\"%s\" media=\"seg-$Number$.m4s\"",
                at->media_90k, v->inits[at->init_index].file);
    if (bf_playlist_lists_parts(v))
        bf_text_add(t, " availabilityTimeOffset=\"%" PRIu64 ".%06" PRIu64 "\" availabilityTimeComplete=\"false\"",
                    offset_us / 1000000, offset_us % 1000000);
    bf_text_add(t, "/>\n");
}

static void add_period(struct bf_text *t, const struct bf_session_view *v, const struct bf_periods *p, size_t index)
{
    const struct bf_period *at = &p->list[index];
    uint64_t length = length_us(v, p, index);

    bf_text_add(t, "  <Period id=\"%" PRIu64 "\"", at->first_msn);
    add_duration(t, "start", at->start_us);
    if (length > 0)
        add_duration(t, "duration", length);
    bf_text_add(t, ">\n");
    add_adaptation_set(t, v, at);
    add_producer_time(t, at);
    add_template(t, v, at);
    bf_text_add(t, "      <Representation id=\"0\" bandwidth=\"%" PRIu64 "\"/>\n", rounded_bandwidth(v));
    bf_text_add(t, "    </AdaptationSet>\n  </Period>\n");
}

/* --- the manifest --- */

static uint64_t window_us(const struct bf_session_view *v)
{
    uint64_t least_ms = v->target_duration_s * UINT64_C(3000);

    return 1000 * (v->window_ms > least_ms ? v->window_ms : least_ms);
}

/* When the newest segment began, or the end was: nothing said here changes in between. */
static uint64_t published_us(const struct bf_session_view *v, const struct bf_periods *p)
{
    uint64_t us = p->origin_us + p->list[p->n - 1].start_us;
    const struct bf_segment_view *last = &v->segments[v->n_segments - 1];
    uint64_t began = last->n_parts == 0 ? 0 : v->parts[last->first_part].written_us;

    if (began > us)
        us = began;
    return v->ended && v->ended_at_ms * 1000 > us ? v->ended_at_ms * 1000 : us;
}

static void add_root(struct bf_text *t, const struct bf_session_view *v, const struct bf_periods *p)
{
    bool low_latency = bf_playlist_lists_parts(v);
    const struct bf_period *last = &p->list[p->n - 1];

    bf_text_add(t,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" "
                "profiles=\"urn:mpeg:dash:profile:isoff-live:2011%s\"",
                low_latency ? ",http://www.dashif.org/guidelines/low-latency-live-v5" : "");
    add_time(t, "availabilityStartTime", p->origin_us);
    add_time(t, "publishTime", published_us(v, p));
    if (v->ended)
        add_duration(t, "mediaPresentationDuration", last->start_us + length_us(v, p, p->n - 1));
    else
        add_duration(t, "minimumUpdatePeriod", v->target_duration_s * UINT64_C(1000000) * UPDATE_TARGETS);
    add_duration(t, "timeShiftBufferDepth", window_us(v));
    add_duration(t, "maxSegmentDuration", v->target_duration_s * UINT64_C(1000000));
    add_duration(t, "minBufferTime", low_latency ? v->part_target_us : v->segment_us);
    if (!low_latency)
        add_duration(t, "suggestedPresentationDelay", (uint64_t)v->segment_us * DELAY_SEGMENTS);
    bf_text_add(t, ">\n");
}

static void add_service(struct bf_text *t, const struct bf_session_view *v, const struct bf_periods *p)
{
    const struct target *target = target_of(v);

    if (target == NULL)
        return;
    bf_text_add(t, "  <ServiceDescription id=\"0\">\n    <Latency target=\"%u\" min=\"%u\" max=\"%u\"%s/>\n",
                target->latency_ms, target->least_ms, target->most_ms,
                p->list[p->n - 1].capture_us == 0 ? "" : " referenceId=\"0\"");
    bf_text_add(t, "    <PlaybackRate min=\"0.96\" max=\"1.1\"/>\n  </ServiceDescription>\n");
}

void bf_dash_mpd(struct bf_text *t, const struct bf_session_view *v, const struct bf_periods *p)
{
    uint64_t window_start = bf_session_view_window_start(v);

    add_root(t, v, p);
    add_service(t, v, p);
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].end_msn > window_start || i + 1 == p->n)
            add_period(t, v, p, i);
    bf_text_add(t, "  " TIME_SOURCE "\n</MPD>\n");
}
