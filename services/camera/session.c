#include "camera/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "stream/profile.h"

enum { GOP_MS_MAX = 10000 }; /* proto/session.proto */

static const Belfry__V1__VideoParams no_video = BELFRY__V1__VIDEO_PARAMS__INIT;

static int choose_video(struct bf_camera_session *s, const Belfry__V1__VideoParams *asked,
                        const struct bf_camera_config *config, struct bf_error *e)
{
    const struct {
        const char *name;
        uint32_t *ret, asked, usual, limit;
    } values[] = {
        { "width", &s->width, asked->width, config->width, config->max_width },
        { "height", &s->height, asked->height, config->height, config->max_height },
        { "fps", &s->fps, asked->fps, config->fps, config->max_fps },
        { "bitrate_kbps", &s->bitrate_kbps, asked->bitrate_kbps, config->bitrate_kbps, config->max_bitrate_kbps },
        { "gop_ms", &s->gop_ms, asked->gop_ms, config->gop_ms, GOP_MS_MAX },
    };

    for (size_t i = 0; i < BF_COUNT_OF(values); i++) {
        *values[i].ret = values[i].asked != 0 ? values[i].asked : values[i].usual;
        if (*values[i].ret == 0 || *values[i].ret > values[i].limit)
            return bf_fail(e, -EINVAL, "session %s asks for %s %u: expected 1 to %u", s->id, values[i].name,
                           *values[i].ret, values[i].limit);
    }
    if (s->width % 2 != 0 || s->height % 2 != 0 || s->width < 64 || s->height < 64)
        return bf_fail(e, -EINVAL, "session %s asks for %ux%u: expected even numbers of at least 64", s->id, s->width,
                       s->height);
    return 0;
}

static int open_media_key(struct bf_camera_endpoint *t, const Belfry__V1__CameraSession *m, const struct bf_key *key,
                          struct bf_error *e)
{
    const ProtobufCBinaryData *sealed = &m->endpoint->sealed_media_key;

    if (sealed->len == 0)
        return t->transport == BF_TRANSPORT_UDP
                   ? 0
                   : bf_fail(e, -EINVAL, "session %s: SRT without a media key", m->session_id);

    int r = bf_seal_open(key, sealed->data, sealed->len, t->passphrase, sizeof(t->passphrase) - 1);
    if (r < 0)
        return bf_fail(
            e, r,
            "session %s: the media key is not sealed to this camera's key; if the key was rotated, either the "
            "trust bundle of ingest or the key here is too old: bring both hosts what belfryctl node export "
            "gives, and SIGHUP",
            m->session_id);
    return 0;
}

int bf_camera_endpoint_make(struct bf_camera_endpoint *ret, const Belfry__V1__CameraSession *m,
                            const struct bf_key *key, struct bf_error *e)
{
    const Belfry__V1__Endpoint *from = m->endpoint;
    struct bf_camera_endpoint t = { 0 };

    if (from == NULL || from->host[0] == '\0' || strlen(from->host) >= sizeof(t.host) || from->port == 0 ||
        from->port > UINT16_MAX)
        return bf_fail(e, -EINVAL, "session %s has no endpoint to send to", m->session_id);

    t.transport = from->transport == BELFRY__V1__TRANSPORT__TRANSPORT_UDP ? BF_TRANSPORT_UDP : BF_TRANSPORT_SRT;
    snprintf(t.host, sizeof(t.host), "%s", from->host);
    t.port = (uint16_t)from->port;
    t.latency_ms = from->latency_ms;
    int r = open_media_key(&t, m, key, e);
    if (r == 0)
        *ret = t;

    bf_camera_endpoint_wipe(&t);
    return r;
}

bool bf_camera_endpoint_same(const struct bf_camera_endpoint *a, const struct bf_camera_endpoint *b)
{
    return a->transport == b->transport && strcmp(a->host, b->host) == 0 && a->port == b->port &&
           a->latency_ms == b->latency_ms && strcmp(a->passphrase, b->passphrase) == 0;
}

void bf_camera_endpoint_wipe(struct bf_camera_endpoint *t)
{
    explicit_bzero(t->passphrase, sizeof(t->passphrase));
}

int bf_camera_session_make(struct bf_camera_session *ret, const Belfry__V1__CameraSession *m,
                           const struct bf_camera_config *config, const struct bf_key *key, struct bf_error *e)
{
    struct bf_camera_session s = { 0 };
    int r;

    snprintf(s.id, sizeof(s.id), "%s", m->session_id);
    r = choose_video(&s, m->video != NULL ? m->video : &no_video, config, e);
    if (r == 0)
        r = bf_camera_endpoint_make(&s.endpoint, m, key, e);
    if (r == 0)
        *ret = s;

    bf_camera_session_wipe(&s);
    return r;
}

void bf_camera_session_wipe(struct bf_camera_session *s)
{
    bf_camera_endpoint_wipe(&s->endpoint);
}

uint32_t bf_camera_session_gop_frames(const struct bf_camera_session *s)
{
    return bf_gop_frames(s->gop_ms, s->fps);
}
