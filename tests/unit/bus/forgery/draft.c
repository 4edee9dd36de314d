#include "forgery/draft.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Numbers of the envelope's and a signature's fields: proto/envelope.proto. */
enum { FIELD_TYPE = 1, FIELD_PAYLOAD = 2, FIELD_SIGNATURE = 3, FIELD_KEYID = 1, FIELD_SIG = 2, FIELD_UNKNOWN = 15 };

struct draft_signature draft_signature_of(const struct statement *s)
{
    struct draft_signature ret;

    bf_keyid(ret.keyid, site_public(s->signer, s->key));
    /* The last field of an envelope that was packed in order. */
    memcpy(ret.sig, s->envelope + s->envelope_size - sizeof(ret.sig), sizeof(ret.sig));
    return ret;
}

void draft_of(struct draft *ret, const struct statement *s)
{
    const char *type = bf_message_row(s->type)->payload_type;

    ret->row = s->type;
    ret->n_signatures = 1;
    ret->signatures[0] = draft_signature_of(s);
    ret->front_size = ret->back_size = ret->pad = 0;
    draft_set_type(ret, type, strlen(type));
    draft_set_payload(ret, s->payload, s->payload_size);
}

void draft_set_type(struct draft *d, const void *type, size_t size)
{
    d->type_size = size < sizeof(d->type) ? size : sizeof(d->type);
    memcpy(d->type, type, d->type_size);
}

void draft_set_payload(struct draft *d, const uint8_t *payload, size_t size)
{
    d->payload_size = size < sizeof(d->payload) ? size : sizeof(d->payload);
    memcpy(d->payload, payload, d->payload_size);
}

void draft_add_signature(struct draft *d, const struct draft_signature *s, bool in_front)
{
    if (d->n_signatures == DRAFT_SIGNATURES)
        return;
    if (in_front) {
        memmove(d->signatures + 1, d->signatures, d->n_signatures * sizeof(*s));
        d->signatures[0] = *s;
    } else
        d->signatures[d->n_signatures] = *s;
    d->n_signatures++;
}

/* ---- the header ---- */

static ProtobufCMessage *unpack(const struct draft *d)
{
    ProtobufCMessage *m =
        protobuf_c_message_unpack(bf_message_row(d->row)->descriptor, NULL, d->payload_size, d->payload);

    if (m != NULL && *bf_message_header(m) == NULL) {
        protobuf_c_message_free_unpacked(m, NULL);
        m = NULL;
    }
    return m;
}

static void free_message(ProtobufCMessage **m)
{
    protobuf_c_message_free_unpacked(*m, NULL);
}

static void pack_payload(struct draft *d, const ProtobufCMessage *m)
{
    if (protobuf_c_message_get_packed_size(m) <= sizeof(d->payload))
        d->payload_size = protobuf_c_message_pack(m, d->payload);
}

