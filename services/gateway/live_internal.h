/* Shared by the live store's own files only. */
#ifndef BELFRY_GATEWAY_LIVE_INTERNAL_H
#define BELFRY_GATEWAY_LIVE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/live.h"
#include "stream/journal.h"
#include "stream/session_view.h"

enum bf_rendering { BF_WHOLE, BF_DELTA, BF_RENDERINGS };

struct bf_live_session {
    atomic_uint refs;
    char camera[BF_ID_SIZE];
    char id[BF_ULID_SIZE];
    int dirfd;
    int wd;                              /* of the directory */
    struct bf_journal_reader *reader;    /* loop only; NULL before the journal is there and after its end */
    bool told_playable, archived, stuck; /* loop only; stuck: its journal is damaged */

    /* Under the store's lock. */
    bool gone;
    struct bf_session_view view;
    uint64_t gone_discontinuities; /* in segments that the view has forgotten */
    uint64_t rendered_revision;
    struct bf_blob *plain[BF_RENDERINGS], *gzip[BF_RENDERINGS];
};

struct bf_live_camera {
    char id[BF_ID_SIZE];
    int dirfd, wd;              /* loop only; -1: not there yet */
    char current[BF_ULID_SIZE]; /* under the lock */
};

struct bf_live {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool shut;                         /* under the lock */
    struct bf_live_session **sessions; /* changed by the loop under the lock */
    size_t n_sessions;
    struct bf_live_camera *cameras;
    size_t n_cameras;
    unsigned max_waiting;
    atomic_uint waiting;

    int media_dirfd, media_wd;
    int inotify_fd;
    uv_poll_t poll;
    bool polling;
    const struct bf_live_events *events;
    void *user;
};

/* live.c */
struct bf_live_session *bf_live_find(struct bf_live *l, const char *camera, const char *session); /* loop */
int bf_live_open_session(struct bf_live *l, struct bf_live_camera *c, const char *id);
void bf_live_drop_session(struct bf_live *l, struct bf_live_session *s);
/* Opens the journal if it is there now, and reads what there is to read. */
void bf_live_follow(struct bf_live *l, struct bf_live_session *s);
void bf_live_note_recording(struct bf_live *l, struct bf_live_session *s);

/* live_watch.c */
int bf_live_watch(struct bf_live *l, int dirfd, uint32_t mask); /* watch descriptor, or negative errno */
void bf_live_unwatch(struct bf_live *l, int wd);
void bf_live_on_inotify(uv_poll_t *handle, int status, int events);
void bf_live_scan_media(struct bf_live *l);

#endif
