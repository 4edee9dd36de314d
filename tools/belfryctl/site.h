/* A site on this host: its belfry.yml, keys directory and trust bundle, as belfryctl init makes them. */
#ifndef BELFRY_CTL_SITE_H
#define BELFRY_CTL_SITE_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "belfryctl/bundle.h"
#include "bus/trust.h"
#include "service/config.h"

#define CTL_CONFIG_NAME "belfry.yml"
#define CTL_ROOT_PUBLIC_NAME "root.pub"
#define CTL_BUNDLE_NAME "trust.bundle"
#define CTL_CA_NAME "ca.crt"
#define CTL_BUNDLE_MAX_BYTES 65536

struct ctl_site {
    char *dir; /* absolute */
    struct bf_config *config;
    char *keys_dir, *state_dir; /* absolute */
    int dirfd, keysfd;
    uint8_t root_public[BF_PUBLIC_KEY_SIZE];
    ctl_bundle *bundle;     /* as in the keys directory, signature checked */
    struct bf_trust *trust; /* the same, for verifying */
};

/* Opens the site in `dir`. The text of e says what is wrong and what to do. */
int ctl_site_open(struct ctl_site **ret, const char *dir, struct bf_error *e);
void ctl_site_free(struct ctl_site *s);
BF_DEFINE_CLEANUP(struct ctl_site, ctl_site_free)

/* Keeps other belfryctl from changing the site until the site is freed; -EBUSY. */
int ctl_site_lock(struct ctl_site *s, struct bf_error *e);

/* `name` made absolute below `dir`, malloc'd; an absolute name stays. */
char *ctl_path_in(const char *dir, const char *name);

/* root.pub: 64 hex digits. */
int ctl_public_key_parse(uint8_t ret[static BF_PUBLIC_KEY_SIZE], const char *text);

#endif
