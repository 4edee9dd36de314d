#include "gateway/json.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/want.h"

static json_t *time_or_null(uint64_t unix_ms)
{
    char text[25];

    return unix_ms == 0 ? json_null() : json_string(bf_rfc3339(text, unix_ms));
}

static void set_url(json_t *urls, const char *name, const char *base, const char *id, const char *file)
{
    char url[128];

    snprintf(url, sizeof url, "%s%s/%s", base, id, file);
    json_object_set_new(urls, name, json_string(url));
}

json_t *bf_json_recording(const struct bf_recording *r)
{
    json_t *urls = json_object(), *out = json_object();

    set_url(urls, "hls", "/recordings/", r->id, "vod.m3u8");
    set_url(urls, "download", "/recordings/", r->id, "download.mp4");
    set_url(urls, "poster", "/recordings/", r->id, "poster.jpg");
    json_object_set_new(out, "id", json_string(r->id));
    json_object_set_new(out, "camera", json_string(r->camera));
    json_object_set_new(out, "title", json_string(r->title));
    json_object_set_new(out, "started_at", time_or_null(r->started_at_ms));
    json_object_set_new(out, "ended_at", time_or_null(r->ended_at_ms));
    json_object_set_new(out, "duration_ms", json_integer((json_int_t)r->duration_ms));
    json_object_set_new(out, "bytes", json_integer((json_int_t)r->bytes));
    json_object_set_new(out, "segments", json_integer((json_int_t)r->segments));
    json_object_set_new(out, "gaps", json_integer((json_int_t)r->gaps));
    json_object_set_new(out, "width", json_integer(r->width));
    json_object_set_new(out, "height", json_integer(r->height));
    json_object_set_new(out, "codecs", json_string(r->codecs));
    json_object_set_new(out, "protected", json_boolean(r->is_protected));
    json_object_set_new(out, "urls", urls);
    return out;
}

static json_t *stream_urls(const struct bf_stream *s)
{
    json_t *urls = json_object();
    char base[80];

    snprintf(base, sizeof base, "/live/%s/", s->camera);
    json_object_set_new(urls, "hls", json_null());
    json_object_set_new(urls, "dash", json_null());
    if (s->session[0] != '\0') {
        set_url(urls, "hls", base, s->session, "media.m3u8");
        set_url(urls, "dash", base, s->session, "manifest.mpd");
    }
    set_url(urls, "index", "/live/", s->camera, "index.m3u8");
    return urls;
}

static json_t *stream_error(const struct bf_stream *s)
{
    if (s->error.code[0] == '\0')
        return json_null();
    return json_pack("{s:s, s:s, s:s}", "step", bf_step_name(s->error.step), "code", s->error.code, "detail",
                     s->error.detail);
}

json_t *bf_json_stream(const struct bf_orch *o, const struct bf_stream *s)
{
    bool there = s->session[0] != '\0';
    const char *profile = bf_want_profile_name(&s->want);
    char detail[600];
    json_t *out = json_object();

    json_object_set_new(out, "camera", json_string(s->camera));
    json_object_set_new(out, "session", there ? json_string(s->session) : json_null());
    json_object_set_new(out, "state", json_string(bf_stream_phase_name(s->phase)));
    json_object_set_new(out, "detail", json_string(bf_orch_detail(o, s, detail, sizeof detail)));
    json_object_set_new(out, "profile", there && profile != NULL ? json_string(profile) : json_null());
    json_object_set_new(out, "record", json_boolean(there && s->want.record));
    json_object_set_new(out, "on_demand", json_boolean(there && s->want.on_demand));
    json_object_set_new(out, "started_at", there ? time_or_null(bf_ulid_time_ms(s->session)) : json_null());
    json_object_set_new(out, "ready_ms",
                        s->ready_ms != 0 && s->phase == BF_STREAM_LIVE ? json_integer((json_int_t)s->ready_ms)
                                                                       : json_null());
    json_object_set_new(out, "urls", stream_urls(s));
    json_object_set_new(out, "error", stream_error(s));
    return out;
}

static bool is_online(const struct bf_orch *o, const struct bf_camera_config *c)
{
    const struct bf_node *node = bf_orch_node(o, BF_ROLE_CAMERA, c->id);

    if (c->input != NULL) /* nobody to ask: what is sent is heard as soon as ingest listens */
        return bf_orch_nodes_online(o, BF_ROLE_INGEST) > 0;
    return node != NULL && node->online;
}

/* What is really encoded while it is, else what would be. */
static json_t *video(const struct bf_camera_config *c, const struct bf_camera_facts *f)
{
    bool known = f->width != 0;

    return json_pack("{s:i, s:i, s:i, s:i}", "width", (int)(known ? f->width : c->width), "height",
                     (int)(known ? f->height : c->height), "fps", (int)(known ? f->fps : c->fps), "bitrate_kbps",
                     (int)(known ? f->bitrate_kbps : c->bitrate_kbps));
}

json_t *bf_json_camera(const struct bf_orch *o, const struct bf_camera_config *c, const struct bf_camera_facts *f,
                       bool with_counters)
{
    json_t *out = json_object();

    json_object_set_new(out, "id", json_string(c->id));
    json_object_set_new(out, "name", json_string(c->name == NULL ? c->id : c->name));
    json_object_set_new(out, "online", json_boolean(is_online(o, c)));
    json_object_set_new(out, "source",
                        json_string(c->input != NULL       ? "input"
                                    : f->source[0] != '\0' ? f->source
                                                           : c->source));
    json_object_set_new(out, "encoder", f->encoder[0] == '\0' ? json_null() : json_string(f->encoder));
    json_object_set_new(out, "video", video(c, f));
    json_object_set_new(out, "profile", json_string(c->profile));
    json_object_set_new(out, "on_demand", json_boolean(c->on_demand));
    json_object_set_new(out, "stream", bf_json_stream(o, bf_orch_stream_of(o, c->id)));
    if (!with_counters)
        return out;

    json_t *counters = json_object();
    for (size_t i = 0; i < f->n_counters; i++)
        json_object_set_new(counters, f->counters[i].name, json_integer((json_int_t)f->counters[i].value));
    json_object_set_new(out, "counters", counters);
    return out;
}
