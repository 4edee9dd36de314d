#include "forgery/statement.h"

#include <stdlib.h>
#include <string.h>

#include "bus/verify.h"
#include "fixture.h"

#define HOUR_MS 3600000u
#define BIT(role) (UINT32_C(1) << (role))

static enum site_node node_with(struct prng *p, uint32_t roles)
{
    enum site_node node;

    do
        node = (enum site_node)prng_below(p, SITE_NODES);
    while ((site_node_roles(node) & roles) == 0);
    return node;
}

static enum bf_role one_role(struct prng *p, uint32_t roles)
{
    enum bf_role role;

    do
        role = (enum bf_role)(1 + prng_below(p, BF_ROLE_OPERATOR));
    while ((roles & BIT(role)) == 0);
    return role;
}

static void choose_topic(struct statement *s, struct prng *p)
{
    const struct bf_message_row *row = bf_message_row(s->type);

    s->owner = row->own_topic ? s->signer : node_with(p, row->topic_roles);
    if (bf_topic_format(s->topic, s->site, one_role(p, site_node_roles(s->owner) & row->topic_roles),
                        site_node_name(s->owner), row->channel) < 0)
        abort();
}

static void choose_time(struct statement *s, struct prng *p)
{
    s->ttl_ms = s->will ? 0 : 1000 + prng_below(p, 60000);
    s->issued_at_ms = FX_NOW - prng_below(p, s->will ? 10 * HOUR_MS : s->ttl_ms + 2 * BF_CLOCK_SKEW_MS);
    if (prng_chance(p, 10))
        s->issued_at_ms = FX_NOW + prng_below(p, 2 * BF_CLOCK_SKEW_MS);
    s->clock_synced = !prng_chance(p, 10);
}

static void choose(struct statement *s, struct prng *p)
{
    const struct bf_message_row *row;

    s->type = (enum bf_message_type)prng_below(p, BF_MSG_TYPES);
    row = bf_message_row(s->type);
    s->signer = node_with(p, row->sender_roles);
    s->key = prng_chance(p, 75) ? KEY_CURRENT : (enum site_key)prng_below(p, SITE_KEYS);
    s->site = prng_chance(p, 80) ? SITE_HOME : SITE_BARN;
    choose_topic(s, p);
    s->directed = !row->own_topic;
    s->recipient = prng_chance(p, 90) ? s->owner : node_with(p, UINT32_MAX);
    s->bound = row->channel == BF_CHANNEL_DESIRED || row->channel == BF_CHANNEL_CMD;
    s->bound_to = prng_chance(p, 50) ? s->owner : s->recipient;
    s->starts = prng_chance(p, 80) ? PRESENT_START : prng_below(p, PRESENT_START);
    s->will = row->channel == BF_CHANNEL_STATE && prng_chance(p, 25);
    s->channel = s->will ? BELFRY__V1__CHANNEL__CHANNEL_WILL : (int)row->channel;
    s->epoch = prng_chance(p, 70) ? 5 : 4 + prng_below(p, 3);
    s->sequence = prng_chance(p, 70) ? 200 + prng_below(p, 80) : 1 + prng_below(p, SEQUENCE_MAX);
    choose_time(s, p);
}

static void make_will(ProtobufCMessage *m)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "node");

    (*(Belfry__V1__NodeStatus **)((uintptr_t)m + f->offset))->online = 0;
}

static void fill_header(const struct statement *s, Belfry__V1__Header *h, uint8_t boot_id[static 16])
{
    h->site = (char *)s->site;
    h->sender = (char *)site_node_name(s->signer);
    h->recipient = (char *)(s->directed ? site_node_name(s->recipient) : "*");
    h->topic = (char *)s->topic;
    h->channel = (Belfry__V1__Channel)s->channel;
    h->sender_epoch = s->epoch;
    h->sequence = s->sequence;
    h->issued_at_ms = s->issued_at_ms;
    h->ttl_ms = s->ttl_ms;
    h->clock_synced = s->clock_synced;
    site_boot_id(boot_id, s->bound_to, s->starts);
    if (s->bound)
        h->recipient_boot_id = (ProtobufCBinaryData){ 16, boot_id };
}

static const char *another_name(struct prng *p, const char *than)
{
    const char *name;

    do
        name = site_node_name((enum site_node)prng_below(p, SITE_NODES));
    while (strcmp(name, than) == 0);
    return name;
}

