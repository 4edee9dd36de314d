#include "camera/link.h"

#include <errno.h>

#include "base/clock.h"

/* Of the process, whatever worker made them. */
static atomic_uint dials;

/* The receiver keeps a connection whose sender vanished for seconds. That of an earlier process, or of an earlier dial
 * of this one, is not worth waiting for; that of a later process is not ours to take. */
static uint64_t next_fencing_token(const struct bf_link *l)
{
    return l->epoch << 32 | (atomic_fetch_add(&dials, 1) + 1);
}

void bf_link_init(struct bf_link *l, const struct bf_camera_endpoint *endpoint, uint64_t epoch,
                  const struct bf_stop *stop)
{
    *l = (struct bf_link){ .stop = stop, .epoch = epoch, .endpoint = *endpoint };
    pthread_mutex_init(&l->lock, NULL);
}

void bf_link_done(struct bf_link *l)
{
    bf_camera_endpoint_wipe(&l->endpoint);
    bf_camera_endpoint_wipe(&l->next);
    pthread_mutex_destroy(&l->lock);
}

void bf_link_interrupt(struct bf_link *l)
{
    atomic_store(&l->interrupted, true);
}

void bf_link_redirect(struct bf_link *l, const struct bf_camera_endpoint *endpoint)
{
    pthread_mutex_lock(&l->lock);
    l->next = *endpoint;
    l->has_next = true;
    pthread_mutex_unlock(&l->lock);
    bf_link_interrupt(l);
}

static bool take_next(struct bf_link *l)
{
    pthread_mutex_lock(&l->lock);
    bool has_next = l->has_next;
    if (has_next)
        l->endpoint = l->next;
    l->has_next = false;
    pthread_mutex_unlock(&l->lock);
    return has_next;
}

bool bf_link_follow(struct bf_link *l)
{
    if (!atomic_exchange(&l->interrupted, false))
        return false;
    if (bf_stop_raised(l->stop)) {
        bf_link_interrupt(l);
        return false;
    }
    if (!take_next(l))
        return false;

    if (l->transport != NULL)
        bf_transport_cancel(l->transport);
    bf_link_down(l);
    l->failures = 0;
    l->retry_at_us = 0;
    return true;
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
    if (bf_mono_us() < l->retry_at_us)
        return -EAGAIN;

    const struct bf_camera_endpoint *to = &l->endpoint;
    const struct bf_transport_options options = {
        .kind = to->transport,
        .host = to->host,
        .port = to->port,
        .latency_ms = to->latency_ms,
        .passphrase = to->passphrase[0] != '\0' ? to->passphrase : NULL,
        .fencing_token = next_fencing_token(l),
        .timeout_ms = BF_LINK_DIAL_MS,
        .stop = &l->interrupted,
    };
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
