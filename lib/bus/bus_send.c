#include "bus/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bus/bus_internal.h"

#define STATE_TTL_MS 15000
#define EVENT_TTL_MS 60000
#define REPLY_TTL_MS 30000
#define HEADER_TAG 0x0a /* field 1, length-delimited */
#define ONCE_A_MINUTE_MS 60000

/* One message on its way out. The header's strings and bytes are borrowed. */
struct outgoing {
    const struct bf_message_row *row;
    char topic[BF_TOPIC_SIZE];
    uint8_t message_id[16];
    Belfry__V1__Header header;
};

static const struct bf_message_row *state_row(enum bf_role role)
{
    static const enum bf_message_type types[] = {
        [BF_ROLE_CAMERA] = BF_MSG_CAMERA_STATE,
        [BF_ROLE_INGEST] = BF_MSG_INGEST_STATE,
        [BF_ROLE_GATEWAY] = BF_MSG_GATEWAY_STATE,
        [BF_ROLE_JANITOR] = BF_MSG_JANITOR_STATE,
    };

    return role >= BF_ROLE_CAMERA && role <= BF_ROLE_JANITOR ? bf_message_row(types[role]) : NULL;
}

static int address(struct bf_bus *b, struct outgoing *out, const struct bf_message_row *row,
                   const struct bf_address *to)
{
    int r = bf_topic_format(out->topic, b->o.site, to->topic_role, to->topic_id, row->channel);

    if (r == 0)
        r = bf_random(out->message_id, sizeof(out->message_id));
    if (r < 0)
        return r;
    out->row = row;
    belfry__v1__header__init(&out->header);
    out->header.site = (char *)b->o.site; /* packing only reads them */
    out->header.sender = (char *)b->o.node;
    out->header.recipient = (char *)(to->recipient != NULL ? to->recipient : "*");
    out->header.topic = out->topic;
    out->header.message_id = (ProtobufCBinaryData){ sizeof(out->message_id), out->message_id };
    out->header.sender_epoch = b->o.epoch;
    out->header.channel = (Belfry__V1__Channel)row->channel;
    out->header.issued_at_ms = bf_unix_ms();
    out->header.clock_synced = bf_clock_synced();
    out->header.ttl_ms = to->ttl_ms;
    if (to->recipient_boot_id != NULL)
        out->header.recipient_boot_id = (ProtobufCBinaryData){ 16, (uint8_t *)to->recipient_boot_id };
    return 0;
}

/* A sequence number is used up even when sending fails: gaps are harmless, repeats are not. */
static void number(struct bf_bus *b, struct outgoing *out)
{
    out->header.sequence = ++b->sequences[out->header.channel];
}

static int check(struct bf_bus *b, const struct outgoing *out, const ProtobufCMessage *m)
{
    struct bf_error e = { 0 };
    uint64_t suppressed;
    char quoted[512];

    if (out->row->check(m, &e) == 0)
        return 0;
    if (bf_log_allow(&b->bad_send_limit, bf_mono_ms(), ONCE_A_MINUTE_MS, &suppressed))
        bf_err("a message of this node is out of range and was not sent", "topic=%s reason=%s suppressed=%llu",
               out->topic, bf_log_quote(quoted, sizeof(quoted), e.text), (unsigned long long)suppressed);
    return -EINVAL;
}

/* Checks m under the outgoing header and packs it without one. */
static int pack_body(struct bf_bus *b, struct outgoing *out, ProtobufCMessage *m, uint8_t **ret, size_t *ret_size)
{
    Belfry__V1__Header **header = bf_message_header(m), *before = *header;
    uint8_t *body;
    int r;

    if (m->descriptor != out->row->descriptor)
        return -EINVAL;
    *header = &out->header;
    r = check(b, out, m);
    *header = NULL;
    if (r == 0) {
        *ret_size = protobuf_c_message_get_packed_size(m);
        body = malloc(*ret_size + 1); /* may be empty */
        if (body == NULL)
            r = -ENOMEM;
        else {
            protobuf_c_message_pack(m, body);
            *ret = body;
        }
    }
    *header = before;
    return r;
}

