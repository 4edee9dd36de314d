#include "belfryctl/site_yaml.h"

#include <errno.h>
#include <string.h>

static const char *const sources[] = { "test-pattern", "file", "libcamera" };

static const char *known_source(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strlen(sources[i]) == length && memcmp(sources[i], text, length) == 0)
            return sources[i];
    return NULL;
}

/* What ends up between quotes in YAML. */
static bool plain_text(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c < 0x20 || *c == 0x7f || *c == '"' || *c == '\\')
            return false;
    return true;
}

int ctl_camera_arg_parse(struct ctl_camera_arg *ret, const char *text, struct bf_error *e)
{
    struct ctl_camera_arg arg = { .source = sources[0] };
    size_t length = strcspn(text, ":");
    if (length >= sizeof arg.id)
        return bf_fail(e, -EINVAL, "camera id: expected at most %d characters", BF_ID_MAX);
    memcpy(arg.id, text, length);
    arg.id[length] = '\0';
    if (!bf_id_valid(arg.id))
        return bf_fail(e, -EINVAL, "camera id: expected 1 to 32 of the characters a-z 0-9 -");

    if (text[length] == ':') {
        const char *source = text + length + 1;
        size_t source_length = strcspn(source, ":");
        arg.source = known_source(source, source_length);
        if (arg.source == NULL)
            return bf_fail(e, -EINVAL, "camera %s: expected a source of test-pattern, file:PATH or libcamera[:SENSOR]",
                           arg.id);
        arg.detail = source[source_length] == ':' ? source + source_length + 1 : NULL;
    }
    if (strcmp(arg.source, "file") == 0 && (arg.detail == NULL || *arg.detail == '\0'))
        return bf_fail(e, -EINVAL, "camera %s: expected file:PATH, the video to loop", arg.id);
    if (arg.detail != NULL && !plain_text(arg.detail))
        return bf_fail(e, -EINVAL, "camera %s: expected no quotes, backslashes or control characters", arg.id);

    *ret = arg;
    return 0;
}

static void print_camera(FILE *f, const struct ctl_camera_arg *c)
{
    fprintf(f, "  - id: %s\n    source: %s\n", c->id, c->source);
    if (c->detail != NULL)
        fprintf(f, "    %s: \"%s\"\n", strcmp(c->source, "file") == 0 ? "file" : "sensor", c->detail);
}

static void print_camera_defaults(FILE *f)
{
    fputs("    # Of each camera; these are the defaults:\n"
          "    # name: Front door      # for people\n"
          "    # width: 640\n"
          "    # height: 480\n"
          "    # fps: 30\n"
          "    # bitrate_kbps: 2000\n"
          "    # max_width: 1920       # limits of what a start may ask for\n"
          "    # max_height: 1080\n"
          "    # max_fps: 60\n"
          "    # max_bitrate_kbps: 10000\n"
          "    # encoder: auto         # or h264_v4l2m2m, libx264\n"
          "    # overlay: none         # or barcode\n"
          "    # transport: srt        # or udp, on trusted links only\n"
          "    # latency_ms: 60\n"
          "    # profile: balanced     # or realtime (2 frames a part, to drive by), economy (plain HLS and DASH)\n"
          "    # gop_ms: 1000          # as the profile's segment, and at most that\n"
          "    # record: false         # keep a recording of every stream\n"
          "    # on_demand: false      # the first viewer starts it; not together with record\n"
          "    # idle_timeout_ms: 30000  # on demand it stops so long after its last viewer; at least 7000\n"
          "  # A camera that something else feeds (ffmpeg -f mpegts, picamera2) needs no camera service:\n"
          "  # - id: yard\n"
          "  #   input: udp://0.0.0.0:5000\n"
          "  #   input_source: 192.0.2.7\n\n",
          f);
}

static void print_services(FILE *f, const struct ctl_site_yaml *y)
{
    fprintf(f,
            "# ingest:\n"
            "#   node: ingest-1\n"
            "#   address: 127.0.0.1      # to listen on for cameras; 0.0.0.0 when they are on other hosts\n"
            "#   advertise: 192.0.2.1    # what those cameras connect to\n"
            "#   port_first: 20000\n"
            "#   port_last: 20099\n"
            "#   window_ms: 12000        # what a live playlist lists\n\n"
            "gateway:\n"
            "  listen: \"%s\"\n"
            "  # default_camera: %s\n"
            "  # cors: [\"https://example.org\"]\n"
            "  # start_timeout_ms: 10000\n\n"
            "# janitor:\n"
            "#   purge_after_ms: 5000    # a stream that is not recorded stays so long after its end\n"
            "#   max_age_days: 0         # of recordings; 0 = for ever\n"
            "#   max_bytes: 0            # of all recordings; 0 = no limit\n\n"
            "# log:\n"
            "#   level: info             # debug, info, warning, error\n",
            y->listen, y->n_cameras > 0 ? y->cameras[0].id : "camera-1");
}

void ctl_site_yaml_print(FILE *f, const struct ctl_site_yaml *y)
{
    fprintf(f,
            "# A Belfry site, made by belfryctl init. Every service of a host reads this file; commented lines show\n"
            "# defaults. `belfry-gateway --config belfry.yml --check` prints what is in force. Relative paths are\n"
            "# relative to this file. BELFRY_<SECTION>_<KEY> in the environment overrides a value.\n"
            "site: %s\n\n"
            "broker:\n"
            "  host: \"%s\"\n"
            "  port: %u\n"
            "  # keepalive_s: 30\n"
            "  # alpn: x-amzn-mqtt-ca    # AWS IoT Core on port 443\n\n"
            "keys:\n"
            "  dir: keys\n\n"
            "storage:\n"
            "  media: media\n"
            "  state: state\n\n"
            "cameras:%s\n",
            y->site, y->broker_host, y->broker_port, y->n_cameras > 0 ? "" : " []");
    for (size_t i = 0; i < y->n_cameras; i++)
        print_camera(f, &y->cameras[i]);
    print_camera_defaults(f);
    print_services(f, y);
}
