#include "gateway/live_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"

/* --- what the loop may ask and say --- */

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
    pthread_mutex_init(&l->lock, NULL); /* with no attributes it cannot fail */
    int r = add_cameras(l, o);
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
    atomic_store(&l->shut, true);
    for (size_t i = 0; i < l->n_sessions; i++)
        bf_live_wake(l->sessions[i]);
}

static void release(struct bf_live *l)
{
    for (size_t i = 0; i < l->n_sessions; i++)
        bf_live_unref(l->sessions[i]);
    for (size_t i = 0; i < l->n_cameras; i++)
        bf_closep(&l->cameras[i].dirfd);
    bf_closep(&l->inotify_fd);
    bf_closep(&l->media_dirfd);
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
