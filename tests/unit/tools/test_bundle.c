#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "belfryctl/bundle.h"

#define NOW 1700000000000ull
#define LATER (NOW + 3600000)

static struct bf_key *root;

static void add(ctl_bundle *b, const char *node, enum bf_role role)
{
    struct bf_key *key;
    assert_int_equal(bf_key_generate(&key), 0);
    assert_int_equal(ctl_bundle_add(b, node, role, bf_key_public(key), 0), 0);
    bf_key_free(key);
}

/* Signed, and opened again by those who read it. */
static struct bf_trust *as_trust(ctl_bundle *b, uint64_t least_version)
{
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    size_t size;
    struct bf_error e = { 0 };
    struct bf_trust *trust;
    assert_int_equal(ctl_bundle_sign(b, root, NOW, &envelope, &size, &e), 0);
    if (bf_trust_open(&trust, envelope, size, bf_key_public(root), "home", least_version, &e) < 0)
        fail_msg("%s", e.text);
    return trust;
}

static bool trusted(const struct bf_trust *t, const char *node, enum bf_role role, uint64_t at_ms)
{
    return bf_trust_key_of(t, node, role, at_ms) != NULL;
}

static void test_is_understood(void **state)
{
    (void)state;
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = NULL;
    assert_int_equal(ctl_bundle_new(&b, "home", LATER), 0);
    add(b, "front", BF_ROLE_CAMERA);
    add(b, "gateway-1", BF_ROLE_GATEWAY);
    struct bf_trust *t = as_trust(b, 0);
    assert_int_equal(bf_trust_version(t), 1);
    assert_true(trusted(t, "front", BF_ROLE_CAMERA, NOW));
    assert_false(trusted(t, "front", BF_ROLE_GATEWAY, NOW));
    assert_false(bf_trust_expired(t, NOW));
    assert_true(bf_trust_expired(t, LATER));
    bf_trust_free(t);

    t = as_trust(b, 1);
    assert_int_equal(bf_trust_version(t), 2);
    bf_trust_free(t);
}

static int count_key(void *user, const struct bf_trusted_key *k)
{
    (void)k;
    (*(int *)user)++;
    return 0;
}

static int keys_of(const struct bf_trust *t, const char *node, uint64_t at_ms)
{
    int n = 0;
    bf_trust_each(t, node, BF_ROLE_NONE, at_ms, count_key, &n);
    return n;
}

static void test_rotation(void **state)
{
    (void)state;
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = NULL;
    assert_int_equal(ctl_bundle_new(&b, "home", LATER), 0);
    add(b, "front", BF_ROLE_CAMERA);
    add(b, "yard", BF_ROLE_CAMERA);
    assert_int_equal(ctl_bundle_retire(b, "front", NOW + 1000), 1);
    add(b, "front", BF_ROLE_CAMERA);

    struct bf_trust *t = as_trust(b, 0);
    assert_int_equal(keys_of(t, "front", NOW), 2);
    assert_int_equal(keys_of(t, "front", NOW + 1000), 1);
    assert_int_equal(keys_of(t, "yard", NOW + 1000), 1);
    bf_trust_free(t);
    assert_int_equal(ctl_bundle_retire(b, "front", NOW + 2000), 1); /* the ended one is not given more time */
    assert_int_equal(b->keys[0]->not_after_ms, NOW + 1000);
}

static void test_revocation(void **state)
{
    (void)state;
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = NULL;
    assert_int_equal(ctl_bundle_new(&b, "home", LATER), 0);
    add(b, "front", BF_ROLE_CAMERA);
    add(b, "yard", BF_ROLE_CAMERA);
    add(b, "front", BF_ROLE_CAMERA);
    assert_int_equal(ctl_bundle_revoke(b, "front"), 2);
    assert_int_equal(ctl_bundle_revoke(b, "front"), 0);
    assert_int_equal(b->n_keys, 1);
    assert_int_equal(b->n_revoked, 2);

    struct bf_trust *t = as_trust(b, 0);
    assert_int_equal(keys_of(t, "front", NOW), 0);
    assert_int_equal(keys_of(t, "yard", NOW), 1);
    bf_trust_free(t);
    assert_int_equal(ctl_bundle_role_of(b, "front", NOW), BF_ROLE_NONE);
    assert_int_equal(ctl_bundle_role_of(b, "yard", NOW), BF_ROLE_CAMERA);
}

static void test_nodes(void **state)
{
    (void)state;
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = NULL;
    struct ctl_node *nodes;
    size_t n;
    assert_int_equal(ctl_bundle_new(&b, "home", LATER), 0);
    add(b, "front", BF_ROLE_CAMERA);
    add(b, "old", BF_ROLE_CAMERA);
    add(b, "front", BF_ROLE_CAMERA);
    add(b, "gateway-1", BF_ROLE_GATEWAY);
    ctl_bundle_retire(b, "old", NOW);
    assert_int_equal(ctl_bundle_nodes(b, NOW, &nodes, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(nodes[0].id, "front");
    assert_string_equal(nodes[1].id, "gateway-1");
    assert_int_equal(nodes[1].role, BF_ROLE_GATEWAY);
    free(nodes);
}

static void test_round_trip(void **state)
{
    (void)state;
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = NULL, *again = NULL;
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    struct bf_key *stranger;
    struct bf_error e;
    size_t size;
    assert_int_equal(ctl_bundle_new(&b, "home", LATER), 0);
    add(b, "front", BF_ROLE_CAMERA);
    assert_int_equal(ctl_bundle_sign(b, root, NOW, &envelope, &size, &e), 0);
    assert_int_equal(ctl_bundle_open(&again, envelope, size, bf_key_public(root), &e), 0);
    assert_int_equal(again->n_keys, 1);
    assert_string_equal(again->keys[0]->node, "front");
    ctl_bundle_free(again);
    again = NULL;

    assert_int_equal(bf_key_generate(&stranger), 0);
    assert_int_equal(ctl_bundle_open(&again, envelope, size, bf_key_public(stranger), &e), -EBADMSG);
    bf_key_free(stranger);
    for (size_t i = 0; i + 90 < size; i += 7) { /* the key id behind that is a hint and proves nothing */
        envelope[i] ^= 1;
        assert_true(ctl_bundle_open(&again, envelope, size, bf_key_public(root), &e) < 0);
        envelope[i] ^= 1;
    }
    assert_null(again);
}

static void test_outgrown(void **state)
{
    (void)state;
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = NULL;
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    struct bf_error e = { 0 };
    size_t size;
    assert_int_equal(ctl_bundle_new(&b, "home", LATER), 0);
    for (int i = 0; i < 256; i++)
        add(b, "a-name-as-long-as-a-name-can-be-", BF_ROLE_CAMERA);
    assert_int_equal(ctl_bundle_add(b, "front", BF_ROLE_CAMERA, bf_key_public(root), 0), -ENOSPC);
    assert_int_equal(ctl_bundle_sign(b, root, NOW, &envelope, &size, &e), -EMSGSIZE);
    assert_true(strlen(e.text) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_is_understood), cmocka_unit_test(test_rotation),
                                        cmocka_unit_test(test_revocation),    cmocka_unit_test(test_nodes),
                                        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_outgrown) };
    if (sodium_init() < 0 || bf_key_generate(&root) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bf_key_free(root);
    return failed;
}
