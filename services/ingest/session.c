#include "ingest/session_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest/sync_later.h"

#define LOSS_TOLD_MS 60000

#define PHASE(name) BELFRY__V1__INGEST_PHASE__INGEST_PHASE_##name

/* ---- phases ---- */

static const char *phase_name(Belfry__V1__IngestPhase phase)
{
    static const char *const names[] = { "unspecified", "starting", "listening", "live",
                                         "stalled",     "draining", "ended",     "failed" };

    return names[phase];
}

static void enter(struct bf_session *s, Belfry__V1__IngestPhase phase)
{
    if (s->phase == phase)
        return;
    bf_info("session changes phase", "session=%s camera=%s from=%s to=%s", s->id, s->camera, phase_name(s->phase),
            phase_name(phase));
    s->phase = phase;
    s->host->changed(s->host->user);
}

/* ---- the end ---- */

static void release_when_closed(uv_handle_t *handle)
{
    struct bf_session *s = handle->data;

    if (--s->handles == 0 && s->freed)
        free(s);
}

static void close_handles(struct bf_session *s)
{
    if (s->handles == 0 || uv_is_closing((uv_handle_t *)&s->wake))
        return;
    uv_close((uv_handle_t *)&s->wake, release_when_closed);
    uv_close((uv_handle_t *)&s->silence, release_when_closed);
}

static void log_end(const struct bf_session *s)
{
    char quoted[sizeof s->end.error.text + 64];

    if (s->end.failure == NULL)
        bf_info("session ended",
                "session=%s camera=%s segments=%" PRIu64 " bytes=%" PRIu64 " corrupt=%" PRIu64 " damaged=%" PRIu64,
                s->id, s->camera, s->end.segments, s->counters.bytes, s->counters.packager.corrupt,
                s->counters.packager.damaged);
    else
        bf_err("session failed", "session=%s camera=%s code=%s error=%s", s->id, s->camera, s->end.failure,
               bf_log_quote(quoted, sizeof quoted, s->end.error.text));
}

static void is_over(struct bf_session *s)
{
    s->over = true;
    s->alarm = NULL;
    s->failed_at_ms = bf_unix_ms();
    log_end(s);
    enter(s, s->end.failure == NULL ? PHASE(ENDED) : PHASE(FAILED));
    close_handles(s);
    s->host->over(s->host->user, s);
    s->host->storage(s->host->user);
}

/* ---- what the worker tells ---- */

static void on_silence(uv_timer_t *timer)
{
    struct bf_session *s = timer->data;

    if (s->phase == PHASE(LIVE))
        enter(s, PHASE(STALLED));
}

static void on_part(struct bf_session *s, uint64_t at_ms)
{
    s->last_part_at_ms = at_ms;
    uv_timer_start(&s->silence, on_silence, s->host->config->ingest.silence_ms, 0);
    if (s->phase == PHASE(LISTENING) || s->phase == PHASE(STALLED))
        enter(s, PHASE(LIVE));
}

static void on_storage(struct bf_session *s, int code)
{
    if (code == 0)
        bf_info("storage works again", "session=%s camera=%s", s->id, s->camera);
    else
        bf_err("storage refuses media, the session goes on without", "session=%s camera=%s error=\"%s\"", s->id,
               s->camera, strerror(-code));
    s->alarm = code == 0 ? NULL : bf_disk_full(code) ? "disk_full" : "storage_failed";
    s->failed_at_ms = bf_unix_ms();
    s->host->changed(s->host->user);
    s->host->storage(s->host->user);
}

/* Once a minute, while it lasts. The counters of the state say how many. */
static void warn_of_loss(struct bf_session *s, const struct bf_worker_counters *now)
{
    const struct bf_packager_counters *was = &s->counters.packager, *is = &now->packager;
    bool srt = s->transport == BELFRY__V1__TRANSPORT__TRANSPORT_SRT;
    uint64_t suppressed;

    if (is->corrupt == was->corrupt && is->damaged == was->damaged)
        return;
    if (bf_log_allow(&s->loss_limit, bf_mono_ms(), LOSS_TOLD_MS, &suppressed))
        bf_warning("the network loses pictures",
                   "session=%s camera=%s corrupt=%" PRIu64 " damaged=%" PRIu64 " remedy=\"%s\"", s->id, s->camera,
                   is->corrupt, is->damaged,
                   srt ? "raise the camera's latency_ms to six round trips or more"
                       : "send over SRT, which repairs what is lost within the camera's latency_ms");
}

