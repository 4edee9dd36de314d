/* The receiver's checks: each refusal, in order, by a message that is right in everything before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/verify.h"
#include "fixture.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"

static struct bf_trust *trust;
static struct bf_replay *replay;

/* A delivery: fields left out are those of the valid message of `type`. */
struct delivery {
    enum bf_message_type type;
    const char *topic;        /* delivered on */
    const char *payload_type; /* signed as */
    enum fx_node signer;      /* 0: FX_CAMERA; see signed_by */
    bool signed_by;           /* `signer` counts */
    const char *site, *sender, *recipient, *header_topic;
    int channel;
    uint64_t epoch, sequence, now, issued_at_ms;
    uint32_t ttl_ms;
    bool header_unsynced, clock_unsynced, will, wrong_boot_id, no_boot_id, flip_signature, bad_range;
    const char *node; /* receives; NULL: the topic's owner; "": nobody in particular (watch) */
};

static void apply(const struct delivery *d, ProtobufCMessage *m)
{
    static uint8_t other_boot[16] = "another boot id";
    Belfry__V1__Header *h = fx_header(m);

    h->site = (char *)(d->site != NULL ? d->site : h->site);
    h->sender = (char *)(d->sender != NULL ? d->sender : h->sender);
    h->recipient = (char *)(d->recipient != NULL ? d->recipient : h->recipient);
    h->topic = (char *)(d->header_topic != NULL ? d->header_topic : h->topic);
    h->channel = d->channel != 0 ? (Belfry__V1__Channel)d->channel : h->channel;
    h->sender_epoch = d->epoch != 0 ? d->epoch : h->sender_epoch;
    h->sequence = d->sequence != 0 ? d->sequence : h->sequence;
    h->issued_at_ms = d->issued_at_ms != 0 ? d->issued_at_ms : h->issued_at_ms;
    h->ttl_ms = d->ttl_ms != 0 ? d->ttl_ms : h->ttl_ms;
    h->clock_synced = !d->header_unsynced;
    if (d->wrong_boot_id)
        h->recipient_boot_id.data = other_boot;
    if (d->no_boot_id)
        h->recipient_boot_id.len = 0;
    if (d->will) {
        h->channel = BELFRY__V1__CHANNEL__CHANNEL_WILL;
        h->ttl_ms = 0;
        ((Belfry__V1__CameraState *)m)->node->online = 0;
    }
    if (d->bad_range)
        ((Belfry__V1__CameraState *)m)->video->fps = 121;
}

static struct bf_clock_gap gap; /* as the last delivery left it */

static enum bf_refusal deliver(const struct delivery *d, struct bf_incoming *ret, struct bf_error *e)
{
    const struct bf_message_row *row = bf_message_row(d->type);
    const char *topic = d->topic != NULL ? d->topic : fx_topic(d->type);
    struct bf_verifier v = { .site = FX_SITE, .boot_id = fx_boot_id, .trust = trust, .replay = replay, .gap = &gap };
    ProtobufCMessage *m = fx_message(d->type);
    struct bf_topic own = { 0 };
    enum bf_refusal r;
    uint8_t *envelope;
    size_t size;

    apply(d, m);
    envelope = fx_seal_as(d->payload_type != NULL ? d->payload_type : row->payload_type, m,
                          d->signed_by ? d->signer : fx_sender(d->type), &size);
    if (d->flip_signature)
        envelope[size - 1] ^= 1;
    assert_int_equal(bf_topic_parse(&own, fx_topic(d->type)), 0);
    v.node = d->node == NULL ? own.id : *d->node == '\0' ? NULL : d->node;
    r = bf_verify(&v, topic, envelope, size, d->now != 0 ? d->now : FX_NOW, !d->clock_unsynced, ret, e);
    free(envelope);
    return r;
}

static enum bf_refusal deliver_once(const struct delivery *d)
{
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };
    enum bf_refusal r = deliver(d, &in, &e);

    if (r == BF_OK || r == BF_DUPLICATE) {
        assert_non_null(in.message);
        assert_ptr_equal(in.header, *bf_message_header(in.message));
        bf_incoming_done(&in);
    } else {
        assert_null(in.message);
        assert_true(strlen(e.text) > 0);
    }
    return r;
}

