/* The broker's access list, generated from the message table (bus/message.h): a node writes its own topics and those
 * that its role addresses others on, and reads what is addressed to it. Gateways, janitors and operators also read
 * every node's state and events; operators read everything. Pure. */
#ifndef BELFRY_CTL_ACL_H
#define BELFRY_CTL_ACL_H

#include <stdio.h>

#include "belfryctl/bundle.h"

enum { CTL_READ = 1, CTL_WRITE = 2 };

/* What `node` may do on `owner`'s `channel`: bits of CTL_READ and CTL_WRITE. */
unsigned ctl_acl_access(const struct ctl_node *node, const struct ctl_node *owner, enum bf_channel channel);

/* mosquitto's acl_file for these nodes; a user that is not in it may do nothing. */
void ctl_acl_print(FILE *f, const char *site, const struct ctl_node *nodes, size_t n);

#endif
