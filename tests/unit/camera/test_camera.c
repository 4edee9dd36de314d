/* The service itself on a real loop, with real workers; the skeleton and the bus around it are stood in for here. */
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
#include "base/clock.h"
#include "camera/camera.h"
#include "media/transport.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"

#define A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define B "01HZZZZZZZZZZZZZZZZZZZZZZB"
enum { PATIENCE_MS = 20000 };

static struct bf_camera_config yard = { .id = (char *)"yard",
                                        .source = (char *)"test-pattern",
                                        .encoder = (char *)"libx264",
                                        .overlay = (char *)"none",
                                        .width = 64,
                                        .height = 64,
                                        .fps = 50,
                                        .bitrate_kbps = 500,
                                        .gop_ms = 1000,
                                        .max_width = 1920,
                                        .max_height = 1080,
                                        .max_fps = 60,
                                        .max_bitrate_kbps = 10000 };
static struct bf_config config = { .cameras = &yard, .n_cameras = 1, .camera.no_frame_ms = 3000 };
static struct bf_key *key;

/* What the stand-ins saw. */
static struct {
    uv_loop_t loop;
    unsigned reports, alarms, alarms_cleared;
    bool drained;
    char failed[49];
    uint64_t frames_sent;
} seen;

/* The bus refuses to send what a receiver would refuse: so does this. */
static void check_ranges(enum bf_message_type type, ProtobufCMessage *m)
{
    static uint8_t id[16];
    Belfry__V1__Header header = BELFRY__V1__HEADER__INIT;
    struct bf_error e = { 0 };

    header.site = header.sender = header.recipient = (char *)"home";
    header.topic = (char *)"belfry/v1/home/camera/yard/state";
    header.message_id = (ProtobufCBinaryData){ sizeof(id), id };
    header.sender_epoch = header.sequence = 1;
    header.ttl_ms = 15000;
    header.channel = type == BF_MSG_EVENT ? BELFRY__V1__CHANNEL__CHANNEL_EVT : BELFRY__V1__CHANNEL__CHANNEL_STATE;
    *bf_message_header(m) = &header;
    if (bf_message_row(type)->check(m, &e) < 0)
        fail_msg("%s", e.text);
    *bf_message_header(m) = NULL;
}

/* The skeleton and the bus, as far as the camera calls them. */
uv_loop_t *bf_service_loop(struct bf_service *s)
{
    (void)s;
    return &seen.loop;
}
struct bf_bus *bf_service_bus(struct bf_service *s)
{
    (void)s;
    return NULL;
}
const struct bf_config *bf_service_config(const struct bf_service *s)
{
    (void)s;
    return &config;
}
const char *bf_service_node(const struct bf_service *s)
{
    (void)s;
    return "yard";
}
const struct bf_key *bf_service_key(const struct bf_service *s)
{
    (void)s;
    return key;
}
uint64_t bf_service_epoch(const struct bf_service *s)
{
    (void)s;
    return 1;
}
const struct bf_camera_config *bf_config_camera(const struct bf_config *c, const char *id)
{
    return strcmp(c->cameras[0].id, id) == 0 ? &c->cameras[0] : NULL;
}
void bf_service_report(struct bf_service *s)
{
    (void)s;
    seen.reports++;
}
void bf_service_failed(struct bf_service *s, const char *code, const struct bf_error *e)
{
    (void)s;
    assert_true(e->text[0] != '\0');
    strncpy(seen.failed, code, sizeof(seen.failed) - 1);
}
int bf_service_observe(struct bf_service *s, const struct bf_incoming *m, const Belfry__V1__Lease *lease)
{
    (void)s;
    (void)m;
    return lease->epoch < 1 ? -ESTALE : 0;
}
void bf_service_count(struct bf_service *s, const char *name, uint64_t value)
{
    (void)s;
    if (strcmp(name, "frames_sent") == 0)
        seen.frames_sent = value;
}
void bf_service_drained(struct bf_service *s)
{
    (void)s;
    seen.drained = true;
}
int bf_bus_send_event(struct bf_bus *b, ProtobufCMessage *event)
{
    const Belfry__V1__Event *m = (const Belfry__V1__Event *)event;
    (void)b;
    check_ranges(BF_MSG_EVENT, event);
    assert_string_equal(m->camera, "yard");
    seen.alarms += m->kind == BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM;
    seen.alarms_cleared += m->kind == BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED;
    return 0;
}

