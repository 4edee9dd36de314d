#include "bus/trust.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "bus/limits.h"

#include "trust.pb-c.h"

struct bf_trust {
    Belfry__V1__TrustBundle *bundle;
    struct bf_trusted_key *keys; /* those that are not revoked; `node` points into the bundle */
    size_t n_keys;
};

BF_DEFINE_CLEANUP(struct bf_trust, bf_trust_free)
BF_DEFINE_CLEANUP(struct bf_dsse, bf_dsse_free)

/* Opens the root's envelope and parses what it signed. */
static int open_bundle(Belfry__V1__TrustBundle **ret, const void *envelope, size_t size, const uint8_t *root_public_key,
                       struct bf_error *e)
{
    _cleanup_(bf_dsse_freep) struct bf_dsse *d = NULL;
    Belfry__V1__TrustBundle *bundle;
    const uint8_t *payload;
    size_t payload_size;
    int r = bf_dsse_open(&d, envelope, size);

    if (r < 0)
        return bf_fail(e, r, "trust bundle: not an envelope of at most %d bytes", BF_ENVELOPE_MAX);
    if (strcmp(bf_dsse_type(d), BF_TRUST_BUNDLE_TYPE) != 0)
        return bf_fail(e, -EBADMSG, "trust bundle: an envelope of another type; expected %s", BF_TRUST_BUNDLE_TYPE);
    if (bf_dsse_verify(d, root_public_key) < 0)
        return bf_fail(e, -EBADMSG, "trust bundle: not signed by this site's root key");

    payload = bf_dsse_payload(d, &payload_size);
    bundle = belfry__v1__trust_bundle__unpack(NULL, payload_size, payload);
    if (bundle == NULL)
        return bf_fail(e, -EBADMSG, "trust bundle: its payload does not parse");
    *ret = bundle;
    return 0;
}

static int check_bundle(const Belfry__V1__TrustBundle *b, const char *site, uint64_t least_version, struct bf_error *e)
{
    int r = bf_limits_check(&b->base, e);

    if (r < 0)
        return bf_fail_in(e, r, "trust bundle");
    if (strcmp(b->site, site) != 0)
        return bf_fail(e, -EBADMSG, "trust bundle: for site %s; expected %s", b->site, site);
    if (b->version < least_version)
        return bf_fail(e, -ESTALE,
                       "trust bundle: version %llu; version %llu was accepted before, and it may not go down",
                       (unsigned long long)b->version, (unsigned long long)least_version);
    return 0;
}

static bool is_revoked(const Belfry__V1__TrustBundle *b, const uint8_t *keyid)
{
    for (size_t i = 0; i < b->n_revoked; i++)
        if (memcmp(b->revoked[i].data, keyid, BF_KEYID_SIZE) == 0)
            return true;
    return false;
}

/* One key must never speak for two nodes. */
static bool belongs_to_another(const struct bf_trust *t, const struct bf_trusted_key *k)
{
    for (size_t i = 0; i < t->n_keys; i++)
        if (memcmp(t->keys[i].public_key, k->public_key, BF_PUBLIC_KEY_SIZE) == 0)
            return true;
    return false;
}

static int add_key(struct bf_trust *t, const Belfry__V1__TrustedKey *from, struct bf_error *e)
{
    struct bf_trusted_key *k = &t->keys[t->n_keys];

    *k = (struct bf_trusted_key){ .node = from->node,
                                  .not_before_ms = from->not_before_ms,
                                  .not_after_ms = from->not_after_ms };
    for (size_t i = 0; i < from->n_roles; i++)
        k->roles |= UINT32_C(1) << from->roles[i];
    memcpy(k->public_key, from->public_key.data, BF_PUBLIC_KEY_SIZE);
    bf_keyid(k->keyid, k->public_key);

    if (is_revoked(t->bundle, k->keyid))
        return 0;
    if (crypto_core_ed25519_is_valid_point(k->public_key) != 1)
        return bf_fail(e, -EBADMSG, "trust bundle: node %s: public_key: not an Ed25519 key", from->node);
    if (belongs_to_another(t, k))
        return bf_fail(e, -EBADMSG, "trust bundle: node %s: the same key is listed before", from->node);
    t->n_keys++;
    return 0;
}

