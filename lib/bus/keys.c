#include "bus/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define SEED_SIZE crypto_sign_SEEDBYTES
#define SEED_HEX (2 * SEED_SIZE)

_Static_assert(crypto_sign_SECRETKEYBYTES == BF_SECRET_KEY_SIZE, "libsodium's secret key: seed, then public key");
_Static_assert(crypto_sign_PUBLICKEYBYTES == BF_PUBLIC_KEY_SIZE, "Ed25519 public key");
_Static_assert(crypto_sign_BYTES == BF_SIGNATURE_SIZE, "Ed25519 signature");

/* Never changes and never goes before its key does: other threads may be signing with it. */
struct generation {
    uint8_t *secret; /* sodium_malloc */
    struct generation *previous;
};

struct bf_key {
    _Atomic(struct generation *) current;
};

BF_DEFINE_CLEANUP(struct bf_key, bf_key_free)

static void generation_free(struct generation *g)
{
    if (g == NULL)
        return;
    sodium_free(g->secret);
    free(g);
}

static struct generation *generation_new(const uint8_t *seed)
{
    uint8_t public_key[BF_PUBLIC_KEY_SIZE];
    struct generation *g = calloc(1, sizeof(*g));

    if (g == NULL)
        return NULL;
    g->secret = sodium_malloc(BF_SECRET_KEY_SIZE);
    if (g->secret == NULL) {
        free(g);
        return NULL;
    }
    crypto_sign_seed_keypair(public_key, g->secret, seed);
    sodium_mprotect_readonly(g->secret);
    return g;
}

static const struct generation *current(const struct bf_key *k)
{
    return atomic_load(&((struct bf_key *)k)->current); /* C11 loads want it without const */
}

static int key_from_seed(struct bf_key **ret, const uint8_t *seed)
{
    struct generation *g;
    struct bf_key *k;

    if (sodium_init() < 0)
        return -EIO;
    k = calloc(1, sizeof(*k));
    g = k != NULL ? generation_new(seed) : NULL;
    if (g == NULL) {
        free(k);
        return -ENOMEM;
    }
    atomic_init(&k->current, g);
    *ret = k;
    return 0;
}

int bf_key_generate(struct bf_key **ret)
{
    uint8_t seed[SEED_SIZE];
    int r;

    if (sodium_init() < 0)
        return -EIO;
    randombytes_buf(seed, sizeof(seed));
    r = key_from_seed(ret, seed);
    sodium_memzero(seed, sizeof(seed));
    return r;
}

/* One line of 64 lower-case hex digits, with or without its line end. */
static int parse_seed(uint8_t seed[static SEED_SIZE], const char *text, size_t size)
{
    if (size == SEED_HEX + 1 && text[SEED_HEX] == '\n')
        size--;
    if (size != SEED_HEX || strspn(text, "0123456789abcdef") < SEED_HEX)
        return -EBADMSG;
    return sodium_hex2bin(seed, SEED_SIZE, text, size, NULL, NULL, NULL) == 0 ? 0 : -EBADMSG;
}

