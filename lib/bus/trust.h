/* The trust bundle: which keys belong to which node, in which roles, until when. Immutable once loaded; the loop thread
 * owns it. */
#ifndef BELFRY_BUS_TRUST_H
#define BELFRY_BUS_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bus/dsse.h"
#include "bus/message.h"

#define BF_TRUST_BUNDLE_TYPE "application/vnd.belfry.trust-bundle.v1+protobuf"

struct bf_trust;

struct bf_trusted_key {
    const char *node;
    uint32_t roles; /* bit (1 << enum bf_role) */
    uint8_t public_key[BF_PUBLIC_KEY_SIZE];
    uint8_t keyid[BF_KEYID_SIZE];
    uint64_t not_before_ms, not_after_ms; /* not_after 0 = no end */
};

/* Verifies the envelope with the site's root public key and parses it. `least_version` is the highest version accepted
 * before (0 at first): a lower one is refused with -ESTALE. Other errors: -EBADMSG (signature, form, ranges, other
 * site), with the reason in e. */
int bf_trust_open(struct bf_trust **ret, const void *envelope, size_t size,
                  const uint8_t root_public_key[static BF_PUBLIC_KEY_SIZE], const char *site, uint64_t least_version,
                  struct bf_error *e);
void bf_trust_free(struct bf_trust *t);

uint64_t bf_trust_version(const struct bf_trust *t);
bool bf_trust_expired(const struct bf_trust *t, uint64_t unix_ms);

/* Keys that are in their validity at `unix_ms`, not revoked, and have `role` (BF_ROLE_NONE: any); calls fn for each until
 * it returns non-zero, which is returned; 0 after the last. `node` NULL: of every node. */
int bf_trust_each(const struct bf_trust *t, const char *node, enum bf_role role, uint64_t unix_ms,
                  int (*fn)(void *user, const struct bf_trusted_key *k), void *user);
/* Every node that has a key for `role` that is not revoked, whenever it is valid, once each: whom to listen to. */
int bf_trust_each_node(const struct bf_trust *t, enum bf_role role, int (*fn)(void *user, const char *node),
                       void *user);
/* Oldest valid key of a node, of several from the same time the first that is listed; NULL when there is none. What is
 * sealed to it opens on both sides of a rotation: a node that has its new key keeps the one before (bf_key_rotate,
 * bf_key_load_node), one that has not got it yet has nothing else. */
const struct bf_trusted_key *bf_trust_key_of(const struct bf_trust *t, const char *node, enum bf_role role,
                                             uint64_t unix_ms);

#endif
