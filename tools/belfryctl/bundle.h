/* Editing the trust bundle: the unpacked message, changed and signed anew by the root key. Unlike bf_trust, which only
 * answers questions, this keeps every key and revocation ever made. */
#ifndef BELFRY_CTL_BUNDLE_H
#define BELFRY_CTL_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "bus/dsse.h"
#include "bus/keys.h"
#include "bus/message.h"
#include "bus/trust.h"

#include "trust.pb-c.h"

#define CTL_BUNDLE_TYPE BF_TRUST_BUNDLE_TYPE

typedef Belfry__V1__TrustBundle ctl_bundle;

int ctl_bundle_new(ctl_bundle **ret, const char *site, uint64_t expires_at_ms);
void ctl_bundle_free(ctl_bundle *b); /* NULL is fine */
BF_DEFINE_CLEANUP(ctl_bundle, ctl_bundle_free)

/* Opens a signed bundle and checks the root's signature. */
int ctl_bundle_open(ctl_bundle **ret, const void *envelope, size_t size,
                    const uint8_t root_public_key[static BF_PUBLIC_KEY_SIZE], struct bf_error *e);
/* Version + 1, issued now, signed; *ret_envelope is malloc'd. */
int ctl_bundle_sign(ctl_bundle *b, const struct bf_key *root, uint64_t now_ms, uint8_t **ret_envelope, size_t *ret_size,
                    struct bf_error *e);

/* -ENOSPC beyond 256 keys. */
int ctl_bundle_add(ctl_bundle *b, const char *node, enum bf_role role,
                   const uint8_t public_key[static BF_PUBLIC_KEY_SIZE], uint64_t not_before_ms);
/* Ends the validity of the node's keys at `not_after_ms`, those that end earlier aside. Returns how many it touched. */
size_t ctl_bundle_retire(ctl_bundle *b, const char *node, uint64_t not_after_ms);
/* Puts every key of the node on the revoked list and takes it off the keys. Returns how many, or -ENOMEM. */
int ctl_bundle_revoke(ctl_bundle *b, const char *node);

/* Role of a node that has a key at `unix_ms`; BF_ROLE_NONE when it has none. */
enum bf_role ctl_bundle_role_of(const ctl_bundle *b, const char *node, uint64_t unix_ms);

/* The nodes that have a valid key at `unix_ms`, in the bundle's order; *ret is malloc'd, its ids borrowed from b. */
struct ctl_node {
    const char *id;
    enum bf_role role;
};
int ctl_bundle_nodes(const ctl_bundle *b, uint64_t unix_ms, struct ctl_node **ret, size_t *ret_n);

#endif
