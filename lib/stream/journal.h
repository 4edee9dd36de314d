/* The journal of a session: append-only, length, CRC-32C, protobuf record (proto/journal.proto). One writer (ingest);
 * any number of readers in any process. */
#ifndef BELFRY_STREAM_JOURNAL_H
#define BELFRY_STREAM_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "journal.pb-c.h"

#define BF_RECORD_MAX 65536

struct bf_journal_writer;
/* Opens or creates `journal` in dirfd (borrowed for the call), cuts off a torn tail, positions at the end. A record
 * with a wrong checksum that a whole one follows is damage, not a torn tail: -EBADMSG, nothing is cut. The name of a
 * new file is durable after the caller's fsync of dirfd. */
int bf_journal_writer_open(struct bf_journal_writer **ret, int dirfd, struct bf_error *e);
/* One write(2). On failure the file is cut back to what it was: a record is there whole or not at all. Where that fails
 * too, every later call fails. -EMSGSIZE for a record beyond BF_RECORD_MAX. */
int bf_journal_append(struct bf_journal_writer *w, const Belfry__V1__Record *record);
int bf_journal_sync(struct bf_journal_writer *w); /* fdatasync */
/* Cuts the file at `offset`, where a record begins: for records whose data did not survive a power cut. */
int bf_journal_cut(struct bf_journal_writer *w, uint64_t offset);
int bf_journal_writer_fd(const struct bf_journal_writer *w); /* borrowed, to be synced elsewhere */
void bf_journal_writer_free(struct bf_journal_writer *w);

struct bf_journal_reader;
int bf_journal_reader_open(struct bf_journal_reader **ret, int dirfd);
/* Next whole record (*ret owned by the caller, belfry__v1__record__free_unpacked). -EAGAIN: at the end or before a torn
 * tail, try again when the file has grown; -EBADMSG: a whole record with a wrong checksum or form, nothing after it can
 * be trusted. */
int bf_journal_next(struct bf_journal_reader *r, Belfry__V1__Record **ret);
uint64_t bf_journal_offset(const struct bf_journal_reader *r); /* bytes consumed */
void bf_journal_reader_free(struct bf_journal_reader *r);

/* Parses frames out of memory, for the reader and the fuzzer: one record from `data`. Returns bytes consumed, 0 when
 * more are needed, -EBADMSG. */
long bf_journal_parse(const uint8_t *data, size_t size, Belfry__V1__Record **ret);

#endif
