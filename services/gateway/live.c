#include "gateway/live_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "gateway/cond.h"
#include "stream/layout.h"

#define SESSIONS_PER_CAMERA 8 /* more of them: the oldest that are recordings by now are let go */
#define FORGET_EVERY 1024     /* records, while a long journal is read for the first time */

static void free_renderings(struct bf_live_session *s)
{
    for (int i = 0; i < BF_RENDERINGS; i++) {
        bf_blob_unref(BF_TAKE(s->plain[i]));
        bf_blob_unref(BF_TAKE(s->gzip[i]));
    }
}

void bf_live_unref(struct bf_live_session *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    bf_journal_reader_free(s->reader);
    bf_session_view_done(&s->view);
    free_renderings(s);
    close(s->dirfd);
    free(s);
}

struct bf_live_session *bf_live_find(struct bf_live *l, const char *camera, const char *session)
{
    for (size_t i = 0; i < l->n_sessions; i++)
        if (strcmp(l->sessions[i]->id, session) == 0 && strcmp(l->sessions[i]->camera, camera) == 0)
            return l->sessions[i];
    return NULL;
}

/* --- following a journal --- */

static void forget_old(struct bf_live_session *s)
{
    uint64_t keep = bf_session_view_keep_start(&s->view);

    for (size_t i = 0; i < s->view.n_segments && s->view.segments[i].msn < keep; i++)
        s->gone_discontinuities += s->view.segments[i].complete && s->view.segments[i].discontinuity;
    bf_session_view_forget(&s->view, keep);
}

static bool has_independent_part(const struct bf_session_view *v)
{
    for (size_t i = 0; i < v->n_parts; i++)
        if (v->parts[i].independent)
            return true;
    return false;
}

/* Takes every record that is there. -EAGAIN at the end of what is written; -EBADMSG: nothing can follow. */
static int take_records(struct bf_live *l, struct bf_live_session *s)
{
    for (unsigned n = 1;; n++) {
        Belfry__V1__Record *record = NULL;
        int r = bf_journal_next(s->reader, &record);

        if (r < 0)
            return r;
        pthread_mutex_lock(&l->lock);
        r = bf_session_view_apply(&s->view, record);
        if (n % FORGET_EVERY == 0)
            forget_old(s);
        pthread_mutex_unlock(&l->lock);
        belfry__v1__record__free_unpacked(record, NULL);
        if (r < 0)
            return r;
    }
}

