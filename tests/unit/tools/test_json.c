#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "belfryctl/describe.h"
#include "belfryctl/json.h"

#include "camera.pb-c.h"
#include "gateway.pb-c.h"
#include "ingest.pb-c.h"

/* A state with something of everything in it. */
struct sample {
    Belfry__V1__CameraState state;
    Belfry__V1__NodeStatus node;
    Belfry__V1__Failure failure;
    Belfry__V1__Counter counter, *counters[1];
};

static void fill(struct sample *s)
{
    static uint8_t boot_id[] = { 0xde, 0xad };
    belfry__v1__camera_state__init(&s->state);
    belfry__v1__node_status__init(&s->node);
    belfry__v1__failure__init(&s->failure);
    belfry__v1__counter__init(&s->counter);
    s->failure.code = (char *)"no_frames";
    s->failure.detail = (char *)"the \"sensor\" is silent";
    s->counter.name = (char *)"frames_encoded";
    s->counter.value = UINT64_MAX;
    s->counters[0] = &s->counter;
    s->node.online = true;
    s->node.boot_id = (ProtobufCBinaryData){ sizeof boot_id, boot_id };
    s->node.last_error = &s->failure;
    s->node.counters = s->counters;
    s->node.n_counters = 1;
    s->state.node = &s->node;
    s->state.phase = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING;
    s->state.session_id = (char *)"01JD8V5T7MZX3K9QW4R2N6P0AB";
    s->state.frames = 30;
}

static void assert_dump(const ProtobufCMessage *m, enum ctl_enum_style style, const char *expected)
{
    json_t *json = ctl_json_of(m, style);
    _cleanup_(bf_freep) char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    json_decref(json);
}

static void test_state(void **state)
{
    (void)state;
    struct sample s;
    fill(&s);
    assert_dump(
        &s.state.base, CTL_ENUM_FULL,
        "{\"node\":{\"online\":true,\"boot_id\":\"dead\",\"version\":\"\",\"started_at_ms\":0,"
        "\"observed_generation\":0,\"lease_epoch\":0,\"last_error\":{\"code\":\"no_frames\",\"detail\":\"the "
        "\\\"sensor\\\" is silent\",\"at_ms\":0},\"counters\":[{\"name\":\"frames_encoded\","
        "\"value\":\"18446744073709551615\"}],\"lease_holder\":\"\",\"lease_holder_boot_id\":\"\"},\"phase\":\"CAMERA_PHASE_STREAMING\","
        "\"session_id\":\"01JD8V5T7MZX3K9QW4R2N6P0AB\",\"source\":\"\",\"encoder\":\"\",\"frames\":30}");
}

static void test_oneof_and_enums(void **state)
{
    (void)state;
    Belfry__V1__GatewayCommand command = BELFRY__V1__GATEWAY_COMMAND__INIT;
    Belfry__V1__StopStream stop = BELFRY__V1__STOP_STREAM__INIT;
    stop.camera = (char *)"front";
    assert_dump(&command.base, CTL_ENUM_FULL, "{}");
    command.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_STOP;
    command.stop = &stop;
    assert_dump(&command.base, CTL_ENUM_FULL, "{\"stop\":{\"camera\":\"front\"}}");

    Belfry__V1__StreamStatus status = BELFRY__V1__STREAM_STATUS__INIT;
    status.phase = BELFRY__V1__STREAM_PHASE__STREAM_PHASE_LIVE;
    assert_dump(&status.base, CTL_ENUM_SHORT,
                "{\"camera\":\"\",\"phase\":\"live\",\"session_id\":\"\",\"camera_online\":false,\"hls_path\":\"\","
                "\"profile\":\"unspecified\"}");
    status.profile = BELFRY__V1__PROFILE__PROFILE_REALTIME;
    status.phase = (Belfry__V1__StreamPhase)77; /* of a later version */
    assert_dump(&status.base, CTL_ENUM_FULL,
                "{\"camera\":\"\",\"phase\":77,\"session_id\":\"\",\"camera_online\":false,\"hls_path\":\"\","
                "\"profile\":\"PROFILE_REALTIME\"}");
}

