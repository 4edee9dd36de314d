/* Sessions that this node began and did not end: found after a crash, or when a full disk had no room for the end. */
#ifndef BELFRY_INGEST_ORPHANS_H
#define BELFRY_INGEST_ORPHANS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "bus/keys.h"
#include "ingest/session_dir.h"

struct bf_orphan {
    char camera[BF_ID_SIZE];
    char session_id[BF_ULID_SIZE];
};

/* Reads the journals under the media directory that are not a recording's already; *ret is malloc'd. Directories and
 * journals that cannot be read are passed over. -ENOMEM. */
int bf_orphans_find(int media_fd, const char *node, struct bf_orphan **ret, size_t *ret_n);

/* Repairs the tail, ends the open segment, and writes the SessionEnd. */
int bf_orphan_close(const struct bf_orphan *o, int media_fd, const char *node, const struct bf_key *key,
                    const char *reason, uint64_t now_ms, struct bf_session_place *ret_place, struct bf_error *e);

#endif
