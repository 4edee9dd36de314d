/* belfryctl node: add, rotate, revoke, list and export the nodes of a site. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "belfryctl/args.h"
#include "belfryctl/node_files.h"
#include "belfryctl/site.h"
#include "belfryctl/text.h"

#define DAY_MS 86400000ull
#define PEM_MAX_BYTES 16384

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

static int finish(int r, const struct bf_error *e)
{
    if (r < 0)
        ctl_complain("%s", e->text);
    return r >= 0 ? CTL_OK : CTL_FAILED;
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

static int check_node_id(const char *id)
{
    if (bf_id_valid(id))
        return 0;
    ctl_complain("node id: expected 1 to 32 of the characters a-z 0-9 -");
    return -EINVAL;
}

static int cmd_add(struct ctl *ctl, int argc, char **argv)
{
    const char *role_name = NULL;
    uint64_t valid_days = 3650;
    const struct ctl_option options[] = {
        {"role", CTL_ID, &role_name, "ROLE", "camera, ingest, gateway, janitor or operator", 0, 0},
        {"valid-days", CTL_NUMBER, &valid_days, "N", "of its client certificate (default 3650)", 1, 36500},
    };
    const struct ctl_usage usage = {
        "node add ID --role ROLE [OPTION]...",
        "Gives a new node a signing key and a client certificate, and puts it on the trust bundle and the broker's\n"
        "access list. A second operator lets two belfryctl talk to the broker at the same time.\n",
        options, BF_COUNT_OF(options), 1, 1};
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    enum bf_role role = role_name != NULL ? bf_role_parse(role_name) : BF_ROLE_NONE;
    if (role == BF_ROLE_NONE) {
        ctl_complain("--role: expected camera, ingest, gateway, janitor or operator");
        return CTL_USAGE;
    }
    if (check_node_id(argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = {"out of memory"};
    _cleanup_(change_done) struct change change = {0};
    int r = change_begin(&change, ctl, valid_days, &e);
    if (r == 0)
        r = add_node(&change, argv[word], role, &e);
    if (r == 0) {
        printf("%s %s added; ", role_name, argv[word]);
        print_after_change(&change);
        if (role == BF_ROLE_CAMERA)
            printf("  add camera %s to " CTL_CONFIG_NAME " of the gateway's, ingest's and its own host\n", argv[word]);
    }
    return finish(r, &e);
}

static int rotate_node(struct change *c, const char *node, uint64_t overlap_ms, struct bf_error *e)
{
    enum bf_role role = ctl_bundle_role_of(c->site->bundle, node, c->now_ms);
    if (role == BF_ROLE_NONE)
        return bf_fail(e, -ENOENT, "%s has no valid key here; belfryctl node list shows who has, node add adds", node);

    _cleanup_(bf_key_freep) struct bf_key *key = NULL;
    ctl_bundle_retire(c->site->bundle, node, c->now_ms + overlap_ms);
    int r = issue_key(c, node, role, &key, e);
    /* The bundle goes first: a key that is listed and not yet used is harmless, the reverse is an outage. */
    if (r == 0)
        r = change_commit(c, e);
    if (r == 0)
        r = ctl_node_key_write(c->site->keys_dir, node, key, e);
    return r < 0 ? r : ctl_node_tls_write(c->site->keysfd, node, &c->issuer, e);
}

