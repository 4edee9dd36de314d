/* The message table and the ranges of every message: each row damages one field of a valid message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/limits.h"
#include "bus/message.h"
#include "fixture.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"
#include "gateway.pb-c.h"
#include "ingest.pb-c.h"
#include "janitor.pb-c.h"

static int check(const ProtobufCMessage *m, enum bf_message_type type, struct bf_error *e)
{
    return bf_message_row(type)->check(m, e);
}

static void test_valid_ones_pass(void **state)
{
    (void)state;
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++) {
        struct bf_error e = { 0 };

        if (check(fx_message(type), type, &e) != 0)
            fail_msg("%s: %s", bf_message_row(type)->payload_type, e.text);
    }
}

static void test_rows_are_consistent(void **state)
{
    (void)state;
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++) {
        const struct bf_message_row *row = bf_message_row(type);

        assert_int_equal(row->type, type);
        assert_ptr_equal(bf_message_by_payload_type(row->payload_type), row);
        assert_string_equal(row->descriptor->fields[0].name, "header");
        assert_int_equal(row->descriptor->fields[0].id, 1);
        assert_true(strlen(row->payload_type) <= 96);
        assert_true(row->sender_roles != 0 && row->topic_roles != 0);
        if (row->own_topic)
            assert_int_equal(row->sender_roles, row->topic_roles);
        if (row->channel == BF_CHANNEL_RSP) /* the asker's topic is found by it */
            assert_int_equal(__builtin_popcount(row->topic_roles), 1);
    }
    assert_null(bf_message_by_payload_type(""));
    assert_null(bf_message_by_payload_type("application/vnd.belfry.trust-bundle.v1+protobuf"));
    assert_null(bf_message_row(BF_MSG_TYPES));
}

/* Whatever can grow has a limit: walks every message of the table down to its leaves. */
static void walk(const ProtobufCMessageDescriptor *d, unsigned *fields)
{
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        bool grows = f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES ||
                     f->label == PROTOBUF_C_LABEL_REPEATED;

        (*fields)++;
        if (grows && !bf_limits_has(d, f->name))
            fail_msg("%s.%s has no limit", d->name, f->name);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            walk(f->descriptor, fields);
    }
}

static void test_every_field_that_can_grow_has_a_limit(void **state)
{
    unsigned fields = 0;

    (void)state;
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++)
        walk(bf_message_row(type)->descriptor, &fields);
    walk(&belfry__v1__trust_bundle__descriptor, &fields);
    assert_true(fields > 200);
}

static char long_text[1024];
static uint8_t some_bytes[128];

#define TOO_LONG(n) (long_text + sizeof(long_text) - 1 - (n))

