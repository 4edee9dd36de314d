/* Making a recording of a session that is over: playlist, download, poster, and at last the signed `recording`, which
 * is what makes it one. Media is not moved. Each file is there whole or not at all; whatever step a crash hits, the
 * next run completes. Blocking; a worker thread. */
#ifndef BELFRY_JANITOR_ARCHIVE_H
#define BELFRY_JANITOR_ARCHIVE_H

#include "bus/keys.h"
#include "janitor/file_ops.h"

#include "journal.pb-c.h"

struct bf_archive {
    const struct bf_file_ops *ops;
    const char *site;
    const struct bf_key *key;
    uint64_t reserve_bytes; /* disk space left alone: -ENOSPC before the live streams feel it */
    uint64_t now_ms;        /* Unix; the end of a session that has none of its own */
    _Atomic unsigned *progress_percent;
    const atomic_bool *cancel;
};

/* *ret is freed by belfry__v1__recording__free_unpacked. -ENODATA: there is nothing to keep; -ENOSPC: no room, nothing
 * half-made is left; -EBADMSG: the media or the journal cannot be read; -ECANCELED. */
int bf_archive_session(const struct bf_archive *a, int dirfd, Belfry__V1__Recording **ret, struct bf_error *e);

#endif
