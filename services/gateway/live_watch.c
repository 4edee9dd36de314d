#include "gateway/live_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "stream/layout.h"

int bf_live_watch(struct bf_live *l, int dirfd, uint32_t mask)
{
    char path[40];

    /* By descriptor, so that exactly the directory that was opened is watched and no link is followed. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", dirfd);
    int wd = inotify_add_watch(l->inotify_fd, path, mask | IN_ONLYDIR);
    return wd < 0 ? -errno : wd;
}

void bf_live_unwatch(struct bf_live *l, int wd)
{
    if (wd >= 0)
        inotify_rm_watch(l->inotify_fd, wd); /* fails where the directory is gone, and then there is nothing to do */
}

static void log_skipped(const char *camera, const char *session, int error)
{
    if (error != -ENOENT) /* came and went */
        bf_err("a session directory cannot be followed", "camera=%s session=%s error=%s", camera, session,
               strerrorname_np(-error));
}

static void open_found(struct bf_live *l, struct bf_live_camera *c, const char *id)
{
    int r = bf_live_open_session(l, c, id);

    if (r < 0)
        log_skipped(c->id, id, r);
}

/* Finished recordings are served from their own index; there may be thousands, so they are only announced here. */
static void take_entry(struct bf_live *l, struct bf_live_camera *c, const char *id)
{
    char recording[BF_ULID_SIZE + sizeof "/" BF_RECORDING_NAME];

    if (!bf_ulid_valid(id) || bf_live_find(l, c->id, id) != NULL)
        return;
    snprintf(recording, sizeof recording, "%s/%s", id, BF_RECORDING_NAME);
    if (faccessat(c->dirfd, recording, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        l->events->recording(l->user, c->id, id);
    else
        open_found(l, c, id);
}

static void closedirp(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

static void scan_camera(struct bf_live *l, struct bf_live_camera *c)
{
    int fd = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(closedirp) DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (d == NULL) {
        bf_err("a camera's directory cannot be read", "camera=%s error=%s", c->id, strerrorname_np(errno));
        bf_closep(&fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        take_entry(l, c, entry->d_name);
}

static void forget_camera_dir(struct bf_live *l, struct bf_live_camera *c)
{
    bf_live_unwatch(l, c->wd);
    bf_closep(&c->dirfd);
    c->dirfd = c->wd = -1;
}

static void open_camera(struct bf_live *l, struct bf_live_camera *c)
{
    int fd = openat(l->media_dirfd, c->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        if (errno != ENOENT)
            bf_err("a camera's directory cannot be opened", "camera=%s error=%s", c->id, strerrorname_np(errno));
        return;
    }
    if (c->dirfd >= 0)
        forget_camera_dir(l, c);
    c->dirfd = fd;
    c->wd = bf_live_watch(l, fd, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM);
    if (c->wd < 0)
        bf_err("a camera's directory cannot be watched: its streams will not come up", "camera=%s error=%s", c->id,
               strerrorname_np(-c->wd));
    scan_camera(l, c);
}

void bf_live_scan_media(struct bf_live *l)
{
    for (size_t i = 0; i < l->n_cameras; i++)
        open_camera(l, &l->cameras[i]);
}

/* --- what inotify tells --- */

static void on_media_event(struct bf_live *l, const char *name)
{
    for (size_t i = 0; i < l->n_cameras; i++)
        if (strcmp(l->cameras[i].id, name) == 0)
            open_camera(l, &l->cameras[i]);
}

static void on_camera_event(struct bf_live *l, struct bf_live_camera *c, uint32_t mask, const char *name)
{
    if (!bf_ulid_valid(name))
        return;
    if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
        take_entry(l, c, name);
        return;
    }
    struct bf_live_session *s = bf_live_find(l, c->id, name);
    if (s != NULL)
        bf_live_drop_session(l, s);
    l->events->gone(l->user, c->id, name);
}

static void on_session_event(struct bf_live *l, struct bf_live_session *s, uint32_t mask, const char *name)
{
    bool came = (mask & (IN_CREATE | IN_MOVED_TO | IN_MODIFY)) != 0;

    if (strcmp(name, BF_JOURNAL_NAME) == 0 && came)
        bf_live_follow(l, s);
    else if (strcmp(name, BF_JOURNAL_NAME) == 0)
        bf_live_drop_session(l, s); /* the janitor is at it: nothing here can be relied on any more */
    else if (strcmp(name, BF_RECORDING_NAME) == 0 && (mask & IN_MOVED_TO) != 0)
        bf_live_note_recording(l, s);
}

static void dispatch(struct bf_live *l, const struct inotify_event *ev)
{
    const char *name = ev->len == 0 ? "" : ev->name;

    if (ev->wd == l->media_wd) {
        on_media_event(l, name);
        return;
    }
    for (size_t i = 0; i < l->n_cameras; i++)
        if (l->cameras[i].wd == ev->wd) {
            if ((ev->mask & IN_IGNORED) != 0)
                forget_camera_dir(l, &l->cameras[i]);
            else
                on_camera_event(l, &l->cameras[i], ev->mask, name);
            return;
        }
    for (size_t i = 0; i < l->n_sessions; i++)
        if (l->sessions[i]->wd == ev->wd) {
            on_session_event(l, l->sessions[i], ev->mask, name);
            return;
        }
}

/* Events were lost: look at everything once. */
static void look_again(struct bf_live *l)
{
    bf_warning("inotify lost events: looking at every directory again", NULL);
    for (size_t i = l->n_sessions; i > 0; i--) {
        struct bf_live_session *s = l->sessions[i - 1];
        struct stat st;

        if (fstat(s->dirfd, &st) == 0 && st.st_nlink == 0)
            bf_live_drop_session(l, s);
        else
            bf_live_follow(l, s);
    }
    bf_live_scan_media(l);
}

void bf_live_on_inotify(uv_poll_t *handle, int status, int events)
{
    struct bf_live *l = handle->data;
    _Alignas(struct inotify_event) char buf[4096];
    ssize_t size;

    (void)status;
    (void)events;
    while ((size = read(l->inotify_fd, buf, sizeof buf)) > 0)
        for (char *at = buf; at < buf + size;) {
            const struct inotify_event *ev = (const struct inotify_event *)(void *)at;

            if ((ev->mask & IN_Q_OVERFLOW) != 0)
                look_again(l);
            else
                dispatch(l, ev);
            at += sizeof *ev + ev->len;
        }
}
