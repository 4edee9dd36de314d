#include "janitor/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "janitor/names.h"
#include "janitor/recording.h"
#include "stream/layout.h"

static void dir_closep(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

void bf_catalog_done(struct bf_catalog *c)
{
    for (size_t i = 0; i < c->n_followed; i++)
        bf_followed_free(c->followed[i]);
    free(c->followed);
    free(c->recordings);
    bf_closep(&c->mediafd);
    *c = (struct bf_catalog){ .mediafd = -1 };
}

int bf_catalog_open_camera(const struct bf_catalog *c, const char *camera)
{
    return bf_open_dir(c->mediafd, camera, 0, 0);
}

int bf_catalog_open_session(const struct bf_catalog *c, const char *camera, const char *id)
{
    _cleanup_(bf_closep) int camerafd = bf_catalog_open_camera(c, camera);
    return camerafd < 0 ? camerafd : bf_open_dir(camerafd, id, 0, 0);
}

/* ---- the two lists ---- */

struct bf_followed *bf_catalog_followed(const struct bf_catalog *c, const char *id)
{
    for (size_t i = c->n_followed; i-- > 0;)
        if (strcmp(c->followed[i]->id, id) == 0)
            return c->followed[i];
    return NULL;
}

static int compare_recording(const void *id, const void *k)
{
    return strcmp(id, ((const struct bf_kept_recording *)k)->id);
}

struct bf_kept_recording *bf_catalog_recording(const struct bf_catalog *c, const char *id)
{
    if (c->n_recordings == 0)
        return NULL;
    return bsearch(id, c->recordings, c->n_recordings, sizeof c->recordings[0], compare_recording);
}

struct bf_followed *bf_catalog_follow(struct bf_catalog *c, const char *camera, const char *id, uint64_t now_ms)
{
    struct bf_followed **list = reallocarray(c->followed, c->n_followed + 1, sizeof(struct bf_followed *));
    if (list == NULL)
        return NULL;
    c->followed = list;
    struct bf_followed *f = bf_followed_new(camera, id, now_ms);
    if (f == NULL)
        return NULL;

    size_t at = c->n_followed++;
    for (; at > 0 && strcmp(list[at - 1]->id, id) > 0; at--)
        list[at] = list[at - 1];
    list[at] = f;
    return f;
}

void bf_catalog_unfollow(struct bf_catalog *c, struct bf_followed *f)
{
    for (size_t i = 0; i < c->n_followed; i++) {
        if (c->followed[i] != f)
            continue;
        c->n_followed--;
        memmove(&c->followed[i], &c->followed[i + 1], (c->n_followed - i) * sizeof(struct bf_followed *));
        bf_followed_free(f);
        return;
    }
}

/* Pictures are dated by the camera's clock, a session's id by the gateway's: nothing has ended before it was ordered. A
 * camera that was switched off for months and has no clock must not have its recordings deleted as soon as they are made. */
static uint64_t ended_at_ms(const Belfry__V1__Recording *recording)
{
    uint64_t ordered_ms = bf_ulid_time_ms(recording->session_id);

    return recording->ended_at_ms > ordered_ms ? recording->ended_at_ms : ordered_ms;
}

int bf_catalog_keep(struct bf_catalog *c, int dirfd, const Belfry__V1__Recording *recording)
{
    struct bf_kept_recording *list = reallocarray(c->recordings, c->n_recordings + 1, sizeof *list);
    if (list == NULL)
        return -ENOMEM;
    c->recordings = list;
    struct bf_kept_recording fresh = { .ended_at_ms = ended_at_ms(recording),
                                       .bytes = bf_recording_disk_bytes(dirfd, recording),
                                       .protected = recording->protected_,
                                       .present = true };
    memcpy(fresh.camera, recording->camera, strlen(recording->camera) + 1);
    memcpy(fresh.id, recording->session_id, BF_ULID_SIZE);

    size_t at = c->n_recordings++;
    for (; at > 0 && strcmp(list[at - 1].id, fresh.id) > 0; at--)
        list[at] = list[at - 1];
    list[at] = fresh;
    return 0;
}

void bf_catalog_drop(struct bf_catalog *c, struct bf_kept_recording *k)
{
    size_t i = (size_t)(k - c->recordings);
    c->n_recordings--;
    memmove(k, k + 1, (c->n_recordings - i) * sizeof *k);
}

uint64_t bf_catalog_recording_bytes(const struct bf_catalog *c)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < c->n_recordings; i++)
        bytes += c->recordings[i].bytes;
    return bytes;
}

/* ---- what is on disk ---- */

