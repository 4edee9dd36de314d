/* A session on a real loop, with a real sender: its phases, its endpoint, and what it says of its end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fixture.h"
#include "ingest/endpoint.h"
#include "ingest/session.h"
#include "media/ts.h"

#include "trust.pb-c.h"

#define PHASE(name) BELFRY__V1__INGEST_PHASE__INGEST_PHASE_##name
#define DEADLINE_MS 10000

struct stage {
    struct place *place;
    uv_loop_t loop;
    uv_timer_t deadline;
    struct bf_config config;
    struct bf_camera_config camera;
    struct bf_key *camera_key;
    struct bf_trust *trust;
    struct bf_session_host host;
    unsigned over;
};

static void on_changed(void *user)
{
    (void)user;
}

static void on_over(void *user, struct bf_session *s)
{
    assert_non_null(bf_session_end(s));
    ((struct stage *)user)->over++;
}

static struct bf_trust *make_trust(const struct bf_key *camera_key, uint64_t expires_at_ms)
{
    Belfry__V1__TrustBundle bundle = BELFRY__V1__TRUST_BUNDLE__INIT;
    Belfry__V1__TrustedKey key = BELFRY__V1__TRUSTED_KEY__INIT, *keys[] = { &key };
    Belfry__V1__Role role = BELFRY__V1__ROLE__ROLE_CAMERA;
    uint8_t packed[512], *envelope = NULL;
    struct bf_trust *trust = NULL;
    struct bf_key *root = NULL;
    struct bf_error e;
    size_t size;

    key.node = TEST_CAMERA;
    key.roles = &role;
    key.n_roles = 1;
    key.public_key = (ProtobufCBinaryData){ BF_PUBLIC_KEY_SIZE, (uint8_t *)(uintptr_t)bf_key_public(camera_key) };
    bundle.version = 1;
    bundle.site = "home";
    bundle.issued_at_ms = 1;
    bundle.expires_at_ms = expires_at_ms;
    bundle.keys = keys;
    bundle.n_keys = 1;
    size = belfry__v1__trust_bundle__pack(&bundle, packed);
    assert_int_equal(bf_key_generate(&root), 0);
    assert_int_equal(bf_dsse_seal(BF_TRUST_BUNDLE_TYPE, packed, size, bf_key_secret(root), &envelope, &size), 0);
    assert_int_equal(bf_trust_open(&trust, envelope, size, bf_key_public(root), "home", 0, &e), 0);
    free(envelope);
    bf_key_free(root);
    return trust;
}

static int stage_make(void **state)
{
    struct stage *g = calloc(1, sizeof *g);

    if (g == NULL || place_make((void **)&g->place) != 0 || bf_key_generate(&g->camera_key) != 0)
        return -1;
    g->trust = make_trust(g->camera_key, bf_unix_ms() + 1000000);
    g->camera = (struct bf_camera_config){ .id = TEST_CAMERA, .fps = 30, .gop_ms = 1000 };
    g->config.site = "home";
    g->config.cameras = &g->camera;
    g->config.n_cameras = 1;
    g->config.ingest.address = "127.0.0.1";
    g->config.ingest.advertise = "camera-side.example";
    g->config.ingest.port_first = 23200;
    g->config.ingest.port_last = 23260;
    g->config.ingest.silence_ms = 300;
    g->config.ingest.window_ms = 12000;
    g->host = (struct bf_session_host){ .loop = &g->loop,
                                        .config = &g->config,
                                        .node = TEST_NODE,
                                        .key = g->place->key,
                                        .media_fd = g->place->media_fd,
                                        .changed = on_changed,
                                        .storage = on_changed,
                                        .over = on_over,
                                        .user = g };
    uv_loop_init(&g->loop);
    uv_timer_init(&g->loop, &g->deadline);
    *state = g;
    return 0;
}

static int stage_drop(void **state)
{
    struct stage *g = *state;

    uv_close((uv_handle_t *)&g->deadline, NULL);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    int r = uv_loop_close(&g->loop); /* every handle of every session was closed */
    bf_trust_free(g->trust);
    bf_key_free(g->camera_key);
    place_drop((void **)&g->place);
    free(g);
    return r;
}

