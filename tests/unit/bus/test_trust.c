/* The trust bundle: what is accepted, and who is in it when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/trust.h"
#include "fixture.h"

static int open_as(const Belfry__V1__TrustBundle *b, const char *site, uint64_t least_version, struct bf_trust **ret,
                   struct bf_error *e)
{
    size_t size;
    uint8_t *envelope = fx_seal_bundle(b, &size);
    int r = bf_trust_open(ret, envelope, size, fx_root_public(), site, least_version, e);

    free(envelope);
    return r;
}

static void test_versions(void **state)
{
    static const struct {
        uint64_t version, least;
        int expected;
    } rows[] = { { 3, 0, 0 }, { 3, 3, 0 }, { 4, 3, 0 }, { 3, 4, -ESTALE }, { 0, 0, -EBADMSG }, { UINT64_MAX, 3, 0 } };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        Belfry__V1__TrustBundle *b = fx_bundle();
        struct bf_trust *t = NULL;
        struct bf_error e = { 0 };

        b->version = rows[i].version;
        assert_int_equal(open_as(b, FX_SITE, rows[i].least, &t, &e), rows[i].expected);
        if (t != NULL)
            assert_int_equal(bf_trust_version(t), rows[i].version);
        else
            assert_non_null(strstr(e.text, "version"));
        bf_trust_free(t);
    }
}

static void test_only_the_root_signs(void **state)
{
    struct bf_trust *t = NULL;
    struct bf_error e = { 0 };
    size_t size;
    uint8_t *envelope;

    (void)state;
    envelope = fx_seal_bundle(fx_bundle(), &size);
    assert_int_equal(bf_trust_open(&t, envelope, size, fx_public(FX_GATEWAY), FX_SITE, 0, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "root key"));
    envelope[size / 2] ^= 1;
    assert_true(bf_trust_open(&t, envelope, size, fx_root_public(), FX_SITE, 0, &e) < 0);
    free(envelope);

    /* What the root signed as something else is no bundle. */
    envelope = fx_seal_as("application/vnd.belfry.event.v1+protobuf", &fx_bundle()->base, FX_GATEWAY, &size);
    assert_int_equal(bf_trust_open(&t, envelope, size, fx_public(FX_GATEWAY), FX_SITE, 0, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "another type"));
    free(envelope);
    assert_int_equal(bf_trust_open(&t, "garbage", 7, fx_root_public(), FX_SITE, 0, &e), -EBADMSG);
    assert_null(t);
}

enum damage {
    NONE,
    OTHER_SITE,
    BAD_SITE,
    EXPIRES_BEFORE_ISSUED,
    SHORT_KEY,
    SMALL_ORDER_KEY,
    KEY_OF_TWO_NODES,
    BAD_NODE,
    NO_ROLE,
    UNKNOWN_ROLE,
    ENDS_BEFORE_BEGIN,
    SHORT_REVOCATION
};

static void test_contents(void **state)
{
    static const struct {
        enum damage damage;
        const char *said; /* NULL: accepted */
    } rows[] = {
        { NONE, NULL },
        { OTHER_SITE, "expected home" },
        { BAD_SITE, "site" },
        { EXPIRES_BEFORE_ISSUED, "expires_at_ms" },
        { SHORT_KEY, "public_key" },
        { SMALL_ORDER_KEY, "Ed25519" },
        { KEY_OF_TWO_NODES, "the same key" },
        { BAD_NODE, "node" },
        { NO_ROLE, "roles" },
        { UNKNOWN_ROLE, "roles" },
        { ENDS_BEFORE_BEGIN, "not_after_ms" },
        { SHORT_REVOCATION, "revoked" },
    };
    static uint8_t small_order[32] = { 1 };
    static Belfry__V1__Role unknown = (Belfry__V1__Role)6;

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        ProtobufCBinaryData revoked = { 15, small_order };
        Belfry__V1__TrustBundle *b = fx_bundle();
        struct bf_trust *t = NULL;
        struct bf_error e = { 0 };

        switch (rows[i].damage) {
        case NONE:
            break;
        case OTHER_SITE:
            b->site = (char *)"barn";
            break;
        case BAD_SITE:
            b->site = (char *)"ho/me";
            break;
        case EXPIRES_BEFORE_ISSUED:
            b->expires_at_ms = b->issued_at_ms;
            break;
        case SHORT_KEY:
            b->keys[0]->public_key.len = 31;
            break;
        case SMALL_ORDER_KEY:
            b->keys[0]->public_key.data = small_order;
            break;
        case KEY_OF_TWO_NODES:
            b->keys[1]->public_key = b->keys[0]->public_key;
            break;
        case BAD_NODE:
            b->keys[0]->node = (char *)"Cam";
            break;
        case NO_ROLE:
            b->keys[0]->n_roles = 0;
            break;
        case UNKNOWN_ROLE:
            b->keys[0]->roles = &unknown;
            break;
        case ENDS_BEFORE_BEGIN:
            b->keys[0]->not_after_ms = b->keys[0]->not_before_ms;
            break;
        case SHORT_REVOCATION:
            b->n_revoked = 1;
            b->revoked = &revoked;
            break;
        }
        assert_int_equal(open_as(b, FX_SITE, 0, &t, &e), rows[i].said == NULL ? 0 : -EBADMSG);
        if (rows[i].said != NULL && strstr(e.text, rows[i].said) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, e.text, rows[i].said);
        bf_trust_free(t);
    }
}

static int count(void *user, const struct bf_trusted_key *k)
{
    (void)k;
    (*(unsigned *)user)++;
    return 0;
}

static unsigned count_keys(const struct bf_trust *t, const char *node, enum bf_role role, uint64_t at)
{
    unsigned n = 0;

    assert_int_equal(bf_trust_each(t, node, role, at, count, &n), 0);
    return n;
}