static bool has_file(int dirfd, const char *name)
{
    return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A document that nobody of this site signed, or of another session, is left to a person. */
static int add_recording(struct bf_catalog *c, const struct bf_trust *trust, int dirfd, const char *camera,
                         const char *id, uint64_t now_ms, uint64_t unix_ms)
{
    struct bf_error e = { 0 };
    Belfry__V1__Recording *recording = NULL;
    int r = bf_recording_read(dirfd, trust, unix_ms, &recording, &e);
    if (r == 0 && (strcmp(recording->camera, camera) != 0 || strcmp(recording->session_id, id) != 0))
        r = bf_fail(&e, -EBADMSG, BF_RECORDING_NAME ": is of another session than its directory");
    if (r == 0)
        r = bf_catalog_keep(c, dirfd, recording);
    belfry__v1__recording__free_unpacked(recording, NULL);
    if (r == 0 || r == -ENOMEM)
        return r;

    struct bf_followed *f = bf_catalog_follow(c, camera, id, now_ms);
    if (f == NULL)
        return -ENOMEM;
    f->damaged = true;
    f->error = e;
    f->failed_unix_ms = unix_ms;
    snprintf(f->code, sizeof f->code, "recording_unreadable");
    return 0;
}

static int add_session(struct bf_catalog *c, const struct bf_trust *trust, int camerafd, const char *camera,
                       const char *id, uint64_t now_ms, uint64_t unix_ms)
{
    _cleanup_(bf_closep) int dirfd = bf_open_dir(camerafd, id, 0, 0);
    if (dirfd < 0)
        return dirfd == -ENOENT || dirfd == -ENOTDIR || dirfd == -ELOOP ? 0 : dirfd;
    if (!has_file(dirfd, BF_DELETED_NAME) && has_file(dirfd, BF_RECORDING_NAME))
        return add_recording(c, trust, dirfd, camera, id, now_ms, unix_ms);

    struct bf_followed *f = bf_catalog_follow(c, camera, id, now_ms);
    if (f == NULL)
        return -ENOMEM;
    f->deleted = has_file(dirfd, BF_DELETED_NAME);
    return 0;
}

/* Returns 1 when it was known. */
static int mark_present(const struct bf_catalog *c, const char *camera, const char *id)
{
    struct bf_followed *f = bf_catalog_followed(c, id);
    struct bf_kept_recording *k = bf_catalog_recording(c, id);
    if (f != NULL && strcmp(f->camera, camera) == 0)
        f->present = true;
    if (k != NULL && strcmp(k->camera, camera) == 0)
        k->present = true;
    return f != NULL || k != NULL;
}

static int scan_camera(struct bf_catalog *c, const struct bf_trust *trust, const char *camera, uint64_t now_ms,
                       uint64_t unix_ms)
{
    int fd = bf_catalog_open_camera(c, camera), changed = 0, r = 0;
    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : fd;
    _cleanup_(dir_closep) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return -ENOMEM;
    }

    for (struct dirent *entry; r >= 0 && (entry = readdir(dir)) != NULL;) {
        if (!bf_ulid_valid(entry->d_name) || mark_present(c, camera, entry->d_name))
            continue;
        r = add_session(c, trust, fd, camera, entry->d_name, now_ms, unix_ms);
        changed = 1;
    }
    return r < 0 ? r : changed;
}

static void forget_all(struct bf_catalog *c)
{
    for (size_t i = 0; i < c->n_followed; i++)
        c->followed[i]->present = c->followed[i]->working;
    for (size_t i = 0; i < c->n_recordings; i++)
        c->recordings[i].present = false;
}

/* What somebody else took away is not ours to report as purged or deleted. */
static int drop_absent(struct bf_catalog *c)
{
    int changed = 0;
    for (size_t i = c->n_followed; i-- > 0;) {
        if (c->followed[i]->present)
            continue;
        bf_catalog_unfollow(c, c->followed[i]);
        changed = 1;
    }
    for (size_t i = c->n_recordings; i-- > 0;) {
        if (c->recordings[i].present)
            continue;
        bf_catalog_drop(c, &c->recordings[i]);
        changed = 1;
    }
    return changed;
}

int bf_catalog_scan(struct bf_catalog *c, const struct bf_trust *trust, uint64_t now_ms, uint64_t unix_ms)
{
    int fd = openat(c->mediafd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), changed = 0, r = 0;
    _cleanup_(dir_closep) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        r = -errno;
        bf_closep(&fd);
        return r;
    }

    forget_all(c);
    for (struct dirent *entry; r >= 0 && (entry = readdir(dir)) != NULL;) {
        r = bf_id_valid(entry->d_name) ? scan_camera(c, trust, entry->d_name, now_ms, unix_ms) : 0;
        changed |= r > 0;
    }
    if (r < 0)
        return r; /* an incomplete look says nothing about what is gone */
    return drop_absent(c) | changed;
}
