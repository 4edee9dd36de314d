#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "ingest/session_state.h"

static int make_worker(struct bf_session *s, const Belfry__V1__IngestSession *wanted, uint32_t lease_epoch)
{
    const struct bf_config *config = s->host->config;
    const struct bf_camera_config *camera = bf_config_camera(config, s->camera);
    const Belfry__V1__VideoParams *video = wanted->video;
    bool foreign = wanted->input[0] != '\0'; /* what it was asked for says nothing about what it sends */
    struct bf_worker_options options = {
        .site = config->site,
        .node = s->host->node,
        .camera = s->camera,
        .session_id = s->id,
        .record = wanted->record,
        .profile = bf_profile_of(wanted->profile),
        .window_ms = config->ingest.window_ms,
        .lease_epoch = lease_epoch,
        .media_fd = s->host->media_fd,
        .reserve_bytes = config->ingest.reserve_bytes,
        .key = s->host->key,
        .wake = bf_session_wake,
        .user = s,
    };

    if (!foreign) {
        uint32_t gop_ms = video != NULL && video->gop_ms != 0 ? video->gop_ms : camera != NULL ? camera->gop_ms : 0;

        options.fps = video != NULL && video->fps != 0 ? video->fps : camera != NULL ? camera->fps : 0;
        options.gop_frames = bf_gop_frames(gop_ms, options.fps);
    }
    return bf_worker_new(&s->worker, &options);
}

/* Tries the ports of the range once each, from the one behind the last that was taken: a sender that still sends to an
 * ended session then rarely meets a new one. */
static int listen_in_range(struct bf_session *s, struct bf_transport_options *options, struct bf_error *e)
{
    uint16_t first = s->host->config->ingest.port_first, last = s->host->config->ingest.port_last;
    unsigned ports = last - first + 1U;
    unsigned at = s->host->next_port >= first && s->host->next_port <= last ? (unsigned)s->host->next_port - first : 0U;

    for (unsigned n = 0; n < ports; n++, at = (at + 1) % ports) {
        options->port = (uint16_t)(first + at);
        int r = bf_worker_listen(s->worker, options, e);
        if (r == -EADDRINUSE)
            continue;
        s->host->next_port = (uint16_t)(first + (at + 1) % ports);
        return r;
    }
    return bf_fail(e, -EADDRINUSE, "all ports from %u to %u are in use: widen ingest.port_first and port_last", first,
                   last);
}

static int listen_as_camera_expects(struct bf_session *s, const Belfry__V1__IngestSession *wanted,
                                    const struct bf_trust *trust, struct bf_error *e)
{
    const struct bf_config *config = s->host->config;
    char passphrase[BF_PASSPHRASE_SIZE] = "";
    struct bf_transport_options options = {
        .kind = s->transport == BELFRY__V1__TRANSPORT__TRANSPORT_SRT ? BF_TRANSPORT_SRT : BF_TRANSPORT_UDP,
        .host = config->ingest.address,
        .latency_ms = s->latency_ms,
        .source = wanted->input_source[0] != '\0' ? wanted->input_source : NULL,
        .timeout_ms = config->ingest.silence_ms,
    };
    int r = 0;

    if (options.kind == BF_TRANSPORT_SRT) {
        r = bf_passphrase_make(passphrase);
        if (r == 0)
            r = bf_passphrase_seal(passphrase, trust, s->camera, bf_unix_ms(), s->sealed, e);
        options.passphrase = passphrase;
    }
    if (r == 0)
        r = listen_in_range(s, &options, e);
    sodium_memzero(passphrase, sizeof passphrase);

    s->port = options.port;
    memccpy(s->address, config->ingest.advertise, 0, sizeof s->address - 1);
    return r;
}

static int listen_as_configured(struct bf_session *s, const Belfry__V1__IngestSession *wanted, struct bf_error *e)
{
    struct bf_transport_options options = {
        .kind = BF_TRANSPORT_UDP,
        .host = s->address,
        .source = wanted->input_source[0] != '\0' ? wanted->input_source : NULL,
        .timeout_ms = s->host->config->ingest.silence_ms,
    };

    int r = bf_udp_address_parse(wanted->input, s->address, &s->port);
    if (r != 0)
        return bf_fail(e, r, "input \"%s\": expected udp://address:port", wanted->input);
    options.port = s->port;
    return bf_worker_listen(s->worker, &options, e);
}

int bf_session_listen(struct bf_session *s, const Belfry__V1__IngestSession *wanted, uint32_t lease_epoch,
                      const struct bf_trust *trust, struct bf_error *e)
{
    int r = make_worker(s, wanted, lease_epoch);

    if (r != 0)
        return r;
    return wanted->input[0] != '\0' ? listen_as_configured(s, wanted, e)
                                    : listen_as_camera_expects(s, wanted, trust, e);
}
