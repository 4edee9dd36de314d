#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pem.h"
#include "scratch.h"
#include "service/exit_code.h"
#include "service/identity.h"
#include "site.h"

static struct site site;
static struct bf_config *config;

/* A fresh site in a fresh place for each test. */
static int make(void **state)
{
    (void)state;
    struct bf_error e;
    site_make(&site, "cam-1");
    site_trust(&site, "home", 3, "cam-1", BF_ROLE_CAMERA, site.node);
    scratch_write("belfry.yml", "site: home\nbroker:\n  tls: false\ncameras:\n  - id: cam-1\n"
                                "  - {id: robot, input: 'udp://127.0.0.1:5004', input_source: 127.0.0.1}\n");
    setenv("BELFRY_CLOCK_SYNCED", "1", 1);
    return bf_config_load(&config, "belfry.yml", NULL, &e);
}

static int drop(void **state)
{
    (void)state;
    bf_config_free(config);
    site_done(&site);
    return system("rm -rf keys state");
}

static void a_node_is_chosen_by_role(void **state)
{
    (void)state;
    static const struct {
        enum bf_role role;
        const char *wanted, *node, *error;
    } rows[] = {
        { BF_ROLE_CAMERA, NULL, "cam-1", NULL },
        { BF_ROLE_CAMERA, "cam-1", "cam-1", NULL },
        { BF_ROLE_CAMERA, "cam-2", NULL, "--node cam-2: expected the id of one of cameras" },
        { BF_ROLE_CAMERA, "robot", NULL, "--node robot: this camera has input, so something else sends its media" },
        { BF_ROLE_INGEST, NULL, "ingest-1", NULL },
        { BF_ROLE_INGEST, "ingest-2", "ingest-2", NULL },
        { BF_ROLE_GATEWAY, NULL, "gateway-1", NULL },
        { BF_ROLE_JANITOR, NULL, "janitor-1", NULL },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        char node[BF_ID_SIZE] = "";
        struct bf_error e = { "" };
        int r = bf_identity_choose(node, config, rows[i].role, rows[i].wanted, &e);
        assert_int_equal(r, rows[i].node != NULL ? 0 : -EINVAL);
        assert_string_equal(node, rows[i].node != NULL ? rows[i].node : "");
        assert_string_equal(e.text, rows[i].error != NULL ? rows[i].error : "");
    }
}

