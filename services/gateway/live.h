/* The live store: every session directory of the configured cameras, followed through its journal. One inotify
 * descriptor on the loop tells of new directories, new records and of what the janitor removed; nothing polls.
 *
 * The loop thread alone changes it. Any thread may read, through the second half of this header. A lock of the store
 * guards which sessions there are; each session has a lock and a condition of its own, so that those who wait for one
 * are woken by it alone. What many ask for is made once: playlists and manifests as they are first asked for or, where
 * somebody waits, by the loop before it wakes anybody; the newest parts as bytes in memory. */
#ifndef BELFRY_GATEWAY_LIVE_H
#define BELFRY_GATEWAY_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "base/id.h"
#include "gateway/blob.h"
#include "gateway/http_parse.h"

#include "session.pb-c.h"

struct bf_live;
struct bf_live_session;

/* All on the loop thread, without the lock. */
struct bf_live_events {
    /* What a player can begin with has been read (bf_playlist_has_media). */
    void (*playable)(void *user, const char *camera, const char *session);
    /* SessionEnd has been read, or the journal cannot be followed any further. */
    void (*ended)(void *user, const char *camera, const char *session, const char *reason);
    /* The session has a `recording` file: found at the start, put there now, or put there again. */
    void (*recording)(void *user, const char *camera, const char *session);
    /* Its directory is gone. */
    void (*gone)(void *user, const char *camera, const char *session);
};

struct bf_live_options {
    const char *media;          /* directory; made when it is missing */
    const char *const *cameras; /* ids; borrowed */
    size_t n_cameras;
    unsigned max_waiting; /* threads that may wait at a time; more are told -EBUSY */
    const struct bf_live_events *events;
    void *user;
};

int bf_live_new(struct bf_live **ret, uv_loop_t *loop, const struct bf_live_options *o, struct bf_error *e);
/* Begins to watch, then reads what is there; events come from within. */
int bf_live_start(struct bf_live *l, struct bf_error *e);
/* Which session the camera's index.m3u8 stands for; "" for none. */
void bf_live_set_current(struct bf_live *l, const char *camera, const char *session);
/* Wakes everyone who waits and lets nobody wait any more. */
void bf_live_shut(struct bf_live *l);
/* Closes its handle; memory goes when the loop has let go of it. No reader may be left. NULL is fine. */
void bf_live_free(struct bf_live *l);
/* Descriptor of the camera's directory, or -ENOENT; loop thread only, borrowed. */
int bf_live_camera_dir(const struct bf_live *l, const char *camera);

/* A session that can be watched, as its journal shows it. */
struct bf_live_found {
    char session[BF_ULID_SIZE];
    char ingest[BF_ID_SIZE];
    bool record;
    Belfry__V1__Profile profile;
    uint32_t width, height, fps; /* 0: not known */
};
/* The camera's newest session that is playable and has not ended. One whose journal has not grown for `silent_ms` is
 * taken for abandoned: whoever wrote it may never come back to end it. -ENOENT. Loop thread only. */
int bf_live_newest(const struct bf_live *l, const char *camera, uint64_t silent_ms, uint64_t unix_ms,
                   struct bf_live_found *ret);

/* --- any thread --- */

/* A reference to the session, kept in memory and its directory kept open until unref. -ENOENT. */
int bf_live_acquire(struct bf_live *l, const char *camera, const char *session, struct bf_live_session **ret);
void bf_live_unref(struct bf_live_session *s);
/* The current session of the camera. -ENOENT: nothing is live. */
int bf_live_acquire_current(struct bf_live *l, const char *camera, struct bf_live_session **ret);

const char *bf_live_id(const struct bf_live_session *s);
int bf_live_dir(const struct bf_live_session *s);           /* descriptor of its directory; borrowed */
bool bf_live_ended(struct bf_live_session *s);              /* its playlist has its ENDLIST */
uint32_t bf_live_target_s(const struct bf_live_session *s); /* target duration; 1 before it is known */

/* What these calls have in common: those that wait do so for three target durations at most (rfc8216bis 6.2.5.2).
 * -ENOENT: not there, and it will not be. -ERANGE: not there yet, and too far ahead to be waited for. -ETIMEDOUT.
 * -EBUSY: as many wait as may. -ESHUTDOWN. -ENOMEM. */

/* media.m3u8 as the query asks for it, waiting as rfc8216bis 6.2.5.2 says. *ret_heeded, set in any case: were there
 * directives that a session like this heeds? -EINVAL, -ERANGE: 400, e says why. */
int bf_live_playlist(struct bf_live *l, struct bf_live_session *s, const struct bf_hls_query *q, bool gzip,
                     struct bf_blob **ret, bool *ret_heeded, struct bf_error *e);
/* index.m3u8 for the session. -ENOENT: nothing can be played yet. */
int bf_live_index(struct bf_live_session *s, bool gzip, struct bf_blob **ret);
/* manifest.mpd, waiting until there is something to play. -ENOENT also where a session ended without any. */
int bf_live_manifest(struct bf_live *l, struct bf_live_session *s, bool gzip, struct bf_blob **ret);

/* Bytes of seg-<msn>.m4s. */
struct bf_live_slice {
    uint64_t msn, offset, length;
    struct bf_blob *blob; /* those bytes, where they are in memory; the caller's reference. NULL: read the file */
    uint32_t ttl_s;       /* how long they can be had at least; 0: not known */
};
/* A part; the one that the playlist hints at is waited for (6.2.6). -ENOENT for all of a session whose players are told
 * of segments only. */
int bf_live_part(struct bf_live *l, struct bf_live_session *s, uint64_t counter, struct bf_live_slice *ret);
/* A complete segment. -EINPROGRESS: the open one, or the next that has not begun; ask for it part by part. Where players
 * are told of segments only, both are waited for. */
int bf_live_segment(struct bf_live *l, struct bf_live_session *s, uint64_t msn, struct bf_live_slice *ret);
/* Part `index` of a segment that grows, or is about to begin, waiting for it; ret->blob has its bytes. -ENODATA: the
 * segment is complete and has no such part. -EIO: its file could not be read. Who has had the first part is not turned
 * away for others who wait. */
int bf_live_growing(struct bf_live *l, struct bf_live_session *s, uint64_t msn, size_t index,
                    struct bf_live_slice *ret);

unsigned bf_live_waiting(const struct bf_live *l);
size_t bf_live_count(struct bf_live *l); /* sessions it follows or serves */

#endif
