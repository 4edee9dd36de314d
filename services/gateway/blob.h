/* Bytes that several threads send at once: counted, never changed after they were made. */
#ifndef BELFRY_GATEWAY_BLOB_H
#define BELFRY_GATEWAY_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct bf_blob {
    size_t size;
    char *data; /* a zero byte follows */
};

/* Takes `data` (malloc'd, size + 1 bytes) on success. NULL: no memory. */
struct bf_blob *bf_blob_new(char *data, size_t size);
struct bf_blob *bf_blob_ref(struct bf_blob *b);
void bf_blob_unref(struct bf_blob *b); /* NULL is fine */
/* The same bytes as a gzip file (RFC 1952); NULL: no memory. */
struct bf_blob *bf_blob_gzip(const struct bf_blob *b);

BF_DEFINE_CLEANUP(struct bf_blob, bf_blob_unref)

/* Text that grows. Zero-initialise; after a failed append `failed` stays set and nothing more is added. */
struct bf_text {
    char *data;
    size_t size, room;
    int failed;
};
void bf_text_add(struct bf_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bf_text_done(struct bf_text *t);
/* The text as a blob; the builder is empty afterwards. NULL: no memory, now or before. */
struct bf_blob *bf_text_take(struct bf_text *t);

#endif