static void test_every_valid_message_is_accepted(void **state)
{
    (void)state;
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++) {
        struct delivery d = { .type = type, .sequence = 200 + (uint64_t)type };
        struct bf_incoming in = { 0 };
        struct bf_error e = { 0 };

        if (deliver(&d, &in, &e) != BF_OK)
            fail_msg("%s: %s", bf_message_row(type)->payload_type, e.text);
        assert_ptr_equal(in.row, bf_message_row(type));
        assert_ptr_equal(in.message->descriptor, in.row->descriptor);
        assert_string_equal(in.header->sender, fx_names[fx_sender(type)]);
        assert_false(in.will);
        bf_incoming_done(&in);
    }
}

#define TOPIC(rest) "belfry/v1/home/" rest
#define TYPE(word) "application/vnd.belfry." word ".v1+protobuf"

/* Everything here leaves the windows as they were, so that the order of the rows does not matter. */
static const struct {
    const char *what;
    struct delivery d;
    enum bf_refusal expected;
} refusals[] = {
    { "unknown type", { .payload_type = TYPE("camera-status") }, BF_REFUSED_TYPE },
    { "type in other letters", { .payload_type = "Application/vnd.belfry.camera-state.v1+protobuf" }, BF_REFUSED_TYPE },
    { "next version of the type", { .payload_type = TYPE("camera-state") "x" }, BF_REFUSED_TYPE },
    { "type of another role's topic", { .payload_type = TYPE("ingest-state") }, BF_REFUSED_TYPE },
    { "type of another channel", { .payload_type = TYPE("camera-desired") }, BF_REFUSED_TYPE },
    { "trust bundle on a topic", { .payload_type = TYPE("trust-bundle") }, BF_REFUSED_TYPE },
    { "a topic of nobody", { .topic = TOPIC("camera/cam-1") }, BF_REFUSED_TYPE },
    { "an event of an operator", { .type = BF_MSG_EVENT, .topic = TOPIC("operator/operator/evt") }, BF_REFUSED_TYPE },

    { "key not in the bundle", { .signed_by = true, .signer = FX_STRANGER }, BF_REFUSED_KEY },
    { "camera state by an ingest", { .signed_by = true, .signer = FX_INGEST }, BF_REFUSED_KEY },
    { "desired by a camera",
      { .type = BF_MSG_CAMERA_DESIRED, .signed_by = true, .signer = FX_CAMERA_2 },
      BF_REFUSED_KEY },
    { "desired by an operator",
      { .type = BF_MSG_CAMERA_DESIRED, .signed_by = true, .signer = FX_OPERATOR },
      BF_REFUSED_KEY },
    { "command by a janitor",
      { .type = BF_MSG_GATEWAY_COMMAND, .signed_by = true, .signer = FX_JANITOR },
      BF_REFUSED_KEY },
    { "event of an ingest by a camera",
      { .type = BF_MSG_EVENT, .signed_by = true, .signer = FX_CAMERA },
      BF_REFUSED_KEY },
    { "a key before its time", { .now = FX_NOW / 2 }, BF_REFUSED_KEY },

    { "one bit of the signature", { .flip_signature = true }, BF_REFUSED_SIGNATURE },

    { "a value out of range", { .bad_range = true }, BF_REFUSED_PAYLOAD },
    { "the header's channel is another", { .channel = BF_CHANNEL_EVT }, BF_REFUSED_PAYLOAD },
    { "a will on desired",
      { .type = BF_MSG_CAMERA_DESIRED, .channel = BELFRY__V1__CHANNEL__CHANNEL_WILL },
      BF_REFUSED_PAYLOAD },
    { "a will that is online", { .channel = BELFRY__V1__CHANNEL__CHANNEL_WILL }, BF_REFUSED_PAYLOAD },

    { "another site in the header", { .site = "barn" }, BF_REFUSED_SITE },
    { "another site in the topic", { .topic = "belfry/v1/barn/camera/cam-1/state" }, BF_REFUSED_SITE },

    { "a state for one node", { .recipient = "gateway-1" }, BF_REFUSED_RECIPIENT },
    { "desired for everybody", { .type = BF_MSG_CAMERA_DESIRED, .recipient = "*" }, BF_REFUSED_RECIPIENT },
    { "desired for everybody, watched",
      { .type = BF_MSG_CAMERA_DESIRED, .recipient = "*", .node = "" },
      BF_REFUSED_RECIPIENT },
    { "desired for another camera", { .type = BF_MSG_CAMERA_DESIRED, .recipient = "cam-2" }, BF_REFUSED_RECIPIENT },
    { "delivered to another camera", { .type = BF_MSG_CAMERA_DESIRED, .node = "cam-2" }, BF_REFUSED_RECIPIENT },
    { "moved to another camera's topic",
      { .type = BF_MSG_CAMERA_DESIRED, .node = "cam-2", .topic = TOPIC("camera/cam-2/desired") },
      BF_REFUSED_RECIPIENT },

    { "signed for another topic", { .header_topic = TOPIC("camera/cam-1/evt") }, BF_REFUSED_TOPIC },
    { "moved to another node's topic", { .topic = TOPIC("camera/cam-2/state") }, BF_REFUSED_TOPIC },
    { "an event moved", { .type = BF_MSG_EVENT, .topic = TOPIC("ingest/ingest-2/evt") }, BF_REFUSED_TOPIC },

    { "signed by another camera", { .signed_by = true, .signer = FX_CAMERA_2 }, BF_REFUSED_SENDER },
    { "another camera's own name on this topic",
      { .signed_by = true, .signer = FX_CAMERA_2, .sender = "cam-2" },
      BF_REFUSED_SENDER },
    { "gateway's key, other sender", { .type = BF_MSG_CAMERA_DESIRED, .sender = "gateway-2" }, BF_REFUSED_SENDER },

    { "expired", { .now = FX_NOW + 15000 + BF_CLOCK_SKEW_MS + 1 }, BF_REFUSED_AGE },
    { "from the future", { .now = FX_NOW - BF_CLOCK_SKEW_MS - 1 }, BF_REFUSED_AGE },
    { "a will from the future", { .will = true, .now = FX_NOW - BF_CLOCK_SKEW_MS - 1 }, BF_REFUSED_AGE },

    { "for an earlier start of this node",
      { .type = BF_MSG_CAMERA_DESIRED, .wrong_boot_id = true },
      BF_REFUSED_BOOT_ID },
    { "for no start of this node", { .type = BF_MSG_CAMERA_DESIRED, .no_boot_id = true }, BF_REFUSED_BOOT_ID },
    { "a command for an earlier start", { .type = BF_MSG_JANITOR_COMMAND, .wrong_boot_id = true }, BF_REFUSED_BOOT_ID },

    { "an earlier epoch", { .epoch = 4, .sequence = 900 }, BF_REFUSED_REPLAY },
    { "left of the window", { .sequence = 36 }, BF_REFUSED_REPLAY },
    { "a will of an earlier epoch", { .will = true, .epoch = 4 }, BF_REFUSED_WILL },
    { "a will of a later epoch", { .will = true, .epoch = 6 }, BF_REFUSED_WILL },
    { "seen", { .sequence = 100 }, BF_DUPLICATE },
};

