/* Keys, signatures and the trust bundle without their mathematics: a "signature" is the name of the key that made it.
 * What bf_verify makes of them is its real code. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/keys.h"
#include "bus/trust.h"
#include "sim.h"

struct bf_key {
    uint8_t public_key[BF_PUBLIC_KEY_SIZE];
    uint8_t secret_key[BF_SECRET_KEY_SIZE];
};

/* What one node is trusted with; its key lies beside it. */
static struct bf_key keys[SIM_NODES_MAX];
static struct bf_trusted_key trusted[SIM_NODES_MAX];

static void make_key(size_t i)
{
    memset(&keys[i], 0, sizeof keys[i]);
    keys[i].public_key[0] = keys[i].secret_key[0] = (uint8_t)(i + 1);
    trusted[i] = (struct bf_trusted_key){ .node = sim.nodes[i].id, .roles = 1U << sim.nodes[i].role };
    memcpy(trusted[i].public_key, keys[i].public_key, sizeof trusted[i].public_key);
    memcpy(trusted[i].keyid, keys[i].public_key, sizeof trusted[i].keyid);
    sim.nodes[i].key = &keys[i];
}

void sim_make_keys(void)
{
    for (size_t i = 0; i < sim.n_nodes; i++)
        make_key(i);
}

const uint8_t *bf_key_public(const struct bf_key *k)
{
    return k->public_key;
}

const uint8_t *bf_key_secret(const struct bf_key *k)
{
    return k->secret_key;
}

const uint8_t *bf_key_previous(const struct bf_key *k)
{
    (void)k;
    return NULL;
}

/* --- the bundle --- */

int bf_trust_each(const struct bf_trust *t, const char *node, enum bf_role role, uint64_t unix_ms,
                  int (*fn)(void *user, const struct bf_trusted_key *k), void *user)
{
    int r = 0;

    (void)t;
    (void)unix_ms;
    for (size_t i = 0; i < sim.n_nodes && r == 0; i++)
        if ((node == NULL || strcmp(node, sim.nodes[i].id) == 0) && (role == BF_ROLE_NONE || role == sim.nodes[i].role))
            r = fn(user, &trusted[i]);
    return r;
}

int bf_trust_each_node(const struct bf_trust *t, enum bf_role role, int (*fn)(void *user, const char *node), void *user)
{
    int r = 0;

    (void)t;
    for (size_t i = 0; i < sim.n_nodes && r == 0; i++)
        if (role == sim.nodes[i].role)
            r = fn(user, sim.nodes[i].id);
    return r;
}

const struct bf_trusted_key *bf_trust_key_of(const struct bf_trust *t, const char *node, enum bf_role role,
                                             uint64_t unix_ms)
{
    (void)t;
    (void)unix_ms;
    for (size_t i = 0; i < sim.n_nodes; i++)
        if (role == sim.nodes[i].role && strcmp(node, sim.nodes[i].id) == 0)
            return &trusted[i];
    return NULL;
}

bool bf_trust_expired(const struct bf_trust *t, uint64_t unix_ms)
{
    (void)t;
    (void)unix_ms;
    return false;
}

uint64_t bf_trust_version(const struct bf_trust *t)
{
    (void)t;
    return 1;
}

/* --- sealing to a node --- */

int bf_seal_to(const uint8_t public_key[static BF_PUBLIC_KEY_SIZE], const void *secret, size_t size, uint8_t **ret,
               size_t *ret_size)
{
    uint8_t *sealed = calloc(1, size + 48);

    if (sealed == NULL)
        return -ENOMEM;
    memcpy(sealed, public_key, BF_PUBLIC_KEY_SIZE);
    memcpy(sealed + 48, secret, size);
    *ret = sealed;
    *ret_size = size + 48;
    return 0;
}

int bf_seal_open(const struct bf_key *k, const void *sealed, size_t sealed_size, void *ret, size_t size)
{
    if (sealed_size != size + 48 || memcmp(sealed, k->public_key, BF_PUBLIC_KEY_SIZE) != 0)
        return -EBADMSG;
    memcpy(ret, (const uint8_t *)sealed + 48, size);
    return 0;
}

/* --- envelopes: key id, type with its terminator, payload --- */

struct bf_dsse {
    const uint8_t *keyid, *payload;
    const char *type;
    size_t size;
};

void bf_keyid(uint8_t ret[static BF_KEYID_SIZE], const uint8_t public_key[static BF_PUBLIC_KEY_SIZE])
{
    memcpy(ret, public_key, BF_KEYID_SIZE);
}

int bf_dsse_sign_detached(uint8_t ret[static BF_SIGNATURE_SIZE], const char *type, const void *payload, size_t size,
                          const uint8_t secret_key[static BF_SECRET_KEY_SIZE])
{
    (void)type;
    (void)payload;
    (void)size;
    memcpy(ret, secret_key, BF_SIGNATURE_SIZE);
    return 0;
}

int bf_dsse_seal(const char *type, const void *payload, size_t size,
                 const uint8_t secret_key[static BF_SECRET_KEY_SIZE], uint8_t **ret, size_t *ret_size)
{
    size_t type_size = strlen(type) + 1, whole = BF_KEYID_SIZE + type_size + size;

    if (whole > BF_ENVELOPE_MAX)
        return -EMSGSIZE;
    uint8_t *envelope = malloc(whole);
    if (envelope == NULL)
        return -ENOMEM;
    memcpy(envelope, secret_key, BF_KEYID_SIZE);
    memcpy(envelope + BF_KEYID_SIZE, type, type_size);
    if (size > 0)
        memcpy(envelope + BF_KEYID_SIZE + type_size, payload, size);
    *ret = envelope;
    *ret_size = whole;
    return 0;
}

int bf_dsse_seal_with(const char *type, const void *payload, size_t size, const uint8_t *const *secret_keys, size_t n,
                      uint8_t **ret, size_t *ret_size)
{
    return n > 0 ? bf_dsse_seal(type, payload, size, secret_keys[0], ret, ret_size) : -EINVAL;
}

int bf_dsse_open(struct bf_dsse **ret, const void *data, size_t size)
{
    const uint8_t *type = (const uint8_t *)data + BF_KEYID_SIZE;
    const uint8_t *end = size > BF_KEYID_SIZE ? memchr(type, '\0', size - BF_KEYID_SIZE) : NULL;
    struct bf_dsse *d = end != NULL ? malloc(sizeof *d) : NULL;

    if (d == NULL)
        return end == NULL ? -EBADMSG : -ENOMEM;
    *d = (struct bf_dsse){ .keyid = data,
                           .type = (const char *)type,
                           .payload = end + 1,
                           .size = (size_t)((const uint8_t *)data + size - (end + 1)) };
    *ret = d;
    return 0;
}

void bf_dsse_free(struct bf_dsse *d)
{
    free(d);
}

const char *bf_dsse_type(const struct bf_dsse *d)
{
    return d->type;
}

const uint8_t *bf_dsse_payload(const struct bf_dsse *d, size_t *ret_size)
{
    *ret_size = d->size;
    return d->payload;
}

int bf_dsse_verify(const struct bf_dsse *d, const uint8_t public_key[static BF_PUBLIC_KEY_SIZE])
{
    return memcmp(d->keyid, public_key, BF_KEYID_SIZE) == 0 ? 0 : -EBADMSG;
}

int bf_dsse_hints_at(const struct bf_dsse *d, const uint8_t keyid[static BF_KEYID_SIZE])
{
    return memcmp(d->keyid, keyid, BF_KEYID_SIZE) == 0;
}
