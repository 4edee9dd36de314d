/* The live store: every session directory of the configured cameras, followed through its journal. One inotify
 * descriptor on the loop tells of new directories, new records and of what the janitor removed; nothing polls.
 *
 * The loop thread alone changes it. Any thread may read, through the second half of this header: those calls take the
 * one lock of the store, and the ones that say so wait on its condition until the session has moved on. */
#ifndef BELFRY_GATEWAY_LIVE_H
#define BELFRY_GATEWAY_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "base/id.h"
#include "gateway/blob.h"
#include "gateway/http_parse.h"

struct bf_live;
struct bf_live_session;

/* All on the loop thread, without the lock. */
struct bf_live_events {
    /* This session's first independent part has been read. */
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

/* --- any thread --- */

/* A reference to the session, kept in memory and its directory kept open until unref. -ENOENT. */
int bf_live_acquire(struct bf_live *l, const char *camera, const char *session, struct bf_live_session **ret);
void bf_live_unref(struct bf_live_session *s);
/* The current session of the camera. -ENOENT: nothing is live. */
int bf_live_acquire_current(struct bf_live *l, const char *camera, struct bf_live_session **ret);

int bf_live_dir(const struct bf_live_session *s); /* descriptor of its directory; borrowed */
uint32_t bf_live_target_s(struct bf_live *l, const struct bf_live_session *s); /* 1 before it is known */

/* media.m3u8 as the query asks for it, waiting as rfc8216bis 6.2.5.2 says, at most three target durations. Rendered
 * once for each state of the session and shared by all who ask. 0; -EINVAL: 400, e says why; -ETIMEDOUT; -EBUSY;
 * -ENOENT: the session is gone; -ESHUTDOWN; -ENOMEM. */
int bf_live_playlist(struct bf_live *l, struct bf_live_session *s, const struct bf_hls_query *q, bool gzip,
                     struct bf_blob **ret, struct bf_error *e);
/* index.m3u8 for the session. -ENOENT: it has no media yet. */
int bf_live_index(struct bf_live *l, struct bf_live_session *s, struct bf_blob **ret);

struct bf_live_slice {
    uint64_t msn, offset, length; /* bytes of seg-<msn>.m4s */
};
/* A part; the one that the playlist hints at is waited for (6.2.6). -ENOENT: not there and not hinted;
 * else as above. */
int bf_live_part(struct bf_live *l, struct bf_live_session *s, uint64_t counter, struct bf_live_slice *ret);
/* A complete segment. -ENOENT. */
int bf_live_segment(struct bf_live *l, struct bf_live_session *s, uint64_t msn, struct bf_live_slice *ret);

unsigned bf_live_waiting(const struct bf_live *l);
size_t bf_live_count(struct bf_live *l); /* sessions it follows or serves */

#endif
