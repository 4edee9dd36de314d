/* Whole commands, in a directory of their own: init and node. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "belfryctl/args.h"
#include "belfryctl/node_files.h"
#include "belfryctl/operator.h"
#include "belfryctl/site.h"
#include "belfryctl/site_yaml.h"
#include "belfryctl/text.h"
#include "scratch.h"

static int run(const char *dir, int (*command)(struct ctl *, int, char **), const char *line)
{
    struct ctl ctl = { .site_dir = dir };
    _cleanup_(bf_freep) char *copy = strdup(line);
    char *argv[32];
    int argc = 0;
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return command(&ctl, argc, argv);
}

static char *site_dir(void **state)
{
    return ctl_format("%s/site", ((struct scratch *)*state)->path);
}

static void init(const char *dir, const char *more)
{
    _cleanup_(bf_freep) char *line = ctl_format("init --site home %s", more);
    assert_int_equal(run(dir, ctl_cmd_init, line), CTL_OK);
}

static bool there(const char *dir, const char *name)
{
    _cleanup_(bf_freep) char *path = ctl_path_in(dir, name);
    return access(path, F_OK) == 0;
}

static mode_t mode_of(const char *dir, const char *name)
{
    _cleanup_(bf_freep) char *path = ctl_path_in(dir, name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static char *content(const char *dir, const char *name)
{
    _cleanup_(bf_freep) char *path = ctl_path_in(dir, name);
    uint8_t *text;
    size_t size;
    assert_int_equal(bf_read_file(AT_FDCWD, path, 1u << 20, &text, &size), 0);
    return (char *)text;
}

static struct ctl_site *open_site(const char *dir)
{
    struct ctl_site *s = NULL;
    struct bf_error e = { 0 };
    if (ctl_site_open(&s, dir, &e) < 0)
        fail_msg("%s", e.text);
    return s;
}

static void test_init(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    static const char *const nodes[] = { "gateway-1", "ingest-1", "janitor-1", "operator", "front", "yard" };
    static const char *const secrets[] = { "root/root.key", "root/ca.key",       "mosquitto/broker.key",
                                           "mosquitto/acl", "keys/trust.bundle", "keys/root.pub",
                                           "keys/ca.crt" };
    init(dir, "--camera front --camera yard:file:/srv/yard.mp4 --listen 0.0.0.0:9000 --broker-port 18883");

    for (size_t i = 0; i < BF_COUNT_OF(nodes); i++)
        for (unsigned j = 0; j < CTL_NODE_FILES; j++) {
            char name[CTL_FILE_NAME_SIZE], path[CTL_FILE_NAME_SIZE + 8];
            ctl_node_file_name(name, nodes[i], j);
            snprintf(path, sizeof path, "keys/%s", name);
            assert_int_equal(mode_of(dir, path), 0600);
        }
    for (size_t i = 0; i < BF_COUNT_OF(secrets); i++)
        assert_int_equal(mode_of(dir, secrets[i]), 0600);
    assert_int_equal(mode_of(dir, "keys"), 0700);
    assert_int_equal(mode_of(dir, "root"), 0700);
    assert_false(there(dir, ".init-unfinished"));

    struct ctl_site *s = open_site(dir);
    assert_string_equal(s->config->site, "home");
    assert_int_equal(s->config->broker.port, 18883);
    assert_string_equal(s->config->gateway.listen, "0.0.0.0:9000");
    assert_int_equal(s->config->n_cameras, 2);
    assert_string_equal(s->config->cameras[1].source, "file");
    assert_int_equal(bf_trust_version(s->trust), 1);
    assert_false(bf_trust_expired(s->trust, bf_unix_ms() + 3649ull * 86400000));
    for (size_t i = 0; i < BF_COUNT_OF(nodes); i++) {
        _cleanup_(bf_freep) char *path = ctl_format("%s/keys/%s.key", dir, nodes[i]);
        struct bf_key *key;
        struct bf_error e;
        assert_int_equal(bf_key_load(&key, path, &e), 0);
        const struct bf_trusted_key *trusted =
            bf_trust_key_of(s->trust, nodes[i], ctl_bundle_role_of(s->bundle, nodes[i], bf_unix_ms()), bf_unix_ms());
        assert_non_null(trusted);
        assert_memory_equal(trusted->public_key, bf_key_public(key), BF_PUBLIC_KEY_SIZE);
        bf_key_free(key);
    }
    ctl_site_free(s);
}

static void test_init_leaves_a_site_alone(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    init(dir, "");
    _cleanup_(bf_freep) char *before = content(dir, "keys/trust.bundle");
    assert_int_equal(run(dir, ctl_cmd_init, "init --site home"), CTL_FAILED);
    assert_int_equal(run(dir, ctl_cmd_init, "init --site home --if-missing"), CTL_OK);
    _cleanup_(bf_freep) char *after = content(dir, "keys/trust.bundle");
    assert_string_equal(before, after);

    /* A site whose belfry.yml is lost still has the only copy of its root key. */
    _cleanup_(bf_freep) char *config = ctl_path_in(dir, "belfry.yml");
    unlink(config);
    assert_int_equal(run(dir, ctl_cmd_init, "init --site home --if-missing"), CTL_FAILED);
    assert_true(there(dir, "root/root.key"));
}

