#include "bus/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const names[BF_REFUSALS] = {
    [BF_OK] = "ok",
    [BF_REFUSED_SIZE] = "refused_size",
    [BF_REFUSED_ENVELOPE] = "refused_envelope",
    [BF_REFUSED_TYPE] = "refused_type",
    [BF_REFUSED_KEY] = "refused_key",
    [BF_REFUSED_SIGNATURE] = "refused_signature",
    [BF_REFUSED_PAYLOAD] = "refused_payload",
    [BF_REFUSED_SITE] = "refused_site",
    [BF_REFUSED_RECIPIENT] = "refused_recipient",
    [BF_REFUSED_TOPIC] = "refused_topic",
    [BF_REFUSED_SENDER] = "refused_sender",
    [BF_REFUSED_AGE] = "refused_age",
    [BF_REFUSED_BOOT_ID] = "refused_boot_id",
    [BF_REFUSED_REPLAY] = "refused_replay",
    [BF_REFUSED_WILL] = "refused_will",
    [BF_REFUSED_LEASE_EPOCH] = "refused_lease_epoch",
    [BF_DUPLICATE] = "duplicate",
};

const char *bf_refusal_name(enum bf_refusal r)
{
    return (unsigned)r < BF_REFUSALS ? names[r] : "unknown";
}

BF_DEFINE_CLEANUP(struct bf_dsse, bf_dsse_free)

static enum bf_refusal refuse(struct bf_error *e, enum bf_refusal why, const char *text)
{
    bf_fail(e, 0, "%s", text);
    return why;
}

/* What one message is checked against, and what has been found out about it so far. */
struct check {
    const struct bf_verifier *v;
    const char *topic_text;
    uint64_t unix_ms;
    bool clock_synced;
    const struct bf_dsse *envelope;
    const struct bf_trusted_key *key;
    struct bf_incoming in;
    struct bf_error *e;
};

static bool has(uint32_t roles, enum bf_role role)
{
    return (roles >> role & 1) != 0;
}

static enum bf_refusal check_type(struct check *c)
{
    const struct bf_message_row *row = bf_message_by_payload_type(bf_dsse_type(c->envelope));

    if (row == NULL)
        return refuse(c->e, BF_REFUSED_TYPE, "unknown payload type");
    if (bf_topic_parse(&c->in.topic, c->topic_text) < 0)
        return refuse(c->e, BF_REFUSED_TYPE, "topic that no message travels on");
    if (row->channel != c->in.topic.channel || !has(row->topic_roles, c->in.topic.role))
        return refuse(c->e, BF_REFUSED_TYPE, "this payload type does not travel on this topic");
    c->in.row = row;
    return BF_OK;
}

/* May this key sign the message's type on its topic? The owner of the topic speaks in the topic's role. */
static bool may_send(const struct check *c, const struct bf_trusted_key *k)
{
    return (k->roles & c->in.row->sender_roles) != 0 && (!c->in.row->own_topic || has(k->roles, c->in.topic.role));
}

struct candidates {
    struct check *check;
    bool known, allowed;
};

/* Ends the walk with 1 at the key that made a signature. */
static int try_key(void *user, const struct bf_trusted_key *k)
{
    struct candidates *found = user;
    struct check *c = found->check;

    if (!bf_dsse_hints_at(c->envelope, k->keyid))
        return 0;
    found->known = true;
    if (!may_send(c, k))
        return 0;
    found->allowed = true;
    if (bf_dsse_verify(c->envelope, k->public_key) < 0)
        return 0;
    c->key = k;
    return 1;
}

static enum bf_refusal check_signature(struct check *c)
{
    struct candidates found = { .check = c };

    if (bf_trust_each(c->v->trust, NULL, BF_ROLE_NONE, c->unix_ms, try_key, &found) == 1)
        return BF_OK;
    if (!found.known)
        return refuse(c->e, BF_REFUSED_KEY, "no key of the trust bundle that is valid now and not revoked");
    if (!found.allowed)
        return refuse(c->e, BF_REFUSED_KEY, "signed by a node that may not send this type on this topic");
    return refuse(c->e, BF_REFUSED_SIGNATURE, "the signature does not match the bytes");
}

static enum bf_refusal check_payload(struct check *c)
{
    size_t size;
    const uint8_t *payload = bf_dsse_payload(c->envelope, &size);

    c->in.message = protobuf_c_message_unpack(c->in.row->descriptor, NULL, size, payload);
    if (c->in.message == NULL)
        return refuse(c->e, BF_REFUSED_PAYLOAD, "the payload does not parse");
    if (c->in.row->check(c->in.message, c->e) < 0)
        return BF_REFUSED_PAYLOAD;
    c->in.header = *bf_message_header(c->in.message);
    c->in.will = c->in.header->channel == BELFRY__V1__CHANNEL__CHANNEL_WILL;
    return BF_OK;
}