static void test_validity_and_rotation(void **state)
{
    Belfry__V1__TrustBundle *b = fx_bundle();
    struct bf_trust *t;

    /* The camera's key ends, and a second one of it (the stranger's bytes) begins, with an overlap of 1000 ms. */
    (void)state;
    b->keys[FX_CAMERA]->not_after_ms = FX_NOW + 1000;
    b->keys[FX_CAMERA_2]->node = (char *)"cam-1";
    b->keys[FX_CAMERA_2]->not_before_ms = FX_NOW;
    assert_int_equal(open_as(b, FX_SITE, 0, &t, NULL), 0);

    assert_int_equal(count_keys(t, "cam-1", BF_ROLE_CAMERA, FX_NOW - 1), 1);
    assert_int_equal(count_keys(t, "cam-1", BF_ROLE_CAMERA, FX_NOW), 2);
    assert_int_equal(count_keys(t, "cam-1", BF_ROLE_CAMERA, FX_NOW + 999), 2);
    assert_int_equal(count_keys(t, "cam-1", BF_ROLE_CAMERA, FX_NOW + 1000), 1);
    assert_memory_equal(bf_trust_key_of(t, "cam-1", BF_ROLE_CAMERA, FX_NOW - 1)->public_key, fx_public(FX_CAMERA), 32);
    assert_memory_equal(bf_trust_key_of(t, "cam-1", BF_ROLE_CAMERA, FX_NOW)->public_key, fx_public(FX_CAMERA), 32);
    assert_memory_equal(bf_trust_key_of(t, "cam-1", BF_ROLE_CAMERA, FX_NOW + 999)->public_key, fx_public(FX_CAMERA),
                        32);
    assert_memory_equal(bf_trust_key_of(t, "cam-1", BF_ROLE_CAMERA, FX_NOW + 1000)->public_key, fx_public(FX_CAMERA_2),
                        32);
    assert_null(bf_trust_key_of(t, "cam-1", BF_ROLE_GATEWAY, FX_NOW));
    assert_null(bf_trust_key_of(t, "cam-9", BF_ROLE_CAMERA, FX_NOW));
    assert_null(bf_trust_key_of(t, "cam-1", BF_ROLE_CAMERA, 0)); /* a clock that never was set */

    assert_false(bf_trust_expired(t, FX_NOW));
    assert_false(bf_trust_expired(t, b->expires_at_ms - 1));
    assert_true(bf_trust_expired(t, b->expires_at_ms));
    bf_trust_free(t);
}

/* belfryctl lists a node's keys in the order in which it made them, without a begin. */
static void test_of_keys_without_a_begin_the_first_is_the_oldest(void **state)
{
    Belfry__V1__TrustBundle *b = fx_bundle();
    struct bf_trust *t;

    (void)state;
    b->keys[FX_CAMERA]->not_after_ms = FX_NOW + 1000;
    b->keys[FX_CAMERA_2]->node = (char *)"cam-1";
    b->keys[FX_CAMERA]->not_before_ms = b->keys[FX_CAMERA_2]->not_before_ms = 0;
    assert_int_equal(open_as(b, FX_SITE, 0, &t, NULL), 0);
    assert_memory_equal(bf_trust_key_of(t, "cam-1", BF_ROLE_CAMERA, FX_NOW)->public_key, fx_public(FX_CAMERA), 32);
    assert_memory_equal(bf_trust_key_of(t, "cam-1", BF_ROLE_CAMERA, FX_NOW + 1000)->public_key, fx_public(FX_CAMERA_2),
                        32);
    bf_trust_free(t);
}

static void test_revocation(void **state)
{
    uint8_t keyid[BF_KEYID_SIZE];
    ProtobufCBinaryData revoked = { sizeof(keyid), keyid };
    Belfry__V1__TrustBundle *b = fx_bundle();
    struct bf_trust *t;

    (void)state;
    bf_keyid(keyid, fx_public(FX_CAMERA));
    b->n_revoked = 1;
    b->revoked = &revoked;
    assert_int_equal(open_as(b, FX_SITE, 0, &t, NULL), 0);
    assert_int_equal(count_keys(t, "cam-1", BF_ROLE_NONE, FX_NOW), 0);
    assert_int_equal(count_keys(t, NULL, BF_ROLE_CAMERA, FX_NOW), 1);
    assert_int_equal(count_keys(t, NULL, BF_ROLE_NONE, FX_NOW), FX_STRANGER - 1);
    bf_trust_free(t);
}

static int list(void *user, const char *node)
{
    strcat(user, node);
    strcat(user, " ");
    return 0;
}

static void test_nodes(void **state)
{
    Belfry__V1__TrustBundle *b = fx_bundle();
    struct bf_trust *t;
    char names[200] = "";

    (void)state;
    b->keys[FX_INGEST]->node = (char *)"cam-1";       /* a second key, of another role */
    b->keys[FX_CAMERA_2]->not_before_ms = FX_NOW * 2; /* not yet valid, and listened to all the same */
    assert_int_equal(open_as(b, FX_SITE, 0, &t, NULL), 0);
    bf_trust_each_node(t, BF_ROLE_CAMERA, list, names);
    assert_string_equal(names, "cam-1 cam-2 ");
    names[0] = '\0';
    bf_trust_each_node(t, BF_ROLE_NONE, list, names);
    assert_string_equal(names, "cam-1 cam-2 gateway-1 janitor-1 operator ");
    bf_trust_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_only_the_root_signs),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_validity_and_rotation),
        cmocka_unit_test(test_of_keys_without_a_begin_the_first_is_the_oldest),
        cmocka_unit_test(test_revocation),
        cmocka_unit_test(test_nodes),
    };

    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
