#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "scratch.h"
#include "service/config.h"

#define CAMERA "cameras:\n  - id: cam-1\n"
#define AN_ID "expected 1 to 32 characters of a-z, 0-9 and -"

struct bad {
    const char *text;
    const char *error;
};

/* Each configuration that does not load, and the whole of what the user reads. */
static const struct bad bad[] = {
    /* what is no YAML, or not of its shape */
    { "", "belfry.yml: site: missing: " AN_ID },
    { "# nothing\n", "belfry.yml: site: missing: " AN_ID },
    { "site: home\n  port: 1\n", "belfry.yml:2: not YAML: mapping values are not allowed in this context" },
    { "site: home\nbroker: [1, 2\n", "belfry.yml:3: not YAML: did not find expected ',' or ']'" },
    { "site: home\nbroker:\n\tport: 1\n", "belfry.yml:3: not YAML: found character that cannot start any token" },
    { "site: \"home\n", "belfry.yml:2: not YAML: found unexpected end of stream" },
    { "site: \xff\xfe\n", "belfry.yml:1: not YAML: invalid leading UTF-8 octet" },
    { "- a\n- b\n",
      "belfry.yml:1: Expecting MAPPING, got event: SEQUENCE_START: expected keys and sections, as in site: home" },
    { "just text\n",
      "belfry.yml:1: Expecting MAPPING, got event: SCALAR: expected keys and sections, as in site: home" },
    { "site: a\n---\nsite: b\n", "belfry.yml:2: a second document: expected one" },
    { "site: &s home\nkeys:\n  dir: *s\n", "belfry.yml:3: keys.dir: an alias: expected the value itself" },
    { "? [a]\n: b\n", "belfry.yml:1: expected a key, as in site: home" },
    { "site: home\nsite: away\n", "belfry.yml:2: site: given twice, first in line 1: expected once" },
    { "site: home\nbroker:\n  port: 1\n  host: a\n  port: 2\n",
      "belfry.yml:5: broker.port: given twice, first in line 3: expected once" },
    { "a: [[[[[[[[1]]]]]]]]\n", "belfry.yml:1: nested too deeply: expected sections with keys" },

    /* keys that do not exist */
    { "site: home\nbrocker:\n  port: 1\n",
      "belfry.yml:3: brocker: unknown key: expected one of site, broker, keys, storage, camera, ingest, gateway, "
      "janitor, log, cameras" },
    { "site: home\nport: 1\n",
      "belfry.yml:2: port: \"1\": unknown key: expected one of site, broker, keys, storage, camera, ingest, gateway, "
      "janitor, log, cameras" },
    { "site: home\nbroker:\n  host: a\n\n  prot: 1\n",
      "belfry.yml:5: broker.prot: \"1\": unknown key: expected one of host, port, keepalive_s, alpn, tls" },
    { "site: home\nbroker:\n  Port: 1\n",
      "belfry.yml:3: broker.Port: \"1\": unknown key: expected one of host, port, keepalive_s, alpn, tls" },
    { "site: home\nkeys:\n  dir: k\n  passphrase:\n    - a\n",
      "belfry.yml:5: keys.passphrase: unknown key: expected one of dir" },
    { "site: home\n" CAMERA "  - id: cam-2\n    wdth: 640\n",
      "belfry.yml:5: cameras[1].wdth: \"640\": unknown key: expected one of id, name, source, file, sensor, width, "
      "height, fps, bitrate_kbps, gop_ms, max_width, max_height, max_fps, max_bitrate_kbps, encoder, overlay, "
      "transport, latency_ms, input, input_source, profile, record, on_demand, idle_timeout_ms" },
    { "site: home\n" CAMERA "    part_ms: 100\n",
      "belfry.yml:4: cameras[0].part_ms: \"100\": unknown key: profile sets it, expected profile: realtime, balanced or "
      "economy" },
    { "site: home\n" CAMERA "    segment_ms: 2000\n",
      "belfry.yml:4: cameras[0].segment_ms: \"2000\": unknown key: profile sets it, expected profile: realtime, balanced "
      "or economy" },

    /* a value in the place of a section and the other way round */
    { "site: home\nbroker: 1\n", "belfry.yml:2: broker: \"1\": expected a section with keys under it" },
    { "site: home\nbroker:\n", "belfry.yml:2: broker: \"\": expected a section with keys under it" },
    { "site: home\nbroker:\n  - port\n", "belfry.yml:3: broker: expected a section with keys under it" },
    { "site:\n  name: home\n", "belfry.yml:2: site: " AN_ID },
    { "site: home\nbroker:\n  port: [1]\n", "belfry.yml:3: broker.port: expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  tls: {a: 1}\n", "belfry.yml:3: broker.tls: expected true or false" },
    { "site: home\ncameras: cam-1\n",
      "belfry.yml:2: cameras: \"cam-1\": expected a list of cameras, each starting with - id:" },
    { "site: home\ncameras:\n", "belfry.yml:2: cameras: \"\": expected a list of cameras, each starting with - id:" },
    { "site: home\ncameras:\n  - cam-1\n",
      "belfry.yml:3: cameras[0]: \"cam-1\": expected a section with keys under it" },
    { "site: home\ngateway:\n  cors: https://a.b\n",
      "belfry.yml:3: gateway.cors: \"https://a.b\": expected a list, as in [first, second]" },
    { "site: home\ngateway:\n  cors:\n    - {a: b}\n",
      "belfry.yml:4: gateway.cors[0]: expected an exact origin, as in https://console.example:8443" },

    /* values that libcyaml refuses, and those that it would take */
    { "site: home\nbroker:\n  port: abc\n",
      "belfry.yml:3: broker.port: \"abc\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port:\n", "belfry.yml:3: broker.port: \"\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port: 0\n", "belfry.yml:3: broker.port: \"0\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port: 65536\n",
      "belfry.yml:3: broker.port: \"65536\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port: -1\n",
      "belfry.yml:3: broker.port: \"-1\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port: 5k\n",
      "belfry.yml:3: broker.port: \"5k\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port: 010\n",
      "belfry.yml:3: broker.port: \"010\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port: 0x10\n",
      "belfry.yml:3: broker.port: \"0x10\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  port: 18446744073709551617\n",
      "belfry.yml:3: broker.port: \"18446744073709551617\": expected a whole number from 1 to 65535" },
    { "site: home\nbroker:\n  tls: maybe\n", "belfry.yml:3: broker.tls: \"maybe\": expected true or false" },
    { "site: home\nbroker:\n  tls: yes\n", "belfry.yml:3: broker.tls: \"yes\": expected true or false" },
    { "site: home\nbroker:\n  keepalive_s: 4\n",
      "belfry.yml:3: broker.keepalive_s: \"4\": expected a whole number from 5 to 1200" },
    { "site: home\nbroker:\n  host: mqtts://broker\n",
      "belfry.yml:3: broker.host: \"mqtts://broker\": expected a host name or address, as in broker.lan or "
      "192.168.1.10" },
    { "site: home\nbroker:\n  alpn: two words\n",
      "belfry.yml:3: broker.alpn: \"two words\": expected a protocol name, as in x-amzn-mqtt-ca" },
    { "site: Home\n", "belfry.yml:1: site: \"Home\": " AN_ID },
    { "site:\n", "belfry.yml:1: site: \"\": " AN_ID },
    { "site: home/../away\n", "belfry.yml:1: site: \"home/../away\": " AN_ID },
    { "site: \"a\\tb\\\"c\"\n", "belfry.yml:1: site: \"a?b\\\"c\": " AN_ID },
    { "site: a23456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789\n",
      "belfry.yml:1: site: \"a23456789 123456789 123456789 123456789 123456789 123456789 123456789 123\": " AN_ID },
    { "site: home\nkeys:\n  dir: ''\n",
      "belfry.yml:3: keys.dir: \"\": expected a path, as in media or /srv/belfry/media" },
    { "site: home\ngateway:\n  listen: 0.0.0.0\n",
      "belfry.yml:3: gateway.listen: \"0.0.0.0\": expected address:port, as in 127.0.0.1:8080" },
    { "site: home\ngateway:\n  cors: [https://a.b, '*']\n",
      "belfry.yml:3: gateway.cors[1]: \"*\": expected an exact origin, as in https://console.example:8443" },
    { "site: home\ngateway:\n  threads: 3\n",
      "belfry.yml:3: gateway.threads: \"3\": expected a whole number from 4 to 4096" },
    { "site: home\ngateway:\n  lease_ms: 999\n",
      "belfry.yml:3: gateway.lease_ms: \"999\": expected a whole number from 1000 to 600000" },
    { "site: home\nlog:\n  level: loud\n",
      "belfry.yml:3: log.level: \"loud\": expected debug, info, warning or error" },
    { "site: home\ningest:\n  address: localhost\n",
      "belfry.yml:3: ingest.address: \"localhost\": expected an IPv4 or IPv6 address, as in 192.168.1.10" },
    { "site: home\njanitor:\n  max_bytes: 10GB\n",
      "belfry.yml:3: janitor.max_bytes: \"10GB\": expected a whole number from 0 to 1152921504606846976" },
    { "site: home\n" CAMERA "    source: rtsp\n",
      "belfry.yml:4: cameras[0].source: \"rtsp\": expected test-pattern, file or libcamera" },
    { "site: home\n" CAMERA "    transport: tcp\n",
      "belfry.yml:4: cameras[0].transport: \"tcp\": expected srt or udp" },
    { "site: home\n" CAMERA "    encoder: x265\n",
      "belfry.yml:4: cameras[0].encoder: \"x265\": expected auto, h264_v4l2m2m or libx264" },
    { "site: home\n" CAMERA "    latency_ms: 19\n",
      "belfry.yml:4: cameras[0].latency_ms: \"19\": expected a whole number from 20 to 8000" },
    { "site: home\n" CAMERA "    input: udp://localhost:5004\n    input_source: 127.0.0.1\n",
      "belfry.yml:4: cameras[0].input: \"udp://localhost:5004\": expected udp://address:port, as in "
      "udp://0.0.0.0:5004" },

    /* what does not fit together */
    { "broker:\n  port: 1\n", "belfry.yml: site: missing: " AN_ID },
    { "site: home\ncameras:\n  - id: a\n  - name: b\n", "belfry.yml:4: cameras[1].id: missing: " AN_ID },
    { "site: home\n" CAMERA "  - id: cam-1\n",
      "belfry.yml:4: cameras[1].id: \"cam-1\": expected a name of its own, not that of cameras[0]" },
    { "site: home\ncameras:\n  - id: ingest-1\n",
      "belfry.yml:3: cameras[0].id: \"ingest-1\": expected a name of its own, not that of ingest.node" },
    { "site: home\ncameras:\n  - id: operator\n",
      "belfry.yml:3: cameras[0].id: \"operator\": expected a name of its own, not that of operator" },
    { "site: home\njanitor:\n  node: gateway-1\n",
      "belfry.yml:3: janitor.node: \"gateway-1\": expected a name of its own, not that of gateway.node" },
    { "site: home\ngateway:\n  node: ingest-1\n",
      "belfry.yml:3: gateway.node: \"ingest-1\": expected a name of its own, not that of ingest.node" },
    { "site: home\nbroker:\n  host: broker.lan\n  tls: false\n",
      "belfry.yml:4: broker.tls: \"false\": expected true unless broker.host is on loopback" },
    { "site: home\n" CAMERA "    width: 641\n", "belfry.yml:4: cameras[0].width: \"641\": expected an even number" },
    { "site: home\n" CAMERA "    max_fps: 25\n    fps: 30\n",
      "belfry.yml:5: cameras[0].fps: \"30\": expected at most max_fps, 25" },
    { "site: home\n" CAMERA "    source: file\n",
      "belfry.yml:3: cameras[0].file: missing: expected the path of a video with source: file" },
    { "site: home\n" CAMERA "    file: a.mp4\n",
      "belfry.yml:4: cameras[0].file: \"a.mp4\": expected only with source: file" },
    { "site: home\n" CAMERA "    input: udp://0.0.0.0:5004\n",
      "belfry.yml:3: cameras[0].input_source: missing: expected the address that udp://0.0.0.0:5004 is sent from" },
    { "site: home\n" CAMERA "    input_source: 10.0.0.1\n",
      "belfry.yml:4: cameras[0].input_source: \"10.0.0.1\": expected only with input" },
    { "site: home\n" CAMERA "    on_demand: true\n    record: true\n",
      "belfry.yml:5: cameras[0].record: \"true\": expected false with on_demand, which ends a session when nobody watches "
      "it; a start by hand may still ask for a recording" },
    { "site: home\n" CAMERA "    idle_timeout_ms: 6999\n",
      "belfry.yml:4: cameras[0].idle_timeout_ms: \"6999\": expected a whole number from 7000 to 86400000" },
    { "site: home\n" CAMERA "    on_demand: yes please\n",
      "belfry.yml:4: cameras[0].on_demand: \"yes please\": expected true or false" },
    { "site: home\n" CAMERA "    profile: fast\n",
      "belfry.yml:4: cameras[0].profile: \"fast\": expected realtime, balanced or economy" },
    { "site: home\n" CAMERA "    gop_ms: 1001\n",
      "belfry.yml:4: cameras[0].gop_ms: \"1001\": expected at most a segment of profile balanced, 1000" },
    { "site: home\n" CAMERA "    gop_ms: 1000\n    profile: realtime\n",
      "belfry.yml:4: cameras[0].gop_ms: \"1000\": expected at most a segment of profile realtime, 500" },
    { "site: home\ningest:\n  window_ms: 5000\n" CAMERA "    profile: economy\n",
      "belfry.yml:3: ingest.window_ms: \"5000\": expected at least three segments of profile economy, which cameras[0] "
      "has: 6000" },
    { "site: home\ncamera:\n  node: cam-9\n" CAMERA,
      "belfry.yml:3: camera.node: \"cam-9\": expected the id of one of cameras, one without input" },
    { "site: home\ngateway:\n  default_camera: cam-9\n" CAMERA,
      "belfry.yml:3: gateway.default_camera: \"cam-9\": expected the id of one of cameras" },
    { "site: home\ningest:\n  port_first: 21000\n",
      "belfry.yml:3: ingest.port_last: missing: expected at least ingest.port_first, 21000" },
    { "site: home\ningest:\n  port_first: 21000\n  port_last: 20999\n",
      "belfry.yml:4: ingest.port_last: \"20999\": expected at least ingest.port_first, 21000" },
};

