/* DSSE 1.0 envelopes in protobuf: the bytes that are signed, signing them, checking them.
 * Pure: no I/O, no clock. Ed25519 by libsodium (call sodium_init() once before). Sources: DSSE 1.0 protocol.md. */
#ifndef BELFRY_BUS_DSSE_H
#define BELFRY_BUS_DSSE_H

#include <stddef.h>
#include <stdint.h>

#define BF_ENVELOPE_MAX 16384 /* bytes of a packed envelope; longer ones are refused unparsed */
#define BF_KEYID_SIZE 16
#define BF_PUBLIC_KEY_SIZE 32
#define BF_SECRET_KEY_SIZE 64 /* libsodium's form: seed and public key */
#define BF_SIGNATURE_SIZE 64

/* First 16 bytes of SHA-256(public key). */
void bf_keyid(uint8_t ret[static BF_KEYID_SIZE], const uint8_t public_key[static BF_PUBLIC_KEY_SIZE]);

/* PAE("type", payload); *ret is malloc'd, caller frees. -ENOMEM. */
int bf_pae(const char *type, const void *payload, size_t size, uint8_t **ret, size_t *ret_size);

/* One signature over PAE(type, payload), not wrapped. */
int bf_dsse_sign_detached(uint8_t ret[static BF_SIGNATURE_SIZE], const char *type, const void *payload, size_t size,
                          const uint8_t secret_key[static BF_SECRET_KEY_SIZE]);
int bf_dsse_verify_detached(const uint8_t sig[static BF_SIGNATURE_SIZE], const char *type, const void *payload,
                            size_t size, const uint8_t public_key[static BF_PUBLIC_KEY_SIZE]); /* 0 or -EBADMSG */

/* A packed Envelope with one signature; *ret is malloc'd, caller frees. -EMSGSIZE beyond BF_ENVELOPE_MAX. */
int bf_dsse_seal(const char *type, const void *payload, size_t size,
                 const uint8_t secret_key[static BF_SECRET_KEY_SIZE], uint8_t **ret, size_t *ret_size);

/* The same with a signature of each of n keys (at most 4): receivers need to know one of them. */
int bf_dsse_seal_with(const char *type, const void *payload, size_t size, const uint8_t *const *secret_keys, size_t n,
                      uint8_t **ret, size_t *ret_size);

/* A parsed envelope; every pointer stays valid until bf_dsse_free. Nothing in it has been verified. */
struct bf_dsse;
int bf_dsse_open(struct bf_dsse **ret, const void *data, size_t size); /* -EMSGSIZE, -EBADMSG */
void bf_dsse_free(struct bf_dsse *d);
const char *bf_dsse_type(const struct bf_dsse *d);
const uint8_t *bf_dsse_payload(const struct bf_dsse *d, size_t *ret_size);

/* Is the first of its signatures that names this key made by it over exactly these bytes? 0 or -EBADMSG. One Ed25519
 * check at most, none when no signature names the key: whoever asks with every key that he knows pays for no more
 * checks than an envelope has signatures (4). */
int bf_dsse_verify(const struct bf_dsse *d, const uint8_t public_key[static BF_PUBLIC_KEY_SIZE]);
/* Does one of its signatures name this key? A hint only: saves work, proves nothing. */
int bf_dsse_hints_at(const struct bf_dsse *d, const uint8_t keyid[static BF_KEYID_SIZE]);

#endif
