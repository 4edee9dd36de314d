/* Key files and sealed secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bus/keys.h"

#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

static char dir[] = "/tmp/belfry-keys-XXXXXX";

static const char *path(const char *name)
{
    static char buf[128];

    snprintf(buf, sizeof(buf), "%s/%s", dir, name);
    return buf;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(path(name), "we");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
    assert_int_equal(chmod(path(name), mode), 0);
}

/* RFC 8032 section 7.1, TEST 1: the seed above and its public key. */
static void test_load(void **state)
{
    static const uint8_t public_key[] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
                                          0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
                                          0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a };
    struct bf_error e = { 0 };
    struct bf_key *k;

    (void)state;
    write_file("a.key", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n", 0600);
    assert_int_equal(bf_key_load(&k, path("a.key"), &e), 0);
    assert_memory_equal(bf_key_public(k), public_key, sizeof(public_key));
    bf_key_free(k);
    assert_int_equal(chmod(path("a.key"), 0400), 0);
    assert_int_equal(bf_key_load(&k, path("a.key"), &e), 0);
    bf_key_free(k);
}

static void test_load_refuses(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        int expected;
        const char *said;
    } rows[] = {
        { SEED, 0640, -EPERM, "0600" },
        { SEED, 0604, -EPERM, "0600" },
        { "", 0600, -EBADMSG, "64 lower-case hex digits" },
        { "\n", 0600, -EBADMSG, "64 lower-case hex digits" },
        { SEED "\n\n", 0600, -EBADMSG, "64" },
        { SEED "0", 0600, -EBADMSG, "64" },
        { "d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", 0600, -EBADMSG, "64" },
        { "9D61B19DEFFD5A60BA844AF492EC2CC44449C5697B326919703BAC031CAE7F60", 0600, -EBADMSG, "64" },
        { "9d61b19deffd5a60ba844af492ec2cc4:449c5697b326919703bac031cae7f60", 0600, -EBADMSG, "64" },
        { " " SEED, 0600, -EBADMSG, "64" },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_error e = { 0 };
        struct bf_key *k = NULL;

        write_file("bad.key", rows[i].text, rows[i].mode);
        assert_int_equal(bf_key_load(&k, path("bad.key"), &e), rows[i].expected);
        assert_null(k);
        assert_non_null(strstr(e.text, rows[i].said));
        assert_non_null(strstr(e.text, "bad.key"));
        assert_null(strstr(e.text, "9d61")); /* a rejected secret is not printed */
        unlink(path("bad.key"));
    }
}

static void test_not_a_file(void **state)
{
    struct bf_key *k = NULL;
    char link[128];

    (void)state;
    assert_int_equal(bf_key_load(&k, path("absent.key"), NULL), -ENOENT);
    assert_int_equal(bf_key_load(&k, dir, NULL), -EPERM);
    write_file("real.key", SEED, 0600);
    snprintf(link, sizeof(link), "%s", path("link.key"));
    assert_int_equal(symlink(path("real.key"), link), 0);
    assert_int_equal(bf_key_load(&k, link, NULL), -ELOOP);
    assert_null(k);
}

