#include "belfryctl/bundle.h"

#include <errno.h>
#include <string.h>

#include "base/id.h"

#define KEYS_MAX 256

BF_DEFINE_CLEANUP(struct bf_dsse, bf_dsse_free)

int ctl_bundle_new(ctl_bundle **ret, const char *site, uint64_t expires_at_ms)
{
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = malloc(sizeof *b);
    if (b == NULL)
        return -ENOMEM;
    belfry__v1__trust_bundle__init(b);
    b->expires_at_ms = expires_at_ms;
    b->site = strdup(site);
    if (b->site == NULL)
        return -ENOMEM;

    *ret = BF_TAKE(b);
    return 0;
}

void ctl_bundle_free(ctl_bundle *b)
{
    belfry__v1__trust_bundle__free_unpacked(b, NULL);
}

static bool keys_well_formed(const ctl_bundle *b)
{
    for (size_t i = 0; i < b->n_keys; i++)
        if (b->keys[i]->public_key.len != BF_PUBLIC_KEY_SIZE || !bf_id_valid(b->keys[i]->node) ||
            b->keys[i]->n_roles == 0)
            return false;
    return bf_id_valid(b->site);
}

int ctl_bundle_open(ctl_bundle **ret, const void *envelope, size_t size,
                    const uint8_t root_public_key[static BF_PUBLIC_KEY_SIZE], struct bf_error *e)
{
    _cleanup_(bf_dsse_freep) struct bf_dsse *dsse = NULL;
    int r = bf_dsse_open(&dsse, envelope, size);
    if (r < 0)
        return bf_fail(e, r, "not a signed envelope");
    if (strcmp(bf_dsse_type(dsse), CTL_BUNDLE_TYPE) != 0)
        return bf_fail(e, -EBADMSG, "an envelope of another type than a trust bundle");
    if (bf_dsse_verify(dsse, root_public_key) < 0)
        return bf_fail(e, -EBADMSG, "not signed by this site's root key (root.pub)");

    size_t payload_size;
    const uint8_t *payload = bf_dsse_payload(dsse, &payload_size);
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = belfry__v1__trust_bundle__unpack(NULL, payload_size, payload);
    if (b == NULL || !keys_well_formed(b))
        return bf_fail(e, -EBADMSG, "signed, but not a trust bundle");
    *ret = BF_TAKE(b);
    return 0;
}

int ctl_bundle_sign(ctl_bundle *b, const struct bf_key *root, uint64_t now_ms, uint8_t **ret_envelope, size_t *ret_size,
                    struct bf_error *e)
{
    b->version++;
    b->issued_at_ms = now_ms;
    size_t size = belfry__v1__trust_bundle__get_packed_size(b);
    _cleanup_(bf_freep) uint8_t *packed = malloc(size);
    if (packed == NULL)
        return -ENOMEM;
    belfry__v1__trust_bundle__pack(b, packed);

    int r = bf_dsse_seal(CTL_BUNDLE_TYPE, packed, size, bf_key_secret(root), ret_envelope, ret_size);
    if (r == -EMSGSIZE)
        return bf_fail(e, r, "the trust bundle outgrows %d bytes; split the site in two", BF_ENVELOPE_MAX);
    return r < 0 ? bf_fail(e, r, "signing the trust bundle") : 0;
}

static Belfry__V1__TrustedKey *new_key(const char *node, enum bf_role role, const uint8_t *public_key)
{
    Belfry__V1__TrustedKey *key = malloc(sizeof *key);
    if (key == NULL)
        return NULL;
    belfry__v1__trusted_key__init(key);
    key->node = strdup(node);
    key->roles = malloc(sizeof *key->roles);
    key->public_key.data = malloc(BF_PUBLIC_KEY_SIZE);
    if (key->node == NULL || key->roles == NULL || key->public_key.data == NULL) {
        belfry__v1__trusted_key__free_unpacked(key, NULL);
        return NULL;
    }

    key->roles[0] = (Belfry__V1__Role)role;
    key->n_roles = 1;
    memcpy(key->public_key.data, public_key, BF_PUBLIC_KEY_SIZE);
    key->public_key.len = BF_PUBLIC_KEY_SIZE;
    return key;
}