static size_t put_varint(uint8_t *to, size_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        to[n++] = (uint8_t)(value | 0x80);
    to[n++] = (uint8_t)value;
    return n;
}

static int is_key(void *user, const struct bf_trusted_key *k)
{
    return memcmp(k->public_key, user, BF_PUBLIC_KEY_SIZE) == 0;
}

/* A rotated key and the one before it sign together while the bundle lists both: who has not got the new bundle yet
 * goes by the old key. */
static size_t signing_keys(const struct bf_bus *b, const uint8_t *ret[static 2])
{
    const uint8_t *previous = bf_key_previous(b->o.key);

    ret[0] = bf_key_secret(b->o.key);
    ret[1] = previous;
    return previous != NULL && bf_trust_each(b->o.trust, b->o.node, b->o.role, bf_unix_ms(), is_key,
                                             (void *)BF_PUBLIC_OF(previous)) != 0
               ? 2
               : 1;
}

static int sign(const struct bf_bus *b, const char *type, const uint8_t *payload, size_t size, uint8_t **ret,
                size_t *ret_size)
{
    const uint8_t *keys[2];
    size_t n = signing_keys(b, keys);
    int r = bf_dsse_seal_with(type, payload, size, keys, n, ret, ret_size);

    /* What is almost too long has room for one signature only. */
    return r == -EMSGSIZE && n > 1 ? bf_dsse_seal_with(type, payload, size, keys, 1, ret, ret_size) : r;
}

/* Header first, then the body: a packed message is the concatenation of its packed fields. */
static int seal(const struct bf_bus *b, const struct outgoing *out, const uint8_t *body, size_t size, uint8_t **ret,
                size_t *ret_size)
{
    size_t header_size = belfry__v1__header__get_packed_size(&out->header), at = 0;
    _cleanup_(bf_freep) uint8_t *payload = malloc(1 + 10 + header_size + size);

    if (payload == NULL)
        return -ENOMEM;
    payload[at++] = HEADER_TAG;
    at += put_varint(payload + at, header_size);
    at += belfry__v1__header__pack(&out->header, payload + at);
    if (size > 0)
        memcpy(payload + at, body, size);
    return sign(b, out->row->payload_type, payload, at + size, ret, ret_size);
}

static int publish(struct bf_bus *b, const struct outgoing *out, const uint8_t *body, size_t size)
{
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    size_t envelope_size;
    int r = seal(b, out, body, size, &envelope, &envelope_size);

    if (r < 0)
        return r;
    return bf_mqtt_publish(b->mqtt, out->topic, envelope, envelope_size, out->row->channel == BF_CHANNEL_STATE);
}

int bf_bus_send(struct bf_bus *b, enum bf_message_type type, const struct bf_address *to, ProtobufCMessage *m,
                uint8_t *ret_message_id)
{
    _cleanup_(bf_freep) uint8_t *body = NULL;
    const struct bf_message_row *row = bf_message_row(type);
    struct outgoing out;
    size_t size;
    int r;

    if (row == NULL)
        return -EINVAL;
    if (!bf_mqtt_connected(b->mqtt))
        return -ENOTCONN;
    r = address(b, &out, row, to);
    if (r < 0)
        return r;
    number(b, &out);
    r = pack_body(b, &out, m, &body, &size);
    if (r == 0)
        r = publish(b, &out, body, size);
    if (r == 0 && ret_message_id != NULL)
        memcpy(ret_message_id, out.message_id, sizeof(out.message_id));
    return r;
}

/* ---- state and last will ---- */

struct state_packing {
    struct bf_bus *bus;
    bool will;
    struct outgoing out;
    uint8_t *body;
    size_t size;
    bool packed;
};

static int pack_state(void *user, ProtobufCMessage *m)
{
    struct state_packing *p = user;
    int r;

    if (p->packed)
        return -EALREADY;
    number(p->bus, &p->out);
    r = pack_body(p->bus, &p->out, m, &p->body, &p->size);
    p->packed = r == 0;
    return r;
}

