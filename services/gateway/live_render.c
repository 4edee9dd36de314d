#include "gateway/live_internal.h"

#include <string.h>

#include "gateway/dash.h"
#include "gateway/playlist.h"

void bf_renderings_done(struct bf_renderings *r)
{
    for (int i = 0; i < BF_RENDERINGS; i++)
        for (int k = 0; k < BF_CODINGS; k++)
            bf_blob_unref(BF_TAKE(r->blobs[i][k]));
}

static struct bf_blob *make_text(const struct bf_live_session *s, enum bf_rendering which)
{
    struct bf_text t = { 0 };

    switch (which) {
    case BF_INDEX:
        bf_playlist_index(&t, &s->view);
        break;
    case BF_MANIFEST:
        bf_dash_mpd(&t, &s->view, &s->periods);
        break;
    default:
        bf_playlist_media(&t, &s->view, s->gone_discontinuities, which == BF_DELTA);
    }
    return bf_text_take(&t);
}

struct bf_blob *bf_live_render(const struct bf_live_session *s, struct bf_renderings *r, enum bf_rendering which,
                               enum bf_coding coding)
{
    struct bf_blob **blobs = r->blobs[which];

    if (r->revision != s->view.revision) {
        bf_renderings_done(r);
        r->revision = s->view.revision;
    }
    if (blobs[BF_PLAIN] == NULL)
        blobs[BF_PLAIN] = make_text(s, which);
    if (coding == BF_GZIP && blobs[BF_GZIP] == NULL && blobs[BF_PLAIN] != NULL)
        blobs[BF_GZIP] = bf_blob_gzip(blobs[BF_PLAIN]);
    return blobs[coding] == NULL ? NULL : bf_blob_ref(blobs[coding]);
}

/* --- before those who wait are woken --- */

/* Everything is made without the lock, which all of them are about to want. */
struct ready {
    struct bf_renderings renderings;
    struct bf_blob *parts[BF_RECENT_PARTS];
    uint64_t first; /* counter of parts[0] */
};

/* Takes note of what is going to be asked for. False: of nothing, as nobody is there. */
static bool anybody(struct bf_live_session *s, unsigned char ret_asked[BF_RENDERINGS][BF_CODINGS])
{
    pthread_mutex_lock(&s->lock);
    bool found = s->waiting > 0;
    memcpy(ret_asked, s->asked, sizeof s->asked);
    for (int i = 0; i < BF_RENDERINGS; i++)
        for (int k = 0; k < BF_CODINGS; k++) {
            found |= s->asked[i][k] > 0;
            if (s->asked[i][k] > 0)
                s->asked[i][k]--;
        }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void make_renderings(struct bf_live_session *s, struct ready *r, unsigned char asked[BF_RENDERINGS][BF_CODINGS])
{
    for (int i = 0; i < BF_RENDERINGS; i++)
        for (int k = 0; k < BF_CODINGS; k++)
            if (asked[i][k] > 0)
                bf_blob_unref(bf_live_render(s, &r->renderings, (enum bf_rendering)i, (enum bf_coding)k));
}

static void make_parts(const struct bf_live_session *s, struct ready *r, uint64_t first)
{
    uint64_t next = s->view.next_counter;

    r->first = next - first > BF_RECENT_PARTS ? next - BF_RECENT_PARTS : first;
    for (uint64_t n = r->first; n < next && bf_playlist_lists_parts(&s->view); n++) {
        const struct bf_part_view *p = bf_session_view_part(&s->view, n);
        r->parts[n - r->first] = p == NULL ? NULL : bf_live_read_part(s, p);
    }
}

/* Hands over and wakes. */
static void publish(struct bf_live_session *s, struct ready *r)
{
    pthread_mutex_lock(&s->lock);
    if (s->renderings.revision != s->view.revision) {
        struct bf_renderings stale = s->renderings;
        s->renderings = r->renderings;
        r->renderings = stale;
    }
    for (size_t i = 0; i < BF_RECENT_PARTS; i++)
        if (r->parts[i] != NULL)
            bf_recent_put(&s->recent, r->first + i, r->parts[i]);
    if (s->view.ended)
        bf_recent_done(&s->recent);
    pthread_mutex_unlock(&s->lock);
    /* Without the lock: to wake thousands takes a while, and the first of them want it meanwhile. */
    pthread_cond_broadcast(&s->moved);
}

void bf_live_prepare(struct bf_live_session *s, uint64_t first)
{
    struct ready r = { .renderings.revision = s->view.revision };
    unsigned char asked[BF_RENDERINGS][BF_CODINGS];

    if (anybody(s, asked)) {
        make_renderings(s, &r, asked);
        make_parts(s, &r, first);
    }
    publish(s, &r);
    bf_renderings_done(&r.renderings);
    for (size_t i = 0; i < BF_RECENT_PARTS; i++)
        bf_blob_unref(r.parts[i]);
}