static void on_ended(struct bf_session *s)
{
    s->end = *bf_worker_end(s->worker);
    bf_worker_free(s->worker);
    s->worker = NULL;
    is_over(s);
}

static void handle(struct bf_session *s, struct bf_worker_event *event)
{
    if (event->kind != BF_WORKER_ENDED) {
        warn_of_loss(s, &event->counters);
        s->counters = event->counters;
    }
    switch (event->kind) {
    case BF_WORKER_PART:
        on_part(s, event->at_ms);
        break;
    case BF_WORKER_STORAGE:
        on_storage(s, event->code);
        break;
    case BF_WORKER_SYNC:
        bf_sync_later(s->host->loop, &event->sync, s->id);
        break;
    case BF_WORKER_COUNTERS:
        break;
    case BF_WORKER_ENDED:
        on_ended(s);
        break;
    }
}

static void on_wake(uv_async_t *async)
{
    struct bf_session *s = async->data;
    struct bf_worker_event event;

    while (s->worker != NULL && bf_worker_poll(s->worker, &event) == 0)
        handle(s, &event);
}

void bf_session_wake(void *session)
{
    struct bf_session *s = session;

    uv_async_send(&s->wake);
}

/* ---- the beginning ---- */

static int allocate(struct bf_session **ret, struct bf_session_host *host, const char *id, const char *camera)
{
    struct bf_session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return -ENOMEM;
    s->host = host;
    s->phase = PHASE(STARTING);
    memccpy(s->id, id, 0, sizeof s->id - 1);
    memccpy(s->camera, camera, 0, sizeof s->camera - 1);
    *ret = s;
    return 0;
}

static int make_handles(struct bf_session *s)
{
    int r = uv_async_init(s->host->loop, &s->wake, on_wake);

    if (r != 0)
        return r;
    uv_timer_init(s->host->loop, &s->silence);
    s->wake.data = s->silence.data = s;
    s->handles = 2;
    return 0;
}

static int start(struct bf_session *s, const Belfry__V1__IngestSession *wanted, uint32_t lease_epoch,
                 const struct bf_trust *trust, struct bf_error *e)
{
    if (bf_trust_expired(trust, bf_unix_ms()))
        return bf_fail(e, -EKEYEXPIRED, "the trust bundle has expired: renew it with belfryctl");
    int r = make_handles(s);
    if (r == 0)
        r = bf_session_listen(s, wanted, lease_epoch, trust, e);
    return r == 0 ? bf_worker_start(s->worker) : r;
}

static const char *why_not_started(int code)
{
    static const struct {
        int code;
        const char *word;
    } words[] = {
        { -EKEYEXPIRED, "trust_expired" },
        { -ENOKEY, "no_camera_key" },
        { -EADDRINUSE, "no_free_port" },
    };

    for (size_t i = 0; i < BF_COUNT_OF(words); i++)
        if (words[i].code == code)
            return words[i].word;
    return "listen_failed";
}

int bf_session_new(struct bf_session **ret, struct bf_session_host *host, const Belfry__V1__IngestSession *wanted,
                   uint32_t lease_epoch, const struct bf_trust *trust)
{
    struct bf_error e = { "" };
    struct bf_session *s = NULL;

    int r = allocate(&s, host, wanted->session_id, wanted->camera);
    if (r != 0)
        return r;
    *ret = s;
    s->transport = wanted->transport;
    s->latency_ms = wanted->latency_ms;
    r = start(s, wanted, lease_epoch, trust, &e);
    if (r == 0) {
        enter(s, PHASE(LISTENING));
        return 0;
    }

    if (e.text[0] == '\0')
        bf_fail(&e, r, "beginning the session: %s", strerror(-r));
    bf_worker_free(s->worker);
    s->worker = NULL;
    s->end.failure = why_not_started(r);
    s->end.error = e;
    is_over(s);
    return 0;
}

