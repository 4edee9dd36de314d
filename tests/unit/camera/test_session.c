/* What becomes of a session that the gateway asks for. */
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
#include "camera/session.h"

#define ID "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define PASSPHRASE "abcdefghijklmnopqrstuvwxyz012345"

static const struct bf_camera_config config = { .id = (char *)"yard",
                                                .width = 640,
                                                .height = 480,
                                                .fps = 30,
                                                .bitrate_kbps = 2000,
                                                .gop_ms = 1000,
                                                .max_width = 1920,
                                                .max_height = 1080,
                                                .max_fps = 60,
                                                .max_bitrate_kbps = 10000 };

static const struct row {
    uint32_t width, height, fps, bitrate_kbps, gop_ms; /* asked */
    int result;
    const char *complains; /* about */
    uint32_t gop_frames;
} rows[] = {
    { 0, 0, 0, 0, 0, 0, NULL, 30 },
    { 1280, 720, 25, 4000, 500, 0, NULL, 12 },
    { 1920, 1080, 60, 10000, 10000, 0, NULL, 600 },
    { 640, 480, 1, 0, 100, 0, NULL, 1 },
    { 1922, 0, 0, 0, 0, -EINVAL, "width 1922", 0 },
    { 0, 1082, 0, 0, 0, -EINVAL, "height 1082", 0 },
    { 0, 0, 61, 0, 0, -EINVAL, "fps 61", 0 },
    { 0, 0, 0, 10001, 0, -EINVAL, "bitrate_kbps 10001", 0 },
    { 641, 0, 0, 0, 0, -EINVAL, "even", 0 },
    { 62, 0, 0, 0, 0, -EINVAL, "at least 64", 0 },
};

static struct bf_key *key;
static Belfry__V1__VideoParams video;
static Belfry__V1__Endpoint endpoint;
static Belfry__V1__CameraSession session;

static int make(struct bf_camera_session *ret, struct bf_error *e)
{
    return bf_camera_session_make(ret, &session, &config, key, e);
}

static int setup(void **state)
{
    (void)state;
    belfry__v1__video_params__init(&video);
    belfry__v1__endpoint__init(&endpoint);
    belfry__v1__camera_session__init(&session);
    endpoint.transport = BELFRY__V1__TRANSPORT__TRANSPORT_SRT;
    endpoint.host = (char *)"127.0.0.1";
    endpoint.port = 20000;
    endpoint.latency_ms = 60;
    session.session_id = (char *)ID;
    session.video = &video;
    session.endpoint = &endpoint;
    return bf_seal_to(bf_key_public(key), PASSPHRASE, 32, &endpoint.sealed_media_key.data,
                      &endpoint.sealed_media_key.len);
}

static int teardown(void **state)
{
    (void)state;
    free(endpoint.sealed_media_key.data);
    return 0;
}

static void video_is_asked_for_or_configured(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_camera_session s = { 0 };
        struct bf_error e = { 0 };
        video.width = rows[i].width;
        video.height = rows[i].height;
        video.fps = rows[i].fps;
        video.bitrate_kbps = rows[i].bitrate_kbps;
        video.gop_ms = rows[i].gop_ms;
        assert_int_equal(make(&s, &e), rows[i].result);
        if (rows[i].result < 0) {
            assert_non_null(strstr(e.text, rows[i].complains));
            assert_int_equal(s.width, 0);
            continue;
        }
        assert_int_equal(s.width, rows[i].width ? rows[i].width : 640);
        assert_int_equal(s.height, rows[i].height ? rows[i].height : 480);
        assert_int_equal(s.fps, rows[i].fps ? rows[i].fps : 30);
        assert_int_equal(s.bitrate_kbps, rows[i].bitrate_kbps ? rows[i].bitrate_kbps : 2000);
        assert_int_equal(bf_camera_session_gop_frames(&s), rows[i].gop_frames);
    }
}

static void without_video_it_is_as_configured(void **state)
{
    struct bf_camera_session s;
    struct bf_error e = { 0 };

    (void)state;
    session.video = NULL;
    assert_int_equal(make(&s, &e), 0);
    assert_int_equal(s.width, 640);
    assert_int_equal(s.gop_ms, 1000);
}

static void media_key_is_opened_and_wiped(void **state)
{
    struct bf_camera_session s;
    struct bf_error e = { 0 };

    (void)state;
    assert_int_equal(make(&s, &e), 0);
    assert_string_equal(s.id, ID);
    assert_int_equal(s.endpoint.transport, BF_TRANSPORT_SRT);
    assert_string_equal(s.endpoint.host, "127.0.0.1");
    assert_int_equal(s.endpoint.port, 20000);
    assert_int_equal(s.endpoint.latency_ms, 60);
    assert_string_equal(s.endpoint.passphrase, PASSPHRASE);
    bf_camera_session_wipe(&s);
    for (size_t i = 0; i < sizeof(s.endpoint.passphrase); i++)
        assert_int_equal(s.endpoint.passphrase[i], 0);
}

static void a_key_for_somebody_else_is_refused(void **state)
{
    struct bf_camera_session s;
    struct bf_error e = { 0 };

    (void)state;
    endpoint.sealed_media_key.data[40] ^= 1;
    assert_int_equal(make(&s, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "not sealed to this camera's key"));
    assert_non_null(strstr(e.text, "either the trust bundle of ingest or the key here is too old"));
    endpoint.sealed_media_key.len -= 1;
    assert_int_equal(make(&s, &e), -EBADMSG);
}

static void srt_needs_a_key_and_udp_does_not(void **state)
{
    struct bf_camera_session s;
    struct bf_error e = { 0 };

    (void)state;
    endpoint.sealed_media_key.len = 0;
    assert_int_equal(make(&s, &e), -EINVAL);
    assert_non_null(strstr(e.text, "media key"));
    endpoint.transport = BELFRY__V1__TRANSPORT__TRANSPORT_UDP;
    assert_int_equal(make(&s, &e), 0);
    assert_int_equal(s.endpoint.transport, BF_TRANSPORT_UDP);
    assert_string_equal(s.endpoint.passphrase, "");
}

static void an_endpoint_is_needed(void **state)
{
    struct bf_camera_session s;
    struct bf_error e = { 0 };

    (void)state;
    endpoint.port = 65536;
    assert_int_equal(make(&s, &e), -EINVAL);
    endpoint.port = 20000;
    endpoint.host = (char *)"";
    assert_int_equal(make(&s, &e), -EINVAL);
    session.endpoint = NULL;
    assert_int_equal(make(&s, &e), -EINVAL);
    assert_non_null(strstr(e.text, "endpoint"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(video_is_asked_for_or_configured), TEST(without_video_it_is_as_configured),
        TEST(media_key_is_opened_and_wiped),    TEST(a_key_for_somebody_else_is_refused),
        TEST(srt_needs_a_key_and_udp_does_not), TEST(an_endpoint_is_needed),
    };

    if (sodium_init() < 0 || bf_key_generate(&key) < 0)
        return 1;
    int failed = cmocka_run_group_tests_name("camera.session", tests, NULL, NULL);
    bf_key_free(key);
    return failed;
}
