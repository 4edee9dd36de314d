#include "service/config_check.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "service/config_values.h"
#include "stream/profile.h"

/* What the checks of one configuration share. */
struct check {
    const struct bf_config *config;
    const struct bf_origins *origins;
    struct bf_error *e;
    char path[BF_CONFIG_PATH_SIZE];
};

static const char *camera_path(struct check *c, size_t i, const char *key)
{
    return bf_field_path(c->path, &bf_config_camera_section, (int)i, key);
}

#define REFUSE(c, path, ...) bf_config_refuse((c)->origins, (c)->e, (path), __VA_ARGS__)

static int check_site(struct check *c)
{
    if (c->config->site == NULL)
        return REFUSE(c, "site", "expected 1 to 32 characters of a-z, 0-9 and -");
    return 0;
}

static int check_broker(struct check *c)
{
    if (!c->config->broker.tls && !bf_value_loopback(c->config->broker.host))
        return REFUSE(c, "broker.tls", "expected true unless broker.host is on loopback");
    return 0;
}

/* Width and its like: even where H.264 wants it so, and within the camera's own limit. */
static int check_limits(struct check *c, size_t i)
{
    const struct bf_camera_config *cam = &c->config->cameras[i];
    const struct {
        const char *key, *limit_key;
        uint32_t value, limit;
        bool even;
    } rows[] = {
        { "width", "max_width", cam->width, cam->max_width, true },
        { "height", "max_height", cam->height, cam->max_height, true },
        { "fps", "max_fps", cam->fps, cam->max_fps, false },
        { "bitrate_kbps", "max_bitrate_kbps", cam->bitrate_kbps, cam->max_bitrate_kbps, false },
    };

    for (size_t k = 0; k < BF_COUNT_OF(rows); k++) {
        if (rows[k].even && rows[k].value % 2 != 0)
            return REFUSE(c, camera_path(c, i, rows[k].key), "expected an even number");
        if (rows[k].value > rows[k].limit)
            return REFUSE(c, camera_path(c, i, rows[k].key), "expected at most %s, %u", rows[k].limit_key,
                          rows[k].limit);
    }
    return 0;
}

static int check_source(struct check *c, size_t i)
{
    const struct bf_camera_config *cam = &c->config->cameras[i];
    bool from_file = strcmp(cam->source, "file") == 0;

    if (from_file && cam->file == NULL)
        return REFUSE(c, camera_path(c, i, "file"), "expected the path of a video with source: file");
    if (!from_file && cam->file != NULL)
        return REFUSE(c, camera_path(c, i, "file"), "expected only with source: file");
    if (cam->input != NULL && cam->input_source == NULL)
        return REFUSE(c, camera_path(c, i, "input_source"), "expected the address that %s is sent from", cam->input);
    if (cam->input == NULL && cam->input_source != NULL)
        return REFUSE(c, camera_path(c, i, "input_source"), "expected only with input");
    return 0;
}

static int check_timing(struct check *c, size_t i)
{
    const struct bf_camera_config *cam = &c->config->cameras[i];
    uint32_t segment_ms = bf_profile_named(cam->profile)->segment_ms;

    if (cam->gop_ms > segment_ms)
        return REFUSE(c, camera_path(c, i, "gop_ms"), "expected at most a segment of profile %s, %u", cam->profile,
                      segment_ms);
    /* RFC 8216, section 6.2.2: a live playlist lists at least three target durations. */
    if (c->config->ingest.window_ms < 3 * segment_ms)
        return REFUSE(c, "ingest.window_ms",
                      "expected at least three segments of profile %s, which cameras[%zu] has: %u", cam->profile, i,
                      3 * segment_ms);
    return 0;
}

/* What nobody watches any more ends; what records must not. */
static int check_demand(struct check *c, size_t i)
{
    const struct bf_camera_config *cam = &c->config->cameras[i];

    if (cam->on_demand && cam->record)
        return REFUSE(c, camera_path(c, i, "record"),
                      "expected false with on_demand, which ends a session when nobody watches it; a start by hand may "
                      "still ask for a recording");
    return 0;
}

