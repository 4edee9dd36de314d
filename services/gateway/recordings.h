/* The index of finished recordings, out of the signed `recording` files that the janitor leaves beside the segments.
 * The loop thread loads and removes; any thread looks up. */
#ifndef BELFRY_GATEWAY_RECORDINGS_H
#define BELFRY_GATEWAY_RECORDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "bus/trust.h"

struct bf_recording {
    char id[BF_ULID_SIZE]; /* = session id */
    char camera[BF_ID_SIZE];
    char title[201], codecs[64];
    uint64_t started_at_ms, ended_at_ms, duration_ms, segments, bytes, gaps;
    uint32_t width, height;
    bool is_protected;
};

struct bf_recordings;

int bf_recordings_new(struct bf_recordings **ret);
void bf_recordings_free(struct bf_recordings *r); /* NULL is fine */

/* Reads <camera_dir>/<id>/recording, verifies the janitor's signature, adds or replaces the entry. -ENOENT and others
 * of opening it; -EBADMSG: signature or content, with the reason in e. */
int bf_recordings_load(struct bf_recordings *r, int camera_dirfd, const char *site, const char *camera, const char *id,
                       const struct bf_trust *trust, struct bf_error *e);
bool bf_recordings_remove(struct bf_recordings *r, const char *id); /* was it there? */

int bf_recordings_find(struct bf_recordings *r, const char *id, struct bf_recording *ret); /* -ENOENT */
/* A copy of all (camera NULL) or one camera's, newest first; *ret is malloc'd. */
int bf_recordings_list(struct bf_recordings *r, const char *camera, struct bf_recording **ret, size_t *ret_n);
size_t bf_recordings_count(struct bf_recordings *r);

#endif