static void test_init_finishes_what_was_interrupted(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    init(dir, "");
    _cleanup_(bf_freep) char *config = ctl_path_in(dir, "belfry.yml"), *mark = ctl_path_in(dir, ".init-unfinished");
    _cleanup_(bf_freep) char *half = ctl_path_in(dir, "keys/ingest-1.crt");
    unlink(config);
    unlink(half);
    close(open(mark, O_WRONLY | O_CREAT, 0600));
    init(dir, "--if-missing");
    assert_false(there(dir, ".init-unfinished"));
    ctl_site_free(open_site(dir));
}

static void test_init_refuses(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    static const char *const lines[] = {
        "init",
        "init --site Home",
        "init --site home --camera Front",
        "init --site home --camera front --camera front",
        "init --site home --camera gateway-1",
        "init --site home --camera front:webcam",
        "init --site home --camera front:file",
        "init --site home --listen 8080",
        "init --site home --listen 127.0.0.1:0",
        "init --site home --broker-port 0",
        "init --site home --broker-name a,DNS:b",
        "init --site home --valid-days 0",
        "init --site home stray",
    };
    for (size_t i = 0; i < BF_COUNT_OF(lines); i++) {
        int status = run(dir, ctl_cmd_init, lines[i]);
        if (status != CTL_USAGE)
            fail_msg("%s: exit status %d", lines[i], status);
        assert_false(there(dir, "root"));
    }
}

static void test_broker_for_other_hosts(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    init(dir, "--broker-name robot.local --broker-name 10.0.0.7");
    _cleanup_(bf_freep) char *conf = content(dir, "mosquitto/mosquitto.conf");
    assert_non_null(strstr(conf, "\nlistener 8883\n"));
    assert_non_null(strstr(conf, "\nrequire_certificate true\n"));
    struct ctl_site *s = open_site(dir);
    assert_string_equal(s->config->broker.host, "robot.local");
    ctl_site_free(s);
}

static size_t valid_keys_of(const struct ctl_site *s, const char *node, uint64_t at_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < s->bundle->n_keys; i++) {
        const Belfry__V1__TrustedKey *k = s->bundle->keys[i];
        n += strcmp(k->node, node) == 0 && (k->not_after_ms == 0 || k->not_after_ms > at_ms);
    }
    return n;
}

static void test_node_add(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    init(dir, "--camera front");
    assert_int_equal(run(dir, ctl_cmd_node, "node add yard --role camera"), CTL_OK);
    assert_int_equal(run(dir, ctl_cmd_node, "node add yard --role camera"), CTL_FAILED);
    assert_int_equal(run(dir, ctl_cmd_node, "node add Yard --role camera"), CTL_USAGE);
    assert_int_equal(run(dir, ctl_cmd_node, "node add shed --role cat"), CTL_USAGE);
    assert_int_equal(run(dir, ctl_cmd_node, "node add shed"), CTL_USAGE);
    assert_true(there(dir, "keys/yard.key") && there(dir, "keys/yard.crt") && there(dir, "keys/yard.tls.key"));
    _cleanup_(bf_freep) char *acl = content(dir, "mosquitto/acl");
    assert_non_null(strstr(acl, "\nuser yard\n"));
    assert_non_null(strstr(acl, "\ntopic write belfry/v1/home/camera/yard/desired\n"));

    struct ctl_site *s = open_site(dir);
    assert_int_equal(bf_trust_version(s->trust), 2);
    assert_int_equal(ctl_bundle_role_of(s->bundle, "yard", bf_unix_ms()), BF_ROLE_CAMERA);
    ctl_site_free(s);
}

