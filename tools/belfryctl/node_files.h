/* The files of a node and of the broker: written whole or not at all, secret ones readable by their owner only. */
#ifndef BELFRY_CTL_NODE_FILES_H
#define BELFRY_CTL_NODE_FILES_H

#include "belfryctl/bundle.h"
#include "belfryctl/pki.h"
#include "bus/keys.h"

#define CTL_ROOT_DIR "root"
#define CTL_BROKER_DIR "mosquitto"
#define CTL_BROKER_CERT_NAME "broker.crt"
#define CTL_FILE_NAME_SIZE 64

/* What signs for the site; kept in <site>/root, which may be taken offline. */
struct ctl_issuer {
    struct bf_key *root;
    struct ctl_certificate ca;
    unsigned valid_days; /* of certificates that it issues */
};
int ctl_issuer_make(struct ctl_issuer *ret, const char *site_dir, const char *site, unsigned valid_days,
                    struct bf_error *e);
int ctl_issuer_open(struct ctl_issuer *ret, const char *site_dir, unsigned valid_days, struct bf_error *e);
void ctl_issuer_done(struct ctl_issuer *i);

/* <node>.key, in place of one that is there. */
int ctl_node_key_write(const char *keys_dir, const char *node, const struct bf_key *key, struct bf_error *e);
/* A new <node>.tls.key and <node>.crt. */
int ctl_node_tls_write(int keysfd, const char *node, const struct ctl_issuer *issuer, struct bf_error *e);
/* A new broker.key and broker.crt for these names and addresses. */
int ctl_broker_tls_write(int brokerfd, const struct ctl_issuer *issuer, const char *const *names, size_t n,
                         struct bf_error *e);
/* Signs the changed bundle (version + 1) and puts it into trust.bundle. */
int ctl_bundle_write(int keysfd, ctl_bundle *b, const struct ctl_issuer *issuer, uint64_t now_ms, struct bf_error *e);
/* The broker's access list for the nodes of the bundle. */
int ctl_acl_write(int brokerfd, const ctl_bundle *b, uint64_t now_ms, struct bf_error *e);

/* While a rotated key's old one still counts, it stays in <node>.previous.key: a node that restarts meanwhile goes on
 * signing with both. */
int ctl_node_key_keep(int keysfd, const char *node, struct bf_error *e);
void ctl_node_key_forget(int keysfd, const char *node);

/* The files that belong to one node alone: "<node>.key", "<node>.crt", "<node>.tls.key", and, not always there,
 * "<node>.previous.key". */
enum { CTL_NODE_FILES = 3, CTL_NODE_PREVIOUS_KEY = 3 };
void ctl_node_file_name(char ret[static CTL_FILE_NAME_SIZE], const char *node, unsigned index);

/* bf_replace_file that names the file when it fails. */
int ctl_write(int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct bf_error *e);

#endif
