#include "janitor/janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define TICK_MS 1000
#define SCAN_MS 5000
#define RETENTION_MS 10000
/* Beyond the lease that an ingest ends a session by itself on: its state's life, and the time to write the end. */
#define ABANDONED_SLACK_MS 20000

BF_DEFINE_CLEANUP(struct bf_janitor, free)

/* ---- what is to be done ---- */

static enum bf_fate fate_of(const struct bf_janitor *j, const char *id)
{
    for (size_t i = 0; i < j->n_listed; i++)
        if (strcmp(j->listed[i].id, id) == 0)
            return j->listed[i].fate;
    return BF_FATE_UNLISTED;
}

static struct bf_session_facts facts_of(const struct bf_janitor *j, const struct bf_followed *f, uint64_t now_ms)
{
    struct bf_session_facts facts = bf_followed_facts(f, now_ms);
    facts.fate = fate_of(j, f->id);
    facts.ingest_runs_it = bf_ingest_watch_runs(&j->ingests, f->id, now_ms);
    return facts;
}

static void trim(struct bf_janitor *j, struct bf_followed *f, int dirfd)
{
    int n = bf_followed_trim(f, j->ops, dirfd);
    if (n >= 0) {
        j->trimmed += (uint64_t)n;
        bf_janitor_alarm_clear(j, "trim_failed");
        return;
    }
    struct bf_error e;
    bf_fail(&e, n, "deleting a segment of %s/%s: %s", f->camera, f->id, strerror(-n));
    bf_janitor_alarm(j, "trim_failed", f->camera, f->id, &e);
}

static void act(struct bf_janitor *j, struct bf_followed *f, int dirfd, uint64_t now_ms)
{
    switch (f->action) {
    case BF_ACTION_TRIM:
        trim(j, f, dirfd);
        break;
    case BF_ACTION_ARCHIVE:
        if (now_ms >= f->retry_ms)
            bf_janitor_archive(j, f);
        break;
    case BF_ACTION_PURGE:
        if (now_ms >= f->retry_ms)
            bf_janitor_purge(j, f);
        break;
    case BF_ACTION_REPORT:
    case BF_ACTION_KEEP:
    case BF_ACTION_WAIT:
        break;
    }
}

/* Returns whether the state that others see has changed. */
static bool run_session(struct bf_janitor *j, struct bf_followed *f, uint64_t now_ms)
{
    if (f->working)
        return false;
    _cleanup_(bf_closep) int dirfd = bf_catalog_open_session(&j->catalog, f->camera, f->id);
    if (dirfd < 0)
        return false; /* gone: the next scan drops it */
    bf_followed_poll(f, dirfd, now_ms);

    Belfry__V1__JanitorPhase before = bf_followed_phase(f);
    struct bf_session_facts facts = facts_of(j, f, now_ms);
    if (!bf_session_over(&facts, &j->policy))
        f->over_ms = 0;
    else if (f->over_ms == 0)
        f->over_ms = now_ms;
    facts.since_end_ms = f->over_ms != 0 ? now_ms - f->over_ms : 0;

    enum bf_action action = bf_session_decide(&facts, &j->policy);
    if (action != f->action) {
        f->retry_ms = 0;
        f->action = action;
        if (action == BF_ACTION_REPORT)
            bf_janitor_alarm(j, f->code, f->camera, f->id, &f->error);
    }
    act(j, f, dirfd, now_ms);
    return bf_followed_phase(f) != before;
}

static bool run_sessions(struct bf_janitor *j, uint64_t now_ms)
{
    bool changed = false;
    for (size_t i = 0; i < j->catalog.n_followed; i++)
        changed |= run_session(j, j->catalog.followed[i], now_ms);
    return changed;
}

/* ---- the round ---- */

static bool scan(struct bf_janitor *j, uint64_t now_ms)
{
    int r = bf_catalog_scan(&j->catalog, bf_service_trust(j->service), now_ms, bf_unix_ms());
    j->next_scan_ms = now_ms + SCAN_MS;
    if (r < 0) {
        struct bf_error e;
        bf_fail(&e, r, "reading %s: %s", bf_service_config(j->service)->storage.media, strerror(-r));
        bf_janitor_alarm(j, "media_unreadable", NULL, NULL, &e);
        return false;
    }
    bf_janitor_alarm_clear(j, "media_unreadable");
    return r > 0;
}

void bf_janitor_look(struct bf_janitor *j)
{
    if (scan(j, bf_boot_ms()))
        bf_service_report(j->service);
}

static void count(struct bf_janitor *j)
{
    bf_service_count(j->service, "sessions_followed", j->catalog.n_followed);
    bf_service_count(j->service, "recordings", j->catalog.n_recordings);
    bf_service_count(j->service, "sessions_archived", j->archived);
    bf_service_count(j->service, "sessions_purged", j->purged);
    bf_service_count(j->service, "recordings_deleted", j->deleted);
    bf_service_count(j->service, "segments_trimmed", j->trimmed);
}

void bf_janitor_run(struct bf_janitor *j)
{
    uint64_t now_ms = bf_boot_ms();
    bool changed = now_ms >= j->next_scan_ms && scan(j, now_ms);
    changed |= run_sessions(j, now_ms);
    if (now_ms >= j->next_retention_ms) {
        j->next_retention_ms = now_ms + RETENTION_MS;
        bf_janitor_retain(j, now_ms);
    }
    count(j);
    if (changed)
        bf_service_report(j->service);
}

