#include "service/config_table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "service/config_values.h"
#include "stream/profile.h"

#define AT(member) .offset = offsetof(struct bf_config, member), .size = sizeof(((struct bf_config *)NULL)->member)
#define OF_CAMERA(member)                                                                                              \
    .offset = offsetof(struct bf_camera_config, member), .size = sizeof(((struct bf_camera_config *)NULL)->member)
#define TEXT .type = BF_FIELD_TEXT
#define NUMBER .type = BF_FIELD_NUMBER
#define SWITCH .type = BF_FIELD_SWITCH
#define LIST .type = BF_FIELD_LIST

#define AN_ID .valid = bf_value_id, .accepted = "1 to 32 characters of a-z, 0-9 and -"
#define A_HOST .valid = bf_value_host, .accepted = "a host name or address, as in broker.lan or 192.168.1.10"
#define AN_ADDRESS .valid = bf_value_address, .accepted = "an IPv4 or IPv6 address, as in 192.168.1.10"
#define A_PATH .valid = bf_value_path, .accepted = "a path, as in media or /srv/belfry/media"
#define FROM_TO(a, b) .least = (a), .most = (b)

static const struct bf_field top[] = {
    { "site", TEXT, AT(site), AN_ID },
};

static const struct bf_field broker[] = {
    { "host", TEXT, AT(broker.host), .initial = "127.0.0.1", A_HOST },
    { "port", NUMBER, AT(broker.port), .initial = "8883", FROM_TO(1, 65535) },
    { "keepalive_s", NUMBER, AT(broker.keepalive_s), .initial = "30", FROM_TO(5, 1200) },
    { "alpn", TEXT, AT(broker.alpn), .valid = bf_value_alpn, .accepted = "a protocol name, as in x-amzn-mqtt-ca" },
    { "tls", SWITCH, AT(broker.tls), .initial = "true" },
};

static const struct bf_field keys[] = {
    { "dir", TEXT, AT(keys.dir), .initial = "keys", A_PATH },
};

static const struct bf_field storage[] = {
    { "media", TEXT, AT(storage.media), .initial = "media", A_PATH },
    { "state", TEXT, AT(storage.state), .initial = "state", A_PATH },
};

static const struct bf_field one_camera[] = {
    { "id", TEXT, OF_CAMERA(id), AN_ID },
    { "name", TEXT, OF_CAMERA(name), .valid = bf_value_name, .accepted = "1 to 64 bytes of text in one line" },
    { "source", TEXT, OF_CAMERA(source), .initial = "test-pattern", .words = "test-pattern|file|libcamera" },
    { "file", TEXT, OF_CAMERA(file), .valid = bf_value_path, .accepted = "the path of a video, as in videos/yard.mp4" },
    { "sensor", TEXT, OF_CAMERA(sensor), .initial = "0", .valid = bf_value_path,
      .accepted = "the index of a sensor, as in 0, or its id" },
    { "width", NUMBER, OF_CAMERA(width), .initial = "640", FROM_TO(64, 4096) },
    { "height", NUMBER, OF_CAMERA(height), .initial = "480", FROM_TO(64, 4096) },
    { "fps", NUMBER, OF_CAMERA(fps), .initial = "30", FROM_TO(1, 120) },
    { "bitrate_kbps", NUMBER, OF_CAMERA(bitrate_kbps), .initial = "2000", FROM_TO(64, 50000) },
    { "gop_ms", NUMBER, OF_CAMERA(gop_ms), FROM_TO(100, 10000) }, /* 0, not given: as long as the profile's segment */
    { "max_width", NUMBER, OF_CAMERA(max_width), .initial = "1920", FROM_TO(64, 4096) },
    { "max_height", NUMBER, OF_CAMERA(max_height), .initial = "1080", FROM_TO(64, 4096) },
    { "max_fps", NUMBER, OF_CAMERA(max_fps), .initial = "60", FROM_TO(1, 120) },
    { "max_bitrate_kbps", NUMBER, OF_CAMERA(max_bitrate_kbps), .initial = "10000", FROM_TO(64, 50000) },
    { "encoder", TEXT, OF_CAMERA(encoder), .initial = "auto", .words = "auto|h264_v4l2m2m|libx264" },
    { "overlay", TEXT, OF_CAMERA(overlay), .initial = "none", .words = "none|barcode" },
    { "transport", TEXT, OF_CAMERA(transport), .initial = "srt", .words = "srt|udp" },
    { "latency_ms", NUMBER, OF_CAMERA(latency_ms), .initial = "60", FROM_TO(20, 8000) },
    { "input", TEXT, OF_CAMERA(input), .valid = bf_value_udp_url,
      .accepted = "udp://address:port, as in udp://0.0.0.0:5004" },
    { "input_source", TEXT, OF_CAMERA(input_source), AN_ADDRESS },
    { "profile", TEXT, OF_CAMERA(profile), .initial = "balanced", .words = BF_PROFILE_NAMES },
    { "record", SWITCH, OF_CAMERA(record), .initial = "false" },
    { "on_demand", SWITCH, OF_CAMERA(on_demand), .initial = "false" },
    /* At least three target durations of two seconds, for which a request may be held, and a little more. */
    { "idle_timeout_ms", NUMBER, OF_CAMERA(idle_timeout_ms), .initial = "30000", FROM_TO(7000, 86400000) },
};

static const struct bf_field camera[] = {
    { "node", TEXT, AT(camera.node), AN_ID },
    { "no_frame_ms", NUMBER, AT(camera.no_frame_ms), .initial = "3000", FROM_TO(500, 60000) },
};