static void test_media_key_is_withheld(void **state)
{
    (void)state;
    static uint8_t key[] = { 0xde, 0xad, 0xbe, 0xef };
    Belfry__V1__Endpoint endpoint = BELFRY__V1__ENDPOINT__INIT;
    endpoint.sealed_media_key = (ProtobufCBinaryData){ sizeof key, key };
    assert_dump(&endpoint.base, CTL_ENUM_SHORT,
                "{\"transport\":\"unspecified\",\"host\":\"\",\"port\":0,\"latency_ms\":0,"
                "\"sealed_media_key\":\"(4 bytes, sealed)\"}");
}

/* Every message of the table, as it comes off the wire. */
static void test_every_message(void **state)
{
    (void)state;
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++) {
        ProtobufCMessage *m = protobuf_c_message_unpack(bf_message_row(type)->descriptor, NULL, 0, NULL);
        json_t *json = ctl_json_of(m, CTL_ENUM_SHORT);
        assert_true(json_is_object(json));
        json_decref(json);
        protobuf_c_message_free_unpacked(m, NULL);
    }
}

static char *changes(const json_t *before, const json_t *now)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    ctl_print_changes(f, before, now);
    fclose(f);
    return text;
}

static void test_changes(void **state)
{
    (void)state;
    struct sample s;
    fill(&s);
    json_t *first = ctl_flatten(&s.state.base);
    s.state.frames = 180;
    s.counter.value = 5; /* counters are left to --json */
    s.node.last_error = NULL;
    s.node.online = false;
    json_t *second = ctl_flatten(&s.state.base);

    _cleanup_(bf_freep) char *all = changes(NULL, first), *some = changes(first, second),
                             *none = changes(second, second);
    assert_string_equal(all, " node.online=true node.last_error.code=no_frames"
                             " node.last_error.detail=\"the \\\"sensor\\\" is silent\" phase=streaming"
                             " session_id=01JD8V5T7MZX3K9QW4R2N6P0AB frames=30");
    assert_string_equal(some, " frames=180 node.online=false node.last_error.code=- node.last_error.detail=-");
    assert_string_equal(none, " unchanged");
    json_decref(first);
    json_decref(second);
}

static void test_lists_by_name(void **state)
{
    (void)state;
    Belfry__V1__IngestSessionStatus a = BELFRY__V1__INGEST_SESSION_STATUS__INIT, b = a, *list[] = { &a, &b };
    Belfry__V1__IngestState m = BELFRY__V1__INGEST_STATE__INIT;
    a.session_id = (char *)"01JD8V5T7MZX3K9QW4R2N6P0AB";
    a.parts = 1;
    b.session_id = (char *)"01JD8V5T7MZX3K9QW4R2N6P0AC";
    b.parts = 2;
    m.n_sessions = 2;
    m.sessions = list;
    json_t *first = ctl_flatten(&m.base);
    list[0] = &b;
    list[1] = &a;
    json_t *swapped = ctl_flatten(&m.base);
    assert_true(json_equal(first, swapped));
    b.session_id = a.session_id; /* a name that stands twice does not hide the second one */
    json_t *twice = ctl_flatten(&m.base);
    assert_int_equal(json_object_size(twice), 3); /* parts; session_id and parts by its place */
    json_decref(first);
    json_decref(swapped);
    json_decref(twice);
}

static void test_topics(void **state)
{
    (void)state;
    static const struct {
        const char *topic, *text;
    } cases[] = { { "belfry/v1/home/camera/front/state", "camera/front state" },
                  { "some/thing\033[2J", "\"some/thing" } };
    for (size_t i = 0; i < BF_COUNT_OF(cases); i++) {
        char *text;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        ctl_print_topic(f, cases[i].topic);
        fclose(f);
        assert_int_equal(strncmp(text, cases[i].text, strlen(cases[i].text)), 0);
        assert_null(strchr(text, '\033'));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_state),
                                        cmocka_unit_test(test_oneof_and_enums),
                                        cmocka_unit_test(test_media_key_is_withheld),
                                        cmocka_unit_test(test_every_message),
                                        cmocka_unit_test(test_changes),
                                        cmocka_unit_test(test_lists_by_name),
                                        cmocka_unit_test(test_topics) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
