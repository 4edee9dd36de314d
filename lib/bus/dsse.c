#include "bus/dsse.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#include "envelope.pb-c.h"

#define TYPE_MAX 96
#define SIGNATURES_MAX 4

struct bf_dsse {
    Belfry__V1__Envelope *envelope;
    uint8_t *pae; /* the signed bytes */
    size_t pae_size;
};

BF_DEFINE_CLEANUP(struct bf_dsse, bf_dsse_free)

void bf_keyid(uint8_t ret[static BF_KEYID_SIZE], const uint8_t public_key[static BF_PUBLIC_KEY_SIZE])
{
    uint8_t hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, public_key, BF_PUBLIC_KEY_SIZE);
    memcpy(ret, hash, BF_KEYID_SIZE);
}

int bf_pae(const char *type, const void *payload, size_t size, uint8_t **ret, size_t *ret_size)
{
    static const char format[] = "DSSEv1 %zu %s %zu ";
    size_t type_size = strlen(type);
    int head = snprintf(NULL, 0, format, type_size, type, size);
    uint8_t *pae;

    if (head < 0)
        return -EINVAL;
    pae = malloc((size_t)head + 1 + size); /* +1: the terminator that snprintf writes */
    if (pae == NULL)
        return -ENOMEM;

    snprintf((char *)pae, (size_t)head + 1, format, type_size, type, size);
    if (size > 0)
        memcpy(pae + head, payload, size);
    *ret = pae;
    *ret_size = (size_t)head + size;
    return 0;
}

int bf_dsse_sign_detached(uint8_t ret[static BF_SIGNATURE_SIZE], const char *type, const void *payload, size_t size,
                          const uint8_t secret_key[static BF_SECRET_KEY_SIZE])
{
    _cleanup_(bf_freep) uint8_t *pae = NULL;
    size_t pae_size;
    int r = bf_pae(type, payload, size, &pae, &pae_size);

    if (r < 0)
        return r;
    crypto_sign_detached(ret, NULL, pae, pae_size, secret_key);
    return 0;
}

int bf_dsse_verify_detached(const uint8_t sig[static BF_SIGNATURE_SIZE], const char *type, const void *payload,
                            size_t size, const uint8_t public_key[static BF_PUBLIC_KEY_SIZE])
{
    _cleanup_(bf_freep) uint8_t *pae = NULL;
    size_t pae_size;
    int r = bf_pae(type, payload, size, &pae, &pae_size);

    if (r < 0)
        return r;
    return crypto_sign_verify_detached(sig, pae, pae_size, public_key) == 0 ? 0 : -EBADMSG;
}

static int pack(const Belfry__V1__Envelope *envelope, uint8_t **ret, size_t *ret_size)
{
    size_t size = belfry__v1__envelope__get_packed_size(envelope);
    uint8_t *packed;

    if (size > BF_ENVELOPE_MAX)
        return -EMSGSIZE;
    packed = malloc(size);
    if (packed == NULL)
        return -ENOMEM;
    belfry__v1__envelope__pack(envelope, packed);
    *ret = packed;
    *ret_size = size;
    return 0;
}

/* One signature with the bytes that it points into. */
struct made {
    Belfry__V1__Signature signature;
    uint8_t keyid[BF_KEYID_SIZE], sig[BF_SIGNATURE_SIZE];
};

static int make(struct made *m, const char *type, const void *payload, size_t size, const uint8_t *secret_key)
{
    int r = bf_dsse_sign_detached(m->sig, type, payload, size, secret_key);

    if (r < 0)
        return r;
    bf_keyid(m->keyid, secret_key + BF_SECRET_KEY_SIZE - BF_PUBLIC_KEY_SIZE);
    belfry__v1__signature__init(&m->signature);
    m->signature.keyid = (ProtobufCBinaryData){ sizeof(m->keyid), m->keyid };
    m->signature.sig = (ProtobufCBinaryData){ sizeof(m->sig), m->sig };
    return 0;
}