static void on_tick(uv_timer_t *timer)
{
    bf_janitor_run(timer->data);
}

/* ---- messages ---- */

static enum bf_fate fate_from_wire(Belfry__V1__SessionFate fate)
{
    switch (fate) {
    case BELFRY__V1__SESSION_FATE__SESSION_FATE_LIVE:
        return BF_FATE_LIVE;
    case BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE:
        return BF_FATE_ARCHIVE;
    case BELFRY__V1__SESSION_FATE__SESSION_FATE_PURGE:
        return BF_FATE_PURGE;
    default:
        return BF_FATE_UNLISTED;
    }
}

static void take_list(struct bf_janitor *j, const Belfry__V1__JanitorDesired *desired)
{
    j->n_listed = 0;
    for (size_t i = 0; i < desired->n_sessions && i < BF_LISTED_MAX; i++) {
        struct bf_listed *l = &j->listed[j->n_listed++];
        l->fate = fate_from_wire(desired->sessions[i]->fate);
        snprintf(l->camera, sizeof l->camera, "%s", desired->sessions[i]->camera);
        snprintf(l->id, sizeof l->id, "%s", desired->sessions[i]->session_id);
    }
}

static bool lists_unknown(const struct bf_janitor *j)
{
    for (size_t i = 0; i < j->n_listed; i++)
        if (bf_catalog_followed(&j->catalog, j->listed[i].id) == NULL &&
            bf_catalog_recording(&j->catalog, j->listed[i].id) == NULL)
            return true;
    return false;
}

void bf_janitor_on_desired(void *state, const struct bf_incoming *m)
{
    struct bf_janitor *j = state;
    const Belfry__V1__JanitorDesired *desired = (const Belfry__V1__JanitorDesired *)m->message;
    if (j->draining || bf_service_observe(j->service, m, desired->lease) < 0)
        return;
    bf_lease_timer_renew(&j->lease, desired->lease->lease_ms);
    take_list(j, desired);
    if (lists_unknown(j))
        j->next_scan_ms = 0;
    bf_janitor_run(j);
    bf_service_report(j->service);
}

/* From here on every session follows its own journal. */
static void on_lease_expired(void *user)
{
    struct bf_janitor *j = user;
    bf_warning("no gateway any more; sessions follow their journals", "listed=%zu", j->n_listed);
    j->n_listed = 0;
    bf_service_report(j->service);
}

void bf_janitor_on_ingest_state(void *state, const struct bf_incoming *m)
{
    struct bf_janitor *j = state;
    bf_ingest_watch_update(&j->ingests, m->topic.id, (const Belfry__V1__IngestState *)m->message, bf_boot_ms());
}

/* ---- life ---- */

static void take_config(struct bf_janitor *j, const struct bf_config *c)
{
    j->policy.purge_after_ms = c->janitor.purge_after_ms;
    j->policy.abandoned_ms = (uint64_t)c->gateway.lease_ms + ABANDONED_SLACK_MS;
    j->retention.max_age_days = c->janitor.max_age_days;
    j->retention.max_bytes = c->janitor.max_bytes;
    j->reserve_bytes = c->ingest.reserve_bytes;
}

int bf_janitor_start(struct bf_service *s, void **ret_state, struct bf_error *e)
{
    const struct bf_config *c = bf_service_config(s);
    _cleanup_(freep) struct bf_janitor *j = calloc(1, sizeof *j);
    if (j == NULL)
        return bf_fail(e, -ENOMEM, "out of memory");
    j->service = s;
    j->ops = &bf_file_ops_real;
    j->catalog.mediafd = bf_open_dir(AT_FDCWD, c->storage.media, 1, 0755);
    if (j->catalog.mediafd < 0)
        return bf_fail(e, j->catalog.mediafd, "storage.media %s: %s", c->storage.media, strerror(-j->catalog.mediafd));

    take_config(j, c);
    bf_lease_timer_init(&j->lease, bf_service_loop(s), on_lease_expired, j);
    uv_timer_init(bf_service_loop(s), &j->tick);
    j->tick.data = j;
    uv_timer_start(&j->tick, on_tick, 0, TICK_MS);
    j->n_handles = 2;
    *ret_state = BF_TAKE(j);
    return 0;
}

int bf_janitor_reload(void *state, const struct bf_config *config, struct bf_error *e)
{
    (void)e;
    take_config(state, config);
    return 0;
}

void bf_janitor_drain(void *state)
{
    struct bf_janitor *j = state;
    j->draining = true;
    uv_timer_stop(&j->tick);
    bf_lease_timer_stop(&j->lease);
    bf_janitor_cancel(j);
    bf_janitor_settle(j);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct bf_janitor *j = handle->data;
    j->n_handles--;
    bf_janitor_settle(j);
}

void bf_janitor_free(void *state)
{
    struct bf_janitor *j = state;
    j->draining = j->freed = true;
    bf_janitor_cancel(j);
    uv_close((uv_handle_t *)&j->tick, on_handle_closed);
    j->lease.timer.data = j;
    bf_lease_timer_close(&j->lease, on_handle_closed);
}

void bf_janitor_settle(struct bf_janitor *j)
{
    if (j->n_jobs > 0)
        return;
    if (j->draining && !j->freed) {
        bf_service_drained(j->service);
    } else if (j->freed && j->n_handles == 0) {
        bf_catalog_done(&j->catalog);
        bf_ingest_watch_done(&j->ingests);
        free(j);
    }
}