static int check_mode(int fd, const char *path, struct bf_error *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return bf_fail(e, -errno, "key %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return bf_fail(e, -EPERM, "key %s: not a regular file", path);
    if ((st.st_mode & 077) != 0)
        return bf_fail(e, -EPERM, "key %s: mode %04o lets others read it; expected 0600 (chmod 600)", path,
                       (unsigned)(st.st_mode & 07777));
    return 0;
}

int bf_key_load(struct bf_key **ret, const char *path, struct bf_error *e)
{
    _cleanup_(bf_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char text[SEED_HEX + 3] = { 0 }; /* room to see that it is too long */
    uint8_t seed[SEED_SIZE];
    ssize_t n;
    int r;

    if (fd < 0)
        return bf_fail(e, -errno, "key %s: %s", path, strerror(errno));
    r = check_mode(fd, path, e);
    if (r < 0)
        return r;
    n = read(fd, text, sizeof(text) - 1);
    if (n < 0)
        return bf_fail(e, -errno, "key %s: %s", path, strerror(errno));

    r = parse_seed(seed, text, (size_t)n);
    if (r == 0)
        r = key_from_seed(ret, seed);
    sodium_memzero(text, sizeof(text));
    sodium_memzero(seed, sizeof(seed));
    if (r == -EBADMSG)
        return bf_fail(e, r, "key %s: expected one line of %d lower-case hex digits", path, SEED_HEX);
    return r < 0 ? bf_fail(e, r, "key %s: %s", path, strerror(-r)) : 0;
}

static int load_named(struct bf_key **ret, const char *dir, const char *node, const char *suffix, struct bf_error *e)
{
    _cleanup_(bf_freep) char *path = NULL;

    if (asprintf(&path, "%s/%s.%s", dir, node, suffix) < 0) {
        path = NULL;
        return bf_fail(e, -ENOMEM, "key of %s: out of memory", node);
    }
    return bf_key_load(ret, path, e);
}

int bf_key_load_node(struct bf_key **ret, const char *dir, const char *node, struct bf_error *e)
{
    _cleanup_(bf_key_freep) struct bf_key *key = NULL, *previous = NULL;
    struct bf_error why = { 0 };
    int r = load_named(&key, dir, node, "key", e);

    if (r < 0)
        return r;
    r = load_named(&previous, dir, node, "previous.key", &why);
    if (r < 0 && r != -ENOENT)
        return bf_fail(e, r, "%s", why.text);
    if (r == 0) {
        bf_key_rotate(previous, BF_TAKE(key));
        key = BF_TAKE(previous);
    }
    *ret = BF_TAKE(key);
    return 0;
}

int bf_key_store(const struct bf_key *k, const char *path, struct bf_error *e)
{
    _cleanup_(bf_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    char text[SEED_HEX + 1];
    int r;

    if (fd < 0)
        return bf_fail(e, -errno, "key %s: %s", path, strerror(errno));
    sodium_bin2hex(text, sizeof(text), bf_key_secret(k), SEED_SIZE);
    text[SEED_HEX] = '\n';
    r = bf_write_all(fd, text, sizeof(text));
    sodium_memzero(text, sizeof(text));
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r < 0) {
        unlink(path);
        return bf_fail(e, r, "key %s: %s", path, strerror(-r));
    }
    return 0;
}

void bf_key_free(struct bf_key *k)
{
    struct generation *g, *previous;

    if (k == NULL)
        return;
    for (g = atomic_load(&k->current); g != NULL; g = previous) {
        previous = g->previous;
        generation_free(g);
    }
    free(k);
}

void bf_key_rotate(struct bf_key *k, struct bf_key *fresh)
{
    struct generation *newest = atomic_load(&fresh->current), *oldest = newest;

    while (oldest->previous != NULL)
        oldest = oldest->previous;
    oldest->previous = atomic_load(&k->current);
    atomic_store(&k->current, newest);
    free(fresh);
}

const uint8_t *bf_key_previous(const struct bf_key *k)
{
    const struct generation *previous = current(k)->previous;

    return previous != NULL ? previous->secret : NULL;
}

const uint8_t *bf_key_public(const struct bf_key *k)
{
    return BF_PUBLIC_OF(bf_key_secret(k));
}

const uint8_t *bf_key_secret(const struct bf_key *k)
{
    return current(k)->secret;
}

int bf_seal_to(const uint8_t public_key[static BF_PUBLIC_KEY_SIZE], const void *secret, size_t size, uint8_t **ret,
               size_t *ret_size)
{
    uint8_t box_key[crypto_box_PUBLICKEYBYTES], *sealed;

    if (sodium_init() < 0)
        return -EIO;
    if (crypto_sign_ed25519_pk_to_curve25519(box_key, public_key) != 0)
        return -EINVAL;
    sealed = malloc(size + crypto_box_SEALBYTES);
    if (sealed == NULL)
        return -ENOMEM;
    if (crypto_box_seal(sealed, secret, size, box_key) != 0) {
        free(sealed);
        return -EINVAL;
    }
    *ret = sealed;
    *ret_size = size + crypto_box_SEALBYTES;
    return 0;
}

static int seal_open(const uint8_t *secret, const void *sealed, size_t sealed_size, void *ret, size_t size)
{
    uint8_t box_public[crypto_box_PUBLICKEYBYTES], box_secret[crypto_box_SECRETKEYBYTES];
    _cleanup_(bf_freep) uint8_t *opened = NULL;
    int r = -EBADMSG;

    if (crypto_sign_ed25519_pk_to_curve25519(box_public, BF_PUBLIC_OF(secret)) != 0)
        return -EBADMSG;
    opened = malloc(size + 1); /* never zero bytes */
    if (opened == NULL)
        return -ENOMEM;

    crypto_sign_ed25519_sk_to_curve25519(box_secret, secret);
    if (crypto_box_seal_open(opened, sealed, sealed_size, box_public, box_secret) == 0) {
        memcpy(ret, opened, size);
        r = 0;
    }
    sodium_memzero(box_secret, sizeof(box_secret));
    sodium_memzero(opened, size);
    return r;
}

int bf_seal_open(const struct bf_key *k, const void *sealed, size_t sealed_size, void *ret, size_t size)
{
    int r = -EBADMSG;

    if (sealed_size != size + crypto_box_SEALBYTES)
        return -EBADMSG;
    for (const struct generation *g = current(k); g != NULL && r == -EBADMSG; g = g->previous)
        r = seal_open(g->secret, sealed, sealed_size, ret, size);
    return r;
}
