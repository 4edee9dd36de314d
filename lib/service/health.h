/* Liveness for container health checks: the loop writes the boot-time clock into <node>.health every second. */
#ifndef BELFRY_SERVICE_HEALTH_H
#define BELFRY_SERVICE_HEALTH_H

#include <stdint.h>

#include "base/error.h"

#define BF_HEALTH_STALE_MS 5000U /* a loop that did not turn for so long is not well */

struct bf_health {
    int dirfd; /* borrowed */
    int fd;
    char name[48];
};

int bf_health_open(struct bf_health *h, int state_dir, const char *node);
int bf_health_touch(const struct bf_health *h, uint64_t boot_ms);
void bf_health_close(struct bf_health *h); /* removes the file: nothing runs any more */

/* 0 when the node's process is well, else a negative errno with the reason in e. */
int bf_health_check(const char *state_dir, const char *node, uint64_t boot_ms, struct bf_error *e);

#endif