static void test_refusals(void **state)
{
    unsigned seen[BF_REFUSALS] = { 0 };

    (void)state;
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 100 }), BF_OK);
    for (size_t i = 0; i < BF_COUNT_OF(refusals); i++) {
        enum bf_refusal r = deliver_once(&refusals[i].d);

        if (r != refusals[i].expected)
            fail_msg("%s: %s instead of %s", refusals[i].what, bf_refusal_name(r),
                     bf_refusal_name(refusals[i].expected));
        seen[r]++;
    }
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 101 }), BF_OK); /* nothing has changed */

    /* Size and envelope have their own test, the lease epoch is the service's: all others are in the table. */
    for (unsigned r = BF_REFUSED_TYPE; r < BF_REFUSALS; r++)
        if (r != BF_REFUSED_LEASE_EPOCH && seen[r] == 0)
            fail_msg("%s has no row", bf_refusal_name(r));
}

/* A message that is wrong in two ways is refused for the first in the order. */
static void test_order(void **state)
{
    static const struct {
        struct delivery d;
        enum bf_refusal expected;
    } rows[] = {
        { { .payload_type = TYPE("event"), .signed_by = true, .signer = FX_STRANGER }, BF_REFUSED_TYPE },
        { { .signed_by = true, .signer = FX_STRANGER, .flip_signature = true }, BF_REFUSED_KEY },
        { { .flip_signature = true, .bad_range = true }, BF_REFUSED_SIGNATURE },
        { { .bad_range = true, .site = "barn" }, BF_REFUSED_PAYLOAD },
        { { .site = "barn", .recipient = "cam-2" }, BF_REFUSED_SITE },
        { { .recipient = "cam-2", .header_topic = "x" }, BF_REFUSED_RECIPIENT },
        { { .header_topic = "x", .sender = "cam-2" }, BF_REFUSED_TOPIC },
        { { .sender = "cam-2", .now = FX_NOW + 90000 }, BF_REFUSED_SENDER },
        { { .type = BF_MSG_CAMERA_DESIRED, .now = FX_NOW + 90000, .wrong_boot_id = true }, BF_REFUSED_AGE },
        { { .type = BF_MSG_CAMERA_DESIRED, .wrong_boot_id = true, .epoch = 4 }, BF_REFUSED_BOOT_ID },
    };

    (void)state;
    assert_int_equal(deliver_once(&(struct delivery){ .type = BF_MSG_CAMERA_DESIRED }), BF_OK);
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        enum bf_refusal r = deliver_once(&rows[i].d);

        if (r != rows[i].expected)
            fail_msg("row %zu: %s instead of %s", i, bf_refusal_name(r), bf_refusal_name(rows[i].expected));
    }
}

