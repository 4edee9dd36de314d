/* DSSE: the published PAE vectors, sealing and opening, and envelopes that must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dsse.h"
#include "fixture.h"

#include "envelope.pb-c.h"

static void test_pae(void **state)
{
    /* The first is DSSE's own (protocol.md, "Test Vectors"); the next two are the examples of its PAE definition. */
    static const struct {
        const char *type, *payload, *pae;
    } rows[] = {
        { "http://example.com/HelloWorld", "hello world", "DSSEv1 29 http://example.com/HelloWorld 11 hello world" },
        { "", "", "DSSEv1 0  0 " },
        { "a", "", "DSSEv1 1 a 0 " },
        { "text", "4 hello", "DSSEv1 4 text 7 4 hello" },
        { "\xc4\x9f", "\xe2\x82\xac", "DSSEv1 2 \xc4\x9f 3 \xe2\x82\xac" }, /* bytes, not characters */
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        uint8_t *pae;
        size_t size;

        assert_int_equal(bf_pae(rows[i].type, rows[i].payload, strlen(rows[i].payload), &pae, &size), 0);
        assert_int_equal(size, strlen(rows[i].pae));
        assert_memory_equal(pae, rows[i].pae, size);
        free(pae);
    }
}

static void test_pae_is_unambiguous(void **state)
{
    uint8_t *a, *b;
    size_t a_size, b_size;

    (void)state;
    assert_int_equal(bf_pae("a 1", "b", 1, &a, &a_size), 0);
    assert_int_equal(bf_pae("a", "1 b", 3, &b, &b_size), 0);
    assert_false(a_size == b_size && memcmp(a, b, a_size) == 0);
    free(a);
    free(b);
}

static void test_seal_open_verify(void **state)
{
    uint8_t payload[300], keyid[BF_KEYID_SIZE], *envelope;
    const uint8_t *opened;
    size_t size, opened_size;
    struct bf_dsse *d;

    (void)state;
    memset(payload, 0xa5, sizeof(payload));
    assert_int_equal(bf_dsse_seal("t", payload, sizeof(payload), fx_secret(FX_CAMERA), &envelope, &size), 0);
    assert_int_equal(bf_dsse_open(&d, envelope, size), 0);
    assert_string_equal(bf_dsse_type(d), "t");
    opened = bf_dsse_payload(d, &opened_size);
    assert_int_equal(opened_size, sizeof(payload));
    assert_memory_equal(opened, payload, sizeof(payload));
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA)), 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA_2)), -EBADMSG);

    bf_keyid(keyid, fx_public(FX_CAMERA));
    assert_true(bf_dsse_hints_at(d, keyid));
    bf_keyid(keyid, fx_public(FX_CAMERA_2));
    assert_false(bf_dsse_hints_at(d, keyid));
    bf_dsse_free(d);
    free(envelope);
}

/* No single bit of an envelope may change without being noticed. */
static void test_every_bit_counts(void **state)
{
    uint8_t *envelope;
    size_t size;

    (void)state;
    assert_int_equal(bf_dsse_seal("type", "payload", 7, fx_secret(FX_CAMERA), &envelope, &size), 0);
    for (size_t bit = 0; bit < size * 8; bit++) {
        struct bf_dsse *d = NULL;
        int r;

        envelope[bit / 8] ^= (uint8_t)(1 << bit % 8);
        r = bf_dsse_open(&d, envelope, size);
        if (r == 0)
            r = bf_dsse_verify(d, fx_public(FX_CAMERA));
        assert_int_equal(r, -EBADMSG);
        bf_dsse_free(d);
        envelope[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(envelope);
}

/* The linker puts this in front of libsodium's: CMakeLists.txt. */
int __real_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long size,
                                       const unsigned char *pk);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long size,
                                       const unsigned char *pk);
static unsigned checks;

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long size,
                                       const unsigned char *pk)
{
    checks++;
    return __real_crypto_sign_verify_detached(sig, m, size, pk);
}