int bf_dsse_seal_with(const char *type, const void *payload, size_t size, const uint8_t *const *secret_keys, size_t n,
                      uint8_t **ret, size_t *ret_size)
{
    Belfry__V1__Envelope envelope = BELFRY__V1__ENVELOPE__INIT;
    struct made made[SIGNATURES_MAX];
    Belfry__V1__Signature *signatures[SIGNATURES_MAX];

    if (n == 0 || n > SIGNATURES_MAX)
        return -EINVAL;
    if (size > BF_ENVELOPE_MAX)
        return -EMSGSIZE;
    for (size_t i = 0; i < n; i++) {
        int r = make(&made[i], type, payload, size, secret_keys[i]);

        if (r < 0)
            return r;
        signatures[i] = &made[i].signature;
    }
    envelope.payload_type = (char *)type; /* packing only reads it */
    envelope.payload = (ProtobufCBinaryData){ size, (uint8_t *)payload };
    envelope.n_signatures = n;
    envelope.signatures = signatures;
    return pack(&envelope, ret, ret_size);
}

int bf_dsse_seal(const char *type, const void *payload, size_t size,
                 const uint8_t secret_key[static BF_SECRET_KEY_SIZE], uint8_t **ret, size_t *ret_size)
{
    const uint8_t *secret_keys[] = { secret_key };

    return bf_dsse_seal_with(type, payload, size, secret_keys, 1, ret, ret_size);
}

static int well_formed(const Belfry__V1__Envelope *e)
{
    size_t type_size = strlen(e->payload_type);

    if (type_size == 0 || type_size > TYPE_MAX || e->n_signatures == 0 || e->n_signatures > SIGNATURES_MAX)
        return 0;
    for (size_t i = 0; i < e->n_signatures; i++)
        if (e->signatures[i]->keyid.len != BF_KEYID_SIZE || e->signatures[i]->sig.len != BF_SIGNATURE_SIZE)
            return 0;
    return 1;
}

int bf_dsse_open(struct bf_dsse **ret, const void *data, size_t size)
{
    _cleanup_(bf_dsse_freep) struct bf_dsse *d = NULL;
    int r;

    if (size > BF_ENVELOPE_MAX)
        return -EMSGSIZE;
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return -ENOMEM;

    d->envelope = belfry__v1__envelope__unpack(NULL, size, data);
    if (d->envelope == NULL || !well_formed(d->envelope))
        return -EBADMSG;
    r = bf_pae(d->envelope->payload_type, d->envelope->payload.data, d->envelope->payload.len, &d->pae, &d->pae_size);
    if (r < 0)
        return r;
    *ret = BF_TAKE(d);
    return 0;
}

void bf_dsse_free(struct bf_dsse *d)
{
    if (d == NULL)
        return;
    free(d->pae);
    belfry__v1__envelope__free_unpacked(d->envelope, NULL);
    free(d);
}

const char *bf_dsse_type(const struct bf_dsse *d)
{
    return d->envelope->payload_type;
}

const uint8_t *bf_dsse_payload(const struct bf_dsse *d, size_t *ret_size)
{
    *ret_size = d->envelope->payload.len;
    return d->envelope->payload.data;
}

/* The first that names the key: one signature is enough, and a second of the same key could only be a forgery's next try. */
static const Belfry__V1__Signature *naming(const struct bf_dsse *d, const uint8_t *keyid)
{
    for (size_t i = 0; i < d->envelope->n_signatures; i++)
        if (memcmp(d->envelope->signatures[i]->keyid.data, keyid, BF_KEYID_SIZE) == 0)
            return d->envelope->signatures[i];
    return NULL;
}

int bf_dsse_verify(const struct bf_dsse *d, const uint8_t public_key[static BF_PUBLIC_KEY_SIZE])
{
    uint8_t keyid[BF_KEYID_SIZE];
    const Belfry__V1__Signature *s;

    bf_keyid(keyid, public_key);
    s = naming(d, keyid);
    if (s == NULL || crypto_sign_verify_detached(s->sig.data, d->pae, d->pae_size, public_key) != 0)
        return -EBADMSG;
    return 0;
}

int bf_dsse_hints_at(const struct bf_dsse *d, const uint8_t keyid[static BF_KEYID_SIZE])
{
    return naming(d, keyid) != NULL;
}
