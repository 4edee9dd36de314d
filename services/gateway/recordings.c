#include "gateway/recordings.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "bus/verify.h"
#include "stream/layout.h"

#include "journal.pb-c.h"

#define RECORDING_TYPE "application/vnd.belfry.recording.v1+protobuf"

struct bf_recordings {
    pthread_mutex_t lock;
    struct bf_recording *list; /* by id, which sorts by time */
    size_t n, room;
};

int bf_recordings_new(struct bf_recordings **ret)
{
    struct bf_recordings *r = calloc(1, sizeof *r);
    if (r == NULL)
        return -ENOMEM;

    pthread_mutex_init(&r->lock, NULL);
    *ret = r;
    return 0;
}

void bf_recordings_free(struct bf_recordings *r)
{
    if (r == NULL)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r->list);
    free(r);
}

/* First entry whose id is not below `id`; with the lock held. */
static size_t place_of(const struct bf_recordings *r, const char *id)
{
    size_t low = 0, high = r->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(r->list[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct bf_recordings *r, size_t i, const char *id)
{
    return i < r->n && strcmp(r->list[i].id, id) == 0;
}

static int put(struct bf_recordings *r, const struct bf_recording *entry)
{
    size_t i = place_of(r, entry->id);

    if (!is_at(r, i, entry->id)) {
        struct bf_recording *list = bf_array_room(r->list, sizeof *list, r->n, &r->room);
        if (list == NULL)
            return -ENOMEM;
        r->list = list;
        memmove(&r->list[i + 1], &r->list[i], (r->n - i) * sizeof r->list[0]);
        r->n++;
    }
    r->list[i] = *entry;
    return 0;
}

/* --- the file --- */

static int check(const Belfry__V1__Recording *m, const char *site, const char *camera, const char *id,
                 struct bf_error *e)
{
    if (strcmp(m->site, site) != 0 || strcmp(m->camera, camera) != 0 || strcmp(m->session_id, id) != 0)
        return bf_fail(e, -EBADMSG, "the record is signed for another site, camera or session");
    if (strlen(m->title) > 200 || strlen(m->codecs) >= sizeof((struct bf_recording *)0)->codecs)
        return bf_fail(e, -EBADMSG, "title or codecs are longer than they may be");
    return 0;
}

static void convert(struct bf_recording *ret, const Belfry__V1__Recording *m)
{
    *ret = (struct bf_recording){
        .started_at_ms = m->started_at_ms,
        .ended_at_ms = m->ended_at_ms,
        .duration_ms = m->duration_ms,
        .segments = m->segments,
        .bytes = m->bytes,
        .gaps = m->gaps,
        .width = m->width,
        .height = m->height,
        .is_protected = m->protected_,
    };
    snprintf(ret->id, sizeof ret->id, "%s", m->session_id);
    snprintf(ret->camera, sizeof ret->camera, "%s", m->camera);
    snprintf(ret->title, sizeof ret->title, "%s", m->title);
    snprintf(ret->codecs, sizeof ret->codecs, "%s", m->codecs);
}

static int open_record(int camera_dirfd, const char *id, const struct bf_trust *trust, uint8_t **ret, size_t *ret_size,
                       struct bf_error *e)
{
    _cleanup_(bf_closep) int dirfd = openat(camera_dirfd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dirfd < 0)
        return -errno;
    _cleanup_(bf_freep) uint8_t *sealed = NULL;
    size_t size;
    int r = bf_read_file(dirfd, BF_RECORDING_NAME, BF_ENVELOPE_MAX, &sealed, &size);
    if (r < 0)
        return bf_fail(e, r, "cannot read it: %s", strerror(-r));

    /* A key that was rotated since still vouches for what it signed while it was valid; the file's own age says when. */
    struct stat st;
    r = bf_document_open(trust, BF_ROLE_JANITOR, RECORDING_TYPE, sealed, size, bf_unix_ms(), ret, ret_size, e);
    if (r < 0 && fstatat(dirfd, BF_RECORDING_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime > 0)
        r = bf_document_open(trust, BF_ROLE_JANITOR, RECORDING_TYPE, sealed, size, (uint64_t)st.st_mtime * 1000, ret,
                             ret_size, e);
    return r;
}

int bf_recordings_load(struct bf_recordings *r, int camera_dirfd, const char *site, const char *camera, const char *id,
                       const struct bf_trust *trust, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *payload = NULL;
    struct bf_recording entry;
    size_t size;
    int failed = open_record(camera_dirfd, id, trust, &payload, &size, e);
    if (failed < 0)
        return failed;

    Belfry__V1__Recording *m = belfry__v1__recording__unpack(NULL, size, payload);
    if (m == NULL)
        return bf_fail(e, -EBADMSG, "the record does not parse");
    failed = check(m, site, camera, id, e);
    if (failed == 0)
        convert(&entry, m);
    belfry__v1__recording__free_unpacked(m, NULL);
    if (failed < 0)
        return failed;

    pthread_mutex_lock(&r->lock);
    failed = put(r, &entry);
    pthread_mutex_unlock(&r->lock);
    return failed;
}

bool bf_recordings_remove(struct bf_recordings *r, const char *id)
{
    pthread_mutex_lock(&r->lock);
    size_t i = place_of(r, id);
    bool found = is_at(r, i, id);
    if (found) {
        r->n--;
        memmove(&r->list[i], &r->list[i + 1], (r->n - i) * sizeof r->list[0]);
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

/* --- any thread --- */

int bf_recordings_find(struct bf_recordings *r, const char *id, struct bf_recording *ret)
{
    pthread_mutex_lock(&r->lock);
    size_t i = place_of(r, id);
    bool found = is_at(r, i, id);
    if (found)
        *ret = r->list[i];
    pthread_mutex_unlock(&r->lock);
    return found ? 0 : -ENOENT;
}

int bf_recordings_list(struct bf_recordings *r, const char *camera, struct bf_recording **ret, size_t *ret_n)
{
    size_t n = 0;

    pthread_mutex_lock(&r->lock);
    struct bf_recording *copy = malloc((r->n == 0 ? 1 : r->n) * sizeof *copy);
    for (size_t i = r->n; copy != NULL && i > 0; i--)
        if (camera == NULL || strcmp(r->list[i - 1].camera, camera) == 0)
            copy[n++] = r->list[i - 1];
    pthread_mutex_unlock(&r->lock);
    if (copy == NULL)
        return -ENOMEM;
    *ret = copy;
    *ret_n = n;
    return 0;
}

size_t bf_recordings_count(struct bf_recordings *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->n;
    pthread_mutex_unlock(&r->lock);
    return n;
}
