#include "bus/limits.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/text.h"
#include "bus/limits_table.h"

int bf_limit_fail(struct bf_error *e, const char *field, const char *expected)
{
    return bf_fail(e, -EBADMSG, "%s: expected %s", field, expected);
}

static bool made_of(const char *text, size_t max, const char *also)
{
    size_t n = 0;

    for (; text[n] != '\0'; n++)
        if (n == max || !(isalnum((unsigned char)text[n]) || strchr(also, text[n]) != NULL))
            return false;
    return n > 0;
}

static bool is_word(const char *text, size_t max)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return n > 0 && n <= max && text[n] == '\0';
}

static int check_string(const struct bf_limit *l, const char *text, struct bf_error *e)
{
    char expected[64];

    if (l->or_empty && *text == '\0')
        return 0;
    switch (l->kind) {
    case ID:
        return bf_id_valid(text) ? 0 : bf_limit_fail(e, l->field, "an id, [a-z0-9-]{1,32}");
    case RECIPIENT:
        return bf_id_valid(text) || strcmp(text, "*") == 0 ? 0 : bf_limit_fail(e, l->field, "an id or *");
    case ULID:
        return bf_ulid_valid(text) ? 0 : bf_limit_fail(e, l->field, "a ULID");
    case WORD:
        return is_word(text, l->max) ? 0 : bf_limit_fail(e, l->field, "a word, [a-z0-9_]{1,48}");
    case NAME:
        return made_of(text, l->max, "._-") && *text != '.' ? 0 : bf_limit_fail(e, l->field, "a name, [A-Za-z0-9._-]");
    case HOST:
        return made_of(text, l->max, ".:-") ? 0 : bf_limit_fail(e, l->field, "an address or host name");
    default:
        snprintf(expected, sizeof(expected), "at most %u bytes of UTF-8 text", (unsigned)l->max);
        return bf_text_valid(text, l->max) ? 0 : bf_limit_fail(e, l->field, expected);
    }
}

static int check_bytes(const struct bf_limit *l, size_t size, struct bf_error *e)
{
    char expected[64];

    if ((size >= l->min && size <= l->max) || (l->or_empty && size == 0))
        return 0;
    snprintf(expected, sizeof(expected), "%u bytes", (unsigned)l->max);
    return bf_limit_fail(e, l->field, expected);
}

static int check_number(const struct bf_limit *l, uint64_t value, struct bf_error *e)
{
    char expected[96];

    if (l->or_empty && value == 0)
        return 0;
    if (value >= l->min && value <= l->max && (l->kind != EVEN || value % 2 == 0))
        return 0;
    snprintf(expected, sizeof(expected), "%s%llu to %llu", l->kind == EVEN ? "an even number of " : "",
             (unsigned long long)l->min, (unsigned long long)l->max);
    return bf_limit_fail(e, l->field, expected);
}

/* protobuf-c keeps the value of a field at its offset, and the count or presence at quantifier_offset. */
static const void *member(const ProtobufCMessage *m, unsigned offset)
{
    return (const uint8_t *)m + offset;
}

static size_t count_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return *(const size_t *)member(m, f->quantifier_offset);
}

static int check_field(const struct bf_limit *l, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       struct bf_error *e)
{
    const void *value = member(m, f->offset);
    char expected[48];

    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        if (count_of(m, f) >= l->min && count_of(m, f) <= l->max)
            return 0;
        snprintf(expected, sizeof(expected), "%u to %u entries", (unsigned)l->min, (unsigned)l->max);
        return bf_limit_fail(e, l->field, expected);
    }
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return check_string(l, *(char *const *)value, e);
    case PROTOBUF_C_TYPE_BYTES:
        return check_bytes(l, ((const ProtobufCBinaryData *)value)->len, e);
    case PROTOBUF_C_TYPE_UINT32:
        return check_number(l, *(const uint32_t *)value, e);
    case PROTOBUF_C_TYPE_UINT64:
        return check_number(l, *(const uint64_t *)value, e);
    case PROTOBUF_C_TYPE_ENUM:
        return 0; /* check_enum's */
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(void *const *)value != NULL ? 0 : bf_limit_fail(e, l->field, "a value");
    default:
        return bf_limit_fail(e, l->field, "a type that can be checked");
    }
}

static const struct bf_limit *limit_of(const ProtobufCMessageDescriptor *of, const char *field)
{
    for (size_t i = 0; i < bf_n_limits; i++)
        if (bf_limits[i].of == of && strcmp(bf_limits[i].field, field) == 0)
            return &bf_limits[i];
    return NULL;
}

bool bf_limits_has(const ProtobufCMessageDescriptor *of, const char *field)
{
    return limit_of(of, field) != NULL;
}

/* Is the i-th value of this enum field named in the schema, and not its UNSPECIFIED unless that is fine here? */
static int check_enum(const ProtobufCFieldDescriptor *f, const int *values, size_t i, bool or_empty, struct bf_error *e)
{
    if (values[i] == 0 && or_empty)
        return 0;
    if (values[i] != 0 && protobuf_c_enum_descriptor_get_value(f->descriptor, values[i]) != NULL)
        return 0;
    return bf_limit_fail(e, f->name, "one of its named values");
}

/* Every nested message and enum of field f: entries of a repeated one, the chosen one of a oneof. */
static int check_nested(const struct bf_limit *l, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                        struct bf_error *e)
{
    bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED, oneof = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    const void *value = repeated ? *(void *const *)member(m, f->offset) : member(m, f->offset);
    size_t n = repeated ? count_of(m, f) : 1;
    int r = 0;

    if (oneof && *(const uint32_t *)member(m, f->quantifier_offset) != f->id)
        return 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        if (f->type == PROTOBUF_C_TYPE_ENUM)
            r = check_enum(f, value, i, l != NULL && l->or_empty, e);
        else if (((ProtobufCMessage *const *)value)[i] != NULL) {
            r = bf_limits_check(((ProtobufCMessage *const *)value)[i], e);
            if (r < 0)
                return bf_fail_in(e, r, f->name);
        }
    }
    return r;
}

int bf_limits_check(const ProtobufCMessage *m, struct bf_error *e)
{
    const ProtobufCMessageDescriptor *d = m->descriptor;
    int r = 0;

    for (unsigned i = 0; i < d->n_fields && r == 0; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const struct bf_limit *l = limit_of(d, f->name);

        if (l != NULL)
            r = check_field(l, m, f, e);
        if (r == 0 && (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_ENUM))
            r = check_nested(l, m, f, e);
    }
    for (size_t i = 0; i < bf_n_rules && r == 0; i++)
        if (bf_rules[i].of == d)
            r = bf_rules[i].check(m, e);
    return r;
}
