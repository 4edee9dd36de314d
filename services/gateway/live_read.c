#include "gateway/live_internal.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/cond.h"
#include "gateway/playlist.h"

#define HOLD_TARGETS 3 /* a held request is given up after so many target durations (6.2.5.2) */

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

static uint32_t target_s(const struct bf_live_session *s)
{
    return s->view.target_duration_s == 0 ? 1 : s->view.target_duration_s;
}

uint32_t bf_live_target_s(struct bf_live *l, const struct bf_live_session *s)
{
    pthread_mutex_lock(&l->lock);
    uint32_t found = target_s(s);
    pthread_mutex_unlock(&l->lock);
    return found;
}

unsigned bf_live_waiting(const struct bf_live *l)
{
    return atomic_load_explicit(&l->waiting, memory_order_relaxed);
}

size_t bf_live_count(struct bf_live *l)
{
    pthread_mutex_lock(&l->lock);
    size_t n = l->n_sessions;
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* --- waiting --- */

/* What a request waits for. Called with the lock held: 0 or the final error, -EAGAIN to go on waiting. */
typedef int (*bf_ready_fn)(struct bf_live_session *s, void *user);

static int wait_until(struct bf_live *l, struct bf_live_session *s, uint64_t deadline_us, bf_ready_fn ready, void *user)
{
    for (;;) {
        int r = s->gone ? -ENOENT : ready(s, user);
        if (r != -EAGAIN)
            return r;
        if (l->shut)
            return -ESHUTDOWN;
        if (bf_cond_wait_until(&l->moved, &l->lock, deadline_us) == ETIMEDOUT)
            return s->gone || (r = ready(s, user)) == -EAGAIN ? -ETIMEDOUT : r;
    }
}

/* With the lock held: answers at once if it can, else waits if there is room for one who waits. */
static int await(struct bf_live *l, struct bf_live_session *s, bf_ready_fn ready, void *user)
{
    int r = s->gone ? -ENOENT : ready(s, user);

    if (r != -EAGAIN)
        return r;
    if (atomic_fetch_add(&l->waiting, 1) >= l->max_waiting)
        r = -EBUSY;
    else
        r = wait_until(l, s, bf_mono_us() + (uint64_t)target_s(s) * HOLD_TARGETS * 1000000, ready, user);
    atomic_fetch_sub(&l->waiting, 1);
    return r;
}

/* --- playlists --- */

static void drop_stale_renderings(struct bf_live_session *s)
{
    if (s->rendered_revision == s->view.revision)
        return;
    s->rendered_revision = s->view.revision;
    for (int i = 0; i < BF_RENDERINGS; i++) {
        bf_blob_unref(BF_TAKE(s->plain[i]));
        bf_blob_unref(BF_TAKE(s->gzip[i]));
    }
}

static struct bf_blob *render(struct bf_live_session *s, enum bf_rendering which, bool gzip)
{
    drop_stale_renderings(s);
    if (s->plain[which] == NULL) {
        struct bf_text t = { 0 };
        bf_playlist_media(&t, &s->view, s->gone_discontinuities, which == BF_DELTA);
        s->plain[which] = bf_text_take(&t);
    }
    if (gzip && s->plain[which] != NULL && s->gzip[which] == NULL)
        s->gzip[which] = bf_blob_gzip(s->plain[which]);

    struct bf_blob *found = gzip ? s->gzip[which] : s->plain[which];
    return found == NULL ? NULL : bf_blob_ref(found);
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
    default:
        return -EAGAIN;
    }
}

int bf_live_playlist(struct bf_live *l, struct bf_live_session *s, const struct bf_hls_query *q, bool gzip,
                     struct bf_blob **ret, struct bf_error *e)
{
    struct playlist_request request = { .query = q, .e = e };

    pthread_mutex_lock(&l->lock);
    int r = await(l, s, playlist_ready, &request);
    if (r == 0) {
        bool delta = q->skip != BF_HLS_SKIP_NO && !s->view.ended && bf_playlist_skippable(&s->view) > 0;
        *ret = render(s, delta ? BF_DELTA : BF_WHOLE, gzip);
        r = *ret == NULL ? -ENOMEM : 0;
    }
    pthread_mutex_unlock(&l->lock);
    return r;
}

int bf_live_index(struct bf_live *l, struct bf_live_session *s, struct bf_blob **ret)
{
    struct bf_text t = { 0 };

    pthread_mutex_lock(&l->lock);
    bool there = !s->gone && s->view.n_parts > 0;
    if (there)
        bf_playlist_index(&t, &s->view);
    pthread_mutex_unlock(&l->lock);
    if (!there)
        return -ENOENT;
    *ret = bf_text_take(&t);
    return *ret == NULL ? -ENOMEM : 0;
}

/* --- media --- */

struct part_request {
    uint64_t counter;
    struct bf_live_slice *ret;
};

static int part_ready(struct bf_live_session *s, void *user)
{
    const struct part_request *r = user;
    const struct bf_part_view *p = bf_session_view_part(&s->view, r->counter);

    if (p != NULL) {
        *r->ret = (struct bf_live_slice){ .msn = p->msn, .offset = p->offset, .length = p->length };
        return 0;
    }
    bool hinted = !s->view.ended && r->counter == s->view.next_counter;
    return hinted ? -EAGAIN : -ENOENT;
}

int bf_live_part(struct bf_live *l, struct bf_live_session *s, uint64_t counter, struct bf_live_slice *ret)
{
    struct part_request request = { .counter = counter, .ret = ret };

    pthread_mutex_lock(&l->lock);
    int r = await(l, s, part_ready, &request);
    pthread_mutex_unlock(&l->lock);
    return r;
}

int bf_live_segment(struct bf_live *l, struct bf_live_session *s, uint64_t msn, struct bf_live_slice *ret)
{
    pthread_mutex_lock(&l->lock);
    const struct bf_segment_view *v = s->gone ? NULL : bf_session_view_segment(&s->view, msn);
    bool there = v != NULL && v->complete && !v->gap;
    if (there)
        *ret = (struct bf_live_slice){ .msn = msn, .length = v->bytes };
    pthread_mutex_unlock(&l->lock);
    return there ? 0 : -ENOENT;
}
