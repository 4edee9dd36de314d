#include "service/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "service/exit_code.h"
#include "service/tls_pair.h"

#define MAX_BUNDLE_BYTES (1024U * 1024U)
#define MAX_PEM_BYTES (256U * 1024U)
#define BUNDLE "trust.bundle"
#define HOW_TO_MAKE "belfryctl init makes a site, belfryctl node add a node"

BF_DEFINE_CLEANUP(struct bf_trust, bf_trust_free)
BF_DEFINE_CLEANUP(struct bf_key, bf_key_free)

static const char *configured_node(const struct bf_config *c, enum bf_role role)
{
    switch (role) {
    case BF_ROLE_CAMERA:
        return c->camera.node;
    case BF_ROLE_INGEST:
        return c->ingest.node;
    case BF_ROLE_GATEWAY:
        return c->gateway.node;
    case BF_ROLE_JANITOR:
        return c->janitor.node;
    default:
        return NULL;
    }
}

int bf_identity_choose(char ret[static BF_ID_SIZE], const struct bf_config *c, enum bf_role role, const char *wanted,
                       struct bf_error *e)
{
    const char *node = wanted != NULL ? wanted : configured_node(c, role);
    if (node == NULL)
        return bf_fail(e, -EINVAL, "no camera to be: expected an entry without input under cameras");

    if (role == BF_ROLE_CAMERA) {
        const struct bf_camera_config *camera = bf_config_camera(c, node);
        if (camera == NULL)
            return bf_fail(e, -EINVAL, "--node %s: expected the id of one of cameras", node);
        if (camera->input != NULL)
            return bf_fail(e, -EINVAL, "--node %s: this camera has input, so something else sends its media", node);
    }
    snprintf(ret, BF_ID_SIZE, "%s", node);
    return 0;
}

/* Two processes of one node would throw each other off the broker for ever. */
static int lock_node(struct bf_identity *id, struct bf_error *e)
{
    char name[48];
    snprintf(name, sizeof name, "%s.lock", id->node);

    id->lock = openat(id->state_dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (id->lock < 0)
        return bf_fail(e, -errno, "%s/%s: cannot be opened: %s", id->config->storage.state, name, strerror(errno));
    if (flock(id->lock, LOCK_EX | LOCK_NB) < 0)
        return bf_fail(e, -errno, "%s/%s: cannot be locked: %s", id->config->storage.state, name,
                       errno == EWOULDBLOCK
                           ? "another process of this node is running; stop it first, or give this one a "
                             "node id and keys of its own"
                           : strerror(errno));
    return 0;
}

static int load_root(const struct bf_identity *id, uint8_t ret[static BF_PUBLIC_KEY_SIZE], struct bf_error *e)
{
    const char *dir = id->config->keys.dir;
    _cleanup_(bf_closep) int fd = bf_open_dir(AT_FDCWD, dir, 0, 0);
    if (fd < 0)
        return bf_fail(e, fd, "keys.dir: %s: cannot be opened: %s; %s", dir, strerror(-fd), HOW_TO_MAKE);

    _cleanup_(bf_freep) uint8_t *text = NULL;
    size_t size = 0;
    int r = bf_read_file(fd, "root.pub", 256, &text, &size);
    if (r < 0)
        return bf_fail(e, r, "%s/root.pub: cannot be read: %s; %s", dir, strerror(-r), HOW_TO_MAKE);

    uint8_t key[BF_PUBLIC_KEY_SIZE];
    size_t n = 0;
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size != 2 * sizeof key || sodium_hex2bin(key, sizeof key, (const char *)text, size, NULL, &n, NULL) != 0 ||
        n != sizeof key)
        return bf_fail(e, -EBADMSG, "%s/root.pub: expected one line of 64 hex digits", dir);
    memcpy(ret, key, sizeof key);
    return 0;
}

static int read_bundle(const struct bf_identity *id, uint8_t **ret, size_t *ret_size, struct bf_error *e)
{
    const char *dir = id->config->keys.dir;
    _cleanup_(bf_closep) int fd = bf_open_dir(AT_FDCWD, dir, 0, 0);

    int r = fd < 0 ? fd : bf_read_file(fd, BUNDLE, MAX_BUNDLE_BYTES, ret, ret_size);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: cannot be read: %s; %s", dir, BUNDLE, strerror(-r), HOW_TO_MAKE);
    return 0;
}

/* The lowest version that may be taken. Who keeps no state knows of what it has now only. */
static int least_version(const struct bf_identity *id, const char *name, uint64_t *ret, struct bf_error *e)
{
    if (id->state_dir < 0) {
        *ret = id->trust == NULL ? 0 : bf_trust_version(id->trust);
        return 0;
    }
    int r = bf_counter_read(id->state_dir, name, ret);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: expected the version of the last trust bundle: %s", id->config->storage.state,
                       name, strerror(-r));
    return 0;
}