static void test_node_rotate(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    init(dir, "--camera front");
    _cleanup_(bf_freep) char *old_key = content(dir, "keys/front.key"), *old_cert = content(dir, "keys/front.crt");
    assert_int_equal(run(dir, ctl_cmd_node, "node rotate front --overlap 1h"), CTL_OK);
    _cleanup_(bf_freep) char *new_key = content(dir, "keys/front.key"), *new_cert = content(dir, "keys/front.crt");
    assert_string_not_equal(old_key, new_key);
    assert_string_not_equal(old_cert, new_cert);

    struct ctl_site *s = open_site(dir);
    assert_int_equal(valid_keys_of(s, "front", bf_unix_ms()), 2);
    assert_int_equal(valid_keys_of(s, "front", bf_unix_ms() + 3600000), 1);
    ctl_site_free(s);

    /* The old key stays for the overlap, here and where the node is; a stolen one does not. */
    _cleanup_(bf_freep) char *kept = content(dir, "keys/front.previous.key");
    assert_string_equal(kept, old_key);
    assert_int_equal(mode_of(dir, "keys/front.previous.key"), 0600);
    _cleanup_(bf_freep) char *to = ctl_format("%s/card", ((struct scratch *)*state)->path);
    _cleanup_(bf_freep) char *line = ctl_format("node export front --to %s", to);
    assert_int_equal(run(dir, ctl_cmd_node, line), CTL_OK);
    assert_int_equal(mode_of(to, "front.previous.key"), 0600);
    assert_int_equal(run(dir, ctl_cmd_node, "node rotate front --overlap 0s"), CTL_OK);
    assert_false(there(dir, "keys/front.previous.key"));

    assert_int_equal(run(dir, ctl_cmd_node, "node rotate nobody"), CTL_FAILED);
    assert_int_equal(run(dir, ctl_cmd_node, "node rotate front --overlap soon"), CTL_USAGE);
}

/* As time does at the end of an overlap. */
static void end_first_key_of(const char *dir, const char *node)
{
    struct ctl_site *s = open_site(dir);
    struct ctl_issuer issuer;
    struct bf_error e;
    size_t i = 0;
    while (strcmp(s->bundle->keys[i]->node, node) != 0)
        i++;
    s->bundle->keys[i]->not_after_ms = 1;
    assert_int_equal(ctl_issuer_open(&issuer, dir, 1, &e), 0);
    assert_int_equal(ctl_bundle_write(s->keysfd, s->bundle, &issuer, bf_unix_ms(), &e), 0);
    ctl_issuer_done(&issuer);
    ctl_site_free(s);
}

static void test_a_retired_key_is_left_nowhere(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state), *to = ctl_format("%s/card", ((struct scratch *)*state)->path);
    _cleanup_(bf_freep) char *line = ctl_format("node export front --to %s", to);
    init(dir, "--camera front");
    assert_int_equal(run(dir, ctl_cmd_node, "node rotate front"), CTL_OK);
    assert_int_equal(run(dir, ctl_cmd_node, line), CTL_OK);
    assert_true(there(to, "front.previous.key"));

    end_first_key_of(dir, "front");
    assert_int_equal(run(dir, ctl_cmd_node, line), CTL_OK);
    assert_false(there(to, "front.previous.key"));
    assert_false(there(dir, "keys/front.previous.key"));
    assert_true(there(to, "front.key"));
}

