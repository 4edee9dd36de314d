/* belfryctl node list and node export: what is there, and what of it one host needs. */
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

#define PEM_MAX_BYTES 16384

BF_DEFINE_CLEANUP(struct bf_key, bf_key_free)

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

int ctl_cmd_node_list(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = { "node list", "Prints the keys of the trust bundle.\n", NULL, 0, 0, 0 };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);

    struct bf_error e = { "out of memory" };
    _cleanup_(ctl_site_freep) struct ctl_site *s = NULL;
    int r = ctl_site_open(&s, ctl->site_dir, &e);
    if (r < 0)
        return ctl_finish(r, &e);

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

static int is_key(void *user, const struct bf_trusted_key *k)
{
    return memcmp(k->public_key, bf_key_public(user), sizeof k->public_key) == 0;
}

/* Whether a key was kept and the bundle still lists it: 1 or 0. */
static int previous_key_counts(const struct ctl_site *s, const char *name, const char *node, struct bf_error *e)
{
    _cleanup_(bf_freep) char *path = ctl_path_in(s->keys_dir, name);
    _cleanup_(bf_key_freep) struct bf_key *key = NULL;
    if (path == NULL)
        return -ENOMEM;
    int r = bf_key_load(&key, path, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return bf_trust_each(s->trust, node, BF_ROLE_NONE, bf_unix_ms(), is_key, key) != 0;
}

/* A key that counts no more is left nowhere: not in what an earlier export put there either. */
static int export_previous_key(const struct ctl_site *s, const char *node, int to, struct bf_error *e)
{
    char name[CTL_FILE_NAME_SIZE];
    ctl_node_file_name(name, node, CTL_NODE_PREVIOUS_KEY);
    int counts = previous_key_counts(s, name, node, e);
    if (counts < 0)
        return counts;
    if (counts)
        return copy_file(s, name, to, e);
    ctl_node_key_forget(s->keysfd, node);
    ctl_node_key_forget(to, node);
    return 0;
}

static int export_node(const struct ctl_site *s, const char *node, const char *to, struct bf_error *e)
{
    static const char *const common[] = { CTL_CA_NAME, CTL_ROOT_PUBLIC_NAME, CTL_BUNDLE_NAME };
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
    if (r == 0)
        r = export_previous_key(s, node, dirfd, e);
    for (size_t i = 0; r == 0 && i < BF_COUNT_OF(common); i++)
        r = copy_file(s, common[i], dirfd, e);
    return r;
}

int ctl_cmd_node_export(struct ctl *ctl, int argc, char **argv)
{
    const char *to = NULL;
    const struct ctl_option options[] = { { "to", CTL_STRING, &to, "DIR", "where to put them; made 0700", 0, 0 } };
    const struct ctl_usage usage = {
        "node export ID --to DIR",
        "Copies what one node's host needs and nothing else: its keys and certificate, ca.crt, root.pub and\n"
        "trust.bundle, all 0600. Bring DIR to that host as keys.dir of its belfry.yml, over a safe way. The key before\n"
        "the last rotation goes along while the trust bundle lists it, and is deleted in both places afterwards.\n",
        options,
        BF_COUNT_OF(options),
        1,
        1
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    if (to == NULL) {
        ctl_complain("--to is missing: name the directory, as in --to /media/usb/keys");
        return CTL_USAGE;
    }
    if (ctl_check_id("node", argv[word]) < 0)
        return CTL_USAGE;

    struct bf_error e = { "out of memory" };
    _cleanup_(ctl_site_freep) struct ctl_site *s = NULL;
    int r = ctl_site_open(&s, ctl->site_dir, &e);
    if (r == 0)
        r = ctl_site_lock(s, &e); /* a rotation changes the files one after the other */
    if (r == 0)
        r = export_node(s, argv[word], to, &e);
    if (r == 0)
        printf("keys of %s are in %s; next: copy it to that host as keys.dir of its " CTL_CONFIG_NAME "\n", argv[word],
               to);
    return ctl_finish(r, &e);
}
