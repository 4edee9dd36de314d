/* belfryctl init: a whole site in one directory. belfry.yml is written last: a directory that has it is a site. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "belfryctl/args.h"
#include "belfryctl/broker_conf.h"
#include "belfryctl/node_files.h"
#include "belfryctl/site.h"
#include "belfryctl/site_yaml.h"
#include "belfryctl/text.h"

/* Stands in the directory while init works, so that an interrupted one can be told from a site without its
 * belfry.yml. */
#define UNFINISHED_NAME ".init-unfinished"
#define DAY_MS 86400000ull
#define NODES_MAX (CTL_LIST_MAX + 4)

BF_DEFINE_CLEANUP(struct bf_key, bf_key_free)

struct init {
    const char *dir, *site, *listen;
    struct ctl_list camera_args, broker_names;
    uint64_t broker_port, valid_days;
    bool if_missing;

    struct ctl_camera_arg cameras[CTL_LIST_MAX];
    size_t n_cameras;
    struct ctl_node nodes[NODES_MAX];
    size_t n_nodes;

    char *path; /* of dir, absolute */
    int dirfd, keysfd, brokerfd;
    struct ctl_issuer issuer;
};

static void init_done(struct init *init)
{
    ctl_issuer_done(&init->issuer);
    bf_closep(&init->dirfd);
    bf_closep(&init->keysfd);
    bf_closep(&init->brokerfd);
    free(init->path);
}

static int add_node(struct init *init, const char *id, enum bf_role role, struct bf_error *e)
{
    for (size_t i = 0; i < init->n_nodes; i++)
        if (strcmp(init->nodes[i].id, id) == 0)
            return bf_fail(e, -EINVAL, "--camera %s: another node of this site has that id", id);
    init->nodes[init->n_nodes++] = (struct ctl_node){ .id = id, .role = role };
    return 0;
}