struct state {
    Belfry__V1__CameraPhase phase;
    char session[27], encoder[32], source[32];
    uint32_t width, fps;
    uint64_t frames;
};

static int keep(void *user, ProtobufCMessage *m)
{
    const Belfry__V1__CameraState *from = (const Belfry__V1__CameraState *)m;
    struct state *to = user;

    check_ranges(BF_MSG_CAMERA_STATE, m);
    *to = (struct state){ .phase = from->phase, .frames = from->frames };
    strncpy(to->session, from->session_id, sizeof(to->session) - 1);
    strncpy(to->encoder, from->encoder, sizeof(to->encoder) - 1);
    strncpy(to->source, from->source, sizeof(to->source) - 1);
    to->width = from->video != NULL ? from->video->width : 0;
    to->fps = from->video != NULL ? from->video->fps : 0;
    return 0;
}

static struct state state_of(void *camera, bool online)
{
    Belfry__V1__NodeStatus node = BELFRY__V1__NODE_STATUS__INIT;
    struct state s;

    static uint8_t boot_id[16];
    node.boot_id = (ProtobufCBinaryData){ sizeof(boot_id), boot_id };
    node.version = (char *)"0.1.0";
    node.online = online;
    assert_int_equal(bf_camera_with_state(camera, &node, keep, &s), 0);
    return s;
}

/* Turns the loop until the camera is in that phase with that session. */
static struct state await(void *camera, Belfry__V1__CameraPhase phase, const char *session)
{
    uint64_t limit_ms = bf_mono_ms() + PATIENCE_MS;

    for (;;) {
        struct state s = state_of(camera, true);
        if (s.phase == phase && strcmp(s.session, session) == 0)
            return s;
        if (bf_mono_ms() > limit_ms)
            fail_msg("phase %d session \"%s\" did not come: it is %d \"%s\"", (int)phase, session, (int)s.phase,
                     s.session);
        uv_run(&seen.loop, UV_RUN_ONCE);
    }
}

struct wish {
    const char *session; /* NULL: off */
    uint16_t port;
    uint32_t width, lease_ms;
    uint64_t epoch;
};

static void desire(void *camera, struct wish w)
{
    Belfry__V1__Lease lease = BELFRY__V1__LEASE__INIT;
    Belfry__V1__VideoParams video = BELFRY__V1__VIDEO_PARAMS__INIT;
    Belfry__V1__Endpoint endpoint = BELFRY__V1__ENDPOINT__INIT;
    Belfry__V1__CameraSession session = BELFRY__V1__CAMERA_SESSION__INIT;
    Belfry__V1__CameraDesired desired = BELFRY__V1__CAMERA_DESIRED__INIT;
    const struct bf_incoming m = { .message = &desired.base };

    lease.generation = 1;
    lease.epoch = w.epoch != 0 ? w.epoch : 1;
    lease.lease_ms = w.lease_ms != 0 ? w.lease_ms : 60000;
    video.width = w.width;
    endpoint.transport = BELFRY__V1__TRANSPORT__TRANSPORT_UDP;
    endpoint.host = (char *)"127.0.0.1";
    endpoint.port = w.port;
    session.session_id = (char *)w.session;
    session.video = &video;
    session.endpoint = &endpoint;
    desired.lease = &lease;
    desired.session = w.session != NULL ? &session : NULL;
    bf_camera_on_desired(camera, &m);
}

static struct bf_transport *receiver;
static void *camera;

static int setup(void **state)
{
    const struct bf_transport_options o = { .kind = BF_TRANSPORT_UDP, .host = "127.0.0.1" };
    struct bf_error e = { 0 };

    memset(&seen, 0, sizeof(seen));
    yard.source = (char *)"test-pattern";
    yard.encoder = (char *)"libx264";
    uv_loop_init(&seen.loop);
    *state = NULL;
    return bf_transport_listen(&receiver, &o, &e) < 0 || bf_camera_start(NULL, &camera, &e) < 0;
}

