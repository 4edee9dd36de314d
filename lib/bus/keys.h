/* A node's signing key, and media keys sealed to a node. Secret bytes live in sodium_malloc'd pages and are wiped. */
#ifndef BELFRY_BUS_KEYS_H
#define BELFRY_BUS_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bus/dsse.h"

struct bf_key;

/* libsodium's secret key ends with its public key. */
#define BF_PUBLIC_OF(secret) ((secret) + BF_SECRET_KEY_SIZE - BF_PUBLIC_KEY_SIZE)

/* A fresh key, in memory only. */
int bf_key_generate(struct bf_key **ret);
/* Key file: 32-byte seed as one line of 64 lower-case hex digits, mode 0600 or stricter (else refused: -EPERM). */
int bf_key_load(struct bf_key **ret, const char *path, struct bf_error *e);
/* <dir>/<node>.key and, where it is there, <node>.previous.key as what it was before: what was rotated before a start
 * signs along for as long as the trust bundle lists it. */
int bf_key_load_node(struct bf_key **ret, const char *dir, const char *node, struct bf_error *e);
int bf_key_store(const struct bf_key *k, const char *path, struct bf_error *e); /* new file, 0600; -EEXIST */
void bf_key_free(struct bf_key *k);                                             /* wipes */

/* From now on k is what `fresh` was (taken), for everybody who holds k, on every thread; what it was before becomes its
 * previous key and lives as long as k. One thread at a time rotates. */
void bf_key_rotate(struct bf_key *k, struct bf_key *fresh);
const uint8_t *bf_key_previous(const struct bf_key *k); /* as bf_key_secret; NULL when it was never rotated */

/* The two may belong to different keys when another thread rotates in between; BF_PUBLIC_OF(secret) may not. */
const uint8_t *bf_key_public(const struct bf_key *k); /* BF_PUBLIC_KEY_SIZE bytes */
const uint8_t *bf_key_secret(const struct bf_key *k); /* BF_SECRET_KEY_SIZE bytes, for bf_dsse_* */

/* crypto_box_seal of `secret` to the X25519 form of an Ed25519 key; *ret is malloc'd (size + 48 bytes). */
int bf_seal_to(const uint8_t public_key[static BF_PUBLIC_KEY_SIZE], const void *secret, size_t size, uint8_t **ret,
               size_t *ret_size);
/* Opens into `ret` exactly `size` bytes, with k or any key that it was before; -EBADMSG when it was sealed to none of
 * them or has another length. */
int bf_seal_open(const struct bf_key *k, const void *sealed, size_t sealed_size, void *ret, size_t size);

#endif
