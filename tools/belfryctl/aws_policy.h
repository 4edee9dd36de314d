/* The AWS IoT Core policy of one node, from the same rights as the broker's access list (acl.h): exact topics, no
 * wildcards, the client id bound to the thing that the certificate is attached to. Pure.
 *
 * Sources: AWS IoT developer guide, "Connect policy examples", "Retained message policy examples"; API reference,
 * CreatePolicy (a document has at most 2048 characters, white space aside). */
#ifndef BELFRY_CTL_AWS_POLICY_H
#define BELFRY_CTL_AWS_POLICY_H

#include <jansson.h>

#include "base/error.h"
#include "belfryctl/bundle.h"

#define CTL_AWS_POLICY_MAX 2048 /* characters of a document, white space aside */
#define CTL_AWS_POLICIES_MAX 10 /* that one certificate may have */

/* Where the broker is: "eu-central-1", and the account's 12 digits. */
struct ctl_aws {
    const char *region, *account;
};
int ctl_aws_check(const struct ctl_aws *aws, struct bf_error *e); /* 0 or -EINVAL */

/* *ret: array of the policy documents that `node` needs together, in order; usually one. `nodes` are those of the
 * site. A node that publishes a state may have a last will. -E2BIG when a certificate cannot have so many. */
int ctl_aws_policies(json_t **ret, const struct ctl_aws *aws, const char *site, const struct ctl_node *node,
                     const struct ctl_node *nodes, size_t n_nodes, struct bf_error *e);

#endif
