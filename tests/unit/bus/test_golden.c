/* The committed envelopes: the same bytes are made today, and they verify and decode to what was put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bus/verify.h"
#include "fixture.h"
#include "golden.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"
#include "janitor.pb-c.h"

static uint8_t *committed(const struct golden *g, size_t *ret_size)
{
    char path[512];
    uint8_t *bytes;

    snprintf(path, sizeof(path), BELFRY_SOURCE_DIR "/tests/golden/%s", g->file);
    if (bf_read_file(AT_FDCWD, path, BF_ENVELOPE_MAX, &bytes, ret_size) != 0)
        fail_msg("%s cannot be read", path);
    return bytes;
}

static void test_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < golden_n; i++) {
        size_t kept_size, made_size;
        uint8_t *kept = committed(&golden_files[i], &kept_size), *made = golden_make(&golden_files[i], &made_size);

        if (kept_size != made_size || memcmp(kept, made, kept_size) != 0)
            fail_msg("%s: what is made today is not what was committed", golden_files[i].file);
        free(kept);
        free(made);
    }
}

/* What protobuf-c packs of both says whether every field came through. */
static void assert_same_message(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    uint8_t packed_a[BF_ENVELOPE_MAX], packed_b[BF_ENVELOPE_MAX];
    size_t size = protobuf_c_message_pack(a, packed_a);

    assert_int_equal(size, protobuf_c_message_pack(b, packed_b));
    assert_memory_equal(packed_a, packed_b, size);
}

static void verify_one(const struct golden *g, const struct bf_trust *trust)
{
    struct bf_verifier v = { .site = FX_SITE, .trust = trust };
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };
    size_t size;
    uint8_t *bytes = committed(g, &size);

    if (bf_verify(&v, fx_topic(g->type), bytes, size, FX_NOW, true, &in, &e) != BF_OK)
        fail_msg("%s: %s", g->file, e.text);
    assert_int_equal(in.will, g->will);
    assert_int_equal(in.header->issued_at_ms, FX_NOW);
    assert_string_equal(in.header->sender, fx_names[fx_sender(g->type)]);
    if (!g->will)
        assert_same_message(in.message, fx_message(g->type));
    bf_incoming_done(&in);
    free(bytes);
}

static struct bf_trust *committed_bundle(void)
{
    struct bf_trust *trust = NULL;
    struct bf_error e = { 0 };
    size_t size;
    uint8_t *bytes = committed(&golden_files[golden_n - 1], &size);

    if (bf_trust_open(&trust, bytes, size, fx_root_public(), FX_SITE, 3, &e) != 0)
        fail_msg("%s", e.text);
    free(bytes);
    return trust;
}

static void test_verify_and_decode(void **state)
{
    struct bf_trust *trust = committed_bundle();

    (void)state;
    for (size_t i = 0; i < golden_n; i++)
        if (golden_files[i].type != BF_MSG_TYPES)
            verify_one(&golden_files[i], trust);
    bf_trust_free(trust);
}

/* A few values written out, so that a fixture that changes along with the code is noticed. */
static void test_values(void **state)
{
    struct bf_dsse *d = NULL;
    Belfry__V1__CameraDesired *m;
    const uint8_t *payload;
    size_t size;
    uint8_t *bytes = committed(&golden_files[2], &size);

    (void)state;
    assert_int_equal(bf_dsse_open(&d, bytes, size), 0);
    assert_string_equal(bf_dsse_type(d), "application/vnd.belfry.camera-desired.v1+protobuf");
    payload = bf_dsse_payload(d, &size);
    m = belfry__v1__camera_desired__unpack(NULL, size, payload);
    assert_non_null(m);
    assert_string_equal(m->header->site, "home");
    assert_string_equal(m->header->recipient, "cam-1");
    assert_string_equal(m->header->topic, "belfry/v1/home/camera/cam-1/desired");
    assert_int_equal(m->header->sender_epoch, 5);
    assert_int_equal(m->header->sequence, 100);
    assert_int_equal(m->header->channel, 2);
    assert_int_equal(m->lease->generation, 7);
    assert_int_equal(m->lease->lease_ms, 10000);
    assert_string_equal(m->session->session_id, "01KDVDNY00ABCDEFGHJKMNPQRS");
    assert_int_equal(m->session->video->fps, 30);
    assert_int_equal(m->session->endpoint->port, 20000);
    belfry__v1__camera_desired__free_unpacked(m, NULL);
    bf_dsse_free(d);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_verify_and_decode),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
