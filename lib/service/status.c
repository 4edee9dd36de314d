#include "service/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define SAME_FAILURE_MS 60000U

bool bf_status_count(struct bf_status *s, const char *name, uint64_t value)
{
    size_t i = 0;

    while (i < s->n_counters && strcmp(s->counters[i].name, name) != 0)
        i++;
    if (i == BF_STATUS_OWN_COUNTERS)
        return false;
    if (i == s->n_counters)
        s->counters[s->n_counters++].name = name;
    s->counters[i].value = value;
    return true;
}

bool bf_status_fail(struct bf_status *s, const char *code, const char *detail, uint64_t unix_ms)
{
    char text[sizeof s->detail];
    snprintf(text, sizeof text, "%s", detail);
    bf_text_clean(text, strlen(text)); /* receivers refuse a state that holds anything else */

    bool same = strcmp(s->code, code) == 0 && strcmp(s->detail, text) == 0;
    if (same && unix_ms - s->failed_at_ms < SAME_FAILURE_MS)
        return false;

    snprintf(s->code, sizeof s->code, "%s", code);
    memcpy(s->detail, text, sizeof text);
    s->failed_at_ms = unix_ms;
    return true;
}

int bf_status_observe(struct bf_status *s, uint64_t lease_epoch, uint64_t generation)
{
    if (lease_epoch < s->lease_epoch)
        return -ESTALE;
    if (lease_epoch == s->lease_epoch && generation < s->observed_generation)
        return -EALREADY;

    bool changed = lease_epoch != s->lease_epoch || generation != s->observed_generation;
    s->lease_epoch = lease_epoch;
    s->observed_generation = generation;
    return changed;
}

static bool is_same(const struct bf_lease_holder *a, const struct bf_lease_holder *b)
{
    return strcmp(a->node, b->node) == 0 && memcmp(a->boot_id, b->boot_id, sizeof a->boot_id) == 0;
}

int bf_status_claim(struct bf_status *s, uint64_t lease_epoch, const struct bf_lease_holder *holder)
{
    bool is_known = s->holder.node[0] != '\0';

    if (lease_epoch < s->lease_epoch)
        return -ESTALE;
    if (lease_epoch == s->lease_epoch && is_known)
        return is_same(&s->holder, holder) ? 0 : -EEXIST;
    if (lease_epoch > s->lease_epoch)
        s->observed_generation = 0; /* generations are counted within an epoch */
    s->lease_epoch = lease_epoch;
    s->holder = *holder;
    return 1;
}

void bf_status_message_init(struct bf_status_message *m, struct bf_status *s, bool online, uint8_t *boot_id,
                            const char *version, uint64_t started_at_ms)
{
    belfry__v1__node_status__init(&m->node);
    m->node.online = online;
    m->node.boot_id = (ProtobufCBinaryData){ .len = 16, .data = boot_id };
    m->node.version = (char *)(uintptr_t)version;
    m->node.started_at_ms = started_at_ms;
    m->node.observed_generation = s->observed_generation;
    m->node.lease_epoch = s->lease_epoch;
    if (s->holder.node[0] != '\0') {
        m->node.lease_holder = s->holder.node;
        m->node.lease_holder_boot_id =
            (ProtobufCBinaryData){ .len = sizeof s->holder.boot_id, .data = s->holder.boot_id };
    }
    m->node.counters = m->pointers;

    if (s->code[0] != '\0') {
        belfry__v1__failure__init(&m->failure);
        m->failure.code = s->code;
        m->failure.detail = s->detail;
        m->failure.at_ms = s->failed_at_ms;
        m->node.last_error = &m->failure;
    }
    for (size_t i = 0; i < s->n_counters; i++)
        bf_status_message_count(m, s->counters[i].name, s->counters[i].value);
}

void bf_status_message_count(struct bf_status_message *m, const char *name, uint64_t value)
{
    if (m->node.n_counters == BF_STATUS_COUNTERS)
        return;

    Belfry__V1__Counter *c = &m->counters[m->node.n_counters];
    belfry__v1__counter__init(c);
    c->name = (char *)(uintptr_t)name;
    c->value = value;
    m->pointers[m->node.n_counters++] = c;
}