static void test_size_and_envelope(void **state)
{
    struct bf_verifier v = { .site = FX_SITE, .trust = trust };
    static uint8_t big[BF_ENVELOPE_MAX + 1];
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };

    (void)state;
    assert_int_equal(bf_verify(&v, fx_topic(BF_MSG_EVENT), big, sizeof(big), FX_NOW, true, &in, &e), BF_REFUSED_SIZE);
    assert_int_equal(bf_verify(&v, fx_topic(BF_MSG_EVENT), big, sizeof(big) - 1, FX_NOW, true, &in, &e),
                     BF_REFUSED_ENVELOPE);
    assert_int_equal(bf_verify(&v, fx_topic(BF_MSG_EVENT), "", 0, FX_NOW, true, &in, &e), BF_REFUSED_ENVELOPE);
    assert_int_equal(bf_verify(&v, fx_topic(BF_MSG_EVENT), "offline", 7, FX_NOW, true, &in, &e), BF_REFUSED_ENVELOPE);
}

/* The same bytes are one message or the other by their type alone: it stands inside the signature. */
static void test_type_confusion(void **state)
{
    struct bf_verifier v = { .site = FX_SITE, .node = "janitor-1", .boot_id = fx_boot_id, .trust = trust };
    ProtobufCMessage *m = fx_message(BF_MSG_JANITOR_DESIRED);
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };
    uint8_t *envelope, *at;
    size_t size;

    (void)state;
    envelope = fx_seal(BF_MSG_JANITOR_DESIRED, m, FX_GATEWAY, &size);
    assert_int_equal(bf_verify(&v, fx_topic(BF_MSG_JANITOR_DESIRED), envelope, size, FX_NOW, true, &in, &e), BF_OK);
    bf_incoming_done(&in);

    /* "janitor-desired" and "janitor-command" are of one length, and gateways may send both to a janitor. */
    at = memmem(envelope, size, "janitor-desired", 15);
    assert_non_null(at);
    memcpy(at, "janitor-command", 15);
    assert_int_equal(bf_verify(&v, fx_topic(BF_MSG_JANITOR_COMMAND), envelope, size, FX_NOW, true, &in, &e),
                     BF_REFUSED_SIGNATURE);
    free(envelope);

    /* And the gateway's own signature under the wrong type fails at the contents. */
    envelope = fx_seal_as(TYPE("janitor-command"), m, FX_GATEWAY, &size);
    assert_int_equal(bf_verify(&v, fx_topic(BF_MSG_JANITOR_COMMAND), envelope, size, FX_NOW, true, &in, &e),
                     BF_REFUSED_PAYLOAD);
    free(envelope);
}

