/* A session of the live store: followed through its journal from the time its directory is seen until that is gone. */
#include "gateway/live_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "gateway/cond.h"
#include "gateway/playlist.h"
#include "stream/layout.h"

#define SESSIONS_PER_CAMERA 8 /* more of them: the oldest that are recordings by now are let go */
#define FORGET_EVERY 1024     /* records, while a long journal is read for the first time */

void bf_live_unref(struct bf_live_session *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    bf_journal_reader_free(s->reader);
    bf_session_view_done(&s->view);
    bf_periods_done(&s->periods);
    bf_renderings_done(&s->renderings);
    bf_recent_done(&s->recent);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    bf_closep(&s->dirfd);
    free(s);
}

struct bf_live_session *bf_live_find(struct bf_live *l, const char *camera, const char *session)
{
    for (size_t i = 0; i < l->n_sessions; i++)
        if (strcmp(l->sessions[i]->id, session) == 0 && strcmp(l->sessions[i]->camera, camera) == 0)
            return l->sessions[i];
    return NULL;
}

void bf_live_wake(struct bf_live_session *s)
{
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

/* --- following a journal --- */

static void forget_old(struct bf_live_session *s)
{
    uint64_t keep = bf_session_view_keep_start(&s->view);

    for (size_t i = 0; i < s->view.n_segments && s->view.segments[i].msn < keep; i++)
        s->gone_discontinuities += s->view.segments[i].complete && s->view.segments[i].discontinuity;
    bf_session_view_forget(&s->view, keep);
    bf_periods_forget(&s->periods, keep);
}

static int apply(struct bf_live_session *s, const Belfry__V1__Record *record, bool forget)
{
    pthread_mutex_lock(&s->lock);
    int r = bf_session_view_apply(&s->view, record);
    if (r == 0)
        bf_periods_take(&s->periods, &s->view); /* no memory: the next record tries again */
    if (forget)
        forget_old(s);
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* Takes every record that is there. -EAGAIN at the end of what is written; -EBADMSG: nothing can follow. */
static int take_records(struct bf_live_session *s)
{
    for (unsigned n = 1;; n++) {
        Belfry__V1__Record *record = NULL;
        int r = bf_journal_next(s->reader, &record);

        if (r < 0)
            return r;
        r = apply(s, record, n % FORGET_EVERY == 0);
        belfry__v1__record__free_unpacked(record, NULL);
        if (r < 0)
            return r;
    }
}

static void tell(struct bf_live *l, struct bf_live_session *s, int result)
{
    if (!s->told_playable && bf_playlist_has_media(&s->view)) {
        s->told_playable = true;
        l->events->playable(l->user, s->camera, s->id);
    }
    if (result == -EAGAIN && !s->view.ended)
        return;

    bf_journal_reader_free(BF_TAKE(s->reader));
    s->stuck = !s->view.ended;
    if (s->stuck)
        bf_err("a journal cannot be followed any further", "camera=%s session=%s error=%s", s->camera, s->id,
               strerror(-result));
    l->events->ended(l->user, s->camera, s->id, s->view.ended ? s->view.end_reason : "journal_damaged");
}

void bf_live_follow(struct bf_live *l, struct bf_live_session *s)
{
    if (s->view.ended || s->stuck)
        return;
    if (s->reader == NULL && bf_journal_reader_open(&s->reader, s->dirfd) < 0)
        return; /* not there yet: its creation is told by inotify */

    uint64_t revision = s->view.revision, next = s->view.next_counter;
    int result = take_records(s);
    pthread_mutex_lock(&s->lock);
    forget_old(s);
    pthread_mutex_unlock(&s->lock);
    atomic_store_explicit(&s->target_s, s->view.target_duration_s, memory_order_relaxed);
    if (s->view.revision != revision)
        bf_live_prepare(s, next);
    tell(l, s, result);
}

/* --- sessions come and go --- */

void bf_live_note_recording(struct bf_live *l, struct bf_live_session *s)
{
    s->archived = true;
    l->events->recording(l->user, s->camera, s->id);
}

static void remove_from_list(struct bf_live *l, const struct bf_live_session *s)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_sessions; i++)
        if (l->sessions[i] == s) {
            memmove(&l->sessions[i], &l->sessions[i + 1], (l->n_sessions - i - 1) * sizeof l->sessions[0]);
            l->n_sessions--;
            break;
        }
    pthread_mutex_unlock(&l->lock);
}

void bf_live_drop_session(struct bf_live *l, struct bf_live_session *s)
{
    bf_live_unwatch(l, s->wd);
    remove_from_list(l, s);
    pthread_mutex_lock(&s->lock);
    s->gone = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    bf_live_unref(s);
}

static void make_way(struct bf_live *l, const char *camera)
{
    struct bf_live_session *oldest = NULL;
    unsigned n = 0;

    for (size_t i = 0; i < l->n_sessions; i++) {
        struct bf_live_session *s = l->sessions[i];

        if (strcmp(s->camera, camera) != 0)
            continue;
        n++;
        if (s->view.ended && s->archived && (oldest == NULL || strcmp(s->id, oldest->id) < 0))
            oldest = s;
    }
    if (n >= SESSIONS_PER_CAMERA && oldest != NULL)
        bf_live_drop_session(l, oldest);
}

static int add_session(struct bf_live *l, struct bf_live_session *s)
{
    pthread_mutex_lock(&l->lock);
    struct bf_live_session **grown = reallocarray(l->sessions, l->n_sessions + 1, sizeof *grown);
    if (grown != NULL) {
        l->sessions = grown;
        l->sessions[l->n_sessions++] = s;
    }
    pthread_mutex_unlock(&l->lock);
    return grown == NULL ? -ENOMEM : 0;
}

static struct bf_live_session *new_session(const char *camera, const char *id)
{
    struct bf_live_session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    if (bf_cond_init(&s->moved) < 0) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL); /* with no attributes it cannot fail */
    atomic_init(&s->refs, 1);
    bf_session_view_init(&s->view);
    memcpy(s->camera, camera, strlen(camera) + 1);
    memcpy(s->id, id, BF_ULID_SIZE);
    s->dirfd = s->wd = -1;
    return s;
}

static int watch_session(struct bf_live *l, const struct bf_live_camera *c, struct bf_live_session *s)
{
    s->dirfd = openat(c->dirfd, s->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->dirfd < 0)
        return -errno;
    s->wd = bf_live_watch(l, s->dirfd, IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM);
    return s->wd < 0 ? s->wd : add_session(l, s);
}

int bf_live_open_session(struct bf_live *l, struct bf_live_camera *c, const char *id)
{
    if (bf_live_find(l, c->id, id) != NULL)
        return 0;
    make_way(l, c->id);

    struct bf_live_session *s = new_session(c->id, id);
    if (s == NULL)
        return -ENOMEM;
    /* Watch first, read then: what is written in between is told twice rather than never. */
    int r = watch_session(l, c, s);
    if (r < 0) {
        bf_live_unref(s);
        return r;
    }
    bf_live_follow(l, s);
    if (faccessat(s->dirfd, BF_RECORDING_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        bf_live_note_recording(l, s);
    return 0;
}