static Belfry__V1__IngestSession wanted_session(void)
{
    Belfry__V1__IngestSession w = BELFRY__V1__INGEST_SESSION__INIT;

    w.session_id = TEST_SESSION;
    w.camera = TEST_CAMERA;
    w.transport = BELFRY__V1__TRANSPORT__TRANSPORT_SRT;
    w.latency_ms = 20;
    w.profile = BELFRY__V1__PROFILE__PROFILE_BALANCED;
    w.record = true;
    return w;
}

static void on_deadline(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void wait_for_phase(struct stage *g, struct bf_session *s, Belfry__V1__IngestPhase phase)
{
    struct bf_session_status status;
    bool late = false;

    g->deadline.data = &late;
    uv_update_time(&g->loop);
    uv_timer_start(&g->deadline, on_deadline, DEADLINE_MS, 0);
    for (bf_session_status(s, &status); status.message.phase != phase; bf_session_status(s, &status)) {
        uv_run(&g->loop, UV_RUN_ONCE);
        if (late)
            fail_msg("waited for phase %d, it is in %d", phase, status.message.phase);
    }
    uv_timer_stop(&g->deadline);
}

static struct bf_transport *dial(struct stage *g, struct bf_session *s, uint64_t fencing_token)
{
    char passphrase[BF_PASSPHRASE_SIZE] = "";
    struct bf_session_status status;
    struct bf_transport *t = NULL;
    struct bf_error e;

    bf_session_status(s, &status);
    assert_int_equal(status.endpoint.sealed_media_key.len, 80);
    assert_int_equal(bf_seal_open(g->camera_key, status.endpoint.sealed_media_key.data, 80, passphrase, 32), 0);
    const struct bf_transport_options o = { .kind = BF_TRANSPORT_SRT,
                                            .host = "127.0.0.1",
                                            .port = (uint16_t)status.endpoint.port,
                                            .latency_ms = 20,
                                            .passphrase = passphrase,
                                            .fencing_token = fencing_token,
                                            .timeout_ms = DEADLINE_MS };
    assert_int_equal(bf_transport_dial(&t, &o, &e), 0);
    return t;
}

static void send_frames(struct bf_ts_writer *w, const struct frames *f, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(bf_ts_write(w, f->units[i].data, f->units[i].size, f->units[i].times.dts_90k, f->idr[i]), 0);
}

static void a_life(void **state)
{
    struct stage *g = *state;
    Belfry__V1__IngestSession wanted = wanted_session();
    struct frames f = frames_make(160, 128, 60, 30);
    struct bf_session_status status;
    struct bf_session *s = NULL;
    struct bf_ts_writer *writer = NULL;
    struct bf_error e;

    assert_int_equal(bf_session_new(&s, &g->host, &wanted, 7, g->trust), 0);
    bf_session_status(s, &status);
    assert_int_equal(status.message.phase, PHASE(LISTENING));
    assert_string_equal(status.endpoint.host, "camera-side.example");
    assert_true(status.endpoint.port >= 23200 && status.endpoint.port <= 23260);
    assert_int_equal(status.endpoint.latency_ms, 20);
    assert_int_equal(status.message.parts, 0);

    struct bf_transport *sender = dial(g, s, 1), *next;
    assert_int_equal(bf_ts_writer_new(&writer, sender, &e), 0);
    send_frames(writer, &f, 0, 30);
    wait_for_phase(g, s, PHASE(LIVE));
    assert_int_equal(bf_session_present(s).presence, BF_PRESENT_RUNNING);
    wait_for_phase(g, s, PHASE(STALLED)); /* as long a silence also costs the sender its place */
    bf_ts_writer_free(writer);
    next = dial(g, s, 2);
    assert_int_equal(bf_ts_writer_new(&writer, next, &e), 0);
    send_frames(writer, &f, 30, 60);
    wait_for_phase(g, s, PHASE(LIVE));

    bf_session_stop(s, "stopped");
    bf_session_stop(s, "lease_expired");
    assert_int_equal(bf_session_present(s).presence, BF_PRESENT_ENDING);
    wait_for_phase(g, s, PHASE(ENDED));
    assert_int_equal(g->over, 1);
    assert_int_equal(bf_session_present(s).presence, BF_PRESENT_OVER);
    bf_session_status(s, &status);
    assert_null(status.message.endpoint);
    assert_null(status.message.error);
    assert_true(status.message.last_part_at_ms > 0);

    struct bf_session_view v = judge(g->place);
    assert_string_equal(v.end_reason, "stopped");
    assert_int_equal(bf_session_end(s)->segments, v.n_segments);
    assert_memory_equal(bf_session_end(s)->chain_head, v.chain_head, 32);
    bf_session_view_done(&v);
    bf_session_free(s);
    bf_ts_writer_free(writer);
    bf_transport_free(sender);
    bf_transport_free(next);
    frames_free(&f);
}

static void assert_fails(struct stage *g, const Belfry__V1__IngestSession *wanted, const struct bf_trust *trust,
                         const char *code)
{
    struct bf_session_status status;
    struct bf_session *s = NULL;

    assert_int_equal(bf_session_new(&s, &g->host, wanted, 1, trust), 0);
    bf_session_status(s, &status);
    assert_int_equal(status.message.phase, PHASE(FAILED));
    assert_string_equal(status.message.error->code, code);
    assert_true(strlen(status.message.error->detail) > 10);
    assert_null(status.message.endpoint);
    assert_int_equal(g->over, 1);
    assert_false(bf_session_end(s)->begun);
    bf_session_stop(s, "stopped");
    bf_session_free(s);
}

static void camera_without_a_key(void **state)
{
    struct stage *g = *state;
    Belfry__V1__IngestSession wanted = wanted_session();

    wanted.camera = "cam-9";
    assert_fails(g, &wanted, g->trust, "no_camera_key");
}

static void expired_trust(void **state)
{
    struct stage *g = *state;
    Belfry__V1__IngestSession wanted = wanted_session();
    struct bf_trust *expired = make_trust(g->camera_key, 2);

    assert_fails(g, &wanted, expired, "trust_expired");
    bf_trust_free(expired);
}

static void no_port_is_free(void **state)
{
    struct stage *g = *state;
    Belfry__V1__IngestSession wanted = wanted_session();
    struct bf_session *first = NULL;
    struct bf_session_status status;

    assert_int_equal(bf_session_new(&first, &g->host, &wanted, 1, g->trust), 0);
    bf_session_status(first, &status);
    g->config.ingest.port_first = g->config.ingest.port_last = (uint16_t)status.endpoint.port;
    assert_fails(g, &wanted, g->trust, "no_free_port");
    bf_session_free(first);
}

static void ports_are_taken_in_turn(void **state)
{
    struct stage *g = *state;
    Belfry__V1__IngestSession wanted = wanted_session();
    struct bf_session *sessions[3];
    unsigned ports[3];
    static char ids[3][BF_ULID_SIZE];

    for (unsigned i = 0; i < 3; i++) {
        struct bf_session_status status;

        bf_ulid_make(ids[i], 1700000000000 + i);
        wanted.session_id = ids[i];
        assert_int_equal(bf_session_new(&sessions[i], &g->host, &wanted, 1, g->trust), 0);
        bf_session_status(sessions[i], &status);
        assert_int_equal(status.message.phase, PHASE(LISTENING));
        ports[i] = status.endpoint.port;
    }
    assert_true(ports[0] < ports[1] && ports[1] < ports[2]);
    for (unsigned i = 0; i < 3; i++)
        bf_session_free(sessions[i]);
}

static void foreign_address_that_is_taken(void **state)
{
    struct stage *g = *state;
    Belfry__V1__IngestSession wanted = wanted_session();
    struct bf_session *first = NULL;
    struct bf_session_status status;
    char input[32];

    wanted.transport = BELFRY__V1__TRANSPORT__TRANSPORT_UDP;
    wanted.latency_ms = 0;
    assert_int_equal(bf_session_new(&first, &g->host, &wanted, 1, g->trust), 0);
    bf_session_status(first, &status);
    assert_int_equal(status.endpoint.sealed_media_key.len, 0);
    snprintf(input, sizeof input, "udp://127.0.0.1:%u", status.endpoint.port);
    wanted.input = input;
    wanted.input_source = "127.0.0.1";
    assert_fails(g, &wanted, g->trust, "no_free_port");
    bf_session_free(first);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_make, stage_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_life),          ON_STAGE(camera_without_a_key),    ON_STAGE(expired_trust),
        ON_STAGE(no_port_is_free), ON_STAGE(ports_are_taken_in_turn), ON_STAGE(foreign_address_that_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