static void test_edges_of_age(void **state)
{
    static const struct {
        struct delivery d;
        enum bf_refusal expected;
    } rows[] = {
        { { .sequence = 300, .now = FX_NOW + 15000 + BF_CLOCK_SKEW_MS }, BF_OK },
        { { .sequence = 301, .now = FX_NOW - BF_CLOCK_SKEW_MS }, BF_OK },
        { { .sequence = 302, .now = FX_NOW + 90000, .header_unsynced = true }, BF_OK },
        { { .sequence = 303, .now = FX_NOW + 90000, .clock_unsynced = true }, BF_OK },
        { { .sequence = 304, .now = FX_NOW - 90000, .clock_unsynced = true }, BF_OK },
        { { .sequence = 305, .issued_at_ms = UINT64_MAX }, BF_REFUSED_AGE },
        { { .sequence = 306, .issued_at_ms = 1, .ttl_ms = 86400000 }, BF_REFUSED_AGE },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        assert_int_equal(deliver_once(&rows[i].d), rows[i].expected);
}

/* Only what was never seen, and is meant for this start, says something of the clocks. */
static void test_clocks_apart(void **state)
{
    static const struct {
        struct delivery d;
        int64_t ahead_ms; /* 0: nothing is said */
    } rows[] = {
        { { .sequence = 400 }, 0 },
        { { .sequence = 401, .now = FX_NOW - 3600000 }, 3600000 },
        { { .sequence = 402, .now = FX_NOW + 3600000 }, -3600000 },
        { { .sequence = 400, .now = FX_NOW + 3600000 }, 0 }, /* comes again */
        { { .sequence = 300, .now = FX_NOW + 3600000 }, 0 }, /* left of the window */
        { { .sequence = 399, .now = FX_NOW + 3600000 }, 0 }, /* never seen, and overtaken */
        { { .sequence = 403, .now = FX_NOW - 3600000, .clock_unsynced = true }, 0 },
        { { .type = BF_MSG_CAMERA_DESIRED, .sequence = 404, .now = FX_NOW - 3600000, .wrong_boot_id = true }, 0 },
        { { .type = BF_MSG_CAMERA_DESIRED, .sequence = 405, .now = FX_NOW - 3600000 }, 3600000 },
        { { .sequence = 406, .now = FX_NOW - 3600000, .flip_signature = true }, 0 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        gap = (struct bf_clock_gap){ .node = "" };
        deliver_once(&rows[i].d);
        assert_int_equal(gap.ahead_ms, rows[i].ahead_ms);
        assert_int_equal(gap.node[0] != '\0', rows[i].ahead_ms != 0);
        if (rows[i].ahead_ms != 0)
            assert_int_equal(gap.role, rows[i].d.type == BF_MSG_CAMERA_STATE ? BF_ROLE_CAMERA : BF_ROLE_NONE);
    }
}

static void test_will(void **state)
{
    struct delivery will = { .will = true, .sequence = 1, .now = FX_NOW + 3600000 };
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };

    (void)state;
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 100 }), BF_OK);
    assert_int_equal(deliver(&will, &in, &e), BF_OK); /* an hour old, and fine: its epoch is the current one */
    assert_true(in.will);
    assert_false(((Belfry__V1__CameraState *)in.message)->node->online);
    bf_incoming_done(&in);
    assert_int_equal(deliver_once(&will), BF_DUPLICATE);
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 101 }), BF_OK); /* back after a reconnect */
    assert_int_equal(deliver_once(&(struct delivery){ .epoch = 6, .sequence = 1 }), BF_OK);
    will.sequence = 2;
    assert_int_equal(deliver_once(&will), BF_REFUSED_WILL); /* late: the node has restarted since */
}

/* Somebody who starts later finds the retained will first, and may learn from it who is gone. */
static void test_will_of_an_unknown_epoch(void **state)
{
    (void)state;
    assert_int_equal(deliver_once(&(struct delivery){ .will = true, .sequence = 1 }), BF_OK);
}

static void test_refusal_marks_nothing(void **state)
{
    (void)state;
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 100, .flip_signature = true }), BF_REFUSED_SIGNATURE);
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 100, .now = FX_NOW + 90000 }), BF_REFUSED_AGE);
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 100, .epoch = 9, .recipient = "cam-1" }),
                     BF_REFUSED_RECIPIENT);
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 100 }), BF_OK);
}

