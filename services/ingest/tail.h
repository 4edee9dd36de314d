/* What a crash or a power cut left at the end of a session: the last place up to which journal and media agree. */
#ifndef BELFRY_INGEST_TAIL_H
#define BELFRY_INGEST_TAIL_H

#include "base/error.h"
#include "stream/journal.h"
#include "stream/session_view.h"
#include "stream/sha256.h"

/* Reads the whole journal into *v (initialised). Where the newest complete segment is not what its record says, or
 * parts of the open one are not on disk, the journal is cut back to what is. -EBADMSG when a record does not follow
 * from the ones before. */
int bf_tail_repair(int dirfd, struct bf_journal_writer *w, struct bf_session_view *v, struct bf_error *e);

/* Opens the file of an open segment for appending, cut to its journalled bytes, and begins `hash` with those. */
int bf_tail_open_segment(int dirfd, const struct bf_segment_view *segment, int *ret_fd, struct bf_sha256 *hash);

#endif