static int teardown(void **state)
{
    (void)state;
    bf_camera_free(camera);
    uv_run(&seen.loop, UV_RUN_DEFAULT);
    bf_transport_free(receiver);
    return uv_loop_close(&seen.loop);
}

#define PHASE(name) BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_##name

static void starts_reports_and_stops(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver), .width = 128 };

    (void)state;
    struct state s = state_of(camera, true);
    assert_int_equal(s.phase, PHASE(OFF));
    assert_string_equal(s.source, "test-pattern");

    desire(camera, wish);
    s = state_of(camera, true);
    assert_int_equal(s.phase, PHASE(STARTING));
    assert_string_equal(s.session, A);
    assert_int_equal(s.width, 128);
    s = await(camera, PHASE(STREAMING), A);
    assert_string_equal(s.encoder, "libx264");
    assert_int_equal(s.width, 128);
    assert_int_equal(s.fps, 50);
    assert_int_equal(seen.reports, 2);

    s = state_of(camera, false); /* the last will */
    assert_int_equal(s.phase, PHASE(OFF));
    assert_string_equal(s.session, "");

    uint64_t before_ms = bf_mono_ms();
    desire(camera, (struct wish){ .session = NULL });
    assert_int_equal(state_of(camera, true).phase, PHASE(STOPPING));
    s = await(camera, PHASE(OFF), "");
    assert_in_range(bf_mono_ms() - before_ms, 0, 300);
    assert_string_equal(s.encoder, "");
    assert_string_equal(seen.failed, "");
    assert_true(seen.frames_sent > 0);
}

static void the_same_session_is_left_alone_and_another_replaces_it(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver) };

    (void)state;
    desire(camera, wish);
    await(camera, PHASE(STREAMING), A);
    unsigned reports = seen.reports;
    desire(camera, wish);
    wish.width = 4096; /* whatever pictures it asks for now */
    desire(camera, wish);
    assert_int_equal(state_of(camera, true).phase, PHASE(STREAMING));
    assert_int_equal(seen.reports, reports);

    wish = (struct wish){ .session = B, .port = wish.port, .width = 96 };
    desire(camera, wish);
    assert_int_equal(state_of(camera, true).phase, PHASE(STOPPING));
    struct state s = await(camera, PHASE(STREAMING), B);
    assert_int_equal(s.width, 96);
}

static void a_running_session_follows_its_receiver(void **state)
{
    const struct bf_transport_options o = { .kind = BF_TRANSPORT_UDP, .host = "127.0.0.1", .timeout_ms = PATIENCE_MS };
    struct wish wish = { .session = A, .port = bf_transport_port(receiver) };
    struct bf_transport *elsewhere = NULL;
    struct bf_error e = { 0 };
    uint8_t got[2048];

    (void)state;
    assert_int_equal(bf_transport_listen(&elsewhere, &o, &e), 0);
    desire(camera, wish);
    uint64_t frames = await(camera, PHASE(STREAMING), A).frames;
    wish.port = bf_transport_port(elsewhere);
    desire(camera, wish);
    assert_int_equal(state_of(camera, true).phase, PHASE(STARTING));
    assert_true(bf_transport_recv(elsewhere, got, sizeof(got)) > 0);
    struct state s = await(camera, PHASE(STREAMING), A);
    assert_true(s.frames > frames); /* the same worker */
    assert_string_equal(seen.failed, "");

    wish.port = 0; /* makes no sense: it stays where it is */
    desire(camera, wish);
    assert_int_equal(state_of(camera, true).phase, PHASE(STREAMING));
    assert_string_equal(seen.failed, "session_refused");
    bf_transport_free(elsewhere);
}

static void a_session_that_is_wanted_again_while_it_stops_keeps_its_own_values(void **state)
{
    struct wish a = { .session = A, .port = bf_transport_port(receiver), .width = 128 };
    struct wish b = { .session = B, .port = bf_transport_port(receiver), .width = 96 };

    (void)state;
    desire(camera, a);
    await(camera, PHASE(STREAMING), A);
    desire(camera, b);
    desire(camera, a);
    struct state s = await(camera, PHASE(STREAMING), A);
    assert_int_equal(s.width, 128);
}

