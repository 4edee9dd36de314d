/* fdatasync where blocking does no harm: in libuv's thread pool. */
#ifndef BELFRY_INGEST_SYNC_LATER_H
#define BELFRY_INGEST_SYNC_LATER_H

#include <uv.h>

#include "ingest/session_dir.h"

/* Takes over what sync holds; a failure is logged. Loop thread. */
void bf_sync_later(uv_loop_t *loop, struct bf_sync *sync, const char *session_id);

#endif
