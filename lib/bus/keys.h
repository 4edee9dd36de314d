/* A node's signing key, and media keys sealed to a node. Secret bytes live in sodium_malloc'd pages and are wiped. */
#ifndef BELFRY_BUS_KEYS_H
#define BELFRY_BUS_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bus/dsse.h"

struct bf_key;

/* A fresh key, in memory only. */
int bf_key_generate(struct bf_key **ret);
/* Key file: 32-byte seed as one line of 64 lower-case hex digits, mode 0600 or stricter (else refused: -EPERM). */
int bf_key_load(struct bf_key **ret, const char *path, struct bf_error *e);
int bf_key_store(const struct bf_key *k, const char *path, struct bf_error *e); /* new file, 0600; -EEXIST */
void bf_key_free(struct bf_key *k);                                             /* wipes */

const uint8_t *bf_key_public(const struct bf_key *k); /* BF_PUBLIC_KEY_SIZE bytes */
const uint8_t *bf_key_secret(const struct bf_key *k); /* BF_SECRET_KEY_SIZE bytes, for bf_dsse_* */

/* crypto_box_seal of `secret` to the X25519 form of an Ed25519 key; *ret is malloc'd (size + 48 bytes). */
int bf_seal_to(const uint8_t public_key[static BF_PUBLIC_KEY_SIZE], const void *secret, size_t size, uint8_t **ret,
               size_t *ret_size);
/* Opens into `ret` exactly `size` bytes; -EBADMSG when it was not sealed to this key or has another length. */
int bf_seal_open(const struct bf_key *k, const void *sealed, size_t sealed_size, void *ret, size_t size);

#endif