static void test_watching_takes_any_recipient(void **state)
{
    (void)state;
    assert_int_equal(
        deliver_once(&(struct delivery){ .type = BF_MSG_CAMERA_DESIRED, .node = "", .wrong_boot_id = true }), BF_OK);
    assert_int_equal(deliver_once(&(struct delivery){ .type = BF_MSG_GATEWAY_REPLY, .node = "" }), BF_OK);
}

static void test_revoked_key(void **state)
{
    uint8_t keyid[BF_KEYID_SIZE], *envelope;
    ProtobufCBinaryData revoked = { sizeof(keyid), keyid };
    Belfry__V1__TrustBundle *b = fx_bundle();
    struct bf_trust *before = trust;
    size_t size;

    (void)state;
    bf_keyid(keyid, fx_public(FX_CAMERA));
    b->n_revoked = 1;
    b->revoked = &revoked;
    envelope = fx_seal_bundle(b, &size);
    assert_int_equal(bf_trust_open(&trust, envelope, size, fx_root_public(), FX_SITE, 0, NULL), 0);
    free(envelope);
    assert_int_equal(deliver_once(&(struct delivery){ .sequence = 1 }), BF_REFUSED_KEY);
    bf_trust_free(trust);
    trust = before;
}

static void test_no_key_is_quoted(void **state)
{
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };

    (void)state;
    assert_int_equal(deliver(&(struct delivery){ .site = "evil\nlevel=error" }, &in, &e), BF_REFUSED_PAYLOAD);
    assert_null(strstr(e.text, "evil"));
}

static void test_documents(void **state)
{
    uint8_t *envelope, *payload = NULL;
    struct bf_error e = { 0 };
    size_t size, payload_size;

    (void)state;
    assert_int_equal(bf_dsse_seal("doc", "text", 4, fx_secret(FX_JANITOR), &envelope, &size), 0);
    assert_int_equal(
        bf_document_open(trust, BF_ROLE_JANITOR, "doc", envelope, size, FX_NOW, &payload, &payload_size, &e), 0);
    assert_int_equal(payload_size, 4);
    assert_memory_equal(payload, "text", 4);
    free(payload);
    payload = NULL;
    assert_int_equal(
        bf_document_open(trust, BF_ROLE_INGEST, "doc", envelope, size, FX_NOW, &payload, &payload_size, &e), -EBADMSG);
    assert_int_equal(
        bf_document_open(trust, BF_ROLE_JANITOR, "dok", envelope, size, FX_NOW, &payload, &payload_size, &e), -EBADMSG);
    assert_int_equal(bf_document_open(trust, BF_ROLE_JANITOR, "doc", envelope, size, 0, &payload, &payload_size, &e),
                     -EBADMSG);
    envelope[size - 1] ^= 1;
    assert_int_equal(
        bf_document_open(trust, BF_ROLE_JANITOR, "doc", envelope, size, FX_NOW, &payload, &payload_size, &e), -EBADMSG);
    assert_null(payload);
    free(envelope);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned a = 0; a < BF_REFUSALS; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(bf_refusal_name(a), bf_refusal_name(b));
    assert_string_equal(bf_refusal_name(BF_REFUSED_BOOT_ID), "refused_boot_id");
}

static int fresh(void **state)
{
    (void)state;
    trust = fx_trust();
    return bf_replay_new(&replay, 16);
}

static int gone(void **state)
{
    (void)state;
    bf_trust_free(trust);
    bf_replay_free(replay);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_valid_message_is_accepted),
        TEST(test_refusals),
        TEST(test_order),
        TEST(test_size_and_envelope),
        TEST(test_type_confusion),
        TEST(test_edges_of_age),
        TEST(test_clocks_apart),
        TEST(test_will),
        TEST(test_will_of_an_unknown_epoch),
        TEST(test_refusal_marks_nothing),
        TEST(test_watching_takes_any_recipient),
        TEST(test_revoked_key),
        TEST(test_no_key_is_quoted),
        TEST(test_documents),
        TEST(test_names),
    };

    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