static bool is_broadcast(const struct check *c)
{
    return c->in.topic.channel == BF_CHANNEL_STATE || c->in.topic.channel == BF_CHANNEL_EVT;
}

static enum bf_refusal check_recipient(struct check *c)
{
    const Belfry__V1__Header *h = c->in.header;

    if (is_broadcast(c))
        return strcmp(h->recipient, "*") == 0 ? BF_OK : refuse(c->e, BF_REFUSED_RECIPIENT, "recipient: expected *");
    if (strcmp(h->recipient, "*") == 0)
        return refuse(c->e, BF_REFUSED_RECIPIENT, "recipient: expected one node");
    if (c->v->node == NULL || (strcmp(h->recipient, c->v->node) == 0 && strcmp(c->in.topic.id, c->v->node) == 0))
        return BF_OK;
    bf_fail(c->e, 0, "recipient %s; this is %s", h->recipient, c->v->node);
    return BF_REFUSED_RECIPIENT;
}

static enum bf_refusal check_addresses(struct check *c)
{
    const Belfry__V1__Header *h = c->in.header;
    enum bf_refusal r;

    if (strcmp(h->site, c->v->site) != 0 || strcmp(c->in.topic.site, c->v->site) != 0) {
        bf_fail(c->e, 0, "site %s; this is %s", h->site, c->v->site);
        return BF_REFUSED_SITE;
    }
    r = check_recipient(c);
    if (r != BF_OK)
        return r;
    if (strcmp(h->topic, c->topic_text) != 0)
        return refuse(c->e, BF_REFUSED_TOPIC, "signed for another topic than it came on");
    if (strcmp(h->sender, c->key->node) != 0) {
        bf_fail(c->e, 0, "sender %s, but signed by %s", h->sender, c->key->node);
        return BF_REFUSED_SENDER;
    }
    if (c->in.row->own_topic && strcmp(h->sender, c->in.topic.id) != 0) {
        bf_fail(c->e, 0, "sender %s on the topic of %s", h->sender, c->in.topic.id);
        return BF_REFUSED_SENDER;
    }
    return BF_OK;
}

static bool is_for_this_start(const struct check *c)
{
    const ProtobufCBinaryData *id = &c->in.header->recipient_boot_id;
    bool bound = c->in.topic.channel == BF_CHANNEL_DESIRED || c->in.topic.channel == BF_CHANNEL_CMD;

    if (!bound || c->v->node == NULL)
        return true;
    return id->len == 16 && memcmp(id->data, c->v->boot_id, 16) == 0;
}

static bool is_news(const struct check *c)
{
    const Belfry__V1__Header *h = c->in.header;
    const struct bf_replay *seen = c->v->replay;
    uint64_t epoch = bf_replay_epoch(seen, h->sender);

    if (c->in.will || !is_for_this_start(c))
        return false;
    return h->sender_epoch > epoch ||
           (h->sender_epoch == epoch && h->sequence > bf_replay_highest(seen, h->sender, (int)h->channel));
}

/* An old message that comes again says nothing of clocks, also where it was never seen; one beyond all others does. */
static void note_gap(const struct check *c)
{
    const Belfry__V1__Header *h = c->in.header;
    struct bf_clock_gap *gap = c->v->gap;

    if (gap == NULL || c->v->replay == NULL || !is_news(c))
        return;
    snprintf(gap->node, sizeof(gap->node), "%s", h->sender);
    gap->role = c->in.row->own_topic ? c->in.topic.role : BF_ROLE_NONE;
    gap->ahead_ms = (int64_t)(h->issued_at_ms - c->unix_ms);
}

static enum bf_refusal check_age(struct check *c)
{
    const Belfry__V1__Header *h = c->in.header;

    if (!c->clock_synced || !h->clock_synced)
        return BF_OK;
    if (h->issued_at_ms > c->unix_ms && h->issued_at_ms - c->unix_ms > BF_CLOCK_SKEW_MS) {
        bf_fail(c->e, 0, "from %s, issued %llu ms in the future", h->sender,
                (unsigned long long)(h->issued_at_ms - c->unix_ms));
        note_gap(c);
        return BF_REFUSED_AGE;
    }
    if (h->ttl_ms != 0 && c->unix_ms > h->issued_at_ms &&
        c->unix_ms - h->issued_at_ms > h->ttl_ms + (uint64_t)BF_CLOCK_SKEW_MS) {
        bf_fail(c->e, 0, "from %s, issued %llu ms ago; it counted for %u ms", h->sender,
                (unsigned long long)(c->unix_ms - h->issued_at_ms), h->ttl_ms);
        note_gap(c);
        return BF_REFUSED_AGE;
    }
    return BF_OK;
}

static enum bf_refusal check_boot_id(struct check *c)
{
    if (is_for_this_start(c))
        return BF_OK;
    bf_fail(c->e, 0, "from %s, meant for another start of this node", c->in.header->sender);
    return BF_REFUSED_BOOT_ID;
}