static void each_bad_file_is_named_with_line_key_and_expectation(void **state)
{
    (void)state;
    unsigned wrong = 0;

    for (size_t i = 0; i < BF_COUNT_OF(bad); i++) {
        struct bf_config *c = NULL;
        struct bf_error e = { "" };
        scratch_write("belfry.yml", bad[i].text);
        int r = bf_config_load(&c, "belfry.yml", NULL, &e);
        if (r >= 0 || strcmp(e.text, bad[i].error) != 0) {
            print_error("row %zu:\n%s\n  gave     %d %s\n  expected %s\n", i, bad[i].text, r, e.text, bad[i].error);
            wrong++;
        }
        assert_null(c);
    }
    assert_int_equal(wrong, 0);
}

static struct bf_config *load(const char *text)
{
    struct bf_config *c = NULL;
    struct bf_error e = { "" };

    scratch_write("belfry.yml", text);
    if (bf_config_load(&c, "belfry.yml", NULL, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static void ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    assert_true(n >= m);
    assert_string_equal(text + n - m, end);
    assert_int_equal(text[0], '/');
}

static void a_site_is_enough(void **state)
{
    (void)state;
    struct bf_config *c = load("site: home\n");

    assert_string_equal(c->site, "home");
    assert_string_equal(c->broker.host, "127.0.0.1");
    assert_int_equal(c->broker.port, 8883);
    assert_int_equal(c->broker.keepalive_s, 30);
    assert_null(c->broker.alpn);
    assert_true(c->broker.tls);
    ends_with(c->keys.dir, "/keys");
    ends_with(c->storage.media, "/media");
    ends_with(c->storage.state, "/state");
    assert_int_equal(c->n_cameras, 0);
    assert_null(c->camera.node);
    assert_int_equal(c->camera.no_frame_ms, 3000);
    assert_string_equal(c->ingest.node, "ingest-1");
    assert_string_equal(c->ingest.address, "127.0.0.1");
    assert_string_equal(c->ingest.advertise, "127.0.0.1");
    assert_int_equal(c->ingest.port_first, 20000);
    assert_int_equal(c->ingest.port_last, 20099);
    assert_int_equal(c->ingest.silence_ms, 3000);
    assert_int_equal(c->ingest.window_ms, 12000);
    assert_int_equal(c->ingest.reserve_bytes, 64 << 20);
    assert_string_equal(c->gateway.node, "gateway-1");
    assert_string_equal(c->gateway.listen, "127.0.0.1:8080");
    assert_null(c->gateway.ingest);
    assert_null(c->gateway.default_camera);
    assert_int_equal(c->gateway.n_cors, 0);
    assert_int_equal(c->gateway.threads, 256);
    assert_int_equal(c->gateway.start_timeout_ms, 10000);
    assert_int_equal(c->gateway.stop_timeout_ms, 10000);
    assert_int_equal(c->gateway.lease_ms, 10000);
    ends_with(c->gateway.web, "/web");
    assert_false(c->gateway.media_only);
    assert_string_equal(c->janitor.node, "janitor-1");
    assert_int_equal(c->janitor.purge_after_ms, 5000);
    assert_int_equal(c->janitor.max_age_days, 0);
    assert_int_equal(c->janitor.max_bytes, 0);
    assert_string_equal(c->log.level, "info");
    bf_config_free(c);
    bf_config_free(NULL);
}

static void a_camera_has_defaults(void **state)
{
    (void)state;
    struct bf_config *c = load("site: home\ncameras:\n  - id: out\n    input: udp://0.0.0.0:5004\n"
                               "    input_source: 10.0.0.9\n  - id: yard\n");
    const struct bf_camera_config *cam = bf_config_camera(c, "yard");

    assert_ptr_equal(cam, &c->cameras[1]);
    assert_null(bf_config_camera(c, "attic"));
    assert_null(bf_config_camera(c, NULL));
    assert_string_equal(cam->name, "yard");
    assert_string_equal(cam->source, "test-pattern");
    assert_null(cam->file);
    assert_string_equal(cam->sensor, "0");
    assert_int_equal(cam->width, 640);
    assert_int_equal(cam->height, 480);
    assert_int_equal(cam->fps, 30);
    assert_int_equal(cam->bitrate_kbps, 2000);
    assert_int_equal(cam->gop_ms, 1000);
    assert_int_equal(cam->max_width, 1920);
    assert_int_equal(cam->max_height, 1080);
    assert_int_equal(cam->max_fps, 60);
    assert_int_equal(cam->max_bitrate_kbps, 10000);
    assert_string_equal(cam->encoder, "auto");
    assert_string_equal(cam->overlay, "none");
    assert_string_equal(cam->transport, "srt");
    assert_int_equal(cam->latency_ms, 60);
    assert_null(cam->input);
    assert_string_equal(cam->profile, "balanced");
    assert_false(cam->record);
    assert_false(cam->on_demand);
    assert_int_equal(cam->idle_timeout_ms, 30000);
    assert_string_equal(c->camera.node, "yard"); /* the first that nobody else sends */
    assert_string_equal(c->gateway.default_camera, "out");
    bf_config_free(c);
}

static void what_is_given_rules_what_is_not(void **state)
{
    (void)state;
    struct bf_config *c = load("site: home\ningest:\n  address: 10.0.0.2\ncameras:\n"
                               "  - id: a\n    width: 2304\n    height: 1296\n"
                               "  - id: b\n    max_width: 320\n    max_fps: 15\n    max_bitrate_kbps: 500\n");

    assert_int_equal(c->cameras[0].max_width, 2304);
    assert_int_equal(c->cameras[0].max_height, 1296);
    assert_int_equal(c->cameras[1].width, 320);
    assert_int_equal(c->cameras[1].fps, 15);
    assert_int_equal(c->cameras[1].bitrate_kbps, 500);
    assert_string_equal(c->ingest.advertise, "10.0.0.2");
    bf_config_free(c);
}

static void the_profile_sets_the_distance_of_idrs(void **state)
{
    (void)state;
    struct bf_config *c = load("site: home\ncameras:\n  - id: a\n    profile: realtime\n"
                               "  - id: b\n    profile: economy\n"
                               "  - id: c\n    profile: economy\n    gop_ms: 1000\n");

    assert_int_equal(c->cameras[0].gop_ms, 500);
    assert_int_equal(c->cameras[1].gop_ms, 2000);
    assert_int_equal(c->cameras[2].gop_ms, 1000);
    bf_config_free(c);
}

static const char everything[] =
    "# all of it\nsite: home\nbroker: {host: broker.lan, port: 443, keepalive_s: 60, alpn: x-amzn-mqtt-ca, tls: true}\n"
    "keys: {dir: /etc/belfry/keys}\nstorage:\n  media: /srv/media\n  state: run/state\n"
    "cameras:\n"
    "  - id: yard\n    name: \"Hof \\\"S\xc3\xbc"
    "d\\\"\"\n    source: file\n    file: videos/yard.mp4\n    sensor: imx708\n"
    "    width: 1280\n    height: 720\n    fps: 25\n    bitrate_kbps: 3000\n    gop_ms: 500\n    max_width: 1280\n"
    "    max_height: 720\n    max_fps: 25\n    max_bitrate_kbps: 4000\n    encoder: libx264\n    overlay: barcode\n"
    "    transport: udp\n    latency_ms: 120\n    profile: economy\n    record: true\n"
    "  - {id: robot, input: 'udp://[::]:5004', input_source: '::1', on_demand: true, idle_timeout_ms: 60000}\n"
    "camera: {node: yard, no_frame_ms: 1000}\n"
    "ingest: {node: in-2, address: 0.0.0.0, advertise: in.lan, port_first: 1, port_last: 65535, silence_ms: 1000,\n"
    "  window_ms: 30000, reserve_bytes: 1125899906842624}\n"
    "gateway:\n  node: gw-2\n  listen: '[::1]:80'\n  ingest: in-2\n  default_camera: robot\n"
    "  cors:\n    - https://a.example\n    - http://b.example:81\n"
    "  threads: 8\n  start_timeout_ms: 500\n  stop_timeout_ms: 600\n  lease_ms: 1000\n  web: ../web\n  media_only: true\n"
    "janitor: {node: jan-2, purge_after_ms: 0, max_age_days: 30, max_bytes: 1000000000000}\n"
    "log: {level: debug}\n";

static void every_key_can_be_given(void **state)
{
    (void)state;
    struct bf_config *c = load(everything);
    const struct bf_camera_config *cam = &c->cameras[0];

    assert_string_equal(c->broker.host, "broker.lan");
    assert_int_equal(c->broker.port, 443);
    assert_string_equal(c->broker.alpn, "x-amzn-mqtt-ca");
    assert_string_equal(c->keys.dir, "/etc/belfry/keys");
    assert_string_equal(c->storage.media, "/srv/media");
    ends_with(c->storage.state, "/run/state");
    assert_int_equal(c->n_cameras, 2);
    assert_string_equal(cam->name, "Hof \"S\xc3\xbc"
                                   "d\"");
    ends_with(cam->file, "/videos/yard.mp4");
    assert_string_equal(cam->sensor, "imx708");
    assert_int_equal(cam->gop_ms, 500);
    assert_string_equal(cam->profile, "economy");
    assert_string_equal(cam->overlay, "barcode");
    assert_true(cam->record);
    assert_string_equal(c->cameras[1].input, "udp://[::]:5004");
    assert_string_equal(c->cameras[1].input_source, "::1");
    assert_true(c->cameras[1].on_demand);
    assert_int_equal(c->cameras[1].idle_timeout_ms, 60000);
    assert_int_equal(c->camera.no_frame_ms, 1000);
    assert_int_equal(c->ingest.port_first, 1);
    assert_true(c->ingest.reserve_bytes == UINT64_C(1) << 50);
    assert_int_equal(c->gateway.n_cors, 2);
    assert_string_equal(c->gateway.cors[1], "http://b.example:81");
    assert_true(c->gateway.media_only);
    assert_true(c->janitor.max_bytes == UINT64_C(1000000000000));
    assert_string_equal(c->log.level, "debug");
    bf_config_free(c);
}

static void print(void *config)
{
    bf_config_print(config, stdout);
}

static void what_is_printed_loads_to_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = { everything, "site: home\n", "site: home\n" CAMERA };

    for (size_t i = 0; i < BF_COUNT_OF(texts); i++) {
        struct bf_config *c = load(texts[i]);
        char *first = strdup(scratch_capture(STDOUT_FILENO, print, c));
        struct bf_config *again = load(first);
        assert_string_equal(scratch_capture(STDOUT_FILENO, print, again), first);
        free(first);
        bf_config_free(c);
        bf_config_free(again);
    }
}

static void printing_shows_values_in_force(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "site: \"home\"\n", "broker:\n  host: \"127.0.0.1\"\n  port: 8883\n",     "  tls: true\n",
        "  cors: []\n",     "cameras:\n  - id: \"cam-1\"\n    name: \"cam-1\"\n", "    record: false\n"
    };
    struct bf_config *c = load("site: home\n" CAMERA);
    const char *text = scratch_capture(STDOUT_FILENO, print, c);