int ctl_bundle_add(ctl_bundle *b, const char *node, enum bf_role role,
                   const uint8_t public_key[static BF_PUBLIC_KEY_SIZE], uint64_t not_before_ms)
{
    if (b->n_keys >= KEYS_MAX)
        return -ENOSPC;
    Belfry__V1__TrustedKey **keys = realloc(b->keys, (b->n_keys + 1) * sizeof *keys);
    if (keys == NULL)
        return -ENOMEM;
    b->keys = keys;
    Belfry__V1__TrustedKey *key = new_key(node, role, public_key);
    if (key == NULL)
        return -ENOMEM;

    key->not_before_ms = not_before_ms;
    keys[b->n_keys++] = key;
    return 0;
}

size_t ctl_bundle_retire(ctl_bundle *b, const char *node, uint64_t not_after_ms)
{
    size_t touched = 0;
    for (size_t i = 0; i < b->n_keys; i++) {
        Belfry__V1__TrustedKey *key = b->keys[i];
        if (strcmp(key->node, node) != 0 || (key->not_after_ms != 0 && key->not_after_ms <= not_after_ms))
            continue;
        key->not_after_ms = not_after_ms;
        touched++;
    }
    return touched;
}

static int revoke_key(ctl_bundle *b, size_t index)
{
    ProtobufCBinaryData *revoked = realloc(b->revoked, (b->n_revoked + 1) * sizeof *revoked);
    if (revoked == NULL)
        return -ENOMEM;
    b->revoked = revoked;
    ProtobufCBinaryData *id = &revoked[b->n_revoked];
    *id = (ProtobufCBinaryData){ .len = BF_KEYID_SIZE, .data = malloc(BF_KEYID_SIZE) };
    if (id->data == NULL)
        return -ENOMEM;

    bf_keyid(id->data, b->keys[index]->public_key.data);
    b->n_revoked++;
    belfry__v1__trusted_key__free_unpacked(b->keys[index], NULL);
    b->n_keys--;
    memmove(&b->keys[index], &b->keys[index + 1], (b->n_keys - index) * sizeof b->keys[0]);
    return 0;
}

int ctl_bundle_revoke(ctl_bundle *b, const char *node)
{
    int revoked = 0;
    for (size_t i = b->n_keys; i-- > 0;) {
        if (strcmp(b->keys[i]->node, node) != 0)
            continue;
        int r = revoke_key(b, i);
        if (r < 0)
            return r;
        revoked++;
    }
    return revoked;
}

static bool key_valid(const Belfry__V1__TrustedKey *key, uint64_t unix_ms)
{
    return key->not_before_ms <= unix_ms && (key->not_after_ms == 0 || unix_ms < key->not_after_ms);
}

enum bf_role ctl_bundle_role_of(const ctl_bundle *b, const char *node, uint64_t unix_ms)
{
    for (size_t i = 0; i < b->n_keys; i++)
        if (strcmp(b->keys[i]->node, node) == 0 && key_valid(b->keys[i], unix_ms))
            return (enum bf_role)b->keys[i]->roles[0];
    return BF_ROLE_NONE;
}

int ctl_bundle_nodes(const ctl_bundle *b, uint64_t unix_ms, struct ctl_node **ret, size_t *ret_n)
{
    struct ctl_node *nodes = calloc(b->n_keys + 1, sizeof *nodes);
    if (nodes == NULL)
        return -ENOMEM;

    size_t n = 0;
    for (size_t i = 0; i < b->n_keys; i++) {
        const Belfry__V1__TrustedKey *key = b->keys[i];
        bool listed = !key_valid(key, unix_ms);
        for (size_t j = 0; j < n && !listed; j++)
            listed = strcmp(nodes[j].id, key->node) == 0;
        if (!listed)
            nodes[n++] = (struct ctl_node){ .id = key->node, .role = (enum bf_role)key->roles[0] };
    }
    *ret = nodes;
    *ret_n = n;
    return 0;
}