static uint8_t *pack(const Belfry__V1__Envelope *e, size_t *ret_size)
{
    uint8_t *packed = malloc(belfry__v1__envelope__get_packed_size(e) + 1);

    *ret_size = belfry__v1__envelope__pack(e, packed);
    return packed;
}

static void test_ill_formed(void **state)
{
    static uint8_t keyid[BF_KEYID_SIZE + 1], sig[BF_SIGNATURE_SIZE + 1];
    static const struct {
        size_t type_size, signatures, keyid_size, sig_size;
        int expected;
    } rows[] = {
        { 1, 1, 16, 64, 0 },        { 96, 4, 16, 64, 0 },       { 0, 1, 16, 64, -EBADMSG }, { 97, 1, 16, 64, -EBADMSG },
        { 1, 0, 16, 64, -EBADMSG }, { 1, 5, 16, 64, -EBADMSG }, { 1, 1, 15, 64, -EBADMSG }, { 1, 1, 17, 64, -EBADMSG },
        { 1, 1, 0, 64, -EBADMSG },  { 1, 1, 16, 63, -EBADMSG }, { 1, 1, 16, 65, -EBADMSG }, { 1, 1, 16, 0, -EBADMSG },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        Belfry__V1__Signature s = BELFRY__V1__SIGNATURE__INIT, *list[5] = { &s, &s, &s, &s, &s };
        Belfry__V1__Envelope e = BELFRY__V1__ENVELOPE__INIT;
        struct bf_dsse *d = NULL;
        char type[100] = { 0 };
        uint8_t *packed;
        size_t size;

        memset(type, 't', rows[i].type_size);
        s.keyid = (ProtobufCBinaryData){ rows[i].keyid_size, keyid };
        s.sig = (ProtobufCBinaryData){ rows[i].sig_size, sig };
        e.payload_type = type;
        e.n_signatures = rows[i].signatures;
        e.signatures = list;
        packed = pack(&e, &size);
        assert_int_equal(bf_dsse_open(&d, packed, size), rows[i].expected);
        bf_dsse_free(d);
        free(packed);
    }
}

static void test_garbage_and_truncation(void **state)
{
    struct bf_dsse *d = NULL;
    uint8_t *envelope, big[BF_ENVELOPE_MAX + 1] = { 0 };
    size_t size;

    (void)state;
    assert_int_equal(bf_dsse_open(&d, "", 0), -EBADMSG);
    assert_int_equal(bf_dsse_open(&d, "\xff\xff\xff\xff", 4), -EBADMSG);
    assert_int_equal(bf_dsse_open(&d, big, sizeof(big)), -EMSGSIZE);
    assert_int_equal(bf_dsse_seal("type", "payload", 7, fx_secret(FX_CAMERA), &envelope, &size), 0);
    for (size_t n = 0; n < size; n++)
        assert_int_equal(bf_dsse_open(&d, envelope, n), -EBADMSG);
    assert_null(d);
    free(envelope);
}

static void test_second_signature_counts(void **state)
{
    Belfry__V1__Signature old = BELFRY__V1__SIGNATURE__INIT, new = BELFRY__V1__SIGNATURE__INIT,
                          *list[] = { &old, &new };
    Belfry__V1__Envelope e = BELFRY__V1__ENVELOPE__INIT;
    uint8_t ids[2][BF_KEYID_SIZE], sigs[2][BF_SIGNATURE_SIZE], *packed;
    struct bf_dsse *d = NULL;
    size_t size;

    (void)state;
    bf_keyid(ids[0], fx_public(FX_CAMERA_2));
    bf_keyid(ids[1], fx_public(FX_CAMERA));
    assert_int_equal(bf_dsse_sign_detached(sigs[0], "t", "p", 1, fx_secret(FX_CAMERA_2)), 0);
    assert_int_equal(bf_dsse_sign_detached(sigs[1], "t", "p", 1, fx_secret(FX_CAMERA)), 0);
    old.keyid = (ProtobufCBinaryData){ 16, ids[0] };
    old.sig = (ProtobufCBinaryData){ 64, sigs[0] };
    new.keyid = (ProtobufCBinaryData){ 16, ids[1] };
    new.sig = (ProtobufCBinaryData){ 64, sigs[1] };
    e.payload_type = (char *)"t";
    e.payload = (ProtobufCBinaryData){ 1, (uint8_t *)"p" };
    e.n_signatures = 2;
    e.signatures = list;
    packed = pack(&e, &size);
    assert_int_equal(bf_dsse_open(&d, packed, size), 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA)), 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA_2)), 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_INGEST)), -EBADMSG);
    bf_dsse_free(d);
    free(packed);
}

