/* One command to a gateway, from the operator's key, and what comes of it. */
#ifndef BELFRY_CTL_STREAM_REQUEST_H
#define BELFRY_CTL_STREAM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "belfryctl/args.h"

enum ctl_stream_action { CTL_STREAM_START, CTL_STREAM_STOP, CTL_STREAM_STATUS };

struct ctl_stream_request {
    enum ctl_stream_action action;
    const char *camera;        /* NULL: all of them (status) */
    const char *gateway;       /* NULL: the first that is online */
    const char *operator_node; /* NULL: the first that is free */
    uint64_t timeout_ms;
    bool json, record;
    const char *profile;                               /* one of BF_PROFILE_NAMES; NULL: as configured */
    uint64_t width, height, fps, bitrate_kbps, gop_ms; /* 0: as configured */
};

/* Connects, asks, follows until it is done or too late; prints. The exit status. */
int ctl_stream_request(const struct ctl_stream_request *r, const struct ctl *ctl);

#endif
