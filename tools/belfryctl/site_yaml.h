/* belfry.yml of a new site: what was asked for, and the defaults as comments to start from. Pure. */
#ifndef BELFRY_CTL_SITE_YAML_H
#define BELFRY_CTL_SITE_YAML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/id.h"

/* "front", "front:libcamera", "front:libcamera:1", "front:file:/srv/loop.mp4". */
struct ctl_camera_arg {
    char id[BF_ID_SIZE];
    const char *source; /* one of the known sources, static */
    const char *detail; /* what follows the source: sensor or file; NULL. Borrowed from the argument */
};
int ctl_camera_arg_parse(struct ctl_camera_arg *ret, const char *text, struct bf_error *e);

struct ctl_site_yaml {
    const char *site;
    const char *broker_host;
    uint16_t broker_port;
    const char *listen; /* of the gateway */
    const struct ctl_camera_arg *cameras;
    size_t n_cameras;
};
void ctl_site_yaml_print(FILE *f, const struct ctl_site_yaml *y);

#endif