/* An envelope whose signatures name these nodes; `right` says which of them have really signed. */
static struct bf_dsse *open_signed(const enum fx_node names[4], const bool right[4])
{
    Belfry__V1__Signature signatures[4], *list[4];
    Belfry__V1__Envelope e = BELFRY__V1__ENVELOPE__INIT;
    uint8_t ids[4][BF_KEYID_SIZE], sigs[4][BF_SIGNATURE_SIZE], *packed;
    struct bf_dsse *d = NULL;
    size_t size;

    for (unsigned i = 0; i < 4; i++) {
        bf_keyid(ids[i], fx_public(names[i]));
        assert_int_equal(bf_dsse_sign_detached(sigs[i], "t", right[i] ? "p" : "q", 1, fx_secret(names[i])), 0);
        belfry__v1__signature__init(&signatures[i]);
        signatures[i].keyid = (ProtobufCBinaryData){ sizeof(ids[i]), ids[i] };
        signatures[i].sig = (ProtobufCBinaryData){ sizeof(sigs[i]), sigs[i] };
        list[i] = &signatures[i];
    }
    e.payload_type = (char *)"t";
    e.payload = (ProtobufCBinaryData){ 1, (uint8_t *)"p" };
    e.n_signatures = 4;
    e.signatures = list;
    packed = pack(&e, &size);
    assert_int_equal(bf_dsse_open(&d, packed, size), 0);
    free(packed);
    return d;
}

/* A receiver who tries every key that he knows makes one check for each key that is named, whatever was signed. */
static void test_a_signature_is_checked_with_the_key_it_names(void **state)
{
    static const struct {
        enum fx_node names[4];
        bool right[4];
        unsigned signers, checks;
    } rows[] = {
        { { FX_CAMERA, FX_CAMERA_2, FX_INGEST, FX_GATEWAY }, { 0, 0, 0, 0 }, 0, 4 },
        { { FX_CAMERA, FX_CAMERA_2, FX_INGEST, FX_GATEWAY }, { 1, 1, 1, 1 }, 4, 4 },
        { { FX_CAMERA, FX_CAMERA_2, FX_INGEST, FX_GATEWAY }, { 0, 0, 0, 1 }, 1, 4 },
        { { FX_CAMERA, FX_CAMERA, FX_CAMERA, FX_CAMERA }, { 0, 0, 0, 0 }, 0, 1 },
        { { FX_CAMERA, FX_CAMERA, FX_CAMERA, FX_CAMERA }, { 1, 0, 0, 0 }, 1, 1 },
        { { FX_CAMERA, FX_CAMERA, FX_CAMERA, FX_CAMERA }, { 0, 1, 1, 1 }, 0, 1 },
        { { FX_CAMERA, FX_INGEST, FX_CAMERA, FX_INGEST }, { 1, 0, 0, 1 }, 1, 2 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_dsse *d = open_signed(rows[i].names, rows[i].right);
        unsigned signers = 0;

        checks = 0;
        for (enum fx_node node = 0; node < FX_NODES; node++)
            signers += bf_dsse_verify(d, fx_public(node)) == 0;
        assert_int_equal(signers, rows[i].signers);
        assert_int_equal(checks, rows[i].checks);
        bf_dsse_free(d);
    }
}

static void test_another_key_is_not_tried_on_what_it_has_signed(void **state)
{
    uint8_t keyid[BF_KEYID_SIZE], other[BF_KEYID_SIZE], *envelope, *at;
    struct bf_dsse *d = NULL;
    size_t size;

    (void)state;
    bf_keyid(keyid, fx_public(FX_CAMERA));
    bf_keyid(other, fx_public(FX_CAMERA_2));
    assert_int_equal(bf_dsse_seal("t", "p", 1, fx_secret(FX_CAMERA), &envelope, &size), 0);
    at = memmem(envelope, size, keyid, sizeof(keyid));
    assert_non_null(at);
    memcpy(at, other, sizeof(other));
    assert_int_equal(bf_dsse_open(&d, envelope, size), 0);
    checks = 0;
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA)), -EBADMSG);
    assert_int_equal(checks, 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA_2)), -EBADMSG);
    assert_int_equal(checks, 1);
    bf_dsse_free(d);
    free(envelope);
}

