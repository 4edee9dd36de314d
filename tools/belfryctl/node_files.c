#include "belfryctl/node_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "belfryctl/acl.h"
#include "belfryctl/site.h"
#include "belfryctl/text.h"

#define ROOT_KEY_NAME "root.key"
#define CA_KEY_NAME "ca.key"
#define PEM_MAX_BYTES 16384

int ctl_write(int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct bf_error *e)
{
    int r = bf_replace_file(dirfd, name, data, size, mode);
    return r < 0 ? bf_fail(e, r, "writing %s: %s", name, strerror(-r)) : 0;
}

void ctl_node_file_name(char ret[static CTL_FILE_NAME_SIZE], const char *node, unsigned index)
{
    static const char *const suffixes[] = { "key", "crt", "tls.key", [CTL_NODE_PREVIOUS_KEY] = "previous.key" };
    snprintf(ret, CTL_FILE_NAME_SIZE, "%s.%s", node, suffixes[index]);
}

/* bf_key_store refuses to overwrite, so a key arrives under a temporary name. */
static int replace_key(const char *dir, const char *name, const struct bf_key *key, struct bf_error *e)
{
    _cleanup_(bf_freep) char *temporary = ctl_format("%s/.tmp-%s", dir, name);
    _cleanup_(bf_freep) char *path = ctl_format("%s/%s", dir, name);
    _cleanup_(bf_closep) int dirfd = bf_open_dir(AT_FDCWD, dir, 0, 0);
    if (temporary == NULL || path == NULL)
        return -ENOMEM;
    if (dirfd < 0)
        return bf_fail(e, dirfd, "%s: %s", dir, strerror(-dirfd));

    unlink(temporary);
    int r = bf_key_store(key, temporary, e);
    if (r < 0)
        return r;
    if (rename(temporary, path) < 0 || fsync(dirfd) < 0)
        return bf_fail(e, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

int ctl_node_key_write(const char *keys_dir, const char *node, const struct bf_key *key, struct bf_error *e)
{
    char name[CTL_FILE_NAME_SIZE];
    ctl_node_file_name(name, node, 0);
    return replace_key(keys_dir, name, key, e);
}

int ctl_node_key_keep(int keysfd, const char *node, struct bf_error *e)
{
    char name[CTL_FILE_NAME_SIZE], previous[CTL_FILE_NAME_SIZE];
    _cleanup_(bf_freep) uint8_t *data = NULL;
    size_t size;
    ctl_node_file_name(name, node, 0);
    ctl_node_file_name(previous, node, CTL_NODE_PREVIOUS_KEY);
    int r = bf_read_file(keysfd, name, PEM_MAX_BYTES, &data, &size);
    if (r == -ENOENT)
        return 0; /* its key was never kept here */
    if (r < 0)
        return bf_fail(e, r, "reading %s: %s", name, strerror(-r));
    r = ctl_write(keysfd, previous, data, size, 0600, e);
    explicit_bzero(data, size);
    return r;
}

void ctl_node_key_forget(int keysfd, const char *node)
{
    char previous[CTL_FILE_NAME_SIZE];
    ctl_node_file_name(previous, node, CTL_NODE_PREVIOUS_KEY);
    unlinkat(keysfd, previous, 0);
}

static int write_tls_pair(int dirfd, const char *key, const char *cert, const struct ctl_certificate *made,
                          struct bf_error *e)
{
    const struct bf_replacement pair[] = { { key, made->key_pem, strlen(made->key_pem) },
                                           { cert, made->cert_pem, strlen(made->cert_pem) } };
    int r = bf_replace_pair(dirfd, pair, 0600);
    return r < 0 ? bf_fail(e, r, "writing %s and %s: %s", key, cert, strerror(-r)) : 0;
}

int ctl_broker_tls_write(int brokerfd, const struct ctl_issuer *issuer, const char *const *names, size_t n,
                         struct bf_error *e)
{
    struct ctl_certificate_request request = {
        .common_name = "broker", .names = names, .n_names = n, .valid_days = issuer->valid_days
    };
    _cleanup_(ctl_certificate_done) struct ctl_certificate made = { 0 };
    int r = ctl_ca_issue(&issuer->ca, &request, &made, e);
    return r < 0 ? r : write_tls_pair(brokerfd, "broker.key", CTL_BROKER_CERT_NAME, &made, e);
}

int ctl_node_tls_write(int keysfd, const char *node, const struct ctl_issuer *issuer, struct bf_error *e)
{
    struct ctl_certificate_request request = { .common_name = node, .valid_days = issuer->valid_days };
    _cleanup_(ctl_certificate_done) struct ctl_certificate made = { 0 };
    int r = ctl_ca_issue(&issuer->ca, &request, &made, e);
    if (r < 0)
        return r;

    char cert[CTL_FILE_NAME_SIZE], key[CTL_FILE_NAME_SIZE];
    ctl_node_file_name(cert, node, 1);
    ctl_node_file_name(key, node, 2);
    return write_tls_pair(keysfd, key, cert, &made, e);
}

int ctl_bundle_write(int keysfd, ctl_bundle *b, const struct ctl_issuer *issuer, uint64_t now_ms, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    size_t size;
    int r = ctl_bundle_sign(b, issuer->root, now_ms, &envelope, &size, e);
    return r < 0 ? r : ctl_write(keysfd, CTL_BUNDLE_NAME, envelope, size, 0600, e);
}

int ctl_acl_write(int brokerfd, const ctl_bundle *b, uint64_t now_ms, struct bf_error *e)
{
    _cleanup_(bf_freep) struct ctl_node *nodes = NULL;
    _cleanup_(ctl_text_done) struct ctl_text text = { 0 };
    size_t n;
    int r = ctl_bundle_nodes(b, now_ms, &nodes, &n);
    if (r == 0)
        r = ctl_text_begin(&text);
    if (r < 0)
        return r;

    ctl_acl_print(text.f, b->site, nodes, n);
    r = ctl_text_end(&text);
    return r < 0 ? r : ctl_write(brokerfd, "acl", text.data, text.size, 0600, e);
}

static int store_ca(const char *root_dir, const struct ctl_certificate *ca, struct bf_error *e)
{
    _cleanup_(bf_closep) int dirfd = bf_open_dir(AT_FDCWD, root_dir, 0, 0);
    if (dirfd < 0)
        return bf_fail(e, dirfd, "%s: %s", root_dir, strerror(-dirfd));
    int r = ctl_write(dirfd, CA_KEY_NAME, ca->key_pem, strlen(ca->key_pem), 0600, e);
    return r < 0 ? r : ctl_write(dirfd, CTL_CA_NAME, ca->cert_pem, strlen(ca->cert_pem), 0600, e);
}

int ctl_issuer_make(struct ctl_issuer *ret, const char *site_dir, const char *site, unsigned valid_days,
                    struct bf_error *e)
{
    _cleanup_(ctl_issuer_done) struct ctl_issuer made = { .valid_days = valid_days };
    _cleanup_(bf_freep) char *root_dir = ctl_path_in(site_dir, CTL_ROOT_DIR);
    if (root_dir == NULL || bf_key_generate(&made.root) < 0)
        return bf_fail(e, -ENOMEM, "making the root key");

    int r = ctl_ca_make(site, valid_days, &made.ca, e);
    if (r == 0)
        r = replace_key(root_dir, ROOT_KEY_NAME, made.root, e);
    if (r == 0)
        r = store_ca(root_dir, &made.ca, e);
    if (r < 0)
        return r;
    *ret = made;
    made = (struct ctl_issuer){ 0 };
    return 0;
}

static int read_pem(char **ret, int dirfd, const char *name, struct bf_error *e)
{
    uint8_t *text;
    size_t size;
    int r = bf_read_file(dirfd, name, PEM_MAX_BYTES, &text, &size);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: %s", CTL_ROOT_DIR, name, strerror(-r));
    *ret = (char *)text;
    return 0;
}

int ctl_issuer_open(struct ctl_issuer *ret, const char *site_dir, unsigned valid_days, struct bf_error *e)
{
    _cleanup_(ctl_issuer_done) struct ctl_issuer made = { .valid_days = valid_days };
    _cleanup_(bf_freep) char *root_dir = ctl_path_in(site_dir, CTL_ROOT_DIR);
    _cleanup_(bf_freep) char *key_path = root_dir ? ctl_path_in(root_dir, ROOT_KEY_NAME) : NULL;
    if (key_path == NULL)
        return -ENOMEM;
    _cleanup_(bf_closep) int dirfd = bf_open_dir(AT_FDCWD, root_dir, 0, 0);
    if (dirfd < 0 || access(key_path, F_OK) < 0)
        return bf_fail(e, -ENOENT, "%s is not here: bring the offline root directory back for this command", key_path);

    int r = bf_key_load(&made.root, key_path, e);
    if (r == 0)
        r = read_pem(&made.ca.key_pem, dirfd, CA_KEY_NAME, e);
    if (r == 0)
        r = read_pem(&made.ca.cert_pem, dirfd, CTL_CA_NAME, e);
    if (r < 0)
        return r;
    *ret = made;
    made = (struct ctl_issuer){ 0 };
    return 0;
}

void ctl_issuer_done(struct ctl_issuer *i)
{
    bf_key_free(i->root);
    ctl_certificate_done(&i->ca);
    *i = (struct ctl_issuer){ 0 };
}