static void test_a_rotation_that_fails_forgets_no_key(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state), *broker = ctl_path_in(dir, "mosquitto");
    _cleanup_(bf_freep) char *away = ctl_path_in(dir, "away");
    init(dir, "--camera front");
    assert_int_equal(run(dir, ctl_cmd_node, "node rotate front"), CTL_OK);
    assert_int_equal(rename(broker, away), 0);
    close(open(broker, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(run(dir, ctl_cmd_node, "node rotate front --overlap 0s"), CTL_FAILED);
    assert_true(there(dir, "keys/front.previous.key"));
}

static void test_broker_renew(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    struct ctl_names names = { 0 };
    init(dir, "--broker-name robot.local");
    _cleanup_(bf_freep) char *old_cert = content(dir, "mosquitto/broker.crt");
    assert_int_equal(run(dir, ctl_cmd_broker, "broker renew --name 10.0.0.7 --name robot.local"), CTL_OK);
    _cleanup_(bf_freep) char *new_cert = content(dir, "mosquitto/broker.crt");
    assert_string_not_equal(old_cert, new_cert);
    assert_int_equal(mode_of(dir, "mosquitto/broker.key"), 0600);

    static const char *const expected[] = { "127.0.0.1", "::1", "localhost", "broker", "robot.local", "10.0.0.7" };
    assert_int_equal(ctl_certificate_names(new_cert, &names), 0);
    assert_int_equal(names.n, BF_COUNT_OF(expected));
    for (size_t i = 0; i < names.n; i++)
        assert_string_equal(names.item[i], expected[i]);
    ctl_names_done(&names);
    assert_int_equal(ctl_certificate_names("no certificate", &names), -EBADMSG);
    assert_int_equal(run(dir, ctl_cmd_broker, "broker renew --name a,DNS:b"), CTL_USAGE);
}

static void test_node_revoke(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    init(dir, "--camera front --camera yard");
    assert_int_equal(run(dir, ctl_cmd_node, "node rotate front"), CTL_OK);
    assert_int_equal(run(dir, ctl_cmd_node, "node revoke front"), CTL_OK);
    assert_int_equal(run(dir, ctl_cmd_node, "node revoke front"), CTL_FAILED);
    assert_false(there(dir, "keys/front.key") || there(dir, "keys/front.tls.key"));
    assert_false(there(dir, "keys/front.previous.key"));
    _cleanup_(bf_freep) char *acl = content(dir, "mosquitto/acl");
    assert_null(strstr(acl, "front"));

    struct ctl_site *s = open_site(dir);
    assert_int_equal(s->bundle->n_revoked, 2);
    assert_int_equal(valid_keys_of(s, "front", bf_unix_ms()), 0);
    assert_int_equal(valid_keys_of(s, "yard", bf_unix_ms()), 1);
    ctl_site_free(s);
}

static void test_node_export(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state), *to = ctl_format("%s/usb", ((struct scratch *)*state)->path);
    _cleanup_(bf_freep) char *line = ctl_format("node export front --to %s", to);
    static const char *const expected[] = { "front.key", "front.crt", "front.tls.key",
                                            "ca.crt",    "root.pub",  "trust.bundle" };
    init(dir, "--camera front");
    assert_int_equal(run(dir, ctl_cmd_node, line), CTL_OK);
    assert_int_equal(mode_of(to, ""), 0700);
    for (size_t i = 0; i < BF_COUNT_OF(expected); i++)
        assert_int_equal(mode_of(to, expected[i]), 0600);

    size_t n = 0;
    DIR *listing = opendir(to);
    while (readdir(listing) != NULL)
        n++;
    closedir(listing);
    assert_int_equal(n, BF_COUNT_OF(expected) + 2);
    assert_int_equal(run(dir, ctl_cmd_node, "node export nobody --to /nowhere"), CTL_FAILED);
}

/* A broker knows one connection a node: two at a time need two operators, and find them by themselves. */
static void test_operators(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    struct ctl_operator *first = NULL, *second = NULL;
    struct bf_error e = { 0 };
    init(dir, "");
    struct ctl_site *s = open_site(dir);
    assert_int_equal(ctl_operator_open(&first, s, NULL, &e), 0);
    assert_string_equal(first->node, "operator");
    assert_int_equal(first->epoch, 1);
    assert_int_equal(ctl_operator_open(&second, s, NULL, &e), -EBUSY);
    assert_non_null(strstr(e.text, "belfryctl node add"));
    assert_int_equal(ctl_operator_open(&second, s, "gateway-1", &e), -ENOENT);
    ctl_operator_free(first);
    assert_int_equal(ctl_operator_open(&first, s, NULL, &e), 0);
    assert_int_equal(first->epoch, 2);

    assert_int_equal(run(dir, ctl_cmd_node, "node add second --role operator"), CTL_OK);
    struct ctl_site *again = open_site(dir);
    assert_int_equal(ctl_operator_open(&second, again, NULL, &e), 0);
    assert_string_equal(second->node, "second");
    ctl_operator_free(first);
    ctl_operator_free(second);
    ctl_site_free(again);
    ctl_site_free(s);
}

