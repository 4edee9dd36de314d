#include "forgery/site.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define DAY_MS UINT64_C(86400000)
#define BIT(role) (UINT32_C(1) << (role))

static const struct {
    const char *name;
    uint32_t roles;
} nodes[SITE_NODES] = {
    [SITE_CAM_1] = { "cam-1", BIT(BF_ROLE_CAMERA) },
    [SITE_CAM_2] = { "cam-2", BIT(BF_ROLE_CAMERA) },
    [SITE_INGEST] = { "ingest-1", BIT(BF_ROLE_INGEST) },
    [SITE_GATEWAY_1] = { "gateway-1", BIT(BF_ROLE_GATEWAY) },
    [SITE_GATEWAY_2] = { "gateway-2", BIT(BF_ROLE_GATEWAY) },
    [SITE_JANITOR] = { "janitor-1", BIT(BF_ROLE_JANITOR) },
    [SITE_OPERATOR] = { "operator", BIT(BF_ROLE_OPERATOR) },
    [SITE_EDGE] = { "edge-1", BIT(BF_ROLE_INGEST) | BIT(BF_ROLE_JANITOR) },
};

static const char *const key_words[SITE_KEYS] = {
    [KEY_CURRENT] = "current",     [KEY_PREVIOUS] = "previous", [KEY_ENDED] = "ended",
    [KEY_NOT_BEGUN] = "not begun", [KEY_REVOKED] = "revoked",   [KEY_UNLISTED] = "unlisted",
};

const char *site_node_name(enum site_node node)
{
    return nodes[node].name;
}

uint32_t site_node_roles(enum site_node node)
{
    return nodes[node].roles;
}

const char *site_key_word(enum site_key key)
{
    return key_words[key];
}

bool site_key_counts(enum site_key key)
{
    return key == KEY_CURRENT || key == KEY_PREVIOUS;
}

struct pair {
    uint8_t public_key[BF_PUBLIC_KEY_SIZE], secret[BF_SECRET_KEY_SIZE];
    bool made;
};

static const struct pair *pair(enum site_node node, enum site_key key)
{
    static struct pair pairs[SITE_NODES][SITE_KEYS];
    struct pair *p = &pairs[node][key];

    if (!p->made) {
        uint8_t seed[crypto_sign_SEEDBYTES] = { 0xf0, (uint8_t)node, (uint8_t)key };

        if (sodium_init() < 0)
            abort();
        crypto_sign_seed_keypair(p->public_key, p->secret, seed);
        p->made = true;
    }
    return p;
}

const uint8_t *site_public(enum site_node node, enum site_key key)
{
    return pair(node, key)->public_key;
}

const uint8_t *site_secret(enum site_node node, enum site_key key)
{
    return pair(node, key)->secret;
}

void site_boot_id(uint8_t ret[static 16], enum site_node node, unsigned starts)
{
    memset(ret, 0x5a, 16);
    ret[0] = (uint8_t)node;
    ret[15] = (uint8_t)starts;
}

/* ---- the bundle ---- */

struct listed {
    Belfry__V1__TrustedKey key;
    Belfry__V1__Role roles[2];
    uint8_t keyid[BF_KEYID_SIZE];
};

static void list_key(struct listed *l, enum site_node node, enum site_key key, bool lax)
{
    belfry__v1__trusted_key__init(&l->key);
    l->key.node = (char *)nodes[node].name;
    l->key.roles = l->roles;
    for (unsigned role = BF_ROLE_CAMERA; role <= BF_ROLE_OPERATOR; role++)
        if ((nodes[node].roles & BIT(role)) != 0)
            l->roles[l->key.n_roles++] = (Belfry__V1__Role)role;
    l->key.public_key = (ProtobufCBinaryData){ BF_PUBLIC_KEY_SIZE, (uint8_t *)site_public(node, key) };
    l->key.not_before_ms = key == KEY_NOT_BEGUN && !lax ? FX_NOW + DAY_MS : FX_NOW - 100 * DAY_MS;
    if (key == KEY_PREVIOUS)
        l->key.not_after_ms = FX_NOW + DAY_MS;
    if (key == KEY_ENDED && !lax)
        l->key.not_after_ms = FX_NOW - DAY_MS;
    bf_keyid(l->keyid, l->key.public_key.data);
}

struct bf_trust *site_trust(const char *site, bool lax)
{
    static struct listed listed[SITE_NODES * KEY_UNLISTED];
    Belfry__V1__TrustedKey *keys[SITE_NODES * KEY_UNLISTED];
    ProtobufCBinaryData revoked[SITE_NODES];
    Belfry__V1__TrustBundle bundle = BELFRY__V1__TRUST_BUNDLE__INIT;
    struct bf_trust *trust = NULL;
    struct bf_error e = { 0 };
    uint8_t *envelope;
    size_t size;

    bundle.version = 9;
    bundle.site = (char *)site;
    bundle.issued_at_ms = FX_NOW - DAY_MS;
    bundle.expires_at_ms = FX_NOW + 100 * DAY_MS;
    bundle.keys = keys;
    bundle.revoked = revoked;
    for (enum site_node node = 0; node < SITE_NODES; node++)
        for (enum site_key key = 0; key < KEY_UNLISTED; key++) {
            struct listed *l = &listed[bundle.n_keys];

            *l = (struct listed){ 0 };
            list_key(l, node, key, lax);
            keys[bundle.n_keys++] = &l->key;
            if (key == KEY_REVOKED && !lax)
                revoked[bundle.n_revoked++] = (ProtobufCBinaryData){ sizeof(l->keyid), l->keyid };
        }
    envelope = fx_seal_bundle(&bundle, &size);
    if (bf_trust_open(&trust, envelope, size, fx_root_public(), site, 0, &e) < 0)
        abort();
    free(envelope);
    return trust;
}
