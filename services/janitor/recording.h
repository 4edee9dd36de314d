/* The file `recording`: a signed document, and the commit point of an archive. Blocking. */
#ifndef BELFRY_JANITOR_RECORDING_H
#define BELFRY_JANITOR_RECORDING_H

#include "base/error.h"
#include "bus/keys.h"
#include "bus/trust.h"
#include "janitor/file_ops.h"

#include "journal.pb-c.h"

#define BF_RECORDING_TYPE "application/vnd.belfry.recording.v1+protobuf"
#define BF_TITLE_MAX 200

/* Reads and verifies; *ret is freed by belfry__v1__recording__free_unpacked. -ENOENT: the session is no recording;
 * -EBADMSG: it is not signed by a janitor of this site, or does not parse. */
int bf_recording_read(int dirfd, const struct bf_trust *trust, uint64_t now_ms, Belfry__V1__Recording **ret,
                      struct bf_error *e);
int bf_recording_write(const struct bf_file_ops *ops, int dirfd, const struct bf_key *key,
                       const Belfry__V1__Recording *recording, struct bf_error *e);

/* Its media and what was made of it, on disk. */
uint64_t bf_recording_disk_bytes(int dirfd, const Belfry__V1__Recording *recording);

#endif
