/* belfryctl broker: a new certificate for the broker. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "belfryctl/args.h"
#include "belfryctl/node_files.h"
#include "belfryctl/site.h"

#define NAMES_MAX (2 * CTL_LIST_MAX)

/* Of the certificate that is there, then those that were asked for and are new. */
struct names {
    struct ctl_names before;
    const char *item[NAMES_MAX];
    size_t n;
};

static int add_name(struct names *names, const char *name, struct bf_error *e)
{
    if (ctl_host_check(name) < 0)
        return bf_fail(e, -EINVAL, "--name: expected a host name or an IP address");
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->item[i], name) == 0)
            return 0;
    if (names->n == NAMES_MAX)
        return bf_fail(e, -E2BIG, "more than %d names in one certificate", NAMES_MAX);
    names->item[names->n++] = name;
    return 0;
}

static int collect_names(struct names *names, int brokerfd, const struct ctl_list *more, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *pem = NULL;
    size_t size;
    int r = bf_read_file(brokerfd, CTL_BROKER_CERT_NAME, CTL_BUNDLE_MAX_BYTES, &pem, &size);
    if (r == 0)
        r = ctl_certificate_names((const char *)pem, &names->before);
    if (r < 0)
        return bf_fail(e, r, CTL_BROKER_DIR "/" CTL_BROKER_CERT_NAME ": %s; it says which names the new one is for",
                       r == -EBADMSG ? "not a certificate with names" : strerror(-r));
    for (size_t i = 0; i < names->before.n && r == 0; i++)
        r = add_name(names, names->before.item[i], e);
    for (size_t i = 0; i < more->n && r == 0; i++)
        r = add_name(names, more->item[i], e);
    return r;
}

static int renew(const struct ctl *ctl, const struct ctl_list *more, uint64_t valid_days, struct bf_error *e)
{
    _cleanup_(ctl_site_freep) struct ctl_site *s = NULL;
    _cleanup_(ctl_issuer_done) struct ctl_issuer issuer = { 0 };
    _cleanup_(bf_closep) int brokerfd = -1;
    struct names names = { 0 };
    int r = ctl_site_open(&s, ctl->site_dir, e);
    if (r == 0)
        r = ctl_site_lock(s, e);
    if (r == 0)
        r = ctl_issuer_open(&issuer, s->dir, (unsigned)valid_days, e);
    if (r < 0)
        return r;

    brokerfd = bf_open_dir(s->dirfd, CTL_BROKER_DIR, 0, 0);
    if (brokerfd < 0)
        return bf_fail(e, brokerfd, "%s/" CTL_BROKER_DIR ": %s", s->dir, strerror(-brokerfd));
    r = collect_names(&names, brokerfd, more, e);
    if (r == 0)
        r = ctl_broker_tls_write(brokerfd, &issuer, names.item, names.n, e);
    if (r == 0)
        printf("the broker has a new certificate for %zu names; next: SIGHUP to mosquitto. Connections stay, new ones"
               " see it\n",
               names.n);
    ctl_names_done(&names.before);
    return r;
}

static int cmd_renew(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_list names = { 0 };
    uint64_t valid_days = 3650;
    const struct ctl_option options[] = {
        { "name", CTL_LIST, &names, "HOST", "one more name or address that nodes connect to; again for more", 0, 0 },
        { "valid-days", CTL_NUMBER, &valid_days, "N", "of the certificate (default 3650)", 1, 36500 },
    };
    const struct ctl_usage usage = {
        "broker renew [OPTION]...",
        "Gives the broker a new key and certificate of the same authority, for the names of the one before. mosquitto\n"
        "takes them over on SIGHUP, without a restart.\n",
        options,
        BF_COUNT_OF(options),
        0,
        0
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);

    struct bf_error e = { "out of memory" };
    int r = renew(ctl, &names, valid_days, &e);
    if (r == -EINVAL) {
        ctl_complain("%s", e.text);
        return CTL_USAGE;
    }
    return ctl_finish(r, &e);
}

static const struct ctl_command commands[] = {
    { "renew", "give the broker a new certificate", cmd_renew },
};

int ctl_cmd_broker(struct ctl *ctl, int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: belfryctl broker COMMAND [OPTION]...\n\nCommands:");
        ctl_print_commands(commands, BF_COUNT_OF(commands));
        return CTL_OK;
    }
    return ctl_dispatch(ctl, commands, BF_COUNT_OF(commands), "belfryctl broker", argc - 1, argv + 1);
}
