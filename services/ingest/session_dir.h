/* Writes one session's stream directory: <media>/<camera>/<session>/{journal, init*.mp4, seg-<msn>.m4s}. What the
 * journal names is on disk whole; a write that fails is taken back, and the session can go on once there is room.
 * One thread at a time. */
#ifndef BELFRY_INGEST_SESSION_DIR_H
#define BELFRY_INGEST_SESSION_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "bus/keys.h"

#include "journal.pb-c.h"

struct bf_session_dir;

struct bf_session_dir_options {
    int media_fd;                          /* directory of all cameras; borrowed for the call */
    const Belfry__V1__SessionStart *start; /* what a new session's journal begins with; borrowed for the call */
    const struct bf_key *key;              /* signs the segments; borrowed */
    bool existing;                         /* only one that is there: -ENOENT instead of a new one */
    uint64_t reserve_bytes;                /* room that media leaves alone, so that records always fit */
};

/* Makes the directory and begins the journal; or, where the same session is there without a SessionEnd, repairs its
 * tail, ends the segment that was open, and goes on behind it. -EALREADY when that session has ended. -EBADMSG when its
 * journal is damaged or belongs to another node. */
int bf_session_dir_open(struct bf_session_dir **ret, const struct bf_session_dir_options *o, struct bf_error *e);
void bf_session_dir_free(struct bf_session_dir *d); /* ends nothing: what is open is repaired by the next open */
BF_DEFINE_CLEANUP(struct bf_session_dir, bf_session_dir_free)

/* Where it stands; constant part first. */
struct bf_session_place {
    bool resumed;
    Belfry__V1__Profile profile; /* this and the next three as in its SessionStart */
    uint32_t part_target_us, target_duration_s, segment_us;
    uint64_t next_90k;               /* end of the newest part, decode time */
    uint64_t parts, bytes, segments; /* of all its life; segments that have ended, gaps not counted */
    bool segment_open, ended;
    uint8_t chain_head[32];
};
const struct bf_session_place *bf_session_dir_place(const struct bf_session_dir *d);

bool bf_disk_full(int code); /* is that negative errno one of those that say so? */

/* Is there room for so many bytes beside the reserve? -ENOSPC, or why that cannot be known. */
int bf_session_dir_room(const struct bf_session_dir *d, uint64_t bytes);

/* All of these: 0, or negative errno with nothing changed (-ENOSPC also when only the reserve is left). */
int bf_session_dir_init(struct bf_session_dir *d, const void *data, size_t size, const char *codecs, uint32_t width,
                        uint32_t height, uint32_t frame_rate_milli);

struct bf_part {
    uint64_t capture_us;
    int64_t decode_time_90k;
    uint32_t duration_90k, frames;
    bool independent, discontinuity;
};
/* Appends to the open segment, or begins one. */
int bf_session_dir_part(struct bf_session_dir *d, const void *data, size_t size, const struct bf_part *part);

/* What has to reach the disk, to be synced on any thread. */
struct bf_sync {
    int fds[3];
};
/* Ends the open segment. Where the session records, *ret_sync is what bf_sync_run wants; else it is empty. */
int bf_session_dir_end_segment(struct bf_session_dir *d, struct bf_sync *ret_sync);
int bf_session_dir_gap(struct bf_session_dir *d, uint64_t duration_90k, const char *reason);
/* No segment is open. Ends the session and syncs. */
int bf_session_dir_end(struct bf_session_dir *d, const char *reason, uint64_t now_ms);

bool bf_sync_wanted(const struct bf_sync *s);
int bf_sync_run(struct bf_sync *s); /* fdatasync and close each; the first failure */

#endif