static const struct bf_field ingest[] = {
    { "node", TEXT, AT(ingest.node), .initial = "ingest-1", AN_ID },
    { "address", TEXT, AT(ingest.address), .initial = "127.0.0.1", AN_ADDRESS },
    { "advertise", TEXT, AT(ingest.advertise), A_HOST },
    { "port_first", NUMBER, AT(ingest.port_first), .initial = "20000", FROM_TO(1, 65535) },
    { "port_last", NUMBER, AT(ingest.port_last), .initial = "20099", FROM_TO(1, 65535) },
    { "silence_ms", NUMBER, AT(ingest.silence_ms), .initial = "3000", FROM_TO(500, 60000) },
    { "window_ms", NUMBER, AT(ingest.window_ms), .initial = "12000", FROM_TO(3000, 3600000) },
    { "reserve_bytes", NUMBER, AT(ingest.reserve_bytes), .initial = "67108864", FROM_TO(0, UINT64_C(1) << 50) },
};

static const struct bf_field gateway[] = {
    { "node", TEXT, AT(gateway.node), .initial = "gateway-1", AN_ID },
    { "listen", TEXT, AT(gateway.listen), .initial = "127.0.0.1:8080", .valid = bf_value_listen,
      .accepted = "address:port, as in 127.0.0.1:8080" },
    { "ingest", TEXT, AT(gateway.ingest), AN_ID },
    { "default_camera", TEXT, AT(gateway.default_camera), AN_ID },
    { "cors", LIST, AT(gateway.cors), .count = offsetof(struct bf_config, gateway.n_cors), .valid = bf_value_origin,
      .accepted = "an exact origin, as in https://console.example:8443" },
    { "threads", NUMBER, AT(gateway.threads), .initial = "256", FROM_TO(4, 4096) },
    { "start_timeout_ms", NUMBER, AT(gateway.start_timeout_ms), .initial = "10000", FROM_TO(500, 120000) },
    { "stop_timeout_ms", NUMBER, AT(gateway.stop_timeout_ms), .initial = "10000", FROM_TO(500, 120000) },
    { "lease_ms", NUMBER, AT(gateway.lease_ms), .initial = "10000", FROM_TO(1000, 600000) },
    { "web", TEXT, AT(gateway.web), .initial = BELFRY_WEB_DIR, A_PATH },
    { "media_only", SWITCH, AT(gateway.media_only), .initial = "false" },
};

static const struct bf_field janitor[] = {
    { "node", TEXT, AT(janitor.node), .initial = "janitor-1", AN_ID },
    { "purge_after_ms", NUMBER, AT(janitor.purge_after_ms), .initial = "5000", FROM_TO(0, 86400000) },
    { "max_age_days", NUMBER, AT(janitor.max_age_days), .initial = "0", FROM_TO(0, 36500) },
    { "max_bytes", NUMBER, AT(janitor.max_bytes), .initial = "0", FROM_TO(0, UINT64_C(1) << 60) },
};

static const struct bf_field log_fields[] = {
    { "level", TEXT, AT(log.level), .initial = "info", .words = "debug|info|warning|error" },
};

#define SECTION(member)                                                                                                \
    {                                                                                                                  \
#member, member, BF_COUNT_OF(member), AT(member)                                                               \
    }

const struct bf_section bf_config_sections[] = {
    { "", top, BF_COUNT_OF(top), .offset = 0, .size = sizeof(struct bf_config) },
    SECTION(broker),
    SECTION(keys),
    SECTION(storage),
    SECTION(camera),
    SECTION(ingest),
    SECTION(gateway),
    SECTION(janitor),
    { "log", log_fields, BF_COUNT_OF(log_fields), AT(log) },
};
const size_t bf_config_n_sections = BF_COUNT_OF(bf_config_sections);

const struct bf_section bf_config_camera_section = {
    "cameras", one_camera, BF_COUNT_OF(one_camera), .offset = 0, .size = sizeof(struct bf_camera_config),
};

const struct bf_section *bf_section_find(const char *name)
{
    for (size_t i = 0; i < bf_config_n_sections; i++)
        if (strcmp(bf_config_sections[i].name, name) == 0)
            return &bf_config_sections[i];
    return NULL;
}

const struct bf_field *bf_field_find(const struct bf_section *s, const char *key)
{
    for (size_t i = 0; i < s->n_fields; i++)
        if (strcmp(s->fields[i].key, key) == 0)
            return &s->fields[i];
    return NULL;
}

const char *bf_field_path(char buf[static BF_CONFIG_PATH_SIZE], const struct bf_section *s, int camera_index,
                          const char *key)
{
    if (camera_index >= 0)
        snprintf(buf, BF_CONFIG_PATH_SIZE, "cameras[%d].%s", camera_index, key);
    else
        snprintf(buf, BF_CONFIG_PATH_SIZE, "%s%s%s", s->name, s->name[0] != '\0' ? "." : "", key);
    return buf;
}

static int each_field(const struct bf_section *s, int camera_index, void *base, bf_field_visitor fn, void *user)
{
    for (size_t i = 0; i < s->n_fields; i++) {
        int r = fn(user, s, camera_index, &s->fields[i], base);
        if (r != 0)
            return r;
    }
    return 0;
}

int bf_config_each(struct bf_config *c, bf_field_visitor fn, void *user)
{
    for (size_t i = 0; i < bf_config_n_sections; i++) {
        int r = each_field(&bf_config_sections[i], -1, c, fn, user);
        if (r != 0)
            return r;
    }
    for (size_t i = 0; i < c->n_cameras; i++) {
        int r = each_field(&bf_config_camera_section, (int)i, &c->cameras[i], fn, user);
        if (r != 0)
            return r;
    }
    return 0;
}