/* The highest version is kept, so that nobody can bring an older bundle back with a revoked key in it. */
static int keep_version(const struct bf_identity *id, const char *name, uint64_t before, uint64_t now,
                        struct bf_error *e)
{
    if (now <= before || id->state_dir < 0)
        return 0;

    int r = bf_counter_store(id->state_dir, name, now);
    return r < 0 ? bf_fail(e, r, "%s/%s: cannot be written: %s", id->config->storage.state, name, strerror(-r)) : 0;
}

int bf_identity_read_trust(const struct bf_identity *id, struct bf_trust **ret, struct bf_error *e)
{
    uint8_t root[BF_PUBLIC_KEY_SIZE];
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    _cleanup_(bf_trust_freep) struct bf_trust *trust = NULL;
    size_t size = 0;
    uint64_t least = 0;
    char name[64], what[512];
    snprintf(name, sizeof name, "%s.trust-version", id->node);
    snprintf(what, sizeof what, "%s/%s", id->config->keys.dir, BUNDLE);

    int r = load_root(id, root, e);
    if (r == 0)
        r = read_bundle(id, &envelope, &size, e);
    if (r == 0)
        r = least_version(id, name, &least, e);
    if (r < 0)
        return r;
    r = bf_trust_open(&trust, envelope, size, root, id->config->site, least, e);
    if (r < 0)
        return bf_fail_in(e, r, what);
    r = keep_version(id, name, least, bf_trust_version(trust), e);
    if (r < 0)
        return r;

    *ret = BF_TAKE(trust);
    return 0;
}

static int is_key(void *user, const struct bf_trusted_key *k)
{
    return sodium_memcmp(k->public_key, bf_key_public(user), sizeof k->public_key) == 0;
}

/* Said here in one sentence, rather than by every other node's refusals. */
static int check_key(const struct bf_identity *id, const struct bf_key *key, struct bf_error *e)
{
    if (bf_trust_each(id->trust, id->node, id->role, bf_unix_ms(), is_key, (void *)key) != 0)
        return 0;

    return bf_fail(e, -EKEYREJECTED,
                   "%s/%s.key: not a key that %s lists for node %s in role %s at this time; belfryctl node add or "
                   "rotate makes one that it does",
                   id->config->keys.dir, id->node, BUNDLE, id->node, bf_role_name(id->role));
}

/* Without a clock nobody can tell at a start whether a key is valid yet; then the others decide. */
static int check_own_key(const struct bf_identity *id, struct bf_error *e)
{
    return bf_clock_synced() ? check_key(id, id->key, e) : 0;
}

int bf_identity_reload_key(struct bf_identity *id, bool *ret_changed, struct bf_error *e)
{
    _cleanup_(bf_key_freep) struct bf_key *fresh = NULL;
    _cleanup_(bf_freep) char *path = NULL;
    if (asprintf(&path, "%s/%s.key", id->config->keys.dir, id->node) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    int r = bf_key_load(&fresh, path, e);
    if (r < 0)
        return r;
    bool changed = sodium_memcmp(bf_key_public(fresh), bf_key_public(id->key), BF_PUBLIC_KEY_SIZE) != 0;
    r = changed ? check_key(id, fresh, e) : 0;
    if (r < 0)
        return r;

    if (changed)
        bf_key_rotate(id->key, BF_TAKE(fresh));
    *ret_changed = changed;
    return 0;
}

static int find_tls_file(char **ret, const char *dir, const char *name, struct bf_error *e)
{
    if (asprintf(ret, "%s/%s", dir, name) < 0) {
        *ret = NULL;
        return -ENOMEM;
    }
    if (access(*ret, R_OK) < 0)
        return bf_fail(e, -errno, "%s: cannot be read: %s; %s", *ret, strerror(errno), HOW_TO_MAKE);
    return 0;
}

static int find_tls_files(struct bf_identity *id, struct bf_error *e)
{
    char cert[64], key[64];
    snprintf(cert, sizeof cert, "%s.crt", id->node);
    snprintf(key, sizeof key, "%s.tls.key", id->node);

    int r = find_tls_file(&id->ca_file, id->config->keys.dir, "ca.crt", e);
    if (r == 0)
        r = find_tls_file(&id->cert_file, id->config->keys.dir, cert, e);
    if (r == 0)
        r = find_tls_file(&id->tls_key_file, id->config->keys.dir, key, e);
    return r;
}

/* Through symbolic links, as the TLS library does: who renews certificates often keeps them in a place of its own. */
static int digest_file(crypto_generichash_state *hash, const char *path, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *data = NULL;
    size_t size;
    int r = bf_read_linked_file(AT_FDCWD, path, MAX_PEM_BYTES, &data, &size);
    if (r == -EFBIG)
        return bf_fail(e, r, "%s: larger than %u bytes; expected a file in PEM form", path, MAX_PEM_BYTES);
    if (r < 0)
        return bf_fail(e, r, "%s: cannot be read: %s", path, strerror(-r));

    crypto_generichash_update(hash, (const uint8_t *)&size, sizeof size);
    crypto_generichash_update(hash, data, size);
    sodium_memzero(data, size);
    return 0;
}

static int digest_tls_files(const struct bf_identity *id, uint8_t ret[static BF_TLS_DIGEST_SIZE], struct bf_error *e)
{
    const char *const paths[] = { id->ca_file, id->cert_file, id->tls_key_file };
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, BF_TLS_DIGEST_SIZE);

    for (size_t i = 0; i < BF_COUNT_OF(paths); i++) {
        int r = digest_file(&hash, paths[i], e);
        if (r < 0)
            return r;
    }
    crypto_generichash_final(&hash, ret, BF_TLS_DIGEST_SIZE);
    return 0;
}