int bf_trust_open(struct bf_trust **ret, const void *envelope, size_t size,
                  const uint8_t root_public_key[static BF_PUBLIC_KEY_SIZE], const char *site, uint64_t least_version,
                  struct bf_error *e)
{
    _cleanup_(bf_trust_freep) struct bf_trust *t = NULL;
    int r;

    if (sodium_init() < 0)
        return bf_fail(e, -EIO, "trust bundle: libsodium could not be initialised");
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return bf_fail(e, -ENOMEM, "trust bundle: out of memory");

    r = open_bundle(&t->bundle, envelope, size, root_public_key, e);
    if (r == 0)
        r = check_bundle(t->bundle, site, least_version, e);
    if (r < 0)
        return r;

    t->keys = calloc(t->bundle->n_keys + 1, sizeof(*t->keys)); /* never zero bytes */
    if (t->keys == NULL)
        return bf_fail(e, -ENOMEM, "trust bundle: out of memory");
    for (size_t i = 0; i < t->bundle->n_keys; i++) {
        r = add_key(t, t->bundle->keys[i], e);
        if (r < 0)
            return r;
    }
    *ret = BF_TAKE(t);
    return 0;
}

void bf_trust_free(struct bf_trust *t)
{
    if (t == NULL)
        return;
    free(t->keys);
    belfry__v1__trust_bundle__free_unpacked(t->bundle, NULL);
    free(t);
}

uint64_t bf_trust_version(const struct bf_trust *t)
{
    return t->bundle->version;
}

bool bf_trust_expired(const struct bf_trust *t, uint64_t unix_ms)
{
    return unix_ms >= t->bundle->expires_at_ms;
}

static bool plays(const struct bf_trusted_key *k, enum bf_role role)
{
    return role == BF_ROLE_NONE || (k->roles >> role & 1) != 0;
}

static bool is_valid_at(const struct bf_trusted_key *k, uint64_t unix_ms)
{
    return unix_ms >= k->not_before_ms && (k->not_after_ms == 0 || unix_ms < k->not_after_ms);
}

int bf_trust_each(const struct bf_trust *t, const char *node, enum bf_role role, uint64_t unix_ms,
                  int (*fn)(void *user, const struct bf_trusted_key *k), void *user)
{
    int r = 0;

    for (size_t i = 0; i < t->n_keys && r == 0; i++) {
        const struct bf_trusted_key *k = &t->keys[i];

        if (plays(k, role) && is_valid_at(k, unix_ms) && (node == NULL || strcmp(k->node, node) == 0))
            r = fn(user, k);
    }
    return r;
}

static bool is_first_of_node(const struct bf_trust *t, size_t at, enum bf_role role)
{
    for (size_t i = 0; i < at; i++)
        if (plays(&t->keys[i], role) && strcmp(t->keys[i].node, t->keys[at].node) == 0)
            return false;
    return true;
}

int bf_trust_each_node(const struct bf_trust *t, enum bf_role role, int (*fn)(void *user, const char *node), void *user)
{
    int r = 0;

    for (size_t i = 0; i < t->n_keys && r == 0; i++)
        if (plays(&t->keys[i], role) && is_first_of_node(t, i, role))
            r = fn(user, t->keys[i].node);
    return r;
}

const struct bf_trusted_key *bf_trust_key_of(const struct bf_trust *t, const char *node, enum bf_role role,
                                             uint64_t unix_ms)
{
    const struct bf_trusted_key *oldest = NULL;

    for (size_t i = 0; i < t->n_keys; i++) {
        const struct bf_trusted_key *k = &t->keys[i];

        if (plays(k, role) && is_valid_at(k, unix_ms) && strcmp(k->node, node) == 0 &&
            (oldest == NULL || k->not_before_ms < oldest->not_before_ms))
            oldest = k;
    }
    return oldest;
}
