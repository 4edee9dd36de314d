/* Shared by the live store's own files only. */
#ifndef BELFRY_GATEWAY_LIVE_INTERNAL_H
#define BELFRY_GATEWAY_LIVE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/live.h"
#include "gateway/periods.h"
#include "gateway/recent.h"
#include "stream/journal.h"
#include "stream/session_view.h"

/* What is made out of a session's state, each plain and gzipped. */
enum bf_rendering { BF_WHOLE, BF_DELTA, BF_INDEX, BF_MANIFEST, BF_RENDERINGS };
enum bf_coding { BF_PLAIN, BF_GZIP, BF_CODINGS };
#define BF_LIVE_ASKED 4 /* revisions that one is made for in advance after it was last asked for */

struct bf_renderings {
    uint64_t revision; /* of the view that they show */
    struct bf_blob *blobs[BF_RENDERINGS][BF_CODINGS];
};

struct bf_live_session {
    atomic_uint refs;
    char camera[BF_ID_SIZE];
    char id[BF_ULID_SIZE];
    int dirfd;
    int wd;                              /* of the directory */
    struct bf_journal_reader *reader;    /* loop only; NULL before the journal is there and after its end */
    bool told_playable, archived, stuck; /* loop only; stuck: its journal is damaged */
    atomic_uint target_s;                /* 0: not known yet */

    /* Read and changed under the lock; the loop, which alone changes the first three, reads those without. */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct bf_session_view view;
    uint64_t gone_discontinuities; /* in segments that the view has forgotten */
    struct bf_periods periods;
    bool gone;
    unsigned waiting;
    struct bf_renderings renderings;
    unsigned char asked[BF_RENDERINGS][BF_CODINGS]; /* in advance, for so many more revisions */
    struct bf_recent recent;
};

struct bf_live_camera {
    char id[BF_ID_SIZE];
    int dirfd, wd;              /* loop only; -1: not there yet */
    char current[BF_ULID_SIZE]; /* under the lock */
};

struct bf_live {
    pthread_mutex_t lock;              /* never taken while a session's is held */
    struct bf_live_session **sessions; /* changed by the loop under the lock */
    size_t n_sessions;
    struct bf_live_camera *cameras;
    size_t n_cameras;
    unsigned max_waiting;
    atomic_uint waiting;
    atomic_bool shut;

    int media_dirfd, media_wd;
    int inotify_fd;
    uv_poll_t poll;
    bool polling;
    const struct bf_live_events *events;
    void *user;
};

/* live_session.c */
struct bf_live_session *bf_live_find(struct bf_live *l, const char *camera, const char *session); /* loop, or locked */
int bf_live_open_session(struct bf_live *l, struct bf_live_camera *c, const char *id);
void bf_live_drop_session(struct bf_live *l, struct bf_live_session *s);
void bf_live_wake(struct bf_live_session *s); /* everybody who waits for it */
/* Opens the journal if it is there now, and reads what there is to read. */
void bf_live_follow(struct bf_live *l, struct bf_live_session *s);
void bf_live_note_recording(struct bf_live *l, struct bf_live_session *s);

/* live_render.c */
/* The rendering, made now if nobody has; with the session's lock held, or by the loop on renderings of its own. A
 * reference, or NULL: no memory. */
struct bf_blob *bf_live_render(const struct bf_live_session *s, struct bf_renderings *r, enum bf_rendering which,
                               enum bf_coding coding);
void bf_renderings_done(struct bf_renderings *r);
/* After new records, on the loop: makes what those who wait are going to ask for, from part `first` on, and wakes
 * them. */
void bf_live_prepare(struct bf_live_session *s, uint64_t first);

/* live_wait.c */
/* What a request waits for. Called with the session's lock held: 0 or the final error, -EAGAIN to go on waiting. */
typedef int (*bf_ready_fn)(struct bf_live_session *s, void *user);
/* With the session's lock held: answers at once if it can, else waits if there is room for one who waits, or if
 * `entitled`. */
int bf_live_await(struct bf_live *l, struct bf_live_session *s, bool entitled, bf_ready_fn ready, void *user);

/* live_parts.c */
struct bf_blob *bf_live_read_part(const struct bf_live_session *s,
                                  const struct bf_part_view *p); /* NULL: it could not */

/* live_watch.c */
int bf_live_watch(struct bf_live *l, int dirfd, uint32_t mask); /* watch descriptor, or negative errno */
void bf_live_unwatch(struct bf_live *l, int wd);
void bf_live_on_inotify(uv_poll_t *handle, int status, int events);
void bf_live_scan_media(struct bf_live *l);

#endif
