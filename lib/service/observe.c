/* The fencing of gateways: whose desired counts. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "service/private.h"

static const char *file_name(const struct bf_service *s, char buf[static 64])
{
    snprintf(buf, 64, "%s.lease-epoch.seen", s->identity.node);
    return buf;
}

int bf_service_load_lease_epoch(struct bf_service *s, struct bf_error *e)
{
    char name[64];

    int r = bf_counter_read(s->identity.state_dir, file_name(s, name), &s->status.lease_epoch);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: expected the highest lease epoch seen: %s", s->config->storage.state, name,
                       strerror(-r));
    return 0;
}

static void refuse_lease(struct bf_service *s, const struct bf_incoming *m, uint64_t epoch)
{
    uint64_t suppressed;

    bf_bus_refuse(s->bus, m, BF_REFUSED_LEASE_EPOCH);
    if (bf_log_allow(&s->lease_limit, bf_mono_ms(), 60000, &suppressed))
        bf_warning("refused a desired of a gateway that another one has replaced",
                   "sender=%s lease_epoch=%" PRIu64 " highest=%" PRIu64 " suppressed=%" PRIu64
                   " remedy=\"if the gateway lost its state directory, stop this node and remove %s.lease-epoch.seen\"",
                   m->header->sender, epoch, s->status.lease_epoch, suppressed, s->identity.node);
}

/* The highest epoch outlives this process: a replaced gateway must not command a camera because that restarted. */
static void keep_lease_epoch(struct bf_service *s)
{
    char name[64];

    int r = bf_counter_store(s->identity.state_dir, file_name(s, name), s->status.lease_epoch);
    if (r < 0)
        bf_warning("cannot keep the lease epoch", "file=%s error=%s", name, strerrorname_np(-r));
}

int bf_service_observe(struct bf_service *s, const struct bf_incoming *m, const Belfry__V1__Lease *lease)
{
    if (lease == NULL)
        return -EBADMSG;

    uint64_t before = s->status.lease_epoch;
    int r = bf_status_observe(&s->status, lease->epoch, lease->generation);
    if (r < 0) {
        refuse_lease(s, m, lease->epoch);
        return r;
    }
    if (s->status.lease_epoch != before)
        keep_lease_epoch(s);
    if (r > 0)
        bf_service_report(s);
    return 0;
}