/* `ok` says whether the value holds; M is the message, H its header, N its node status, S its (first) session. */
#define ROW(kind, Type, ok, statement)                                                                                 \
    do {                                                                                                               \
        struct bf_error e = { 0 };                                                                                     \
        Belfry__V1__##Type *M = (Belfry__V1__##Type *)fx_message(kind);                                                \
        Belfry__V1__Header *H = fx_header(&M->base);                                                                   \
        (void)H;                                                                                                       \
        statement;                                                                                                     \
        if (check(&M->base, kind, &e) != ((ok) ? 0 : -EBADMSG))                                                        \
            fail_msg("%s: %s", #statement, (ok) ? e.text : "was accepted");                                            \
    } while (0)

static void test_header(void **state)
{
    (void)state;
#define CS(ok, statement) ROW(BF_MSG_CAMERA_STATE, CameraState, ok, statement)
#define CD(ok, statement) ROW(BF_MSG_CAMERA_DESIRED, CameraDesired, ok, statement)
#define JR(ok, statement) ROW(BF_MSG_JANITOR_REPLY, JanitorReply, ok, statement)
    CS(false, M->header = NULL);
    CS(false, H->site = (char *)"");
    CS(false, H->site = (char *)"Home");
    CS(false, H->sender = (char *)"a/b");
    CS(false, H->sender = TOO_LONG(33));
    CS(true, H->sender = TOO_LONG(32));
    CS(false, H->recipient = (char *)"**");
    CS(false, H->recipient = (char *)"");
    CS(false, H->topic = TOO_LONG(257));
    CS(false, H->topic = (char *)"a\nb");
    CS(false, H->message_id.len = 15);
    CS(false, H->message_id.len = 0);
    CS(false, H->sender_epoch = 0);
    CS(true, H->sender_epoch = UINT64_MAX);
    CS(false, H->sequence = 0);
    CS(false, H->channel = 0);
    CS(false, H->channel = (Belfry__V1__Channel)7);
    CS(false, H->channel = BELFRY__V1__CHANNEL__CHANNEL_EVT);
    CS(false, H->ttl_ms = 86400001);
    CS(true, H->ttl_ms = 86400000);
    CS(false, H->ttl_ms = 0); /* only a last will counts for ever */
    CS(false, H->channel = BELFRY__V1__CHANNEL__CHANNEL_WILL; H->ttl_ms = 0);
    CS(false, H->channel = BELFRY__V1__CHANNEL__CHANNEL_WILL; M->node->online = 0);
    CS(true, H->channel = BELFRY__V1__CHANNEL__CHANNEL_WILL; M->node->online = 0; H->ttl_ms = 0);
    CS(false, H->recipient_boot_id = ((ProtobufCBinaryData){ 16, some_bytes }));
    CS(false, H->in_reply_to = ((ProtobufCBinaryData){ 16, some_bytes }));
    CD(false, H->recipient_boot_id.len = 8);
    CD(true, H->recipient_boot_id.len = 0); /* the boot id's own check refuses that */
    JR(false, H->in_reply_to.len = 0);
    JR(false, H->in_reply_to.len = 15);
}

static void test_state_messages(void **state)
{
    Belfry__V1__Failure f = BELFRY__V1__FAILURE__INIT;

    (void)state;
    f.code = (char *)"no_frames";
    CS(false, M->node = NULL);
    CS(false, M->node->boot_id.len = 15);
    CS(false, M->node->version = TOO_LONG(65));
    CS(true, M->node->version = TOO_LONG(64));
    CS(false, M->node->n_counters = 65; Belfry__V1__Counter *c = M->node->counters[0]; Belfry__V1__Counter * all[65];
       for (unsigned i = 0; i < 65; i++) all[i] = c; M->node->counters = all);
    CS(false, M->node->counters[0]->name = (char *)"");
    CS(false, M->node->counters[0]->name = (char *)"a-b");
    CS(false, M->node->counters[0]->name = TOO_LONG(49));
    CS(true, M->node->last_error = &f);
    CS(false, M->node->last_error = &f; f.code = (char *)"");
    f.code = (char *)"no_frames";
    CS(true, M->node->last_error = &f; f.detail = TOO_LONG(512));
    CS(false, M->node->last_error = &f; f.detail = TOO_LONG(513));
    CS(false, M->node->last_error = &f; f.detail = (char *)"a\x1b[31m");
    CS(false, M->node->last_error = &f; f.detail = (char *)"\xff");
    CS(false, M->node->last_error = &f; f.detail = (char *)"\xc0\xaf");         /* overlong */
    CS(false, M->node->last_error = &f; f.detail = (char *)"\xed\xa0\x80");     /* surrogate */
    CS(false, M->node->last_error = &f; f.detail = (char *)"\xf4\x90\x80\x80"); /* beyond Unicode */
    CS(false, M->node->last_error = &f; f.detail = (char *)"\xe2\x82");         /* cut off */
    CS(false, M->node->last_error = &f; f.detail = (char *)"\xc2\x85");         /* C1 control */
    CS(true, M->node->last_error = &f; f.detail = (char *)"\xe2\x82\xac \xf0\x9f\x8e\xa5");
    CS(false, M->phase = 0);
    CS(false, M->phase = (Belfry__V1__CameraPhase)99);
    CS(true, M->session_id = (char *)"");
    CS(false, M->session_id = (char *)"01kdvdny00abcdefghjkmnpqrs");
    CS(false, M->session_id = (char *)"../../../../../../../../..");
    CS(true, M->video = NULL);
    CS(true, M->video->width = 0);
    CS(false, M->video->width = 62);
    CS(false, M->video->width = 641);
    CS(true, M->video->width = 4096);
    CS(false, M->video->height = 4098);
    CS(false, M->video->fps = 121);
    CS(false, M->video->bitrate_kbps = 63);
    CS(false, M->video->bitrate_kbps = 50001);
    CS(false, M->video->gop_ms = 99);
    CS(true, M->video->gop_ms = 10000);
    CS(true, M->encoder = (char *)"");
    CS(false, M->encoder = (char *)"lib x264");
    CS(false, M->source = TOO_LONG(49));
}

static void test_desired_messages(void **state)
{
    (void)state;
    CD(true, M->session = NULL); /* off */
    CD(false, M->lease = NULL);
    CD(false, M->lease->generation = 0);
    CD(false, M->lease->epoch = 0);
    CD(false, M->lease->lease_ms = 999);
    CD(true, M->lease->lease_ms = 600000);
    CD(false, M->lease->lease_ms = 600001);
    CD(false, M->session->session_id = (char *)"");
    CD(false, M->session->endpoint = NULL);
    CD(false, M->session->endpoint->transport = 0);
    CD(false, M->session->endpoint->host = (char *)"");
    CD(false, M->session->endpoint->host = (char *)"a b");
    CD(false, M->session->endpoint->host = (char *)"a?mode=listener");
    CD(true, M->session->endpoint->host = (char *)"2001:db8::1");
    CD(false, M->session->endpoint->port = 0);
    CD(false, M->session->endpoint->port = 65536);
    CD(false, M->session->endpoint->latency_ms = 0);
    CD(false, M->session->endpoint->latency_ms = 8001);
    CD(false, M->session->endpoint->sealed_media_key.len = 0);
    CD(false, M->session->endpoint->sealed_media_key.len = 79);
    CD(false, M->session->endpoint->transport = BELFRY__V1__TRANSPORT__TRANSPORT_UDP);
    CD(true, M->session->endpoint->transport = BELFRY__V1__TRANSPORT__TRANSPORT_UDP;
       M->session->endpoint->latency_ms = 0; M->session->endpoint->sealed_media_key.len = 0);

#define ID(ok, statement) ROW(BF_MSG_INGEST_DESIRED, IngestDesired, ok, statement)
#define S M->sessions[0]
    ID(true, M->n_sessions = 0);
    ID(true, Belfry__V1__IngestSession * all[64]; for (unsigned i = 0; i < 64; i++) all[i] = S; M->n_sessions = 64;
       M->sessions = all);
    ID(false, Belfry__V1__IngestSession * all[65]; for (unsigned i = 0; i < 65; i++) all[i] = S; M->n_sessions = 65;
       M->sessions = all);
    ID(false, S->camera = (char *)"");
    ID(false, S->profile = BELFRY__V1__PROFILE__PROFILE_UNSPECIFIED);
    ID(true, S->profile = BELFRY__V1__PROFILE__PROFILE_ECONOMY);
    ID(false, S->profile = (Belfry__V1__Profile)4);
    ID(false, S->latency_ms = 0);
    ID(false, S->input = (char *)"udp://0.0.0.0:5000"); /* with SRT */
#define UDP                                                                                                            \
    S->transport = BELFRY__V1__TRANSPORT__TRANSPORT_UDP;                                                               \
    S->latency_ms = 0;                                                                                                 \
    S->input_source = (char *)"10.0.0.7"
    ID(true, UDP; S->input = (char *)"udp://0.0.0.0:5000");
    ID(true, UDP; S->input = (char *)"udp://[::1]:65535");
    ID(false, UDP; S->input = (char *)"udp://0.0.0.0:0");
    ID(false, UDP; S->input = (char *)"udp://0.0.0.0:65536");
    ID(false, UDP; S->input = (char *)"udp://0.0.0.0:");
    ID(false, UDP; S->input = (char *)"udp://:5000");
    ID(false, UDP; S->input = (char *)"udp://");
    ID(false, UDP; S->input = (char *)"udp://h:5000?overrun_nonfatal=1");
    ID(false, UDP; S->input = (char *)"udp://h/x:5000");
    ID(false, UDP; S->input = (char *)"file:///etc/passwd");
    ID(false, UDP; S->input = (char *)"udp://0.0.0.0:5000"; S->input_source = (char *)"");

#define JD(ok, statement) ROW(BF_MSG_JANITOR_DESIRED, JanitorDesired, ok, statement)
    JD(false, S->fate = 0);
    JD(false, S->session_id = (char *)"01KDVDNY00ABCDEFGHJKMNPQR/");
}

static void test_the_rest(void **state)
{
    (void)state;
#define IS(ok, statement) ROW(BF_MSG_INGEST_STATE, IngestState, ok, statement)
#define JS(ok, statement) ROW(BF_MSG_JANITOR_STATE, JanitorState, ok, statement)
#define JC(ok, statement) ROW(BF_MSG_JANITOR_COMMAND, JanitorCommand, ok, statement)
#define GS(ok, statement) ROW(BF_MSG_GATEWAY_STATE, GatewayState, ok, statement)
#define GC(ok, statement) ROW(BF_MSG_GATEWAY_COMMAND, GatewayCommand, ok, statement)
#define EV(ok, statement) ROW(BF_MSG_EVENT, Event, ok, statement)
    IS(true, S->endpoint = NULL);
    IS(false, S->phase = 0);
    IS(false, S->endpoint->port = 0);
    JS(false, S->progress_percent = 101);
    JS(false, S->phase = (Belfry__V1__JanitorPhase)42);
    JC(false, M->action_case = 0);
    JC(false, M->protect->recording_id = (char *)"");
    JC(true, M->protect->title = TOO_LONG(200));
    JC(false, M->protect->title = TOO_LONG(201));
    JR(true, M->file = (char *)"");
    JR(false, M->file = (char *)"../x.jpg");
    JR(false, M->file = (char *)".x.jpg");
    JR(false, M->file = (char *)"a/b.jpg");
    GS(false, M->streams[0]->camera = (char *)"*");
    GS(false, M->streams[0]->hls_path = (char *)"a\tb");
    GS(false, M->streams[0]->phase = 0);
    GS(true, M->streams[0]->profile = BELFRY__V1__PROFILE__PROFILE_UNSPECIFIED);
    GS(false, M->streams[0]->profile = (Belfry__V1__Profile)4);
    GC(false, M->action_case = 0);
    GC(false, M->start->camera = (char *)"");
    GC(false, M->start->video->fps = 1000);
    GC(true, M->start->profile = BELFRY__V1__PROFILE__PROFILE_UNSPECIFIED);
    GC(false, M->start->profile = (Belfry__V1__Profile)-1);
    EV(false, M->kind = 0);
    EV(false, M->failure = NULL); /* of an alarm */
    EV(true, M->kind = BELFRY__V1__EVENT_KIND__EVENT_KIND_SESSION_CLOSED; M->failure = NULL);
    EV(false, M->chain_head = ((ProtobufCBinaryData){ 31, some_bytes }));
    EV(true, M->chain_head = ((ProtobufCBinaryData){ 32, some_bytes }));
    EV(false, M->camera = (char *)"Cam");
}

/* Of a oneof only the chosen action is looked at. */
static void test_oneof(void **state)
{
    Belfry__V1__JanitorCommand *c = (Belfry__V1__JanitorCommand *)fx_message(BF_MSG_JANITOR_COMMAND);
    Belfry__V1__DeleteRecording delete = BELFRY__V1__DELETE_RECORDING__INIT;
    struct bf_error e = { 0 };

    (void)state;
    c->action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_DELETE;
    c->delete_ = &delete;
    assert_int_equal(check(&c->base, BF_MSG_JANITOR_COMMAND, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "delete"));
    assert_non_null(strstr(e.text, "recording_id"));
    delete.recording_id = (char *)FX_ULID;
    assert_int_equal(check(&c->base, BF_MSG_JANITOR_COMMAND, &e), 0);
}

static int fill(void **state)
{
    (void)state;
    memset(long_text, 'a', sizeof(long_text) - 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_ones_pass),
        cmocka_unit_test(test_rows_are_consistent),
        cmocka_unit_test(test_every_field_that_can_grow_has_a_limit),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_state_messages),
        cmocka_unit_test(test_desired_messages),
        cmocka_unit_test(test_the_rest),
        cmocka_unit_test(test_oneof),
    };

    return cmocka_run_group_tests_name("message", tests, fill, NULL);
}
