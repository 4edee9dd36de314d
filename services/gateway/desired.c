/* What each node should be doing, as its message says it. */
#include "gateway/gateway_internal.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "gateway/want.h"

#include "camera.pb-c.h"
#include "ingest.pb-c.h"
#include "janitor.pb-c.h"

static Belfry__V1__Lease lease_of(const struct bf_gateway *g, const struct bf_node *node)
{
    Belfry__V1__Lease lease = BELFRY__V1__LEASE__INIT;

    lease.generation = node->generation;
    lease.epoch = g->lease_epoch;
    lease.lease_ms = g->config->gateway.lease_ms;
    lease.holder_boot_id.data = (uint8_t *)bf_service_boot_id(g->service);
    lease.holder_boot_id.len = BF_ORCH_BOOT_ID_SIZE;
    return lease;
}

static Belfry__V1__VideoParams video_of(const struct bf_want *w, const struct bf_camera_config *c)
{
    Belfry__V1__VideoParams video = BELFRY__V1__VIDEO_PARAMS__INIT;

    video.width = w->width;
    video.height = w->height;
    video.fps = w->fps;
    video.bitrate_kbps = w->bitrate_kbps;
    video.gop_ms = bf_want_gop_ms(w, c);
    return video;
}

static void publish(struct bf_gateway *g, const struct bf_node *node, enum bf_message_type type, ProtobufCMessage *m)
{
    const struct bf_address to = {
        .topic_role = node->role,
        .topic_id = node->id,
        .recipient = node->id,
        .recipient_boot_id = node->boot_id,
        .ttl_ms = g->config->gateway.lease_ms,
    };
    int r = bf_bus_send(bf_service_bus(g->service), type, &to, m, NULL);

    if (r < 0 && r != -ENOTCONN) /* without a connection it is sent again when there is one */
        bf_warning("desired was not sent; it goes out again with the next heartbeat", "node=%s error=%s", node->id,
                   strerrorname_np(-r));
}

static void send_camera(struct bf_gateway *g, const struct bf_node *node)
{
    const struct bf_stream *s = bf_orch_stream_of(g->orch, node->id);
    Belfry__V1__CameraDesired m = BELFRY__V1__CAMERA_DESIRED__INIT;
    Belfry__V1__CameraSession session = BELFRY__V1__CAMERA_SESSION__INIT;
    Belfry__V1__Endpoint endpoint = BELFRY__V1__ENDPOINT__INIT;
    Belfry__V1__Lease lease = lease_of(g, node);
    Belfry__V1__VideoParams video;

    m.lease = &lease;
    if (s->camera_ordered) {
        endpoint.transport = s->endpoint.transport;
        endpoint.host = (char *)s->endpoint.host;
        endpoint.port = s->endpoint.port;
        endpoint.latency_ms = s->endpoint.latency_ms;
        endpoint.sealed_media_key.data = (uint8_t *)s->endpoint.sealed_key;
        endpoint.sealed_media_key.len = s->endpoint.sealed_key_size;
        video = video_of(&s->want, bf_config_camera(g->config, node->id));
        session.session_id = (char *)s->session;
        session.video = &video;
        session.endpoint = &endpoint;
        m.session = &session;
    }
    publish(g, node, BF_MSG_CAMERA_DESIRED, &m.base);
}

static void fill_ingest_session(Belfry__V1__IngestSession *ret, Belfry__V1__VideoParams *video,
                                const struct bf_stream *s, const struct bf_camera_config *c)
{
    bool udp = c->input != NULL || strcmp(c->transport, "udp") == 0;

    belfry__v1__ingest_session__init(ret);
    *video = video_of(&s->want, c);
    ret->session_id = (char *)s->session;
    ret->camera = (char *)s->camera;
    ret->record = s->want.record;
    ret->video = video;
    ret->transport = udp ? BELFRY__V1__TRANSPORT__TRANSPORT_UDP : BELFRY__V1__TRANSPORT__TRANSPORT_SRT;
    ret->latency_ms = udp ? 0 : c->latency_ms;
    ret->profile = s->want.profile;
    if (c->input != NULL) {
        ret->input = c->input;
        ret->input_source = c->input_source == NULL ? (char *)"" : c->input_source;
    }
}

static void send_ingest(struct bf_gateway *g, const struct bf_node *node)
{
    Belfry__V1__IngestDesired m = BELFRY__V1__INGEST_DESIRED__INIT;
    Belfry__V1__IngestSession sessions[BF_ORCH_SESSIONS_MAX], *list[BF_ORCH_SESSIONS_MAX];
    Belfry__V1__VideoParams videos[BF_ORCH_SESSIONS_MAX];
    Belfry__V1__Lease lease = lease_of(g, node);
    size_t n = 0;

    for (size_t i = 0; i < bf_orch_count(g->orch) && n < BF_ORCH_SESSIONS_MAX; i++) {
        const struct bf_stream *s = bf_orch_stream(g->orch, i);

        if (!s->ingest_ordered || strcmp(s->ingest, node->id) != 0)
            continue;
        fill_ingest_session(&sessions[n], &videos[n], s, bf_config_camera(g->config, s->camera));
        list[n] = &sessions[n];
        n++;
    }
    m.lease = &lease;
    m.sessions = list;
    m.n_sessions = n;
    publish(g, node, BF_MSG_INGEST_DESIRED, &m.base);
}

static void send_janitor(struct bf_gateway *g, const struct bf_node *node)
{
    Belfry__V1__JanitorDesired m = BELFRY__V1__JANITOR_DESIRED__INIT;
    Belfry__V1__JanitorSession sessions[BF_ORCH_SESSIONS_MAX], *list[BF_ORCH_SESSIONS_MAX];
    Belfry__V1__Lease lease = lease_of(g, node);
    size_t n;
    const struct bf_fate *fates = bf_orch_fates(g->orch, &n);

    for (size_t i = 0; i < n; i++) {
        belfry__v1__janitor_session__init(&sessions[i]);
        sessions[i].session_id = (char *)fates[i].session;
        sessions[i].camera = (char *)fates[i].camera;
        sessions[i].fate = fates[i].fate;
        list[i] = &sessions[i];
    }
    m.lease = &lease;
    m.sessions = list;
    m.n_sessions = n;
    publish(g, node, BF_MSG_JANITOR_DESIRED, &m.base);
}

void bf_gateway_send_desired(struct bf_gateway *g, enum bf_role role, const char *id)
{
    const struct bf_node *node = bf_orch_node(g->orch, role, id);

    if (node == NULL)
        return;
    if (role == BF_ROLE_CAMERA)
        send_camera(g, node);
    else if (role == BF_ROLE_INGEST)
        send_ingest(g, node);
    else
        send_janitor(g, node);
}