static void tell(struct bf_live *l, struct bf_live_session *s, int result)
{
    if (!s->told_playable && has_independent_part(&s->view)) {
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

    uint64_t before = s->view.revision;
    int result = take_records(l, s);
    pthread_mutex_lock(&l->lock);
    forget_old(s);
    bool moved = s->view.revision != before;
    if (moved)
        pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
    tell(l, s, result);
}

/* --- sessions come and go --- */

void bf_live_note_recording(struct bf_live *l, struct bf_live_session *s)
{
    s->archived = true;
    l->events->recording(l->user, s->camera, s->id);
}

void bf_live_drop_session(struct bf_live *l, struct bf_live_session *s)
{
    bf_live_unwatch(l, s->wd);
    pthread_mutex_lock(&l->lock);
    s->gone = true;
    for (size_t i = 0; i < l->n_sessions; i++)
        if (l->sessions[i] == s) {
            memmove(&l->sessions[i], &l->sessions[i + 1], (l->n_sessions - i - 1) * sizeof l->sessions[0]);
            l->n_sessions--;
            break;
        }
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
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

int bf_live_open_session(struct bf_live *l, struct bf_live_camera *c, const char *id)
{
    if (bf_live_find(l, c->id, id) != NULL)
        return 0;
    make_way(l, c->id);

    struct bf_live_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    atomic_init(&s->refs, 1);
    bf_session_view_init(&s->view);
    memcpy(s->camera, c->id, sizeof s->camera);
    memcpy(s->id, id, BF_ULID_SIZE);
    s->dirfd = openat(c->dirfd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->dirfd < 0) {
        int r = -errno;
        free(s);
        return r;
    }
    /* Watch first, read then: what is written in between is told twice rather than never. */
    s->wd = bf_live_watch(l, s->dirfd, IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM);
    int r = s->wd < 0 ? s->wd : add_session(l, s);
    if (r < 0) {
        bf_live_unref(s);
        return r;
    }
    bf_live_follow(l, s);
    if (faccessat(s->dirfd, BF_RECORDING_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        bf_live_note_recording(l, s);
    return 0;
}

void bf_live_set_current(struct bf_live *l, const char *camera, const char *session)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_cameras; i++)
        if (strcmp(l->cameras[i].id, camera) == 0)
            memcpy(l->cameras[i].current, session, strlen(session) + 1);
    pthread_mutex_unlock(&l->lock);
}

int bf_live_camera_dir(const struct bf_live *l, const char *camera)
{
    for (size_t i = 0; i < l->n_cameras; i++)
        if (strcmp(l->cameras[i].id, camera) == 0 && l->cameras[i].dirfd >= 0)
            return l->cameras[i].dirfd;
    return -ENOENT;
}

/* --- the store itself --- */

static int init_sync(struct bf_live *l)
{
    int r = pthread_mutex_init(&l->lock, NULL);

    return r != 0 ? -r : bf_cond_init(&l->moved);
}

static int add_cameras(struct bf_live *l, const struct bf_live_options *o)
{
    l->cameras = calloc(o->n_cameras == 0 ? 1 : o->n_cameras, sizeof *l->cameras);
    if (l->cameras == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < o->n_cameras; i++) {
        if (!bf_id_valid(o->cameras[i]))
            return -EINVAL;
        memcpy(l->cameras[i].id, o->cameras[i], strlen(o->cameras[i]) + 1);
        l->cameras[i].dirfd = l->cameras[i].wd = -1;
        l->n_cameras++;
    }
    return 0;
}

static int open_media(struct bf_live *l, const char *media, struct bf_error *e)
{
    l->media_dirfd = bf_open_dir(AT_FDCWD, media, 1, 0755);
    if (l->media_dirfd < 0)
        return bf_fail(e, l->media_dirfd, "storage.media: cannot open %s: %s", media, strerror(-l->media_dirfd));
    l->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (l->inotify_fd < 0)
        return bf_fail(e, -errno, "cannot make an inotify instance: %s; see fs.inotify.max_user_instances",
                       strerror(errno));
    return 0;
}

int bf_live_new(struct bf_live **ret, uv_loop_t *loop, const struct bf_live_options *o, struct bf_error *e)
{
    struct bf_live *l = calloc(1, sizeof *l);
    if (l == NULL)
        return -ENOMEM;

    l->media_dirfd = l->media_wd = l->inotify_fd = -1;
    l->max_waiting = o->max_waiting;
    l->events = o->events;
    l->user = o->user;
    int r = init_sync(l);
    if (r == 0)
        r = add_cameras(l, o);
    if (r == 0)
        r = open_media(l, o->media, e);
    if (r == 0)
        r = uv_poll_init(loop, &l->poll, l->inotify_fd);
    if (r < 0) {
        bf_live_free(l);
        return r;
    }
    l->poll.data = l;
    l->polling = true;
    *ret = l;
    return 0;
}

int bf_live_start(struct bf_live *l, struct bf_error *e)
{
    int r = uv_poll_start(&l->poll, UV_READABLE, bf_live_on_inotify);

    if (r == 0)
        r = l->media_wd = bf_live_watch(l, l->media_dirfd, IN_CREATE | IN_MOVED_TO);
    if (r < 0)
        return bf_fail(e, r, "cannot watch the media directory: %s; see fs.inotify.max_user_watches", strerror(-r));
    bf_live_scan_media(l);
    return 0;
}

void bf_live_shut(struct bf_live *l)
{
    pthread_mutex_lock(&l->lock);
    l->shut = true;
    pthread_cond_broadcast(&l->moved);
    pthread_mutex_unlock(&l->lock);
}

static void release(struct bf_live *l)
{
    for (size_t i = 0; i < l->n_sessions; i++)
        bf_live_unref(l->sessions[i]);
    for (size_t i = 0; i < l->n_cameras; i++)
        bf_closep(&l->cameras[i].dirfd);
    bf_closep(&l->inotify_fd);
    bf_closep(&l->media_dirfd);
    pthread_cond_destroy(&l->moved);
    pthread_mutex_destroy(&l->lock);
    free(l->sessions);
    free(l->cameras);
    free(l);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void bf_live_free(struct bf_live *l)
{
    if (l == NULL)
        return;
    if (l->polling)
        uv_close((uv_handle_t *)&l->poll, on_closed);
    else
        release(l);
}
