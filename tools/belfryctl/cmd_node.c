/* belfryctl node: add, rotate and revoke the nodes of a site; cmd_node_show.c lists and exports them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "belfryctl/args.h"
#include "belfryctl/node_files.h"
#include "belfryctl/site.h"
#include "belfryctl/text.h"

#define DAY_MS 86400000ull

BF_DEFINE_CLEANUP(struct bf_key, bf_key_free)

/* A site opened for a change: locked, with what signs for it. */
struct change {
    struct ctl_site *site;
    struct ctl_issuer issuer;
    uint64_t now_ms;
};

static void change_done(struct change *c)
{
    ctl_issuer_done(&c->issuer);
    ctl_site_free(c->site);
}

static int change_begin(struct change *c, const struct ctl *ctl, uint64_t valid_days, struct bf_error *e)
{
    int r = ctl_site_open(&c->site, ctl->site_dir, e);
    if (r == 0)
        r = ctl_site_lock(c->site, e);
    if (r == 0)
        r = ctl_issuer_open(&c->issuer, c->site->dir, (unsigned)valid_days, e);
    c->now_ms = bf_unix_ms();
    return r;
}

/* The new bundle and the broker's access list. The list has no host name or address in it, so it can be written where
 * the site is made and copied to the broker's host. */
static int change_commit(struct change *c, struct bf_error *e)
{
    int r = ctl_bundle_write(c->site->keysfd, c->site->bundle, &c->issuer, c->now_ms, e);
    if (r < 0)
        return r;
    _cleanup_(bf_closep) int brokerfd = bf_open_dir(c->site->dirfd, CTL_BROKER_DIR, 1, 0700);
    if (brokerfd < 0)
        return bf_fail(e, brokerfd, "%s/" CTL_BROKER_DIR ": %s", c->site->dir, strerror(-brokerfd));
    return ctl_acl_write(brokerfd, c->site->bundle, c->now_ms, e);
}

static void print_after_change(const struct change *c)
{
    printf("trust bundle version %" PRIu64 "; next:\n", c->site->bundle->version);
    printf("  reload the broker's access list (SIGHUP to mosquitto)\n");
    printf("  copy %s/" CTL_BUNDLE_NAME " to every host and reload its services (SIGHUP)\n", c->site->keys_dir);
}

static int issue_key(struct change *c, const char *node, enum bf_role role, struct bf_key **ret, struct bf_error *e)
{
    _cleanup_(bf_key_freep) struct bf_key *key = NULL;
    if (bf_key_generate(&key) < 0)
        return bf_fail(e, -ENOMEM, "making the key of %s", node);
    int r = ctl_bundle_add(c->site->bundle, node, role, bf_key_public(key), 0);
    if (r < 0)
        return bf_fail(e, r, "adding a key of %s: the trust bundle holds at most 256", node);
    *ret = BF_TAKE(key);
    return 0;
}

static int add_node(struct change *c, const char *node, enum bf_role role, struct bf_error *e)
{
    enum bf_role present = ctl_bundle_role_of(c->site->bundle, node, c->now_ms);
    if (present != BF_ROLE_NONE)
        return bf_fail(e, -EEXIST, "%s is a %s of this site already; belfryctl node rotate %s gives it a new key", node,
                       bf_role_name(present), node);

    _cleanup_(bf_key_freep) struct bf_key *key = NULL;
    int r = issue_key(c, node, role, &key, e);
    if (r == 0)
        r = ctl_node_key_write(c->site->keys_dir, node, key, e);
    if (r == 0)
        r = ctl_node_tls_write(c->site->keysfd, node, &c->issuer, e);
    return r < 0 ? r : change_commit(c, e);
}

