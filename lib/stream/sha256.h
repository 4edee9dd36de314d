/* SHA-256 of what comes piece by piece, with the processor's own instructions where it has them (libcrypto): a segment
 * is hashed while it is written. One thread at a time. */
#ifndef BELFRY_STREAM_SHA256_H
#define BELFRY_STREAM_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct bf_sha256;

int bf_sha256_new(struct bf_sha256 **ret); /* begun */
void bf_sha256_free(struct bf_sha256 *h);
BF_DEFINE_CLEANUP(struct bf_sha256, bf_sha256_free)

void bf_sha256_begin(struct bf_sha256 *h); /* again, with nothing */
void bf_sha256_add(struct bf_sha256 *h, const void *data, size_t size);
/* Of everything since it was begun; more may follow. -EIO when libcrypto failed on the way. */
int bf_sha256_value(struct bf_sha256 *h, uint8_t ret[static 32]);

#endif
