#include "service/health.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

int bf_health_open(struct bf_health *h, int state_dir, const char *node)
{
    snprintf(h->name, sizeof h->name, "%s.health", node);
    h->dirfd = state_dir;
    h->fd = openat(state_dir, h->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return h->fd < 0 ? -errno : 0;
}

int bf_health_touch(const struct bf_health *h, uint64_t boot_ms)
{
    char line[24];
    int n = snprintf(line, sizeof line, "%020" PRIu64 "\n", boot_ms); /* always as long: written over, never torn */

    ssize_t w = pwrite(h->fd, line, (size_t)n, 0);
    return w < 0 ? -errno : w == n ? 0 : -EIO;
}

void bf_health_close(struct bf_health *h)
{
    if (h->fd < 0)
        return;
    unlinkat(h->dirfd, h->name, 0);
    close(h->fd);
    h->fd = -1;
}

int bf_health_check(const char *state_dir, const char *node, uint64_t boot_ms, struct bf_error *e)
{
    char name[48];
    snprintf(name, sizeof name, "%s.health", node);
    _cleanup_(bf_closep) int dir = bf_open_dir(AT_FDCWD, state_dir, 0, 0);
    if (dir < 0)
        return bf_fail(e, dir, "%s: cannot be opened: %s", state_dir, strerror(-dir));

    uint64_t seen;
    int r = bf_counter_read(dir, name, &seen);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: cannot be read: %s", state_dir, name, strerror(-r));
    if (seen == 0)
        return bf_fail(e, -ESRCH, "%s does not run (no %s/%s)", node, state_dir, name);
    if (seen > boot_ms)
        return bf_fail(e, -ESTALE, "%s has not run since this machine started", node);
    if (boot_ms - seen > BF_HEALTH_STALE_MS)
        return bf_fail(e, -ESTALE, "%s gave its last sign %" PRIu64 " ms ago", node, boot_ms - seen);
    return 0;
}