static void each_start_counts_and_has_its_own_boot_id(void **state)
{
    (void)state;
    uint8_t before[16] = { 0 };

    for (uint64_t start = 1; start <= 3; start++) {
        struct bf_identity id;
        struct bf_error e = { "" };
        int code = 99;
        int r = bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e);
        if (r < 0)
            fail_msg("%s", e.text);
        assert_int_equal(id.epoch, start);
        assert_memory_not_equal(id.boot_id, before, 16);
        memcpy(before, id.boot_id, 16);
        assert_int_equal(bf_trust_version(id.trust), 3);
        assert_memory_equal(bf_key_public(id.key), bf_key_public(site.node), BF_PUBLIC_KEY_SIZE);
        bf_identity_close(&id);
    }

    struct stat st;
    assert_int_equal(stat("state", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

/* Opening must fail with this exit code and text; %s in `text` is the working directory. */
static void expect_failure(int code, const char *text)
{
    struct bf_identity id;
    struct bf_error e = { "" };
    char cwd[128], expected[512];
    int got = 99;
    assert_non_null(getcwd(cwd, sizeof cwd));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(expected, sizeof expected, text, cwd);
#pragma GCC diagnostic pop

    assert_true(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &got, &e) < 0);
    bf_identity_close(&id);
    assert_string_equal(e.text, expected);
    assert_int_equal(got, code);
    assert_int_equal(access("state/cam-1.epoch", F_OK), -1); /* a start that fails is none */
}

static void what_is_wrong_with_keys_is_said(void **state)
{
    (void)state;
    struct bf_key *other;
    assert_int_equal(bf_key_generate(&other), 0);

    site_trust(&site, "away", 3, "cam-1", BF_ROLE_CAMERA, site.node);
    expect_failure(BF_EXIT_CONFIG, "%s/keys/trust.bundle: trust bundle: for site away; expected home");
    site_trust(&site, "home", 3, "cam-1", BF_ROLE_CAMERA, other);
    expect_failure(BF_EXIT_CONFIG,
                   "%s/keys/cam-1.key: not a key that trust.bundle lists for node cam-1 in role camera at this time; "
                   "belfryctl node add or rotate makes one that it does");
    site_trust(&site, "home", 3, "cam-1", BF_ROLE_INGEST, site.node);
    expect_failure(BF_EXIT_CONFIG,
                   "%s/keys/cam-1.key: not a key that trust.bundle lists for node cam-1 in role camera at this time; "
                   "belfryctl node add or rotate makes one that it does");
    bf_key_free(other);

    scratch_write("keys/trust.bundle", "nonsense");
    expect_failure(BF_EXIT_CONFIG, "%s/keys/trust.bundle: trust bundle: not an envelope of at most 16384 bytes");
    scratch_write("keys/root.pub", "abc\n");
    expect_failure(BF_EXIT_CONFIG, "%s/keys/root.pub: expected one line of 64 hex digits");
    assert_int_equal(unlink("keys/root.pub"), 0);
    expect_failure(BF_EXIT_CONFIG,
                   "%s/keys/root.pub: cannot be read: No such file or directory; belfryctl init makes a "
                   "site, belfryctl node add a node");
    assert_int_equal(chmod("keys/cam-1.key", 0644), 0);
    expect_failure(BF_EXIT_CONFIG, "key %s/keys/cam-1.key: mode 0644 lets others read it; expected 0600 (chmod 600)");
    assert_int_equal(unlink("keys/cam-1.key"), 0);
    expect_failure(BF_EXIT_CONFIG, "key %s/keys/cam-1.key: No such file or directory");
}

static void a_bundle_never_goes_back(void **state)
{
    (void)state;
    struct bf_identity id;
    struct bf_trust *again = NULL;
    struct bf_error e = { "" };
    int code;

    site_trust(&site, "home", 7, "cam-1", BF_ROLE_CAMERA, site.node);
    assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);
    site_trust(&site, "home", 6, "cam-1", BF_ROLE_CAMERA, site.node);
    assert_int_equal(bf_identity_read_trust(&id, &again, &e), -ESTALE);
    assert_non_null(strstr(e.text, "/keys/trust.bundle: trust bundle: version 6; version 7 was accepted before"));
    assert_null(again);
    site_trust(&site, "home", 8, "cam-1", BF_ROLE_CAMERA, site.node);
    assert_int_equal(bf_identity_read_trust(&id, &again, &e), 0);
    assert_int_equal(bf_trust_version(again), 8);
    bf_trust_free(again);
    bf_identity_close(&id);

    site_trust(&site, "home", 7, "cam-1", BF_ROLE_CAMERA, site.node); /* nor at the next start */
    assert_true(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e) < 0);
    assert_int_equal(code, BF_EXIT_CONFIG);
    bf_identity_close(&id);
}

static void one_process_per_node(void **state)
{
    (void)state;
    struct bf_identity first, second;
    struct bf_error e = { "" };
    int code;

    assert_int_equal(bf_identity_open(&first, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);
    assert_true(bf_identity_open(&second, config, BF_ROLE_CAMERA, "cam-1", &code, &e) < 0);
    assert_int_equal(code, BF_EXIT_FAILURE);
    assert_non_null(strstr(e.text, "/state/cam-1.lock: cannot be locked: another process of this node is running"));
    bf_identity_close(&second);
    bf_identity_close(&first);
    assert_int_equal(bf_identity_open(&first, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);
    bf_identity_close(&first);
}

static void a_broken_counter_is_not_guessed(void **state)
{
    (void)state;
    struct bf_identity id;
    struct bf_error e = { "" };
    int code;
    close(bf_open_dir(AT_FDCWD, "state", 1, 0700));
    scratch_write("state/cam-1.epoch", "many\n");

    assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), -EBADMSG);
    assert_int_equal(code, BF_EXIT_FAILURE);
    assert_non_null(strstr(e.text, "/state/cam-1.epoch: expected the number of this node's starts"));
    bf_identity_close(&id);
}

