/* Sign and verify on one core: a camera's state is packed, sealed, and goes through the receiver's whole order of
 * checks, as often as there is time. Prints one JSON line. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bus/keys.h"
#include "bus/verify.h"

#include "camera.pb-c.h"
#include "trust.pb-c.h"

#define SITE "bench"
#define NODE "cam-1"
#define RUN_US 2000000

struct bench {
    struct bf_key *camera, *root;
    struct bf_trust *trust;
    struct bf_replay *replay;
    struct bf_verifier verifier;
    char topic[BF_TOPIC_SIZE];
    uint64_t sequence, sign_us, verify_us;
    size_t bytes;
};

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "bench_envelope: %s\n", what);
    exit(1);
}

static uint8_t *seal(const char *type, const ProtobufCMessage *m, const struct bf_key *k, size_t *ret_size)
{
    uint8_t packed[BF_ENVELOPE_MAX], *envelope = NULL;

    if (protobuf_c_message_get_packed_size(m) > sizeof(packed) ||
        bf_dsse_seal(type, packed, protobuf_c_message_pack(m, packed), bf_key_secret(k), &envelope, ret_size) < 0)
        die("sealing failed");
    return envelope;
}

static void make_trust(struct bench *b)
{
    Belfry__V1__TrustBundle bundle = BELFRY__V1__TRUST_BUNDLE__INIT;
    Belfry__V1__TrustedKey key = BELFRY__V1__TRUSTED_KEY__INIT, *keys[] = { &key };
    Belfry__V1__Role role = BELFRY__V1__ROLE__ROLE_CAMERA;
    struct bf_error e = { 0 };
    uint8_t *envelope;
    size_t size;

    key.node = (char *)NODE;
    key.n_roles = 1;
    key.roles = &role;
    key.public_key = (ProtobufCBinaryData){ BF_PUBLIC_KEY_SIZE, (uint8_t *)bf_key_public(b->camera) };
    bundle.version = 1;
    bundle.site = (char *)SITE;
    bundle.expires_at_ms = UINT64_MAX;
    bundle.n_keys = 1;
    bundle.keys = keys;
    envelope = seal(BF_TRUST_BUNDLE_TYPE, &bundle.base, b->root, &size);
    if (bf_trust_open(&b->trust, envelope, size, bf_key_public(b->root), SITE, 0, &e) < 0)
        die(e.text);
    free(envelope);
}

static uint8_t *make_state(struct bench *b, size_t *ret_size)
{
    Belfry__V1__CameraState state = BELFRY__V1__CAMERA_STATE__INIT;
    Belfry__V1__NodeStatus node = BELFRY__V1__NODE_STATUS__INIT;
    Belfry__V1__Header header = BELFRY__V1__HEADER__INIT;
    uint8_t id[16], boot_id[16] = { 1 };

    randombytes_buf(id, sizeof(id));
    header.site = (char *)SITE;
    header.sender = (char *)NODE;
    header.recipient = (char *)"*";
    header.topic = b->topic;
    header.message_id = (ProtobufCBinaryData){ sizeof(id), id };
    header.sender_epoch = 1;
    header.channel = BELFRY__V1__CHANNEL__CHANNEL_STATE;
    header.sequence = ++b->sequence;
    header.issued_at_ms = bf_unix_ms();
    header.ttl_ms = 15000;
    header.clock_synced = 1;
    node.online = 1;
    node.boot_id = (ProtobufCBinaryData){ sizeof(boot_id), boot_id };
    node.version = (char *)BELFRY_VERSION;
    state.header = &header;
    state.node = &node;
    state.phase = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING;
    state.source = (char *)"test-pattern";
    state.encoder = (char *)"libx264";
    return seal(bf_message_row(BF_MSG_CAMERA_STATE)->payload_type, &state.base, b->camera, ret_size);
}

static void one(struct bench *b)
{
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };
    uint64_t begun = bf_mono_us(), sealed_at;
    uint8_t *envelope = make_state(b, &b->bytes);

    sealed_at = bf_mono_us();
    if (bf_verify(&b->verifier, b->topic, envelope, b->bytes, bf_unix_ms(), true, &in, &e) != BF_OK)
        die(e.text);
    bf_incoming_done(&in);
    free(envelope);
    b->sign_us += sealed_at - begun;
    b->verify_us += bf_mono_us() - sealed_at;
}

int main(void)
{
    struct bench b = { 0 };

    if (bf_key_generate(&b.camera) < 0 || bf_key_generate(&b.root) < 0 || bf_replay_new(&b.replay, 16) < 0 ||
        bf_topic_format(b.topic, SITE, BF_ROLE_CAMERA, NODE, BF_CHANNEL_STATE) < 0)
        die("could not begin");
    make_trust(&b);
    b.verifier = (struct bf_verifier){ .site = SITE, .trust = b.trust, .replay = b.replay };

    while (b.sign_us + b.verify_us < RUN_US)
        one(&b);
    printf(
        "{\"bench\":\"envelope\",\"bytes\":%zu,\"sign_us\":%.1f,\"verify_us\":%.1f,\"sign_and_verify_per_s\":%" PRIu64
        "}\n",
        b.bytes, (double)b.sign_us / (double)b.sequence, (double)b.verify_us / (double)b.sequence,
        b.sequence * 1000000 / (b.sign_us + b.verify_us));
    bf_trust_free(b.trust);
    bf_replay_free(b.replay);
    bf_key_free(b.camera);
    bf_key_free(b.root);
    return 0;
}
