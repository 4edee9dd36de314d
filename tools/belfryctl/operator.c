#include "belfryctl/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "belfryctl/node_files.h"
#include "belfryctl/text.h"
#include "service/tls_pair.h"

/* The lock also keeps two runs from taking the same epoch. */
static int take_node(struct ctl_operator *o, int statefd, const char *node, struct bf_error *e)
{
    char lock[CTL_FILE_NAME_SIZE];
    snprintf(lock, sizeof lock, "%s.lock", node);
    _cleanup_(bf_closep) int fd = openat(statefd, lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return bf_fail(e, -errno, "%s/%s: %s", o->site->state_dir, lock, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return bf_fail(e, -EBUSY,
                       "another belfryctl is connected as %s; wait for it, or make a second operator: belfryctl"
                       " node add %s-2 --role operator",
                       node, node);

    o->node = node;
    o->lockfd = fd;
    fd = -1;
    return 0;
}

static bool key_is_here(const struct ctl_site *site, const char *node)
{
    char name[CTL_FILE_NAME_SIZE];
    ctl_node_file_name(name, node, 0);
    return faccessat(site->keysfd, name, R_OK, 0) == 0;
}

static int choose_node(struct ctl_operator *o, int statefd, const char *wanted, struct bf_error *e)
{
    _cleanup_(bf_freep) struct ctl_node *nodes = NULL;
    size_t n;
    int r = ctl_bundle_nodes(o->site->bundle, bf_unix_ms(), &nodes, &n);
    if (r < 0)
        return r;

    r = bf_fail(e, -ENOENT,
                "no operator's key in %s: belfryctl node export operator --to DIR where the site was made"
                " brings it here",
                o->site->keys_dir);
    for (size_t i = 0; i < n; i++) {
        bool fits = nodes[i].role == BF_ROLE_OPERATOR && (wanted == NULL || strcmp(wanted, nodes[i].id) == 0);
        if (!fits || !key_is_here(o->site, nodes[i].id))
            continue;
        r = take_node(o, statefd, nodes[i].id, e);
        if (r != -EBUSY)
            break;
    }
    return r;
}

static int load_identity(struct ctl_operator *o, int statefd, struct bf_error *e)
{
    char epoch_name[CTL_FILE_NAME_SIZE];
    o->ca_file = ctl_format("%s/" CTL_CA_NAME, o->site->keys_dir);
    o->cert_file = ctl_format("%s/%s.crt", o->site->keys_dir, o->node);
    o->key_file = ctl_format("%s/%s.tls.key", o->site->keys_dir, o->node);
    if (o->ca_file == NULL || o->cert_file == NULL || o->key_file == NULL)
        return -ENOMEM;

    int r = bf_key_load_node(&o->key, o->site->keys_dir, o->node, e);
    if (r == 0)
        r = bf_random(o->boot_id, sizeof o->boot_id);
    if (r < 0)
        return r;
    snprintf(epoch_name, sizeof epoch_name, "%s.epoch", o->node);
    r = bf_counter_next(statefd, epoch_name, &o->epoch);
    return r < 0 ? bf_fail(e, r, "%s/%s: %s", o->site->state_dir, epoch_name, strerror(-r)) : 0;
}

static void fill_mqtt_options(struct ctl_operator *o)
{
    const struct bf_config *c = o->site->config;
    o->mqtt = (struct bf_mqtt_options){ .host = c->broker.host,
                                        .port = c->broker.port,
                                        .client_id = o->node,
                                        .alpn = c->broker.alpn,
                                        .keepalive_s = c->broker.keepalive_s };
    if (c->broker.tls) {
        o->mqtt.ca_file = o->ca_file;
        o->mqtt.cert_file = o->cert_file;
        o->mqtt.key_file = o->key_file;
    }
}

int ctl_operator_open(struct ctl_operator **ret, const struct ctl_site *site, const char *node, struct bf_error *e)
{
    _cleanup_(ctl_operator_freep) struct ctl_operator *o = calloc(1, sizeof *o);
    if (o == NULL)
        return bf_fail(e, -ENOMEM, "out of memory");
    o->site = site;
    o->lockfd = -1;
    _cleanup_(bf_closep) int statefd = bf_open_dir(AT_FDCWD, site->state_dir, 1, 0700);
    if (statefd < 0)
        return bf_fail(e, statefd, "%s: %s", site->state_dir, strerror(-statefd));

    int r = choose_node(o, statefd, node, e);
    if (r == 0)
        r = load_identity(o, statefd, e);
    if (r == 0 && site->config->broker.tls)
        r = bf_tls_pair_check(o->cert_file, o->key_file, e);
    if (r < 0)
        return r;
    fill_mqtt_options(o);
    bf_log_init("belfryctl", o->node,
                BF_LOG_ERROR); /* the bus logs what it waits for; the commands say so themselves */
    *ret = BF_TAKE(o);
    return 0;
}

void ctl_operator_free(struct ctl_operator *o)
{
    if (o == NULL)
        return;
    bf_key_free(o->key);
    bf_closep(&o->lockfd);
    free(o->ca_file);
    free(o->cert_file);
    free(o->key_file);
    free(o);
}
