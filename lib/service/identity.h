/* Who this process is: its node, its state directory and start counter, its keys and what it trusts. */
#ifndef BELFRY_SERVICE_IDENTITY_H
#define BELFRY_SERVICE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "bus/keys.h"
#include "bus/trust.h"
#include "service/config.h"

#define BF_TLS_DIGEST_SIZE 32

struct bf_identity {
    char node[BF_ID_SIZE];
    enum bf_role role;
    const struct bf_config *config; /* borrowed */
    int state_dir;
    int lock;
    uint64_t epoch;
    uint64_t started_at_ms;
    uint8_t boot_id[16];
    struct bf_key *key;
    struct bf_trust *trust;
    char *ca_file, *cert_file, *tls_key_file; /* NULL without broker.tls */
    uint8_t tls_digest[BF_TLS_DIGEST_SIZE];   /* of what was in those three files when they were last looked at */
};

/* The configured node of a role, or `wanted` (from --node). A camera must be one of `cameras` without `input`. */
int bf_identity_choose(char ret[static BF_ID_SIZE], const struct bf_config *c, enum bf_role role, const char *wanted,
                       struct bf_error *e);

/* Opens and locks the state directory, loads keys and trust, and counts this start. Takes the process's exit code on
 * failure: 78 where configuration or keys are wrong, 1 where a restart may heal. Call bf_identity_close in any case. */
int bf_identity_open(struct bf_identity *id, const struct bf_config *c, enum bf_role role, const char *node,
                     int *ret_exit_code, struct bf_error *e);
/* For a process that works alone (service.h): neither state directory nor keys; trust stays NULL where keys.dir has no
 * bundle. A failure is one of the configuration. */
int bf_identity_open_alone(struct bf_identity *id, const struct bf_config *c, enum bf_role role, const char *node,
                           struct bf_error *e);
void bf_identity_close(struct bf_identity *id);

/* Takes over keys.dir/<node>.key where it holds another key than before: everybody who holds id->key signs with the new
 * one from then on (bf_key_rotate). Refuses one that id->trust does not list, and keeps the one before. */
int bf_identity_reload_key(struct bf_identity *id, bool *ret_changed, struct bf_error *e);
/* Do the certificate and its key, as they are now, belong together? 0 without broker.tls. Errors: tls_pair.h. */
int bf_identity_check_tls(const struct bf_identity *id, struct bf_error *e);
/* Has the certificate, its key or the authority's changed since they were last looked at? */
int bf_identity_reload_tls(struct bf_identity *id, bool *ret_changed, struct bf_error *e);

/* Reads keys.dir/trust.bundle again; id->trust stays as it is (the caller swaps). */
int bf_identity_read_trust(const struct bf_identity *id, struct bf_trust **ret, struct bf_error *e);

#endif