static enum bf_refusal check_replay(struct check *c)
{
    const Belfry__V1__Header *h = c->in.header;
    uint64_t current;

    if (c->v->replay == NULL)
        return BF_OK;
    current = bf_replay_epoch(c->v->replay, h->sender);
    if (c->in.will && current != 0 && h->sender_epoch != current) {
        bf_fail(c->e, 0, "last will of %s for epoch %llu; its current one is %llu", h->sender,
                (unsigned long long)h->sender_epoch, (unsigned long long)current);
        return BF_REFUSED_WILL;
    }
    switch (bf_replay_accept(c->v->replay, h->sender, (int)h->channel, h->sender_epoch, h->sequence)) {
    case BF_REPLAY_NEW:
        return BF_OK;
    case BF_REPLAY_DUPLICATE:
        return refuse(c->e, BF_DUPLICATE, "seen before");
    case BF_REPLAY_OLD_EPOCH:
        bf_fail(c->e, 0, "from %s, epoch %llu; its current one is %llu", h->sender, (unsigned long long)h->sender_epoch,
                (unsigned long long)current);
        return BF_REFUSED_REPLAY;
    case BF_REPLAY_TOO_OLD:
        bf_fail(c->e, 0, "from %s, sequence %llu is left of the window", h->sender, (unsigned long long)h->sequence);
        return BF_REFUSED_REPLAY;
    case BF_REPLAY_FULL:
        break;
    }
    return refuse(c->e, BF_REFUSED_REPLAY, "no room for the window of another sender");
}

/* The order is the contract: docs/architecture.md "Messages". */
static enum bf_refusal (*const steps[])(struct check *c) = {
    check_type, check_signature, check_payload, check_addresses, check_age, check_boot_id, check_replay,
};

enum bf_refusal bf_verify(const struct bf_verifier *v, const char *topic, const void *data, size_t size,
                          uint64_t unix_ms, bool clock_synced, struct bf_incoming *ret, struct bf_error *e)
{
    _cleanup_(bf_dsse_freep) struct bf_dsse *envelope = NULL;
    struct check c = { .v = v, .topic_text = topic, .unix_ms = unix_ms, .clock_synced = clock_synced, .e = e };
    enum bf_refusal r = BF_OK;

    if (size > BF_ENVELOPE_MAX) {
        bf_fail(e, 0, "%zu bytes; an envelope is at most %d", size, BF_ENVELOPE_MAX);
        return BF_REFUSED_SIZE;
    }
    if (bf_dsse_open(&envelope, data, size) < 0)
        return refuse(e, BF_REFUSED_ENVELOPE, "not a signed envelope");

    c.envelope = envelope;
    for (size_t i = 0; i < BF_COUNT_OF(steps) && r == BF_OK; i++)
        r = steps[i](&c);
    if (r == BF_OK || r == BF_DUPLICATE)
        *ret = c.in;
    else
        bf_incoming_done(&c.in);
    return r;
}

void bf_incoming_done(struct bf_incoming *m)
{
    protobuf_c_message_free_unpacked(m->message, NULL);
    *m = (struct bf_incoming){ 0 };
}

struct document {
    const struct bf_dsse *envelope;
};

static int signed_document(void *user, const struct bf_trusted_key *k)
{
    const struct document *d = user;

    return bf_dsse_hints_at(d->envelope, k->keyid) && bf_dsse_verify(d->envelope, k->public_key) == 0;
}

int bf_document_open(const struct bf_trust *t, enum bf_role role, const char *payload_type, const void *data,
                     size_t size, uint64_t unix_ms, uint8_t **ret_payload, size_t *ret_size, struct bf_error *e)
{
    _cleanup_(bf_dsse_freep) struct bf_dsse *envelope = NULL;
    const uint8_t *payload;
    uint8_t *copy;
    size_t payload_size;
    int r = bf_dsse_open(&envelope, data, size);

    if (r < 0)
        return bf_fail(e, r, "not a signed envelope of at most %d bytes", BF_ENVELOPE_MAX);
    if (strcmp(bf_dsse_type(envelope), payload_type) != 0)
        return bf_fail(e, -EBADMSG, "an envelope of another type; expected %s", payload_type);
    if (bf_trust_each(t, NULL, role, unix_ms, signed_document, &(struct document){ envelope }) != 1)
        return bf_fail(e, -EBADMSG, "not signed by a valid key of role %s", bf_role_name(role));

    payload = bf_dsse_payload(envelope, &payload_size);
    copy = malloc(payload_size + 1); /* never zero bytes */
    if (copy == NULL)
        return -ENOMEM;
    if (payload_size > 0)
        memcpy(copy, payload, payload_size);
    *ret_payload = copy;
    *ret_size = payload_size;
    return 0;
}
