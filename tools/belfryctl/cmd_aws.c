/* belfryctl node aws-policy: what a node may do on AWS IoT Core. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "belfryctl/args.h"
#include "belfryctl/aws_policy.h"
#include "belfryctl/node_files.h"
#include "belfryctl/site.h"
#include "belfryctl/text.h"

#define POLICY_JSON JSON_INDENT(2)

static int make_policies(json_t **ret, const struct ctl_site *s, const char *id, const struct ctl_aws *aws,
                         struct bf_error *e)
{
    _cleanup_(bf_freep) struct ctl_node *nodes = NULL;
    size_t n;
    int r = ctl_bundle_nodes(s->bundle, bf_unix_ms(), &nodes, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if (strcmp(nodes[i].id, id) == 0)
            return ctl_aws_policies(ret, aws, s->config->site, &nodes[i], nodes, n, e);
    return bf_fail(e, -ENOENT, "%s has no valid key here; belfryctl node list shows who has, node add adds", id);
}

static int print_policy(const json_t *documents, const char *id, struct bf_error *e)
{
    size_t n = json_array_size(documents);
    if (n > 1)
        return bf_fail(
            e, -E2BIG,
            "%s needs %zu policies of at most %d characters each; --to DIR writes them to files of their own", id, n,
            CTL_AWS_POLICY_MAX);
    json_dumpf(json_array_get(documents, 0), stdout, POLICY_JSON);
    putchar('\n');
    return 0;
}

static int write_policy(int dirfd, const char *name, const json_t *document, struct bf_error *e)
{
    _cleanup_(bf_freep) char *text = json_dumps(document, POLICY_JSON);
    return text != NULL ? ctl_write(dirfd, name, text, strlen(text), 0644, e) : -ENOMEM;
}

static int write_policies(const json_t *documents, const char *site, const char *id, const char *to, struct bf_error *e)
{
    _cleanup_(bf_closep) int dirfd = bf_open_dir(AT_FDCWD, to, 1, 0755);
    if (dirfd < 0)
        return bf_fail(e, dirfd, "%s: %s", to, strerror(-dirfd));

    for (size_t i = 0; i < json_array_size(documents); i++) {
        _cleanup_(bf_freep) char *policy = ctl_format("belfry-%s-%s-%zu", site, id, i + 1);
        _cleanup_(bf_freep) char *name = policy != NULL ? ctl_format("%s.json", policy) : NULL;
        int r = name != NULL ? write_policy(dirfd, name, json_array_get(documents, i), e) : -ENOMEM;
        if (r < 0)
            return r;
        printf("aws iot create-policy --policy-name %s --policy-document file://%s/%s\n", policy, to, name);
    }
    return 0;
}

static int run(const struct ctl *ctl, const char *id, const struct ctl_aws *aws, const char *to, struct bf_error *e)
{
    _cleanup_(ctl_site_freep) struct ctl_site *s = NULL;
    _cleanup_(json_decrefp) json_t *documents = NULL;
    int r = ctl_site_open(&s, ctl->site_dir, e);
    if (r == 0)
        r = make_policies(&documents, s, id, aws, e);
    if (r < 0)
        return r;
    return to == NULL ? print_policy(documents, id, e) : write_policies(documents, s->config->site, id, to, e);
}

int ctl_cmd_node_aws_policy(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_aws aws = { 0 };
    const char *to = NULL;
    const struct ctl_option options[] = {
        { "region", CTL_STRING, &aws.region, "REGION", "where the broker is, as in eu-central-1", 0, 0 },
        { "account", CTL_STRING, &aws.account, "DIGITS", "the account, 12 digits", 0, 0 },
        { "to", CTL_STRING, &to, "DIR", "write files there, and print the commands that make policies of them", 0, 0 },
    };
    const struct ctl_usage usage = {
        "node aws-policy ID --region REGION --account DIGITS [--to DIR]",
        "Prints the AWS IoT Core policy of a node: it may connect as the thing of its own name, publish and subscribe\n"
        "exactly the topics that the broker's access list gives it, and nothing else. AWS takes 2048 characters a\n"
        "policy; a node that needs more gets several, all to be attached to its certificate (docs/aws-iot.md).\n\n"
        "  belfryctl node aws-policy front --region eu-central-1 --account 123456789012\n",
        options,
        BF_COUNT_OF(options),
        1,
        1
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);

    struct bf_error e = { "out of memory" };
    if (ctl_check_id("node", argv[word]) < 0)
        return CTL_USAGE;
    if (ctl_aws_check(&aws, &e) < 0) {
        ctl_complain("%s", e.text);
        return CTL_USAGE;
    }
    return ctl_finish(run(ctl, argv[word], &aws, to, &e), &e);
}