static void an_expired_lease_stops_it(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver), .lease_ms = 1000 };

    (void)state;
    desire(camera, wish);
    await(camera, PHASE(STREAMING), A);
    uint64_t before_ms = bf_mono_ms();
    await(camera, PHASE(OFF), "");
    assert_in_range(bf_mono_ms() - before_ms, 300, 3000);
    assert_string_equal(seen.failed, "lease_expired");
}

static void a_stale_gateway_changes_nothing(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver) };
    Belfry__V1__Lease lease = BELFRY__V1__LEASE__INIT;
    Belfry__V1__CameraDesired off = BELFRY__V1__CAMERA_DESIRED__INIT;
    const struct bf_incoming m = { .message = &off.base };

    (void)state;
    desire(camera, wish);
    await(camera, PHASE(STREAMING), A);
    off.lease = &lease; /* of epoch 0 */
    bf_camera_on_desired(camera, &m);
    assert_int_equal(state_of(camera, true).phase, PHASE(STREAMING));
}

static void a_refused_session_fails_until_it_is_given_up(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver), .width = 4096 };

    (void)state;
    desire(camera, wish);
    struct state s = state_of(camera, true);
    assert_int_equal(s.phase, PHASE(FAILED));
    assert_string_equal(s.session, A);
    assert_string_equal(seen.failed, "session_refused");

    wish.width = 128; /* the gateway sees reason: the next try takes it */
    desire(camera, wish);
    await(camera, PHASE(STREAMING), A);
    desire(camera, (struct wish){ .session = NULL });
    await(camera, PHASE(OFF), "");
}

static void a_broken_encoder_is_an_alarm_until_it_works(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver) };

    (void)state;
    yard.encoder = (char *)"h264_imaginary";
    desire(camera, wish);
    await(camera, PHASE(FAILED), A);
    assert_string_equal(seen.failed, "encoder_failed");
    assert_int_equal(seen.alarms, 1);
    yard.encoder = (char *)"libx264";
    await(camera, PHASE(STREAMING), A);
    assert_int_equal(seen.alarms, 1);
    assert_int_equal(seen.alarms_cleared, 1);
}

static void it_drains(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver) };

    (void)state;
    desire(camera, wish);
    await(camera, PHASE(STREAMING), A);
    bf_camera_drain(camera);
    assert_false(seen.drained);
    desire(camera, wish); /* too late */
    await(camera, PHASE(OFF), "");
    assert_true(seen.drained);
}

static void it_drains_at_once_when_off(void **state)
{
    (void)state;
    bf_camera_drain(camera);
    assert_true(seen.drained);
}

static void it_can_be_freed_while_streaming(void **state)
{
    struct wish wish = { .session = A, .port = bf_transport_port(receiver) };

    (void)state;
    desire(camera, wish);
    await(camera, PHASE(STREAMING), A);
}

static void a_source_that_is_not_in_this_build_is_an_error(void **state)
{
    struct bf_error e = { 0 };
    void *other = NULL;

    (void)state;
    yard.source = (char *)"webcam";
    assert_int_equal(bf_camera_start(NULL, &other, &e), -EINVAL);
    assert_non_null(strstr(e.text, "webcam"));
    yard.source = (char *)"test-pattern";
    yard.input = (char *)"udp://127.0.0.1:5000";
    assert_int_equal(bf_camera_start(NULL, &other, &e), -EINVAL);
    assert_null(other);
    yard.input = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starts_reports_and_stops),
        TEST(the_same_session_is_left_alone_and_another_replaces_it),
        TEST(a_running_session_follows_its_receiver),
        TEST(a_session_that_is_wanted_again_while_it_stops_keeps_its_own_values),
        TEST(an_expired_lease_stops_it),
        TEST(a_stale_gateway_changes_nothing),
        TEST(a_refused_session_fails_until_it_is_given_up),
        TEST(a_broken_encoder_is_an_alarm_until_it_works),
        TEST(it_drains),
        TEST(it_drains_at_once_when_off),
        TEST(it_can_be_freed_while_streaming),
        TEST(a_source_that_is_not_in_this_build_is_an_error),
    };

    if (sodium_init() < 0 || bf_key_generate(&key) < 0)
        return 1;
    int failed = cmocka_run_group_tests_name("camera.service", tests, NULL, NULL);
    bf_key_free(key);
    return failed;
}