/* On a topic where the type does not travel, or not in the sender's role, or that is another's. */
static void elsewhere(struct statement *s, struct prng *p)
{
    static const enum bf_channel like[] = { [BF_CHANNEL_STATE] = BF_CHANNEL_EVT,
                                            [BF_CHANNEL_DESIRED] = BF_CHANNEL_CMD,
                                            [BF_CHANNEL_CMD] = BF_CHANNEL_DESIRED,
                                            [BF_CHANNEL_RSP] = BF_CHANNEL_CMD,
                                            [BF_CHANNEL_EVT] = BF_CHANNEL_STATE };
    const struct bf_message_row *row = bf_message_row(s->type);
    uint32_t roles = row->topic_roles, others;
    const char *id = site_node_name(s->owner);
    enum bf_channel channel = row->channel;

    switch (prng_below(p, 3)) {
    case 0:
        channel = like[channel];
        break;
    case 1:
        others = roles & ~site_node_roles(s->signer);
        roles = row->own_topic && others != 0 ? others : ~roles;
        break;
    default:
        if (row->own_topic)
            id = another_name(p, id);
        else
            channel = like[channel];
    }
    if (bf_topic_format(s->topic, s->site, one_role(p, roles), id, channel) < 0)
        abort();
}

/* What a node that has gone over could say with its own key. */
static void lie(struct statement *s, struct prng *p, Belfry__V1__Header *h)
{
    const struct bf_message_row *row = bf_message_row(s->type);

    s->lie = true;
    switch (prng_below(p, 9)) {
    case 0: /* in another's name */
        h->sender = (char *)another_name(p, h->sender);
        break;
    case 1: /* to everybody what is for one, or the reverse */
        h->recipient = (char *)(s->directed ? "*" : site_node_name(SITE_CAM_1));
        break;
    case 2:
    case 3:
    case 4: /* there are three ways */
        elsewhere(s, p);
        break;
    case 5: /* what its role may not say */
        do
            s->signer = (enum site_node)prng_below(p, SITE_NODES);
        while ((site_node_roles(s->signer) & row->sender_roles) != 0);
        h->sender = (char *)site_node_name(s->signer);
        break;
    case 6: /* counted on another channel */
        h->channel =
            s->channel == BF_CHANNEL_DESIRED ? BELFRY__V1__CHANNEL__CHANNEL_EVT : BELFRY__V1__CHANNEL__CHANNEL_DESIRED;
        break;
    case 7: /* for ever */
        h->ttl_ms = s->will ? 1000 : 0;
        break;
    default: /* for another site than its topic's */
        h->site = (char *)(strcmp(s->site, SITE_HOME) == 0 ? SITE_BARN : SITE_HOME);
    }
}

static void sign(struct statement *s, const ProtobufCMessage *m)
{
    s->payload_size = protobuf_c_message_get_packed_size(m);
    s->payload = malloc(s->payload_size);
    if (s->payload == NULL)
        abort();
    protobuf_c_message_pack(m, s->payload);
    if (bf_dsse_seal(bf_message_row(s->type)->payload_type, s->payload, s->payload_size, site_secret(s->signer, s->key),
                     &s->envelope, &s->envelope_size) < 0)
        abort();
}

void statement_make(struct statement *ret, struct prng *p, uint32_t id)
{
    uint8_t boot_id[16], message_id[16] = "statement";
    ProtobufCMessage *m;

    *ret = (struct statement){ 0 };
    choose(ret, p);
    m = fx_message(ret->type);
    fill_header(ret, fx_header(m), boot_id);
    memcpy(message_id + 12, &id, sizeof(id));
    fx_header(m)->message_id = (ProtobufCBinaryData){ sizeof(message_id), message_id };
    if (ret->will)
        make_will(m);
    if (prng_chance(p, 20))
        lie(ret, p, fx_header(m));
    sign(ret, m);
}

void statement_done(struct statement *s)
{
    free(s->payload);
    free(s->envelope);
}

uint32_t statement_id(const Belfry__V1__Header *h)
{
    uint32_t id = UINT32_MAX;

    if (h->message_id.len == 16)
        memcpy(&id, h->message_id.data + 12, sizeof(id));
    return id;
}

static bool fresh(const struct statement *s, const struct place *at)
{
    int64_t age_ms = (int64_t)(at->now_ms - s->issued_at_ms);

    if (!at->clock_synced || !s->clock_synced)
        return true;
    return age_ms >= -BF_CLOCK_SKEW_MS && (s->ttl_ms == 0 || age_ms <= (int64_t)s->ttl_ms + BF_CLOCK_SKEW_MS);
}

bool statement_counts(const struct statement *s, const struct place *at)
{
    if (s->lie || !site_key_counts(s->key) || !fresh(s, at))
        return false;
    if (strcmp(s->site, at->site) != 0 || strcmp(s->topic, at->topic) != 0)
        return false;
    if (at->node == NOBODY)
        return true;
    if (s->directed && (s->owner != at->node || s->recipient != at->node))
        return false;
    return !s->bound || (s->bound_to == at->node && s->starts == at->starts);
}
