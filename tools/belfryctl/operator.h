/* The operator's side of the bus: which key and certificate belfryctl speaks with, and who else uses them now. */
#ifndef BELFRY_CTL_OPERATOR_H
#define BELFRY_CTL_OPERATOR_H

#include <stdint.h>

#include "base/cleanup.h"
#include "belfryctl/site.h"
#include "bus/bus.h"

struct ctl_operator {
    const struct ctl_site *site; /* borrowed */
    const char *node;            /* owned by the site's bundle */
    struct bf_key *key;
    uint64_t epoch;
    uint8_t boot_id[16];
    struct bf_mqtt_options mqtt; /* its texts are the ones below */
    char *ca_file, *cert_file, *key_file;
    int lockfd;
};

/* Takes the operator `node`, or, with NULL, the first whose key is here and that no other belfryctl is using: a broker
 * knows one connection a node. */
int ctl_operator_open(struct ctl_operator **ret, const struct ctl_site *site, const char *node, struct bf_error *e);
void ctl_operator_free(struct ctl_operator *o);
BF_DEFINE_CLEANUP(struct ctl_operator, ctl_operator_free)

#endif
