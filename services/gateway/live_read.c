#include "gateway/live_internal.h"

#include <errno.h>
#include <string.h>

#include "gateway/playlist.h"

int bf_live_acquire(struct bf_live *l, const char *camera, const char *session, struct bf_live_session **ret)
{
    pthread_mutex_lock(&l->lock);
    struct bf_live_session *s = bf_live_find(l, camera, session);
    if (s != NULL)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&l->lock);

    if (s == NULL)
        return -ENOENT;
    *ret = s;
    return 0;
}

int bf_live_acquire_current(struct bf_live *l, const char *camera, struct bf_live_session **ret)
{
    char session[BF_ULID_SIZE] = "";

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_cameras; i++)
        if (strcmp(l->cameras[i].id, camera) == 0)
            memcpy(session, l->cameras[i].current, sizeof session);
    pthread_mutex_unlock(&l->lock);
    return session[0] == '\0' ? -ENOENT : bf_live_acquire(l, camera, session, ret);
}

int bf_live_dir(const struct bf_live_session *s)
{
    return s->dirfd;
}

const char *bf_live_id(const struct bf_live_session *s)
{
    return s->id;
}

size_t bf_live_count(struct bf_live *l)
{
    pthread_mutex_lock(&l->lock);
    size_t n = l->n_sessions;
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* --- playlists --- */

/* With the lock held. The loop makes the next ones in advance. */
static int give(struct bf_live_session *s, enum bf_rendering which, bool gzip, struct bf_blob **ret)
{
    enum bf_coding coding = gzip ? BF_GZIP : BF_PLAIN;
    struct bf_blob *made = bf_live_render(s, &s->renderings, which, coding);

    s->asked[which][coding] = BF_LIVE_ASKED;
    if (made == NULL)
        return -ENOMEM;
    *ret = made;
    return 0;
}

struct playlist_request {
    const struct bf_hls_query *query;
    struct bf_error *e;
};

static int playlist_ready(struct bf_live_session *s, void *user)
{
    const struct playlist_request *r = user;

    switch (bf_playlist_reload(&s->view, r->query, r->e)) {
    case BF_RELOAD_READY:
        return 0;
    case BF_RELOAD_REFUSE:
        return -EINVAL;
    case BF_RELOAD_TOO_EARLY:
        return -ERANGE;
    default:
        return -EAGAIN;
    }
}

bool bf_live_ended(struct bf_live_session *s)
{
    pthread_mutex_lock(&s->lock);
    bool ended = s->view.ended;
    pthread_mutex_unlock(&s->lock);
    return ended;
}

int bf_live_playlist(struct bf_live *l, struct bf_live_session *s, const struct bf_hls_query *q, bool gzip,
                     struct bf_blob **ret, bool *ret_heeded, struct bf_error *e)
{
    struct playlist_request request = { .query = q, .e = e };

    pthread_mutex_lock(&s->lock);
    int r = bf_live_await(l, s, false, playlist_ready, &request);
    *ret_heeded = bf_playlist_heeds(&s->view, q);
    if (r == 0) {
        bool delta = q->skip != BF_HLS_SKIP_NO && !s->view.ended && bf_playlist_skippable(&s->view) > 0;
        r = give(s, delta ? BF_DELTA : BF_WHOLE, gzip, ret);
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

int bf_live_index(struct bf_live_session *s, bool gzip, struct bf_blob **ret)
{
    pthread_mutex_lock(&s->lock);
    int r = s->gone || !bf_playlist_has_media(&s->view) ? -ENOENT : give(s, BF_INDEX, gzip, ret);
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* --- the manifest --- */

static int manifest_ready(struct bf_live_session *s, void *user)
{
    (void)user;
    if (!bf_playlist_playable(&s->view))
        return -EAGAIN;
    return s->periods.n == 0 ? -ENOENT : 0; /* it ended before anything came */
}

int bf_live_manifest(struct bf_live *l, struct bf_live_session *s, bool gzip, struct bf_blob **ret)
{
    pthread_mutex_lock(&s->lock);
    int r = bf_live_await(l, s, false, manifest_ready, NULL);
    if (r == 0)
        r = give(s, BF_MANIFEST, gzip, ret);
    pthread_mutex_unlock(&s->lock);
    return r;
}
