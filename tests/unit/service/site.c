#include "site.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "scratch.h"

#include "trust.pb-c.h"

static void must(int ok)
{
    if (!ok)
        abort();
}

void site_make(struct site *s, const char *node)
{
    char path[64], hex[2 * BF_PUBLIC_KEY_SIZE + 1];
    snprintf(path, sizeof path, "keys/%s.key", node);

    must(sodium_init() >= 0);
    must(bf_key_generate(&s->root) == 0 && bf_key_generate(&s->node) == 0);
    mkdir("keys", 0700);
    remove(path);
    must(bf_key_store(s->node, path, NULL) == 0);
    sodium_bin2hex(hex, sizeof hex, bf_key_public(s->root), BF_PUBLIC_KEY_SIZE);
    scratch_write("keys/root.pub", hex);
}

void site_done(struct site *s)
{
    bf_key_free(s->root);
    bf_key_free(s->node);
}

void site_trust(const struct site *s, const char *site, uint64_t version, const char *node, enum bf_role role,
                const struct bf_key *key)
{
    Belfry__V1__TrustBundle bundle = BELFRY__V1__TRUST_BUNDLE__INIT;
    Belfry__V1__TrustedKey trusted = BELFRY__V1__TRUSTED_KEY__INIT, *keys[] = { &trusted };
    Belfry__V1__Role roles[] = { (Belfry__V1__Role)role };
    bundle.version = version;
    bundle.site = (char *)(uintptr_t)site;
    bundle.issued_at_ms = bf_unix_ms();
    bundle.expires_at_ms = bundle.issued_at_ms + 86400000;
    bundle.n_keys = 1;
    bundle.keys = keys;
    trusted.node = (char *)(uintptr_t)node;
    trusted.n_roles = 1;
    trusted.roles = roles;
    trusted.public_key = (ProtobufCBinaryData){ BF_PUBLIC_KEY_SIZE, (uint8_t *)(uintptr_t)bf_key_public(key) };
    trusted.not_before_ms = bundle.issued_at_ms - 1000;

    uint8_t packed[1024];
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    size_t size = belfry__v1__trust_bundle__pack(&bundle, packed);
    must(bf_dsse_seal("application/vnd.belfry.trust-bundle.v1+protobuf", packed, size, bf_key_secret(s->root),
                      &envelope, &size) == 0);
    must(bf_replace_file(AT_FDCWD, "keys/trust.bundle", envelope, size, 0644) == 0);
}