#define TLS_NEXT_STEP "; copy both anew from one belfryctl node export, or make a new pair with belfryctl node rotate"

static void tls_files_must_be_there_and_belong_together(void **state)
{
    (void)state;
    static const char *const files[] = { "keys/ca.crt", "keys/cam-1.crt", "keys/cam-1.tls.key" };
    struct bf_identity id;
    struct bf_error e = { "" };
    int code;
    config->broker.tls = true;

    for (size_t i = 0; i < BF_COUNT_OF(files); i++) {
        char missing[128];
        snprintf(missing, sizeof missing, "/%s: cannot be read: No such file or directory", files[i]);
        assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), -ENOENT);
        assert_int_equal(code, BF_EXIT_CONFIG);
        assert_non_null(strstr(e.text, missing));
        bf_identity_close(&id);
        scratch_write(files[i], "PEM");
    }
    expect_failure(BF_EXIT_CONFIG, "%s/keys/cam-1.crt: expected a certificate in PEM form" TLS_NEXT_STEP);
    pem_pair("keys/cam-1.crt", "keys/another.key", NULL);
    expect_failure(BF_EXIT_CONFIG,
                   "%s/keys/cam-1.tls.key: expected a private key in PEM form, without a passphrase" TLS_NEXT_STEP);
    pem_pair("keys/another.crt", "keys/cam-1.tls.key", NULL);
    expect_failure(BF_EXIT_CONFIG,
                   "%1$s/keys/cam-1.tls.key: not the key of the certificate in %1$s/keys/cam-1.crt" TLS_NEXT_STEP);

    pem_pair("keys/cam-1.crt", "keys/cam-1.tls.key", NULL);
    assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);
    assert_non_null(strstr(id.tls_key_file, "/keys/cam-1.tls.key"));
    bf_identity_close(&id);
}

/* A bundle with both keys, then the new key, then a bundle without the old one. */
static void a_key_is_taken_over_where_the_bundle_lists_it(void **state)
{
    (void)state;
    struct bf_identity id;
    struct bf_key *fresh;
    struct bf_error e = { "" };
    int code;
    bool changed = true;
    uint8_t old[BF_PUBLIC_KEY_SIZE];

    assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);
    memcpy(old, bf_key_public(id.key), sizeof old);
    assert_int_equal(bf_identity_reload_key(&id, &changed, &e), 0);
    assert_false(changed);

    assert_int_equal(bf_key_generate(&fresh), 0);
    assert_int_equal(rename("keys/cam-1.key", "keys/cam-1.previous.key"), 0);
    assert_int_equal(bf_key_store(fresh, "keys/cam-1.key", &e), 0);
    assert_int_equal(bf_identity_reload_key(&id, &changed, &e), -EKEYREJECTED);
    assert_non_null(strstr(e.text, "/keys/cam-1.key: not a key that trust.bundle lists for node cam-1"));
    assert_memory_equal(bf_key_public(id.key), old, sizeof old); /* the one before holds */

    site_trust(&site, "home", 4, "cam-1", BF_ROLE_CAMERA, fresh);
    bf_trust_free(BF_TAKE(id.trust));
    assert_int_equal(bf_identity_read_trust(&id, &id.trust, &e), 0);
    assert_int_equal(bf_identity_reload_key(&id, &changed, &e), 0);
    assert_true(changed);
    assert_memory_equal(bf_key_public(id.key), bf_key_public(fresh), sizeof old);
    assert_memory_equal(BF_PUBLIC_OF(bf_key_previous(id.key)), old, sizeof old);
    bf_identity_close(&id);

    /* The next start knows both as well. */
    assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);
    assert_memory_equal(bf_key_public(id.key), bf_key_public(fresh), sizeof old);
    assert_memory_equal(BF_PUBLIC_OF(bf_key_previous(id.key)), old, sizeof old);
    bf_identity_close(&id);
    bf_key_free(fresh);
}