int bf_session_new_ended(struct bf_session **ret, struct bf_session_host *host, const struct bf_orphan *orphan,
                         const struct bf_session_place *place)
{
    struct bf_session *s = NULL;

    int r = allocate(&s, host, orphan->session_id, orphan->camera);
    if (r != 0)
        return r;
    *ret = s;
    s->counters.parts = place->parts;
    s->counters.bytes = place->bytes;
    s->end.begun = s->end.closed = true;
    s->end.segments = place->segments;
    memcpy(s->end.chain_head, place->chain_head, sizeof s->end.chain_head);
    is_over(s);
    return 0;
}

void bf_session_stop(struct bf_session *s, const char *reason)
{
    if (s->over || s->phase == PHASE(DRAINING))
        return;
    enter(s, PHASE(DRAINING));
    bf_worker_stop(s->worker, reason);
}

void bf_session_free(struct bf_session *s)
{
    if (s == NULL)
        return;
    bf_worker_free(s->worker);
    s->worker = NULL;
    s->freed = true;
    close_handles(s);
    if (s->handles == 0)
        free(s);
}

/* ---- looking at it ---- */

struct bf_present bf_session_present(const struct bf_session *s)
{
    enum bf_presence presence = s->over                       ? BF_PRESENT_OVER
                                : s->phase == PHASE(DRAINING) ? BF_PRESENT_ENDING
                                                              : BF_PRESENT_RUNNING;

    return (struct bf_present){ .session_id = s->id, .presence = presence };
}

const char *bf_session_id(const struct bf_session *s)
{
    return s->id;
}

const char *bf_session_camera(const struct bf_session *s)
{
    return s->camera;
}

const char *bf_session_alarm(const struct bf_session *s)
{
    return s->alarm;
}

struct bf_worker_counters bf_session_counters(const struct bf_session *s)
{
    return s->counters;
}

const struct bf_worker_end *bf_session_end(const struct bf_session *s)
{
    return s->over ? &s->end : NULL;
}

bool bf_session_closed_told(const struct bf_session *s)
{
    return s->closed_told;
}

void bf_session_set_closed_told(struct bf_session *s)
{
    s->closed_told = true;
}

void bf_session_status(struct bf_session *s, struct bf_session_status *ret)
{
    belfry__v1__ingest_session_status__init(&ret->message);
    belfry__v1__endpoint__init(&ret->endpoint);
    belfry__v1__failure__init(&ret->error);
    ret->message.session_id = s->id;
    ret->message.camera = s->camera;
    ret->message.phase = s->phase;
    ret->message.parts = s->counters.parts;
    ret->message.bytes = s->counters.bytes;
    ret->message.discontinuities = s->counters.packager.discontinuities;
    ret->message.last_part_at_ms = s->last_part_at_ms;

    if (!s->over) {
        ret->endpoint.transport = s->transport;
        ret->endpoint.host = s->address;
        ret->endpoint.port = s->port;
        ret->endpoint.latency_ms = s->latency_ms;
        if (s->transport == BELFRY__V1__TRANSPORT__TRANSPORT_SRT)
            ret->endpoint.sealed_media_key = (ProtobufCBinaryData){ sizeof s->sealed, s->sealed };
        ret->message.endpoint = &ret->endpoint;
    }
    if (s->end.failure != NULL || s->alarm != NULL) {
        ret->error.code = (char *)(uintptr_t)(s->alarm != NULL ? s->alarm : s->end.failure);
        ret->error.detail = s->alarm != NULL
                                ? "The media storage refuses to be written: make room there, or check the disk."
                                : s->end.error.text;
        ret->error.at_ms = s->failed_at_ms;
        ret->message.error = &ret->error;
    }
}
