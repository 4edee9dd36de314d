/* A site in the working directory: keys/ with a node's key, the root's public key and a signed trust bundle. */
#ifndef BELFRY_TEST_SITE_H
#define BELFRY_TEST_SITE_H

#include <stdint.h>

#include "bus/keys.h"
#include "bus/message.h"

struct site {
    struct bf_key *root;
    struct bf_key *node; /* the key that keys/<node>.key holds */
};

void site_make(struct site *s, const char *node);
void site_done(struct site *s);

/* Writes keys/trust.bundle: `node` with the public key of `key` in `role`. */
void site_trust(const struct site *s, const char *site, uint64_t version, const char *node, enum bf_role role,
                const struct bf_key *key);

#endif
