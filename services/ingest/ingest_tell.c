/* What ingest says: its state, its events, its counters. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "ingest/ingest_state.h"

#include "event.pb-c.h"

static const struct {
    const char *code, *begins, *ends;
} alarms[BF_INGEST_ALARMS] = {
    { "disk_full",
      "The media storage is full: sessions go on without what does not fit. Make room there, or delete recordings.",
      "The media storage has room again." },
    { "storage_failed",
      "The media storage cannot be written: sessions go on without what is refused. The log of ingest names the error; "
      "check the disk and how it is mounted.",
      "The media storage takes media again." },
};

void bf_ingest_changed(void *user)
{
    struct bf_ingest *g = user;

    bf_service_report(g->service);
}

static int send_event(struct bf_ingest *g, Belfry__V1__Event *event)
{
    int r = bf_bus_send_event(bf_service_bus(g->service), &event->base);

    if (r != 0 && r != -ENOTCONN)
        bf_err("cannot publish an event", "kind=%d error=\"%s\"", event->kind, strerror(-r));
    return r;
}

static bool alarm_active(const struct bf_ingest *g, const char *code)
{
    if (g->orphans_refused && strcmp(code, alarms[0].code) == 0)
        return true;
    for (size_t i = 0; i < g->n_sessions; i++) {
        const char *alarm = bf_session_alarm(g->sessions[i]);

        if (alarm != NULL && strcmp(alarm, code) == 0)
            return true;
    }
    return false;
}

static bool tell_alarm(struct bf_ingest *g, size_t alarm, bool active)
{
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;

    failure.code = (char *)(uintptr_t)alarms[alarm].code;
    failure.detail = (char *)(uintptr_t)(active ? alarms[alarm].begins : alarms[alarm].ends);
    failure.at_ms = bf_unix_ms();
    event.kind = active ? BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM : BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED;
    event.failure = &failure;
    return send_event(g, &event) == 0;
}

/* Each alarm once when it begins and once when it is over; what could not be sent is sent when the broker is back. */
void bf_ingest_tell_alarms(void *user)
{
    struct bf_ingest *g = user;

    for (size_t i = 0; i < BF_COUNT_OF(alarms); i++) {
        bool active = alarm_active(g, alarms[i].code);

        if (active != g->told[i] && tell_alarm(g, i, active))
            g->told[i] = active;
    }
}

void bf_ingest_tell_closed(struct bf_ingest *g, struct bf_session *s)
{
    const struct bf_worker_end *end = bf_session_end(s);
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;

    if (end == NULL || !end->closed || bf_session_closed_told(s))
        return;
    event.kind = BELFRY__V1__EVENT_KIND__EVENT_KIND_SESSION_CLOSED;
    event.session_id = (char *)(uintptr_t)bf_session_id(s);
    event.camera = (char *)(uintptr_t)bf_session_camera(s);
    event.segments = end->segments;
    event.bytes = bf_session_counters(s).bytes;
    event.chain_head = (ProtobufCBinaryData){ sizeof end->chain_head, (uint8_t *)(uintptr_t)end->chain_head };
    if (send_event(g, &event) == 0)
        bf_session_set_closed_told(s);
}

void bf_ingest_connected(void *state)
{
    struct bf_ingest *g = state;

    bf_ingest_tell_alarms(g);
    for (size_t i = 0; i < g->n_sessions; i++)
        bf_ingest_tell_closed(g, g->sessions[i]);
}

/* ---- counters ---- */

void bf_ingest_add_counters(struct bf_worker_counters *to, const struct bf_worker_counters *c)
{
    to->parts += c->parts;
    to->bytes += c->bytes;
    to->packager.discontinuities += c->packager.discontinuities;
    to->packager.gaps += c->packager.gaps;
    to->packager.dropped += c->packager.dropped;
    to->packager.corrupt += c->packager.corrupt;
    to->packager.damaged += c->packager.damaged;
    to->packager.lost += c->packager.lost;
    to->packager.forced_cuts += c->packager.forced_cuts;
    to->transport.datagrams += c->transport.datagrams;
    to->transport.lost += c->transport.lost;
    to->transport.refused_source += c->transport.refused_source;
    to->transport.refused_form += c->transport.refused_form;
    to->transport.repeated += c->transport.repeated;
}

static void count(struct bf_ingest *g)
{
    struct bf_worker_counters sum = g->past;

    for (size_t i = 0; i < g->n_sessions; i++) {
        struct bf_worker_counters c = bf_session_counters(g->sessions[i]);

        bf_ingest_add_counters(&sum, &c);
    }
    bf_service_count(g->service, "sessions", g->sessions_begun);
    bf_service_count(g->service, "parts", sum.parts);
    bf_service_count(g->service, "bytes", sum.bytes);
    bf_service_count(g->service, "discontinuities", sum.packager.discontinuities);
    bf_service_count(g->service, "gaps", sum.packager.gaps);
    bf_service_count(g->service, "frames_dropped", sum.packager.dropped);
    bf_service_count(g->service, "frames_corrupt", sum.packager.corrupt);
    bf_service_count(g->service, "frames_damaged", sum.packager.damaged);
    bf_service_count(g->service, "frames_lost_to_storage", sum.packager.lost);
    bf_service_count(g->service, "forced_cuts", sum.packager.forced_cuts);
    bf_service_count(g->service, "datagrams", sum.transport.datagrams);
    bf_service_count(g->service, "datagrams_lost", sum.transport.lost);
    bf_service_count(g->service, "datagrams_repeated", sum.transport.repeated);
    bf_service_count(g->service, "datagrams_refused", sum.transport.refused_source + sum.transport.refused_form);
}

int bf_ingest_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                         void *pack_user)
{
    struct bf_ingest *g = state;
    struct bf_session_status statuses[BF_INGEST_SESSIONS];
    Belfry__V1__IngestSessionStatus *pointers[BF_INGEST_SESSIONS];
    Belfry__V1__IngestState m = BELFRY__V1__INGEST_STATE__INIT;

    count(g);
    for (size_t i = 0; i < g->n_sessions; i++) {
        bf_session_status(g->sessions[i], &statuses[i]);
        pointers[i] = &statuses[i].message;
    }
    m.node = node;
    m.sessions = pointers;
    m.n_sessions = g->n_sessions;
    bf_free_bytes(g->host.media_fd, &m.media_free_bytes); /* 0 where it cannot be known */
    return pack(pack_user, &m.base);
}