static int cmd_add(struct ctl *ctl, int argc, char **argv)
{
    const char *role_name = NULL;
    uint64_t valid_days = 3650;
    const struct ctl_option options[] = {
        { "role", CTL_ID, &role_name, "ROLE", "camera, ingest, gateway, janitor or operator", 0, 0 },
        { "valid-days", CTL_NUMBER, &valid_days, "N", "of its client certificate (default 3650)", 1, 36500 },
    };
    const struct ctl_usage usage = {
        "node add ID --role ROLE [OPTION]...",
        "Gives a new node a signing key and a client certificate, and puts it on the trust bundle and the broker's\n"
        "access list. A second operator lets two belfryctl talk to the broker at the same time.\n",
        options,
        BF_COUNT_OF(options),
        1,
        1
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    enum bf_role role = role_name != NULL ? bf_role_parse(role_name) : BF_ROLE_NONE;
    if (role == BF_ROLE_NONE) {
        ctl_complain("--role: expected camera, ingest, gateway, janitor or operator");
        return CTL_USAGE;
    }
    if (ctl_check_id("node", argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = { "out of memory" };
    _cleanup_(change_done) struct change change = { 0 };
    int r = change_begin(&change, ctl, valid_days, &e);
    if (r == 0)
        r = add_node(&change, argv[word], role, &e);
    if (r == 0) {
        printf("%s %s added; ", role_name, argv[word]);
        print_after_change(&change);
        if (role == BF_ROLE_CAMERA)
            printf("  add camera %s to " CTL_CONFIG_NAME " of the gateway's, ingest's and its own host\n", argv[word]);
    }
    return ctl_finish(r, &e);
}

static int rotate_node(struct change *c, const char *node, uint64_t overlap_ms, struct bf_error *e)
{
    enum bf_role role = ctl_bundle_role_of(c->site->bundle, node, c->now_ms);
    if (role == BF_ROLE_NONE)
        return bf_fail(e, -ENOENT, "%s has no valid key here; belfryctl node list shows who has, node add adds", node);

    _cleanup_(bf_key_freep) struct bf_key *key = NULL;
    ctl_bundle_retire(c->site->bundle, node, c->now_ms + overlap_ms);
    int r = issue_key(c, node, role, &key, e);
    if (r == 0 && overlap_ms > 0)
        r = ctl_node_key_keep(c->site->keysfd, node, e);
    /* The bundle goes first: a key that is listed and not yet used is harmless, the reverse is an outage. */
    if (r == 0)
        r = change_commit(c, e);
    if (r == 0 && overlap_ms == 0)
        ctl_node_key_forget(c->site->keysfd, node);
    if (r == 0)
        r = ctl_node_key_write(c->site->keys_dir, node, key, e);
    return r < 0 ? r : ctl_node_tls_write(c->site->keysfd, node, &c->issuer, e);
}

static int cmd_rotate(struct ctl *ctl, int argc, char **argv)
{
    uint64_t overlap_ms = DAY_MS, valid_days = 3650;
    const struct ctl_option options[] = {
        { "overlap", CTL_DURATION, &overlap_ms, "TIME", "how long the old key stays valid (default 24h)", 0,
          366 * DAY_MS },
        { "valid-days", CTL_NUMBER, &valid_days, "N", "of its client certificate (default 3650)", 1, 36500 },
    };
    const struct ctl_usage usage = {
        "node rotate ID [OPTION]...",
        "Gives a node a new signing key and client certificate, while it runs. Old and new key are both valid for the\n"
        "overlap, and the node signs with both: within it, bring the new trust bundle to every host and the new keys\n"
        "to the node's own (node export), each followed by SIGHUP to the services there, in any order. Afterwards the\n"
        "old key is refused. --overlap 0s is for a key that was stolen: then every host needs the bundle first.\n",
        options,
        BF_COUNT_OF(options),
        1,
        1
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    if (ctl_check_id("node", argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = { "out of memory" };
    _cleanup_(change_done) struct change change = { 0 };
    int r = change_begin(&change, ctl, valid_days, &e);
    if (r == 0)
        r = rotate_node(&change, argv[word], overlap_ms, &e);
    if (r == 0) {
        printf("%s has a new key; ", argv[word]);
        print_after_change(&change);
        printf("  copy the new keys to the host of %s (node export) and reload it (SIGHUP), before the old one ends\n",
               argv[word]);
    }
    return ctl_finish(r, &e);
}

static int revoke_node(struct change *c, const char *node, struct bf_error *e)
{
    int revoked = ctl_bundle_revoke(c->site->bundle, node);
    if (revoked < 0)
        return bf_fail(e, revoked, "revoking %s", node);
    if (revoked == 0)
        return bf_fail(e, -ENOENT, "%s has no key in the trust bundle; belfryctl node list shows who has", node);
    int r = change_commit(c, e);
    if (r < 0)
        return r;

    for (unsigned i = 0; i < CTL_NODE_FILES; i++) {
        char name[CTL_FILE_NAME_SIZE];
        ctl_node_file_name(name, node, i);
        unlinkat(c->site->keysfd, name, 0);
    }
    ctl_node_key_forget(c->site->keysfd, node);
    return 0;
}

static int cmd_revoke(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {
        "node revoke ID",
        "Puts every key of a node on the revoked list for ever, takes it off the broker's\n"
        "access list and deletes its key files here. Recordings that it signed before can\n"
        "no longer be proven: verify reports an unknown key.\n",
        NULL,
        0,
        1,
        1
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    if (ctl_check_id("node", argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = { "out of memory" };
    _cleanup_(change_done) struct change change = { 0 };
    int r = change_begin(&change, ctl, 3650, &e);
    if (r == 0)
        r = revoke_node(&change, argv[word], &e);
    if (r == 0) {
        printf("%s revoked; ", argv[word]);
        print_after_change(&change);
        printf("  take %s out of " CTL_CONFIG_NAME " where it is named\n", argv[word]);
    }
    return ctl_finish(r, &e);
}

static const struct ctl_command commands[] = {
    { "add", "give a new node keys, and put it on the trust bundle", cmd_add },
    { "rotate", "give a node a new key; the old one stays valid for a while", cmd_rotate },
    { "revoke", "refuse every key of a node from now on", cmd_revoke },
    { "list", "print the keys of the trust bundle", ctl_cmd_node_list },
    { "export", "copy what one node's host needs", ctl_cmd_node_export },
    { "aws-policy", "print a node's policy for AWS IoT Core", ctl_cmd_node_aws_policy },
};

int ctl_cmd_node(struct ctl *ctl, int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: belfryctl node COMMAND [OPTION]...\n\nCommands:");
        ctl_print_commands(commands, BF_COUNT_OF(commands));
        return CTL_OK;
    }
    return ctl_dispatch(ctl, commands, BF_COUNT_OF(commands), "belfryctl node", argc - 1, argv + 1);
}