static int check_cameras(struct check *c)
{
    if (c->config->n_cameras > BF_CONFIG_MAX_CAMERAS)
        return REFUSE(c, "cameras", "expected at most %d, not %zu", BF_CONFIG_MAX_CAMERAS, c->config->n_cameras);
    for (size_t i = 0; i < c->config->n_cameras; i++) {
        if (c->config->cameras[i].id == NULL)
            return REFUSE(c, camera_path(c, i, "id"), "expected 1 to 32 characters of a-z, 0-9 and -");
        int r = check_limits(c, i);
        if (r == 0)
            r = check_source(c, i);
        if (r == 0)
            r = check_timing(c, i);
        if (r == 0)
            r = check_demand(c, i);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A node's id is its topic, its client id and its certificate's name: one of each on a site. */
static int check_nodes(struct check *c)
{
    const struct {
        const char *id, *path;
    } others[] = {
        { "operator", "operator" },
        { c->config->ingest.node, "ingest.node" },
        { c->config->gateway.node, "gateway.node" },
        { c->config->janitor.node, "janitor.node" },
    };

    for (size_t i = 1; i < BF_COUNT_OF(others); i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(others[i].id, others[k].id) == 0)
                return REFUSE(c, others[i].path, "expected a name of its own, not that of %s", others[k].path);

    for (size_t i = 0; i < c->config->n_cameras; i++) {
        const char *id = c->config->cameras[i].id;
        for (size_t k = 0; k < BF_COUNT_OF(others); k++)
            if (strcmp(id, others[k].id) == 0)
                return REFUSE(c, camera_path(c, i, "id"), "expected a name of its own, not that of %s", others[k].path);
        for (size_t k = 0; k < i; k++)
            if (strcmp(id, c->config->cameras[k].id) == 0)
                return REFUSE(c, camera_path(c, i, "id"), "expected a name of its own, not that of cameras[%zu]", k);
    }
    return 0;
}

static int check_references(struct check *c)
{
    const struct bf_config *config = c->config;

    if (config->camera.node != NULL) {
        const struct bf_camera_config *own = bf_config_camera(config, config->camera.node);
        if (own == NULL || own->input != NULL)
            return REFUSE(c, "camera.node", "expected the id of one of cameras, one without input");
    }
    if (config->gateway.default_camera != NULL && bf_config_camera(config, config->gateway.default_camera) == NULL)
        return REFUSE(c, "gateway.default_camera", "expected the id of one of cameras");
    if (config->ingest.port_last < config->ingest.port_first)
        return REFUSE(c, "ingest.port_last", "expected at least ingest.port_first, %u", config->ingest.port_first);
    return 0;
}

int bf_config_validate(const struct bf_config *config, const struct bf_origins *o, struct bf_error *e)
{
    static int (*const checks[])(struct check *) = { check_site, check_broker, check_cameras, check_nodes,
                                                     check_references };
    struct check c = { .config = config, .origins = o, .e = e };

    for (size_t i = 0; i < BF_COUNT_OF(checks); i++) {
        int r = checks[i](&c);
        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_if_absent(char **at, const char *from)
{
    if (*at == NULL && from != NULL && (*at = strdup(from)) == NULL)
        return -ENOMEM;
    return 0;
}

/* What was given rules what was not: a large default raises the limit, a low limit lowers the default. */
static void reconcile(const struct bf_origins *o, size_t i, const char *key, uint32_t *value, const char *limit_key,
                      uint32_t *limit)
{
    char path[BF_CONFIG_PATH_SIZE];

    if (*value <= *limit)
        return;
    if (bf_origin_of(o, bf_field_path(path, &bf_config_camera_section, (int)i, limit_key)) == NULL)
        *limit = *value;
    else if (bf_origin_of(o, bf_field_path(path, &bf_config_camera_section, (int)i, key)) == NULL)
        *value = *limit;
}

static int complete_camera(struct bf_camera_config *cam, size_t i, const struct bf_origins *o)
{
    if (cam->gop_ms == 0)
        cam->gop_ms = bf_profile_named(cam->profile)->segment_ms;
    reconcile(o, i, "width", &cam->width, "max_width", &cam->max_width);
    reconcile(o, i, "height", &cam->height, "max_height", &cam->max_height);
    reconcile(o, i, "fps", &cam->fps, "max_fps", &cam->max_fps);
    reconcile(o, i, "bitrate_kbps", &cam->bitrate_kbps, "max_bitrate_kbps", &cam->max_bitrate_kbps);
    return copy_if_absent(&cam->name, cam->id);
}

int bf_config_complete(struct bf_config *c, const struct bf_origins *o)
{
    const char *own_camera = NULL;
    int r = 0;

    for (size_t i = 0; i < c->n_cameras && r == 0; i++) {
        if (own_camera == NULL && c->cameras[i].input == NULL)
            own_camera = c->cameras[i].id;
        r = complete_camera(&c->cameras[i], i, o);
    }
    if (r == 0)
        r = copy_if_absent(&c->camera.node, own_camera);
    if (r == 0)
        r = copy_if_absent(&c->ingest.advertise, c->ingest.address);
    if (r == 0 && c->n_cameras > 0)
        r = copy_if_absent(&c->gateway.default_camera, c->cameras[0].id);
    return r;
}