    for (size_t i = 0; i < BF_COUNT_OF(lines); i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("\"%s\" is not in:\n%s", lines[i], text);
    assert_null(strstr(text, "alpn"));
    bf_config_free(c);
}

static void paths_are_relative_to_the_file(void **state)
{
    (void)state;
    struct bf_config *c = NULL;
    struct bf_error e = { "" };
    assert_int_equal(mkdir("site", 0700), 0);
    assert_int_equal(mkdir("site/disk", 0700), 0);
    assert_int_equal(symlink("disk", "site/media"), 0);
    scratch_write("site/belfry.yml", "site: home\n");

    assert_int_equal(bf_config_load(&c, "site/belfry.yml", NULL, &e), 0);
    ends_with(c->directory, "/site");
    ends_with(c->keys.dir, "/site/keys");
    ends_with(c->storage.media, "/site/disk"); /* services open it without following links */
    bf_config_free(c);

    assert_int_equal(bf_config_load(&c, "absent/belfry.yml", NULL, &e), -ENOENT);
    assert_string_equal(e.text, "absent/belfry.yml: cannot be opened: No such file or directory");
    assert_int_equal(bf_config_load(&c, "site", NULL, &e), -EISDIR);
    assert_string_equal(e.text, "site: cannot be read: Is a directory");
}

static void a_huge_file_is_refused(void **state)
{
    (void)state;
    struct bf_config *c = NULL;
    struct bf_error e = { "" };
    FILE *f = fopen("belfry.yml", "we");
    assert_non_null(f);
    for (int i = 0; i < 300 * 1024; i++)
        fputc('#', f);
    fclose(f);

    assert_int_equal(bf_config_load(&c, "belfry.yml", NULL, &e), -EFBIG);
    assert_string_equal(e.text, "belfry.yml: longer than 262144 bytes: expected a belfry.yml");
}

static void there_may_be_64_cameras(void **state)
{
    (void)state;
    for (int n = 64; n <= 65; n++) {
        struct bf_config *c = NULL;
        struct bf_error e = { "" };
        FILE *f = fopen("belfry.yml", "we");
        assert_non_null(f);
        fputs("site: home\ncameras:\n", f);
        for (int i = 0; i < n; i++)
            fprintf(f, "  - id: cam-%d\n", i);
        fclose(f);

        int r = bf_config_load(&c, "belfry.yml", NULL, &e);
        assert_int_equal(r, n == 64 ? 0 : -EINVAL);
        if (n == 65)
            assert_string_equal(e.text, "belfry.yml:3: cameras: expected at most 64, not 65");
        bf_config_free(c);
    }
}

static void a_list_has_a_limit(void **state)
{
    (void)state;
    struct bf_config *c = NULL;
    struct bf_error e = { "" };
    FILE *f = fopen("belfry.yml", "we");
    assert_non_null(f);
    fputs("site: home\ngateway:\n  cors:\n", f);
    for (int i = 0; i < 33; i++)
        fprintf(f, "    - https://host-%d\n", i);
    fclose(f);

    assert_int_equal(bf_config_load(&c, "belfry.yml", NULL, &e), -EINVAL);
    assert_string_equal(e.text, "belfry.yml:4: gateway.cors: expected at most 32 entries, not 33");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bad_file_is_named_with_line_key_and_expectation),
        cmocka_unit_test(a_site_is_enough),
        cmocka_unit_test(a_camera_has_defaults),
        cmocka_unit_test(what_is_given_rules_what_is_not),
        cmocka_unit_test(the_profile_sets_the_distance_of_idrs),
        cmocka_unit_test(every_key_can_be_given),
        cmocka_unit_test(what_is_printed_loads_to_the_same),
        cmocka_unit_test(printing_shows_values_in_force),
        cmocka_unit_test(paths_are_relative_to_the_file),
        cmocka_unit_test(a_huge_file_is_refused),
        cmocka_unit_test(there_may_be_64_cameras),
        cmocka_unit_test(a_list_has_a_limit),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
