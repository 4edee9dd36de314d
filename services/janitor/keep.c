/* Which recordings stay: deletion on request, and by age and size. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "janitor/janitor.h"
#include "janitor/purge.h"

int bf_janitor_delete(struct bf_janitor *j, struct bf_kept_recording *k, const char *why, struct bf_error *e)
{
    struct bf_kept_recording gone = *k;
    _cleanup_(bf_closep) int dirfd = bf_catalog_open_session(&j->catalog, gone.camera, gone.id);
    int r = dirfd < 0 ? dirfd : bf_purge_mark(j->ops, dirfd);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: %s", gone.camera, gone.id, strerror(-r));

    bf_catalog_drop(&j->catalog, k);
    struct bf_followed *f = bf_catalog_follow(&j->catalog, gone.camera, gone.id, bf_boot_ms());
    if (f != NULL) /* without memory for it now, the next scan finds it */
        f->deleted = true;
    j->deleted++;
    bf_info("recording deleted", "camera=%s session=%s bytes=%" PRIu64 " by=%s", gone.camera, gone.id, gone.bytes, why);
    bf_janitor_tell(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_RECORDING_DELETED, gone.camera, gone.id, NULL);
    bf_service_report(j->service);
    return 0;
}

static struct bf_kept *kept_of(const struct bf_catalog *c)
{
    struct bf_kept *kept = calloc(c->n_recordings + 1, sizeof *kept);
    for (size_t i = 0; kept != NULL && i < c->n_recordings; i++)
        kept[i] = (struct bf_kept){ .ended_at_ms = c->recordings[i].ended_at_ms,
                                    .bytes = c->recordings[i].bytes,
                                    .protected = c->recordings[i].protected };
    return kept;
}

static void report_stuck(struct bf_janitor *j, bool stuck)
{
    struct bf_error e;
    if (!stuck) {
        bf_janitor_alarm_clear(j, "retention_blocked");
        return;
    }
    bf_fail(&e, 0, "the protected recordings alone hold more than janitor.max_bytes");
    bf_janitor_alarm(j, "retention_blocked", NULL, NULL, &e);
}

void bf_janitor_retain(struct bf_janitor *j, uint64_t now_ms)
{
    uint64_t unix_ms = bf_unix_ms();
    bool trusted = bf_clock_guard_check(&j->clock, unix_ms, now_ms, bf_clock_synced());
    for (;;) {
        size_t n = j->catalog.n_recordings;
        _cleanup_(bf_freep) struct bf_kept *kept = kept_of(&j->catalog);
        size_t next = kept != NULL ? bf_retention_next(&j->retention, kept, n, unix_ms, trusted) : n;
        struct bf_error e = { 0 };
        if (next == n) {
            report_stuck(j, kept != NULL && bf_retention_stuck(&j->retention, kept, n));
            return;
        }
        if (bf_janitor_delete(j, &j->catalog.recordings[next], "retention", &e) < 0) {
            bf_janitor_alarm(j, "delete_failed", j->catalog.recordings[next].camera, j->catalog.recordings[next].id,
                             &e);
            return;
        }
    }
}