static void test_store(void **state)
{
    struct bf_error e = { 0 };
    struct bf_key *made, *loaded;
    struct stat st;

    (void)state;
    umask(0);
    assert_int_equal(bf_key_generate(&made), 0);
    assert_int_equal(bf_key_store(made, path("new.key"), &e), 0);
    assert_int_equal(stat(path("new.key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 65);
    assert_int_equal(bf_key_load(&loaded, path("new.key"), &e), 0);
    assert_memory_equal(bf_key_secret(made), bf_key_secret(loaded), BF_SECRET_KEY_SIZE);
    assert_int_equal(bf_key_store(made, path("new.key"), &e), -EEXIST);
    bf_key_free(made);
    bf_key_free(loaded);
}

static void test_sealed_secret(void **state)
{
    static const char passphrase[] = "0123456789abcdef0123456789abcdef";
    struct bf_key *to, *other;
    uint8_t *sealed, *again;
    size_t size, again_size;
    char opened[32];

    (void)state;
    assert_int_equal(bf_key_generate(&to), 0);
    assert_int_equal(bf_key_generate(&other), 0);
    assert_int_equal(bf_seal_to(bf_key_public(to), passphrase, 32, &sealed, &size), 0);
    assert_int_equal(size, 80);
    assert_int_equal(bf_seal_open(to, sealed, size, opened, 32), 0);
    assert_memory_equal(opened, passphrase, 32);

    assert_int_equal(bf_seal_to(bf_key_public(to), passphrase, 32, &again, &again_size), 0);
    assert_memory_not_equal(sealed, again, size); /* another box each time */

    memset(opened, 'x', sizeof(opened));
    assert_int_equal(bf_seal_open(other, sealed, size, opened, 32), -EBADMSG);
    assert_int_equal(bf_seal_open(to, sealed, size - 1, opened, 32), -EBADMSG);
    assert_int_equal(bf_seal_open(to, sealed, size, opened, 31), -EBADMSG);
    assert_int_equal(bf_seal_open(to, sealed, 10, opened, 32), -EBADMSG);
    for (size_t i = 0; i < size; i++) {
        sealed[i] ^= 1;
        assert_int_equal(bf_seal_open(to, sealed, size, opened, 32), -EBADMSG);
        sealed[i] ^= 1;
    }
    assert_int_equal(opened[0], 'x');
    free(sealed);
    free(again);
    bf_key_free(to);
    bf_key_free(other);
}

static void test_sealing_to_no_key(void **state)
{
    uint8_t nothing[BF_PUBLIC_KEY_SIZE] = { 1 }; /* the neutral point: of small order */
    uint8_t *sealed = NULL;
    size_t size;

    (void)state;
    assert_int_equal(bf_seal_to(nothing, "x", 1, &sealed, &size), -EINVAL);
    assert_null(sealed);
}

static void test_rotation(void **state)
{
    struct bf_key *key, *second, *third;
    uint8_t secrets[3][BF_SECRET_KEY_SIZE], *sealed[3];
    size_t sizes[3];
    const uint8_t *first_secret;
    char opened[6];

    (void)state;
    assert_int_equal(bf_key_generate(&key), 0);
    assert_int_equal(bf_key_generate(&second), 0);
    assert_int_equal(bf_key_generate(&third), 0);
    first_secret = bf_key_secret(key);
    memcpy(secrets[0], first_secret, BF_SECRET_KEY_SIZE);
    memcpy(secrets[1], bf_key_secret(second), BF_SECRET_KEY_SIZE);
    memcpy(secrets[2], bf_key_secret(third), BF_SECRET_KEY_SIZE);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bf_seal_to(BF_PUBLIC_OF(secrets[i]), "secret", 6, &sealed[i], &sizes[i]), 0);

    assert_null(bf_key_previous(key));
    assert_int_equal(bf_seal_open(key, sealed[1], sizes[1], opened, 6), -EBADMSG);
    bf_key_rotate(key, second);
    assert_memory_equal(bf_key_secret(key), secrets[1], BF_SECRET_KEY_SIZE);
    assert_memory_equal(bf_key_public(key), BF_PUBLIC_OF(secrets[1]), BF_PUBLIC_KEY_SIZE);
    assert_memory_equal(bf_key_previous(key), secrets[0], BF_SECRET_KEY_SIZE);
    assert_memory_equal(first_secret, secrets[0], BF_SECRET_KEY_SIZE); /* somebody may still be signing with it */

    /* What was sealed to any of its keys can be opened. */
    bf_key_rotate(key, third);
    assert_memory_equal(bf_key_previous(key), secrets[1], BF_SECRET_KEY_SIZE);
    for (unsigned i = 0; i < 3; i++) {
        memset(opened, 0, sizeof(opened));
        assert_int_equal(bf_seal_open(key, sealed[i], sizes[i], opened, 6), 0);
        assert_memory_equal(opened, "secret", 6);
        free(sealed[i]);
    }
    bf_key_free(key);
}

/* Threads that sign, check and open with one key while another one rotates it; the thread sanitiser looks on in the tsan
 * preset. What one of them has in its hands is whole: signed and checked by one key, whichever that was. */
#define SIGNERS 3
#define ROTATIONS 200
#define ROUNDS_A_ROTATION 2 /* of every signer, at least */

struct flow {
    struct bf_key *key;
    const uint8_t *sealed; /* to its first key */
    size_t sealed_size;
    atomic_uint rounds[SIGNERS], failures;
    atomic_bool over;
};

struct signer {
    struct flow *flow;
    unsigned number;
};

static bool one_round(const struct flow *f)
{
    uint8_t sig[BF_SIGNATURE_SIZE];
    const uint8_t *secret = bf_key_secret(f->key), *previous = bf_key_previous(f->key);
    char opened[6];

    if (bf_dsse_sign_detached(sig, "t", "payload", 7, secret) < 0 ||
        bf_dsse_verify_detached(sig, "t", "payload", 7, BF_PUBLIC_OF(secret)) < 0)
        return false;
    if (previous != NULL && (bf_dsse_sign_detached(sig, "t", "payload", 7, previous) < 0 ||
                             bf_dsse_verify_detached(sig, "t", "payload", 7, BF_PUBLIC_OF(previous)) < 0))
        return false;
    return bf_seal_open(f->key, f->sealed, f->sealed_size, opened, 6) == 0 && memcmp(opened, "secret", 6) == 0;
}

static void *sign_on(void *user)
{
    const struct signer *s = user;

    while (!atomic_load(&s->flow->over)) {
        if (!one_round(s->flow))
            atomic_fetch_add(&s->flow->failures, 1);
        atomic_fetch_add(&s->flow->rounds[s->number], 1);
    }
    return NULL;
}

static void wait_for_rounds(struct flow *f, unsigned least)
{
    for (unsigned i = 0; i < SIGNERS; i++)
        while (atomic_load(&f->rounds[i]) < least)
            sched_yield();
}

static void test_rotation_while_others_sign(void **state)
{
    struct flow f = { 0 };
    struct signer signers[SIGNERS];
    pthread_t threads[SIGNERS];
    uint8_t *sealed;

    (void)state;
    assert_int_equal(bf_key_generate(&f.key), 0);
    assert_int_equal(bf_seal_to(bf_key_public(f.key), "secret", 6, &sealed, &f.sealed_size), 0);
    f.sealed = sealed;
    for (unsigned i = 0; i < SIGNERS; i++) {
        signers[i] = (struct signer){ &f, i };
        assert_int_equal(pthread_create(&threads[i], NULL, sign_on, &signers[i]), 0);
    }
    for (unsigned n = 1; n <= ROTATIONS; n++) {
        uint8_t fresh_public[BF_PUBLIC_KEY_SIZE];
        struct bf_key *fresh;

        assert_int_equal(bf_key_generate(&fresh), 0);
        memcpy(fresh_public, bf_key_public(fresh), sizeof(fresh_public));
        bf_key_rotate(f.key, fresh);
        assert_memory_equal(bf_key_public(f.key), fresh_public, sizeof(fresh_public));
        wait_for_rounds(&f, n * ROUNDS_A_ROTATION);
    }
    atomic_store(&f.over, true);
    for (unsigned i = 0; i < SIGNERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&f.failures), 0);
    free(sealed);
    bf_key_free(f.key);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),          cmocka_unit_test(test_load_refuses),
        cmocka_unit_test(test_not_a_file),    cmocka_unit_test(test_store),
        cmocka_unit_test(test_sealed_secret), cmocka_unit_test(test_sealing_to_no_key),
        cmocka_unit_test(test_rotation),      cmocka_unit_test(test_rotation_while_others_sign),
    };

    return cmocka_run_group_tests_name("keys", tests, make_dir, remove_dir);
}
