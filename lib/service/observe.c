/* The fencing of gateways: whose desired counts. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "service/private.h"

#define HOLDER_MAX 128 /* bytes of its file */

static const char *epoch_name(const struct bf_service *s, char buf[static 64])
{
    snprintf(buf, 64, "%s.lease-epoch.seen", s->identity.node);
    return buf;
}

static const char *holder_name(const struct bf_service *s, char buf[static 64])
{
    snprintf(buf, 64, "%s.lease-holder.seen", s->identity.node);
    return buf;
}

/* --- what outlives this process: a replaced gateway must not command a camera because that restarted --- */

/* "<epoch> <gateway> <boot id in hex>\n" */
static int parse_holder(const char *text, uint64_t *ret_epoch, struct bf_lease_holder *ret)
{
    char node[BF_ID_SIZE], hex[2 * sizeof ret->boot_id + 1];
    size_t n = 0;

    if (sscanf(text, "%" SCNu64 " %32s %32s", ret_epoch, node, hex) != 3 || !bf_id_valid(node) ||
        sodium_hex2bin(ret->boot_id, sizeof ret->boot_id, hex, strlen(hex), NULL, &n, NULL) != 0 ||
        n != sizeof ret->boot_id)
        return -EBADMSG;
    memcpy(ret->node, node, sizeof node);
    return 0;
}

static int load_holder(struct bf_service *s, const char *name)
{
    _cleanup_(bf_freep) uint8_t *text = NULL;
    struct bf_lease_holder holder = { .node = "" };
    uint64_t epoch;
    size_t size;

    int r = bf_read_file(s->identity.state_dir, name, HOLDER_MAX, &text, &size);
    if (r == -ENOENT)
        return 0; /* none yet, or kept by a version that did not ask */
    if (r == 0)
        r = parse_holder((const char *)text, &epoch, &holder);
    if (r < 0)
        return r;
    if (epoch < s->status.lease_epoch)
        return 0;
    s->status.lease_epoch = epoch; /* the counter is written after it */
    s->status.holder = holder;
    return 0;
}

int bf_service_load_lease_epoch(struct bf_service *s, struct bf_error *e)
{
    char name[64];

    int r = bf_counter_read(s->identity.state_dir, epoch_name(s, name), &s->status.lease_epoch);
    if (r == 0)
        r = load_holder(s, holder_name(s, name));
    if (r < 0)
        return bf_fail(e, r, "%s/%s: expected the highest lease epoch seen: %s", s->config->storage.state, name,
                       strerror(-r));
    return 0;
}

static int store_holder(const struct bf_service *s)
{
    const struct bf_lease_holder *holder = &s->status.holder;
    char name[64], hex[2 * sizeof holder->boot_id + 1], line[HOLDER_MAX];

    sodium_bin2hex(hex, sizeof hex, holder->boot_id, sizeof holder->boot_id);
    int n = snprintf(line, sizeof line, "%" PRIu64 " %s %s\n", s->status.lease_epoch, holder->node, hex);
    return bf_replace_file(s->identity.state_dir, holder_name(s, name), line, (size_t)n, 0600);
}

/* Tried again with each desired until it succeeds: a restart must not obey a gateway that has been replaced. */
static void keep_lease_epoch(struct bf_service *s)
{
    char name[64];
    uint64_t suppressed;

    int r = store_holder(s);
    if (r == 0)
        r = bf_counter_store(s->identity.state_dir, epoch_name(s, name), s->status.lease_epoch);
    s->lease_unkept = r < 0;
    if (r < 0 && bf_log_allow(&s->unkept_limit, bf_mono_ms(), 60000, &suppressed))
        bf_warning("cannot keep the lease epoch",
                   "file=%s/%s error=%s remedy=\"make room there, or check the disk: until then a restart may obey a "
                   "gateway that has been replaced\"",
                   s->config->storage.state, epoch_name(s, name), strerrorname_np(-r));
}

/* --- who is refused --- */

static void refuse_lease(struct bf_service *s, const struct bf_incoming *m, uint64_t epoch)
{
    uint64_t suppressed;

    if (bf_log_allow(&s->lease_limit, bf_mono_ms(), 60000, &suppressed))
        bf_warning("refused a desired of a gateway that another one has replaced",
                   "sender=%s lease_epoch=%" PRIu64 " highest=%" PRIu64 " holder=%s suppressed=%" PRIu64
                   " remedy=\"if the gateway lost its state directory, write %" PRIu64
                   " to gateway.lease-epoch there and restart it\"",
                   m->header->sender, epoch, s->status.lease_epoch,
                   s->status.holder.node[0] == '\0' ? "unknown" : s->status.holder.node, suppressed,
                   s->status.lease_epoch);
}

/* Both count their starts alike, in state directories of their own: nobody can tell which of them is the later one. */
static void refuse_conflict(struct bf_service *s, const struct bf_incoming *m, uint64_t epoch)
{
    struct bf_error e;

    bf_fail(&e, -EEXIST,
            "gateways %s and %s both order this node with lease epoch %" PRIu64
            "; %s was first and is obeyed: stop the other, or make it gateway.media_only",
            s->status.holder.node, m->header->sender, epoch, s->status.holder.node);
    bf_service_failed(s, "lease_conflict", &e);
}

static struct bf_lease_holder holder_of(const struct bf_incoming *m, const Belfry__V1__Lease *lease)
{
    struct bf_lease_holder holder = { .node = "" };

    snprintf(holder.node, sizeof holder.node, "%s", m->header->sender);
    if (lease->holder_boot_id.len == sizeof holder.boot_id)
        memcpy(holder.boot_id, lease->holder_boot_id.data, sizeof holder.boot_id);
    return holder;
}

int bf_service_observe(struct bf_service *s, const struct bf_incoming *m, const Belfry__V1__Lease *lease)
{
    if (lease == NULL)
        return -EBADMSG;

    const struct bf_lease_holder holder = holder_of(m, lease);
    int r = bf_status_claim(&s->status, lease->epoch, &holder);
    if (r < 0) {
        bf_bus_refuse(s->bus, m, BF_REFUSED_LEASE_EPOCH);
        if (r == -ESTALE)
            refuse_lease(s, m, lease->epoch);
        else
            refuse_conflict(s, m, lease->epoch);
        return r;
    }
    bf_bus_set_lease(s->bus, lease->lease_ms);
    if (r > 0 || s->lease_unkept)
        keep_lease_epoch(s);
    int changed = bf_status_observe(&s->status, lease->epoch, lease->generation);
    if (changed < 0)
        return changed; /* what it says is over */
    if (r > 0 || changed > 0)
        bf_service_report(s);
    return 0;
}