int bf_identity_check_tls(const struct bf_identity *id, struct bf_error *e)
{
    return id->config->broker.tls ? bf_tls_pair_check(id->cert_file, id->tls_key_file, e) : 0;
}

int bf_identity_reload_tls(struct bf_identity *id, bool *ret_changed, struct bf_error *e)
{
    uint8_t digest[BF_TLS_DIGEST_SIZE];
    if (!id->config->broker.tls) {
        *ret_changed = false;
        return 0;
    }
    int r = digest_tls_files(id, digest, e);
    if (r < 0)
        return r;

    *ret_changed = sodium_memcmp(digest, id->tls_digest, sizeof digest) != 0;
    memcpy(id->tls_digest, digest, sizeof digest);
    return 0;
}

static int open_keys(struct bf_identity *id, struct bf_error *e)
{
    int r = bf_key_load_node(&id->key, id->config->keys.dir, id->node, e);
    if (r == 0)
        r = bf_identity_read_trust(id, &id->trust, e);
    if (r == 0)
        r = check_own_key(id, e);
    if (r == 0 && id->config->broker.tls)
        r = find_tls_files(id, e);
    if (r == 0)
        r = bf_identity_check_tls(id, e);
    if (r == 0 && id->config->broker.tls)
        r = digest_tls_files(id, id->tls_digest, e);
    return r;
}

static int count_start(struct bf_identity *id, struct bf_error *e)
{
    char name[48];
    snprintf(name, sizeof name, "%s.epoch", id->node);
    id->started_at_ms = bf_unix_ms();

    int r = bf_counter_next(id->state_dir, name, &id->epoch);
    if (r == 0)
        r = bf_random(id->boot_id, sizeof id->boot_id);
    if (r == -EBADMSG)
        return bf_fail(e, r,
                       "%s/%s: expected the number of this node's starts: others refuse a lower one than they have "
                       "seen, so it must not be guessed",
                       id->config->storage.state, name);
    return r < 0 ? bf_fail(e, r, "%s/%s: cannot be counted up: %s", id->config->storage.state, name, strerror(-r)) : 0;
}

int bf_identity_open(struct bf_identity *id, const struct bf_config *c, enum bf_role role, const char *node,
                     int *ret_exit_code, struct bf_error *e)
{
    *id = (struct bf_identity){ .role = role, .config = c, .state_dir = -1, .lock = -1 };
    snprintf(id->node, sizeof id->node, "%s", node);

    int fd = bf_open_dir(AT_FDCWD, c->storage.state, 1, 0700);
    if (fd < 0) {
        *ret_exit_code = BF_EXIT_CONFIG;
        return bf_fail(e, fd, "storage.state: %s: cannot be opened: %s", c->storage.state, strerror(-fd));
    }
    id->state_dir = fd;

    int r = lock_node(id, e);
    *ret_exit_code = BF_EXIT_FAILURE;
    if (r == 0) {
        r = open_keys(id, e);
        *ret_exit_code = BF_EXIT_CONFIG;
    }
    if (r == 0) {
        r = count_start(id, e);
        *ret_exit_code = BF_EXIT_FAILURE;
    }
    return r;
}

int bf_identity_open_alone(struct bf_identity *id, const struct bf_config *c, enum bf_role role, const char *node,
                           struct bf_error *e)
{
    *id = (struct bf_identity){ .role = role, .config = c, .state_dir = -1, .lock = -1 };
    snprintf(id->node, sizeof id->node, "%s", node);
    id->started_at_ms = bf_unix_ms();

    _cleanup_(bf_freep) char *bundle = NULL;
    if (asprintf(&bundle, "%s/%s", c->keys.dir, BUNDLE) < 0)
        return -ENOMEM;
    return access(bundle, F_OK) < 0 ? 0 : bf_identity_read_trust(id, &id->trust, e);
}

void bf_identity_close(struct bf_identity *id)
{
    bf_trust_free(id->trust);
    bf_key_free(id->key);
    free(id->ca_file);
    free(id->cert_file);
    free(id->tls_key_file);
    bf_closep(&id->lock);
    bf_closep(&id->state_dir);
}