/* Points field f of `h` at that of `from`; all of them are scalars, strings or bytes. */
static void take_field(Belfry__V1__Header *h, const ProtobufCFieldDescriptor *f, const Belfry__V1__Header *from)
{
    static const size_t sizes[] = {
        [PROTOBUF_C_TYPE_UINT32] = sizeof(uint32_t), [PROTOBUF_C_TYPE_UINT64] = sizeof(uint64_t),
        [PROTOBUF_C_TYPE_ENUM] = sizeof(int),        [PROTOBUF_C_TYPE_BOOL] = sizeof(protobuf_c_boolean),
        [PROTOBUF_C_TYPE_STRING] = sizeof(char *),   [PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
    };

    memcpy((uint8_t *)h + f->offset, (const uint8_t *)from + f->offset, sizes[f->type]);
}

static void set_number(Belfry__V1__Header *h, const ProtobufCFieldDescriptor *f, uint64_t number)
{
    void *value = (uint8_t *)h + f->offset;

    if (f->type == PROTOBUF_C_TYPE_UINT64)
        *(uint64_t *)value = number;
    else if (f->type == PROTOBUF_C_TYPE_UINT32)
        *(uint32_t *)value = (uint32_t)number;
    else if (f->type == PROTOBUF_C_TYPE_ENUM)
        *(int *)value = (int)(number % 9);
    else if (f->type == PROTOBUF_C_TYPE_BOOL)
        *(protobuf_c_boolean *)value = number % 2 != 0;
}

void draft_change_header(struct draft *d, unsigned field, const struct statement *from, uint64_t number)
{
    const ProtobufCMessageDescriptor *of = &belfry__v1__header__descriptor;
    const ProtobufCFieldDescriptor *f = &of->fields[field % of->n_fields];
    _cleanup_(free_message) ProtobufCMessage *m = unpack(d), *other = NULL;
    Belfry__V1__Header *before, changed;

    if (m == NULL)
        return;
    before = *bf_message_header(m);
    changed = *before;
    if (from == NULL)
        set_number(&changed, f, number);
    else {
        other =
            protobuf_c_message_unpack(bf_message_row(from->type)->descriptor, NULL, from->payload_size, from->payload);
        take_field(&changed, f, *bf_message_header(other));
    }
    *bf_message_header(m) = &changed;
    pack_payload(d, m);
    *bf_message_header(m) = before;
}

/* A node that signs in its own name with a key that counts says something; it forges nothing. */
static bool own_word(const struct draft *d, enum site_node node, enum site_key key)
{
    _cleanup_(free_message) ProtobufCMessage *m = unpack(d);

    return site_key_counts(key) && m != NULL && strcmp((*bf_message_header(m))->sender, site_node_name(node)) == 0;
}

void draft_sign(struct draft *d, enum site_node node, enum site_key key)
{
    struct draft_signature *s = &d->signatures[0];
    char type[sizeof(d->type) + 1] = "";

    memcpy(type, d->type, d->type_size);
    for (enum bf_message_type row = 0; row < BF_MSG_TYPES; row++)
        if (strcmp(bf_message_row(row)->payload_type, type) == 0)
            d->row = row; /* what a receiver will take it for */
    if (own_word(d, node, key))
        return;
    bf_keyid(s->keyid, site_public(node, key));
    if (bf_dsse_sign_detached(s->sig, type, d->payload, d->payload_size, site_secret(node, key)) < 0)
        abort();
    d->n_signatures = 1;
}

/* ---- together again ---- */

static size_t put_varint(uint8_t *to, size_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        to[n++] = (uint8_t)(value | 0x80);
    to[n++] = (uint8_t)value;
    return n;
}

void draft_put(uint8_t *to, size_t max, size_t *size, unsigned field, const void *data, size_t data_size)
{
    if (*size + 11 + data_size > max)
        return;
    to[(*size)++] = (uint8_t)(field << 3 | 2);
    *size += put_varint(to + *size, data_size);
    memcpy(to + *size, data, data_size);
    *size += data_size;
}

static void put_raw(struct forged *f, const void *data, size_t size)
{
    memcpy(f->bytes + f->size, data, size);
    f->size += size;
}

void draft_pack(const struct draft *d, struct forged *ret)
{
    static const uint8_t padding[FORGED_MAX / 2];

    ret->size = 0;
    put_raw(ret, d->front, d->front_size);
    draft_put(ret->bytes, FORGED_MAX, &ret->size, FIELD_TYPE, d->type, d->type_size);
    draft_put(ret->bytes, FORGED_MAX, &ret->size, FIELD_PAYLOAD, d->payload, d->payload_size);
    for (unsigned i = 0; i < d->n_signatures; i++) {
        uint8_t one[4 + BF_KEYID_SIZE + BF_SIGNATURE_SIZE + 22];
        size_t size = 0;

        draft_put(one, sizeof(one), &size, FIELD_KEYID, d->signatures[i].keyid, BF_KEYID_SIZE);
        draft_put(one, sizeof(one), &size, FIELD_SIG, d->signatures[i].sig, BF_SIGNATURE_SIZE);
        draft_put(ret->bytes, FORGED_MAX, &ret->size, FIELD_SIGNATURE, one, size);
    }
    put_raw(ret, d->back, d->back_size);
    if (d->pad > 0)
        draft_put(ret->bytes, FORGED_MAX, &ret->size, FIELD_UNKNOWN, padding, d->pad);
}
