/* A gateway that orders nothing (gateway.media_only): one of several on one media directory. What runs is what the
 * directory shows; there is no broker to ask, and nothing is written. */
#include "gateway/gateway.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/gateway_internal.h"
#include "stream/layout.h"

#define SILENT_MS 30000 /* ingest writes several times a second, or ends the session; after this it is dead */
#define TICKS_PER_LOOK 4
#define TICKS_PER_SWEEP 40
#define SWEEP_MARGIN_S 2 /* between a file's time and ours */

bool bf_gateway_alone(const struct bf_config *c)
{
    return c->gateway.media_only;
}

static void learn_video(struct bf_camera_facts *f, const struct bf_camera_config *c, const struct bf_live_found *found)
{
    f->width = found->width;
    f->height = found->height;
    f->fps = found->fps == 0 ? c->fps : found->fps;
    f->bitrate_kbps = c->bitrate_kbps;
}

static void look_at_camera(struct bf_gateway *g, size_t index)
{
    const struct bf_camera_config *c = &g->config->cameras[index];
    struct bf_live_found found = { 0 };

    bf_live_newest(g->app.live, c->id, SILENT_MS, bf_unix_ms(), &found);
    const struct bf_want want = { .record = found.record, .profile = found.profile };
    learn_video(&g->facts[index], c, &found);
    bf_orch_mirror(g->orch, c->id, found.session, found.ingest, &want);
}

static void look_at_all(struct bf_gateway *g)
{
    for (size_t i = 0; i < g->config->n_cameras; i++)
        look_at_camera(g, i);
    bf_gateway_settle(g);
}

/* --- what the live store tells --- */

static void look_again(struct bf_gateway *g, const char *camera)
{
    look_at_camera(g, bf_gateway_camera_index(g, camera));
    bf_gateway_settle(g);
}

static void on_playable(void *user, const char *camera, const char *session)
{
    (void)session;
    look_again(user, camera);
}

static void on_ended(void *user, const char *camera, const char *session, const char *reason)
{
    (void)session;
    (void)reason;
    look_again(user, camera);
}

static void on_recording(void *user, const char *camera, const char *session)
{
    bf_gateway_load_recording(user, camera, session);
}

static void on_gone(void *user, const char *camera, const char *session)
{
    bf_gateway_remove_recording(user, session);
    look_again(user, camera);
}

const struct bf_live_events bf_media_only_events = {
    .playable = on_playable,
    .ended = on_ended,
    .recording = on_recording,
    .gone = on_gone,
};

/* --- time --- */

static bool is_newer(int media_dirfd, const struct bf_recording *r, int64_t since_s)
{
    char path[BF_ID_SIZE + BF_ULID_SIZE + sizeof "//" BF_RECORDING_NAME];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s/%s", r->camera, r->id, BF_RECORDING_NAME);
    return fstatat(media_dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtim.tv_sec >= since_s;
}

/* Names and protection change through the gateway that orders, which hears of it from the janitor; here it is the
 * file that says so. New and deleted recordings are told by inotify. */
static void sweep_recordings(struct bf_gateway *g)
{
    _cleanup_(bf_freep) struct bf_recording *list = NULL;
    int64_t since_s = g->swept_s - SWEEP_MARGIN_S;
    size_t n;

    g->swept_s = (int64_t)(bf_unix_ms() / 1000);
    if (bf_recordings_list(g->app.recordings, NULL, &list, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (is_newer(g->app.media_dirfd, &list[i], since_s))
            bf_gateway_load_recording(g, list[i].camera, list[i].id);
}

/* A directory that was removed, or whose file system was taken away, is still open but no longer there. */
static bool can_read_media(const struct bf_gateway *g)
{
    struct stat st;

    return fstat(g->app.media_dirfd, &st) == 0 && st.st_nlink > 0 &&
           faccessat(g->app.media_dirfd, ".", R_OK | X_OK, 0) == 0;
}

void bf_media_only_begin(struct bf_gateway *g)
{
    g->swept_s = (int64_t)(bf_unix_ms() / 1000);
    look_at_all(g);
    if (bf_service_trust(g->service) == NULL)
        bf_warning("recordings are not served: their signatures need a trust bundle", "keys=%s", g->config->keys.dir);
}

void bf_media_only_tick(struct bf_gateway *g)
{
    atomic_store(&g->app.ready, can_read_media(g));
    if (g->ticks % TICKS_PER_LOOK == 0)
        look_at_all(g);
    if (g->ticks % TICKS_PER_SWEEP == TICKS_PER_SWEEP - 1)
        sweep_recordings(g);
}