static int make_state(struct state_packing *p)
{
    struct bf_bus *b = p->bus;
    const struct bf_message_row *row = state_row(b->o.role);
    struct bf_address to = { .topic_role = b->o.role, .topic_id = b->o.node, .ttl_ms = p->will ? 0 : STATE_TTL_MS };
    int r;

    if (row == NULL || b->o.with_state == NULL)
        return -ENOTSUP;
    r = address(b, &p->out, row, &to);
    if (r < 0)
        return r;
    if (p->will)
        p->out.header.channel = BELFRY__V1__CHANNEL__CHANNEL_WILL;
    r = b->o.with_state(b->o.user, p->will, pack_state, p);
    return r == 0 && !p->packed ? -EINVAL : r;
}

static int publish_state(struct bf_bus *b, bool will)
{
    struct state_packing p = { .bus = b, .will = will };
    int r;

    if (!bf_mqtt_connected(b->mqtt))
        return -ENOTCONN;
    r = make_state(&p);
    if (r == 0)
        r = publish(b, &p.out, p.body, p.size);
    free(p.body);
    return r;
}

int bf_bus_send_state(struct bf_bus *b)
{
    return publish_state(b, false);
}

int bf_bus_send_good_bye(struct bf_bus *b)
{
    return publish_state(b, true);
}

int bf_bus_seal_will(struct bf_bus *b, uint8_t **ret_payload, size_t *ret_size)
{
    struct state_packing p = { .bus = b, .will = true };
    int r = make_state(&p);

    if (r == 0)
        r = seal(b, &p.out, p.body, p.size, ret_payload, ret_size);
    free(p.body);
    return r;
}

int bf_bus_send_event(struct bf_bus *b, ProtobufCMessage *event)
{
    struct bf_address to = { .topic_role = b->o.role, .topic_id = b->o.node, .ttl_ms = EVENT_TTL_MS };

    return bf_bus_send(b, BF_MSG_EVENT, &to, event, NULL);
}

/* ---- answers ---- */

struct bf_asker bf_asker_of(const struct bf_incoming *cmd)
{
    struct bf_asker asker = { 0 };

    strncpy(asker.node, cmd->header->sender, sizeof(asker.node) - 1);
    memcpy(asker.message_id, cmd->header->message_id.data, sizeof(asker.message_id));
    return asker;
}

/* Each kind of answer travels on the topics of one role: the one that asks. */
static enum bf_role asking_role(const struct bf_message_row *row)
{
    return (enum bf_role)__builtin_ctz(row->topic_roles);
}

static int address_reply(struct bf_bus *b, struct outgoing *out, const struct bf_asker *asker,
                         enum bf_message_type type)
{
    const struct bf_message_row *row = bf_message_row(type);
    struct bf_address to = { .topic_id = asker->node, .recipient = asker->node, .ttl_ms = REPLY_TTL_MS };
    int r;

    if (row == NULL || row->channel != BF_CHANNEL_RSP)
        return -EINVAL;
    to.topic_role = asking_role(row);
    r = address(b, out, row, &to);
    out->header.in_reply_to = (ProtobufCBinaryData){ sizeof(asker->message_id), (uint8_t *)asker->message_id };
    number(b, out);
    return r;
}

int bf_bus_send_reply(struct bf_bus *b, const struct bf_asker *asker, enum bf_message_type type, const uint8_t *body,
                      size_t size)
{
    struct outgoing out;
    int r = address_reply(b, &out, asker, type);

    return r < 0 ? r : publish(b, &out, body, size);
}

int bf_bus_reply_to(struct bf_bus *b, const struct bf_asker *asker, enum bf_message_type type, ProtobufCMessage *m)
{
    _cleanup_(bf_freep) uint8_t *body = NULL;
    struct outgoing out;
    size_t size;
    int r = address_reply(b, &out, asker, type);

    if (r == 0)
        r = pack_body(b, &out, m, &body, &size);
    if (r < 0)
        return r;
    bf_reply_cache_put(&b->replies, asker, type, body, size); /* without it a duplicate stays unanswered: no harm */
    return publish(b, &out, body, size);
}

int bf_bus_reply(struct bf_bus *b, const struct bf_incoming *cmd, enum bf_message_type type, ProtobufCMessage *m)
{
    struct bf_asker asker = bf_asker_of(cmd);

    return bf_bus_reply_to(b, &asker, type, m);
}