/* Who has not got the new bundle yet goes by the operator's old key. */
static void test_a_rotated_operator(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state);
    struct ctl_operator *o = NULL;
    struct bf_error e = { 0 };
    uint8_t old[BF_PUBLIC_KEY_SIZE];
    init(dir, "");
    struct ctl_site *s = open_site(dir);
    assert_int_equal(ctl_operator_open(&o, s, NULL, &e), 0);
    memcpy(old, bf_key_public(o->key), sizeof old);
    assert_null(bf_key_previous(o->key));
    ctl_operator_free(o);
    ctl_site_free(s);

    assert_int_equal(run(dir, ctl_cmd_node, "node rotate operator"), CTL_OK);
    s = open_site(dir);
    assert_int_equal(ctl_operator_open(&o, s, NULL, &e), 0);
    assert_memory_not_equal(bf_key_public(o->key), old, sizeof old);
    assert_non_null(bf_key_previous(o->key));
    assert_memory_equal(BF_PUBLIC_OF(bf_key_previous(o->key)), old, sizeof old);
    ctl_operator_free(o);
    ctl_site_free(s);
}

static void test_offline_root(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state), *root = ctl_path_in(dir, "root"), *away = ctl_path_in(dir, "away");
    init(dir, "--camera front");
    assert_int_equal(rename(root, away), 0);
    assert_int_equal(run(dir, ctl_cmd_node, "node list"), CTL_OK);
    assert_int_equal(run(dir, ctl_cmd_node, "node add yard --role camera"), CTL_FAILED);
    assert_int_equal(run(dir, ctl_cmd_node, "node revoke front"), CTL_FAILED);
    struct ctl_site *s = open_site(dir);
    assert_int_equal(bf_trust_version(s->trust), 1);
    ctl_site_free(s);
}

static void test_forged_bundle(void **state)
{
    _cleanup_(bf_freep) char *dir = site_dir(state), *path = ctl_path_in(dir, "keys/trust.bundle");
    struct ctl_site *s = NULL;
    struct bf_error e;
    init(dir, "");
    _cleanup_(bf_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 200), 1);
    assert_true(ctl_site_open(&s, dir, &e) < 0);
    assert_int_equal(run(dir, ctl_cmd_node, "node list"), CTL_FAILED);
}

static void test_no_site(void **state)
{
    struct ctl_site *s = NULL;
    struct bf_error e;
    assert_int_equal(ctl_site_open(&s, ((struct scratch *)*state)->path, &e), -ENOENT);
    assert_non_null(strstr(e.text, "belfryctl init"));
    assert_true(ctl_site_open(&s, "/nowhere/at/all", &e) < 0);
}

static void test_camera_args(void **state)
{
    (void)state;
    struct ctl_camera_arg c;
    struct bf_error e;
    assert_int_equal(ctl_camera_arg_parse(&c, "front", &e), 0);
    assert_string_equal(c.source, "test-pattern");
    assert_null(c.detail);
    assert_int_equal(ctl_camera_arg_parse(&c, "pi:libcamera:/base/soc/i2c0mux", &e), 0);
    assert_string_equal(c.source, "libcamera");
    assert_string_equal(c.detail, "/base/soc/i2c0mux");
    assert_int_equal(ctl_camera_arg_parse(&c, "yard:file:/srv/a:b.mp4", &e), 0);
    assert_string_equal(c.detail, "/srv/a:b.mp4");
    assert_int_equal(ctl_camera_arg_parse(&c, "yard:file:/srv/\"x\n", &e), -EINVAL);
    assert_int_equal(ctl_camera_arg_parse(&c, "", &e), -EINVAL);
    assert_int_equal(ctl_camera_arg_parse(&c, "abcdefghijklmnopqrstuvwxyzabcdefg", &e), -EINVAL);
}

static int setup(void **state)
{
    static struct scratch s;
    *state = &s;
    return scratch_make(&s);
}

static int teardown(void **state)
{
    scratch_remove(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_init),
                                        TEST(test_init_leaves_a_site_alone),
                                        TEST(test_init_finishes_what_was_interrupted),
                                        TEST(test_init_refuses),
                                        TEST(test_broker_for_other_hosts),
                                        TEST(test_node_add),
                                        TEST(test_node_rotate),
                                        TEST(test_a_retired_key_is_left_nowhere),
                                        TEST(test_a_rotation_that_fails_forgets_no_key),
                                        TEST(test_broker_renew),
                                        TEST(test_node_revoke),
                                        TEST(test_node_export),
                                        TEST(test_operators),
                                        TEST(test_a_rotated_operator),
                                        TEST(test_offline_root),
                                        TEST(test_forged_bundle),
                                        TEST(test_no_site),
                                        TEST(test_camera_args) };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