static int parse_cameras(struct init *init, struct bf_error *e)
{
    if (init->camera_args.n == 0)
        init->camera_args.item[init->camera_args.n++] = "camera-1";
    for (size_t i = 0; i < init->camera_args.n; i++) {
        struct ctl_camera_arg *camera = &init->cameras[init->n_cameras++];
        int r = ctl_camera_arg_parse(camera, init->camera_args.item[i], e);
        if (r < 0)
            return bf_fail_in(e, r, "--camera");
        r = add_node(init, camera->id, BF_ROLE_CAMERA, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_listen(const char *listen, struct bf_error *e)
{
    const char *colon = strrchr(listen, ':');
    uint64_t port;
    if (colon == NULL || colon == listen || ctl_parse_number(&port, colon + 1, 1, 65535) < 0 ||
        strpbrk(listen, "\"\\ \t\r\n") != NULL)
        return bf_fail(e, -EINVAL, "--listen: expected ADDRESS:PORT, as in 127.0.0.1:8080");
    return 0;
}

static int check_arguments(struct init *init, struct bf_error *e)
{
    if (init->site == NULL)
        return bf_fail(e, -EINVAL, "--site is missing: name the site, as in --site home");
    int r = check_listen(init->listen, e);
    for (size_t i = 0; r == 0 && i < init->broker_names.n; i++)
        if (ctl_host_check(init->broker_names.item[i]) < 0)
            r = bf_fail(e, -EINVAL, "--broker-name: expected a host name or an IP address");
    if (r == 0)
        r = add_node(init, "gateway-1", BF_ROLE_GATEWAY, e);
    if (r == 0)
        r = add_node(init, "ingest-1", BF_ROLE_INGEST, e);
    if (r == 0)
        r = add_node(init, "janitor-1", BF_ROLE_JANITOR, e);
    if (r == 0)
        r = add_node(init, "operator", BF_ROLE_OPERATOR, e);
    return r < 0 ? r : parse_cameras(init, e);
}

static bool exists(const struct init *init, const char *name)
{
    return faccessat(init->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* 0: go on; 1: it is there already and may be. */
static int check_directory(struct init *init, struct bf_error *e)
{
    if (exists(init, CTL_CONFIG_NAME)) {
        if (init->if_missing)
            return 1;
        return bf_fail(e, -EEXIST, "%s is a site already; use another --dir, or --if-missing to leave it as it is",
                       init->path);
    }
    if (exists(init, CTL_ROOT_DIR "/root.key") && !exists(init, UNFINISHED_NAME))
        return bf_fail(e, -EEXIST, "%s has a root key but no %s: bring that file back, or use another --dir",
                       init->path, CTL_CONFIG_NAME);
    return 0;
}

static int open_directory(struct init *init, struct bf_error *e)
{
    init->dirfd = bf_open_dir(AT_FDCWD, init->dir, 1, 0755);
    if (init->dirfd < 0)
        return bf_fail(e, init->dirfd, "%s: %s", init->dir, strerror(-init->dirfd));
    if (flock(init->dirfd, LOCK_EX) < 0)
        return bf_fail(e, -errno, "locking %s: %s", init->dir, strerror(errno));
    init->path = realpath(init->dir, NULL);
    return init->path != NULL ? 0 : bf_fail(e, -errno, "%s: %s", init->dir, strerror(errno));
}

static int make_directory(const struct init *init, const char *name, mode_t mode, int *ret_fd, struct bf_error *e)
{
    _cleanup_(bf_closep) int fd = bf_open_dir(init->dirfd, name, 1, mode);
    if (fd < 0)
        return bf_fail(e, fd, "%s/%s: %s", init->path, name, strerror(-fd));
    if (ret_fd != NULL) {
        *ret_fd = fd;
        fd = -1;
    }
    return 0;
}

static int make_directories(struct init *init, struct bf_error *e)
{
    int r = make_directory(init, "keys", 0700, &init->keysfd, e);
    if (r == 0)
        r = make_directory(init, CTL_BROKER_DIR, 0700, &init->brokerfd, e);
    if (r == 0)
        r = make_directory(init, CTL_ROOT_DIR, 0700, NULL, e);
    if (r == 0)
        r = make_directory(init, "media", 0755, NULL, e);
    return r < 0 ? r : make_directory(init, "state", 0700, NULL, e);
}

static int make_node(struct init *init, ctl_bundle *bundle, const struct ctl_node *node, struct bf_error *e)
{
    _cleanup_(bf_freep) char *keys_dir = ctl_path_in(init->path, "keys");
    _cleanup_(bf_key_freep) struct bf_key *key = NULL;
    if (keys_dir == NULL || bf_key_generate(&key) < 0)
        return bf_fail(e, -ENOMEM, "making the key of %s", node->id);

    /* No not_before: a robot without a clock must be able to start. */
    int r = ctl_bundle_add(bundle, node->id, node->role, bf_key_public(key), 0);
    if (r < 0)
        return bf_fail(e, r, "adding %s to the trust bundle", node->id);
    r = ctl_node_key_write(keys_dir, node->id, key, e);
    return r < 0 ? r : ctl_node_tls_write(init->keysfd, node->id, &init->issuer, e);
}

static int make_trust(struct init *init, struct bf_error *e)
{
    uint64_t now_ms = bf_unix_ms();
    _cleanup_(ctl_bundle_freep) ctl_bundle *bundle = NULL;
    int r = ctl_bundle_new(&bundle, init->site, now_ms + init->valid_days * DAY_MS);
    for (size_t i = 0; r == 0 && i < init->n_nodes; i++)
        r = make_node(init, bundle, &init->nodes[i], e);
    if (r < 0)
        return r;

    char root_public[2 * BF_PUBLIC_KEY_SIZE + 2];
    ctl_hex(root_public, bf_key_public(init->issuer.root), BF_PUBLIC_KEY_SIZE);
    strcat(root_public, "\n");
    r = ctl_write(init->keysfd, CTL_ROOT_PUBLIC_NAME, root_public, strlen(root_public), 0600, e);
    if (r == 0)
        r = ctl_bundle_write(init->keysfd, bundle, &init->issuer, now_ms, e);
    return r < 0 ? r : ctl_acl_write(init->brokerfd, bundle, now_ms, e);
}

static int make_broker_certificate(struct init *init, struct bf_error *e)
{
    const char *names[CTL_LIST_MAX + 4] = { "127.0.0.1", "::1", "localhost", "broker" };
    size_t n = 4;
    for (size_t i = 0; i < init->broker_names.n; i++)
        names[n++] = init->broker_names.item[i];

    return ctl_broker_tls_write(init->brokerfd, &init->issuer, names, n, e);
}

static int write_broker_conf(struct init *init, struct bf_error *e)
{
    _cleanup_(bf_freep) char *dir = ctl_path_in(init->path, CTL_BROKER_DIR);
    _cleanup_(ctl_text_done) struct ctl_text text = { 0 };
    const struct passwd *account = getpwuid(geteuid());
    if (dir == NULL || ctl_text_begin(&text) < 0)
        return -ENOMEM;

    struct ctl_broker_conf conf = { .dir = dir,
                                    .address = init->broker_names.n > 0 ? NULL : "127.0.0.1",
                                    .port = (uint16_t)init->broker_port,
                                    .user = account != NULL ? account->pw_name : "mosquitto" };
    ctl_broker_conf_print(text.f, &conf);
    int r = ctl_text_end(&text);
    return r < 0 ? r : ctl_write(init->brokerfd, "mosquitto.conf", text.data, text.size, 0600, e);
}

static int make_broker(struct init *init, struct bf_error *e)
{
    const char *ca = init->issuer.ca.cert_pem;
    int r = ctl_write(init->keysfd, CTL_CA_NAME, ca, strlen(ca), 0600, e);
    if (r == 0)
        r = ctl_write(init->brokerfd, CTL_CA_NAME, ca, strlen(ca), 0600, e);
    if (r == 0)
        r = make_broker_certificate(init, e);
    return r < 0 ? r : write_broker_conf(init, e);
}

static int write_config(struct init *init, struct bf_error *e)
{
    _cleanup_(ctl_text_done) struct ctl_text text = { 0 };
    if (ctl_text_begin(&text) < 0)
        return -ENOMEM;
    struct ctl_site_yaml yaml = { .site = init->site,
                                  .broker_host = init->broker_names.n > 0 ? init->broker_names.item[0] : "127.0.0.1",
                                  .broker_port = (uint16_t)init->broker_port,
                                  .listen = init->listen,
                                  .cameras = init->cameras,
                                  .n_cameras = init->n_cameras };
    ctl_site_yaml_print(text.f, &yaml);
    int r = ctl_text_end(&text);
    return r < 0 ? r : ctl_write(init->dirfd, CTL_CONFIG_NAME, text.data, text.size, 0644, e);
}

static int make_site(struct init *init, struct bf_error *e)
{
    int r = ctl_write(init->dirfd, UNFINISHED_NAME, "", 0, 0600, e);
    if (r == 0)
        r = make_directories(init, e);
    if (r == 0)
        r = ctl_issuer_make(&init->issuer, init->path, init->site, (unsigned)init->valid_days, e);
    if (r == 0)
        r = make_broker(init, e);
    if (r == 0)
        r = make_trust(init, e);
    if (r == 0)
        r = write_config(init, e);
    if (r == 0)
        unlinkat(init->dirfd, UNFINISHED_NAME, 0);
    return r;
}

static void print_next_steps(const struct init *init)
{
    printf("site %s made in %s: %zu nodes, keys valid for %" PRIu64 " days\n", init->site, init->path, init->n_nodes,
           init->valid_days);
    printf("  broker    mosquitto -c %s/" CTL_BROKER_DIR "/mosquitto.conf\n", init->path);
    printf("  services  belfry-gateway --config %s/" CTL_CONFIG_NAME " (and belfry-ingest, belfry-janitor,"
           " belfry-camera)\n",
           init->path);
    printf("  other hosts get theirs by belfryctl --site-dir %s node export ID --to DIR\n", init->path);
    printf("  then take %s/" CTL_ROOT_DIR " offline: only node add, rotate and revoke need it\n", init->path);
}

static int run(struct init *init, struct bf_error *e)
{
    int r = check_arguments(init, e);
    if (r < 0)
        return r;
    r = open_directory(init, e);
    if (r == 0)
        r = check_directory(init, e);
    if (r != 0)
        return r;

    r = make_site(init, e);
    if (r == 0)
        print_next_steps(init);
    return r;
}

int ctl_cmd_init(struct ctl *ctl, int argc, char **argv)
{
    _cleanup_(init_done) struct init init = {
        .listen = "127.0.0.1:8080", .broker_port = 8883, .valid_days = 3650, .dirfd = -1, .keysfd = -1, .brokerfd = -1
    };
    const struct ctl_option options[] = {
        { "dir", CTL_STRING, &init.dir, "DIR", "where to make it (default: the site directory)", 0, 0 },
        { "site", CTL_ID, &init.site, "NAME", "name of the site, [a-z0-9-]{1,32}", 0, 0 },
        { "camera", CTL_LIST, &init.camera_args, "ID[:SOURCE]",
          "test-pattern (default), file:PATH or libcamera[:SENSOR]"
          "; again for more (default: camera-1)",
          0, 0 },
        { "listen", CTL_STRING, &init.listen, "ADDR:PORT", "of the gateway's HTTP server (default 127.0.0.1:8080)", 0,
          0 },
        { "broker-port", CTL_NUMBER, &init.broker_port, "N", "TLS port of the broker (default 8883)", 1, 65535 },
        { "broker-name", CTL_LIST, &init.broker_names, "HOST",
          "name or address of the broker's host; the first is what"
          " nodes connect to, and the broker then listens on every address",
          0, 0 },
        { "valid-days", CTL_NUMBER, &init.valid_days, "N", "of trust bundle and certificates (default 3650)", 1,
          36500 },
        { "if-missing", CTL_FLAG, &init.if_missing, NULL, "exit 0 and change nothing where a site is already", 0, 0 },
    };
    const struct ctl_usage usage = {
        "init --dir DIR --site NAME [OPTION]...",
        "Makes a site: root key, keys and client certificates of gateway-1, ingest-1, janitor-1, operator and each\n"
        "camera, the signed trust bundle, the broker's certificate, configuration and access list, and belfry.yml.\n"
        "An interrupted init is finished by running it again.\n\n"
        "  belfryctl init --dir /srv/belfry --site home --camera front:libcamera --camera yard:file:/srv/yard.mp4\n",
        options,
        BF_COUNT_OF(options),
        0,
        0
    };
    int r = ctl_parse(ctl, &usage, argc, argv);
    if (r < 0)
        return ctl_parse_exit(r);
    if (init.dir == NULL)
        init.dir = ctl->site_dir;

    struct bf_error e = { "out of memory" };
    r = run(&init, &e);
    if (r == 1)
        printf("%s is a site already; left as it is\n", init.path);
    if (r < 0)
        ctl_complain("%s", e.text);
    return r >= 0 ? CTL_OK : r == -EINVAL ? CTL_USAGE : CTL_FAILED;
}