static void test_sealed_with_several_keys(void **state)
{
    const uint8_t *keys[] = { fx_secret(FX_CAMERA_2), fx_secret(FX_CAMERA), fx_secret(FX_INGEST), fx_secret(FX_GATEWAY),
                              fx_secret(FX_JANITOR) };
    uint8_t keyid[BF_KEYID_SIZE], *envelope;
    struct bf_dsse *d = NULL;
    size_t size;

    (void)state;
    assert_int_equal(bf_dsse_seal_with("t", "p", 1, keys, 2, &envelope, &size), 0);
    assert_int_equal(bf_dsse_open(&d, envelope, size), 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA)), 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_CAMERA_2)), 0);
    assert_int_equal(bf_dsse_verify(d, fx_public(FX_INGEST)), -EBADMSG);
    bf_keyid(keyid, fx_public(FX_CAMERA));
    assert_true(bf_dsse_hints_at(d, keyid));
    bf_keyid(keyid, fx_public(FX_INGEST));
    assert_false(bf_dsse_hints_at(d, keyid));
    bf_dsse_free(d);
    free(envelope);

    assert_int_equal(bf_dsse_seal_with("t", "p", 1, keys, 4, &envelope, &size), 0);
    free(envelope);
    assert_int_equal(bf_dsse_seal_with("t", "p", 1, keys, 5, &envelope, &size), -EINVAL);
    assert_int_equal(bf_dsse_seal_with("t", "p", 1, keys, 0, &envelope, &size), -EINVAL);
}

/* L, the order of the group, little-endian (RFC 8032): S + L is the same point, and must not be the same signature. */
static void test_malleated_signature_is_refused(void **state)
{
    static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                       0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
    uint8_t sig[BF_SIGNATURE_SIZE];
    unsigned carry = 0;

    (void)state;
    assert_int_equal(bf_dsse_sign_detached(sig, "t", "p", 1, fx_secret(FX_CAMERA)), 0);
    assert_int_equal(bf_dsse_verify_detached(sig, "t", "p", 1, fx_public(FX_CAMERA)), 0);
    for (unsigned i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(bf_dsse_verify_detached(sig, "t", "p", 1, fx_public(FX_CAMERA)), -EBADMSG);
}

static void test_largest(void **state)
{
    uint8_t payload[BF_ENVELOPE_MAX + 1] = { 0 }, *envelope = NULL;
    size_t size = 0, payload_size = BF_ENVELOPE_MAX + 1;

    (void)state;
    while (bf_dsse_seal("t", payload, payload_size, fx_secret(FX_CAMERA), &envelope, &size) == -EMSGSIZE)
        payload_size--;
    assert_int_equal(size, BF_ENVELOPE_MAX);
    free(envelope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pae),
        cmocka_unit_test(test_pae_is_unambiguous),
        cmocka_unit_test(test_seal_open_verify),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_ill_formed),
        cmocka_unit_test(test_garbage_and_truncation),
        cmocka_unit_test(test_second_signature_counts),
        cmocka_unit_test(test_a_signature_is_checked_with_the_key_it_names),
        cmocka_unit_test(test_another_key_is_not_tried_on_what_it_has_signed),
        cmocka_unit_test(test_sealed_with_several_keys),
        cmocka_unit_test(test_malleated_signature_is_refused),
        cmocka_unit_test(test_largest),
    };

    return cmocka_run_group_tests_name("dsse", tests, NULL, NULL);
}