static int cmd_rotate(struct ctl *ctl, int argc, char **argv)
{
    uint64_t overlap_ms = DAY_MS, valid_days = 3650;
    const struct ctl_option options[] = {
        {"overlap", CTL_DURATION, &overlap_ms, "TIME", "how long the old key stays valid (default 24h)", 0, 366 * DAY_MS},
        {"valid-days", CTL_NUMBER, &valid_days, "N", "of its client certificate (default 3650)", 1, 36500},
    };
    const struct ctl_usage usage = {"node rotate ID [OPTION]...",
                                    "Gives a node a new signing key and client certificate. Old and new key are both\n"
                                    "valid for the overlap: within it, bring the new trust bundle to every host, then\n"
                                    "the new key to the node's host (node export), and restart the node.\n",
                                    options, BF_COUNT_OF(options), 1, 1};
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    if (check_node_id(argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = {"out of memory"};
    _cleanup_(change_done) struct change change = {0};
    int r = change_begin(&change, ctl, valid_days, &e);
    if (r == 0)
        r = rotate_node(&change, argv[word], overlap_ms, &e);
    if (r == 0) {
        printf("%s has a new key; ", argv[word]);
        print_after_change(&change);
        printf("  then restart %s with its new key, before the old one ends\n", argv[word]);
    }
    return finish(r, &e);
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
    return 0;
}

static int cmd_revoke(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {"node revoke ID",
                                    "Puts every key of a node on the revoked list for ever, takes it off the broker's\n"
                                    "access list and deletes its key files here. Recordings that it signed before can\n"
                                    "no longer be proven: verify reports an unknown key.\n",
                                    NULL, 0, 1, 1};
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    if (check_node_id(argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = {"out of memory"};
    _cleanup_(change_done) struct change change = {0};
    int r = change_begin(&change, ctl, 3650, &e);
    if (r == 0)
        r = revoke_node(&change, argv[word], &e);
    if (r == 0) {
        printf("%s revoked; ", argv[word]);
        print_after_change(&change);
        printf("  take %s out of " CTL_CONFIG_NAME " where it is named\n", argv[word]);
    }
    return finish(r, &e);
}

/* To the minute. */
static const char *moment(char buf[static 25], uint64_t unix_ms, const char *none)
{
    if (unix_ms == 0)
        return none;
    bf_rfc3339(buf, unix_ms);
    strcpy(buf + 16, "Z");
    return buf;
}

static void print_certificate_end(const struct ctl_site *s, const char *node)
{
    char name[CTL_FILE_NAME_SIZE], buf[25];
    _cleanup_(bf_freep) uint8_t *pem = NULL;
    size_t size;
    uint64_t not_after_ms;
    ctl_node_file_name(name, node, 1);
    if (bf_read_file(s->keysfd, name, PEM_MAX_BYTES, &pem, &size) < 0 ||
        ctl_certificate_not_after((const char *)pem, &not_after_ms) < 0)
        printf("not here");
    else
        printf("%s", moment(buf, not_after_ms, "-"));
}

static void print_key(const struct ctl_site *s, const Belfry__V1__TrustedKey *key, uint64_t now_ms)
{
    uint8_t id[BF_KEYID_SIZE];
    char hex[2 * BF_KEYID_SIZE + 1], until[25];
    bf_keyid(id, key->public_key.data);
    ctl_hex(hex, id, sizeof id);
    bool ended = key->not_after_ms != 0 && key->not_after_ms <= now_ms;
    printf("%-20s %-9s %s  %-17s ", key->node, bf_role_name((enum bf_role)key->roles[0]), hex,
           ended ? "ended" : moment(until, key->not_after_ms, "no end"));
    print_certificate_end(s, key->node);
    putchar('\n');
}

static int cmd_list(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {"node list", "Prints the keys of the trust bundle.\n", NULL, 0, 0, 0};
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);

    struct bf_error e = {"out of memory"};
    _cleanup_(ctl_site_freep) struct ctl_site *s = NULL;
    int r = ctl_site_open(&s, ctl->site_dir, &e);
    if (r < 0)
        return finish(r, &e);

    uint64_t now_ms = bf_unix_ms();
    char until[25];
    printf("site %s, trust bundle version %" PRIu64 ", valid until %s%s\n", s->bundle->site, s->bundle->version,
           moment(until, s->bundle->expires_at_ms, "for ever"), bf_trust_expired(s->trust, now_ms) ? " (EXPIRED)" : "");
    printf("%-20s %-9s %-32s  %-17s %s\n", "NODE", "ROLE", "KEY ID", "KEY UNTIL", "CERTIFICATE UNTIL");
    for (size_t i = 0; i < s->bundle->n_keys; i++)
        print_key(s, s->bundle->keys[i], now_ms);
    if (s->bundle->n_revoked > 0)
        printf("%zu revoked keys\n", s->bundle->n_revoked);
    return CTL_OK;
}

static int copy_file(const struct ctl_site *s, const char *name, int to, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *data = NULL;
    size_t size;
    int r = bf_read_file(s->keysfd, name, CTL_BUNDLE_MAX_BYTES, &data, &size);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: %s", s->keys_dir, name, strerror(-r));
    r = ctl_write(to, name, data, size, 0600, e);
    explicit_bzero(data, size);
    return r;
}

static int export_node(const struct ctl_site *s, const char *node, const char *to, struct bf_error *e)
{
    static const char *const common[] = {CTL_CA_NAME, CTL_ROOT_PUBLIC_NAME, CTL_BUNDLE_NAME};
    if (ctl_bundle_role_of(s->bundle, node, bf_unix_ms()) == BF_ROLE_NONE)
        return bf_fail(e, -ENOENT, "%s has no valid key here; belfryctl node list shows who has, node add adds", node);
    _cleanup_(bf_closep) int dirfd = bf_open_dir(AT_FDCWD, to, 1, 0700);
    if (dirfd < 0)
        return bf_fail(e, dirfd, "%s: %s", to, strerror(-dirfd));

    int r = 0;
    for (unsigned i = 0; r == 0 && i < CTL_NODE_FILES; i++) {
        char name[CTL_FILE_NAME_SIZE];
        ctl_node_file_name(name, node, i);
        r = copy_file(s, name, dirfd, e);
    }
    for (size_t i = 0; r == 0 && i < BF_COUNT_OF(common); i++)
        r = copy_file(s, common[i], dirfd, e);
    return r;
}

static int cmd_export(struct ctl *ctl, int argc, char **argv)
{
    const char *to = NULL;
    const struct ctl_option options[] = {{"to", CTL_STRING, &to, "DIR", "where to put them; made 0700", 0, 0}};
    const struct ctl_usage usage = {
        "node export ID --to DIR",
        "Copies what one node's host needs and nothing else: its keys and certificate, ca.crt, root.pub and\n"
        "trust.bundle, all 0600. Bring DIR to that host as keys.dir of its belfry.yml, over a safe way.\n",
        options, BF_COUNT_OF(options), 1, 1};
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    if (to == NULL) {
        ctl_complain("--to is missing: name the directory, as in --to /media/usb/keys");
        return CTL_USAGE;
    }
    if (check_node_id(argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = {"out of memory"};
    _cleanup_(ctl_site_freep) struct ctl_site *s = NULL;
    int r = ctl_site_open(&s, ctl->site_dir, &e);
    if (r == 0)
        r = export_node(s, argv[word], to, &e);
    if (r == 0)
        printf("keys of %s are in %s; next: copy it to that host as keys.dir of its " CTL_CONFIG_NAME "\n", argv[word], to);
    return finish(r, &e);
}

static const struct ctl_command commands[] = {
    {"add", "give a new node keys, and put it on the trust bundle", cmd_add},
    {"rotate", "give a node a new key; the old one stays valid for a while", cmd_rotate},
    {"revoke", "refuse every key of a node from now on", cmd_revoke},
    {"list", "print the keys of the trust bundle", cmd_list},
    {"export", "copy what one node's host needs", cmd_export},
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
