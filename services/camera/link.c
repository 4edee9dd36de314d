#include "camera/link.h"

#include <errno.h>

#include "base/clock.h"

void bf_link_init(struct bf_link *l, const struct bf_camera_session *session, const struct bf_stop *stop)
{
    *l = (struct bf_link){ .session = session, .stop = stop };
}

static int failed(struct bf_link *l, int r)
{
    uint64_t pause_ms = BF_LINK_RETRY_FIRST_MS;

    bf_link_down(l);
    for (unsigned i = 0; i < l->failures && pause_ms < BF_LINK_RETRY_LAST_MS; i++)
        pause_ms *= 2;
    if (pause_ms > BF_LINK_RETRY_LAST_MS)
        pause_ms = BF_LINK_RETRY_LAST_MS;
    l->failures++;
    l->retry_at_us = bf_mono_us() + pause_ms * 1000;
    return r;
}

int bf_link_try(struct bf_link *l, struct bf_error *e)
{
    const struct bf_camera_session *s = l->session;
    const struct bf_transport_options options = {
        .kind = s->transport,
        .host = s->host,
        .port = s->port,
        .latency_ms = s->latency_ms,
        .passphrase = s->passphrase[0] != '\0' ? s->passphrase : NULL,
        .timeout_ms = BF_LINK_DIAL_MS,
        .stop = &l->stop->raised,
    };

    if (bf_mono_us() < l->retry_at_us)
        return -EAGAIN;

    int r = bf_transport_dial(&l->transport, &options, e);
    if (r == 0)
        r = bf_ts_writer_new(&l->writer, l->transport, e);
    if (r < 0)
        return failed(l, r);

    l->failures = 0;
    return 0;
}

unsigned bf_link_failures(const struct bf_link *l)
{
    return l->failures;
}

int bf_link_write(struct bf_link *l, const uint8_t *au, size_t size, int64_t pts_90k, bool idr)
{
    return bf_ts_write(l->writer, au, size, pts_90k, idr);
}

void bf_link_down(struct bf_link *l)
{
    bf_ts_writer_free(l->writer);
    l->writer = NULL;
    bf_transport_free(l->transport);
    l->transport = NULL;
}