static void new_tls_files_are_noticed(void **state)
{
    (void)state;
    static const char *const files[] = { "keys/ca.crt", "keys/cam-1.crt", "keys/cam-1.tls.key" };
    struct bf_identity id;
    struct bf_error e = { "" };
    int code;
    bool changed = true;
    config->broker.tls = true;

    scratch_write(files[0], "PEM");
    pem_pair(files[1], files[2], NULL);
    assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);
    assert_int_equal(bf_identity_reload_tls(&id, &changed, &e), 0);
    assert_false(changed);
    for (size_t i = 0; i < BF_COUNT_OF(files); i++) {
        scratch_write(files[i], "another");
        assert_int_equal(bf_identity_reload_tls(&id, &changed, &e), 0);
        assert_true(changed);
        assert_int_equal(bf_identity_reload_tls(&id, &changed, &e), 0);
        assert_false(changed);
    }
    assert_int_equal(bf_identity_check_tls(&id, &e), -EBADMSG);
    pem_pair(files[1], files[2], NULL);
    assert_int_equal(bf_identity_check_tls(&id, &e), 0);
    assert_int_equal(unlink("keys/cam-1.crt"), 0);
    assert_int_equal(bf_identity_reload_tls(&id, &changed, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/keys/cam-1.crt: cannot be read"));
    bf_identity_close(&id);
}

/* As certbot and cert-manager lay them out. */
static void tls_files_may_be_symbolic_links(void **state)
{
    (void)state;
    static const char *const files[][2] = { { "live-ca.crt", "keys/ca.crt" },
                                            { "live-cam-1.crt", "keys/cam-1.crt" },
                                            { "live-cam-1.key", "keys/cam-1.tls.key" } };
    struct bf_identity id;
    struct bf_error e = { "" };
    int code;
    bool changed = true;
    config->broker.tls = true;

    scratch_write(files[0][0], "PEM");
    pem_pair(files[1][0], files[2][0], NULL);
    for (size_t i = 0; i < BF_COUNT_OF(files); i++) {
        char target[32];
        snprintf(target, sizeof target, "../%s", files[i][0]);
        assert_int_equal(symlink(target, files[i][1]), 0);
    }
    if (bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(bf_identity_reload_tls(&id, &changed, &e), 0);
    assert_false(changed);
    scratch_write(files[0][0], "renewed");
    assert_int_equal(bf_identity_reload_tls(&id, &changed, &e), 0);
    assert_true(changed);

    assert_int_equal(truncate(files[0][0], 256 * 1024 + 1), 0);
    assert_int_equal(bf_identity_reload_tls(&id, &changed, &e), -EFBIG);
    assert_non_null(strstr(e.text, "/keys/ca.crt: larger than 262144 bytes; expected a file in PEM form"));
    bf_identity_close(&id);
}

static void a_bad_state_directory_is_a_config_error(void **state)
{
    (void)state;
    struct bf_identity id;
    struct bf_error e = { "" };
    int code;
    scratch_write("state", "a file");

    assert_int_equal(bf_identity_open(&id, config, BF_ROLE_CAMERA, "cam-1", &code, &e), -ENOTDIR);
    assert_int_equal(code, BF_EXIT_CONFIG);
    assert_non_null(strstr(e.text, "storage.state: "));
    assert_non_null(strstr(e.text, "/state: cannot be opened: Not a directory"));
    bf_identity_close(&id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_is_chosen_by_role),
        TEST(each_start_counts_and_has_its_own_boot_id),
        TEST(what_is_wrong_with_keys_is_said),
        TEST(a_bundle_never_goes_back),
        TEST(one_process_per_node),
        TEST(a_broken_counter_is_not_guessed),
        TEST(tls_files_must_be_there_and_belong_together),
        TEST(a_key_is_taken_over_where_the_bundle_lists_it),
        TEST(new_tls_files_are_noticed),
        TEST(tls_files_may_be_symbolic_links),
        TEST(a_bad_state_directory_is_a_config_error),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
