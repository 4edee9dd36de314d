#include "belfryctl/json.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "belfryctl/text.h"

static json_t *json_of_bytes(const ProtobufCBinaryData *bytes)
{
    char *hex = malloc(2 * bytes->len + 1);
    json_t *value = hex != NULL ? json_string(ctl_hex(hex, bytes->data, bytes->len)) : NULL;
    free(hex);
    return value;
}

/* Bytes that the schema forbids to log, sealed as they are. */
static bool is_withheld(const ProtobufCFieldDescriptor *field)
{
    return strcmp(field->name, "sealed_media_key") == 0;
}

static json_t *json_of_length(const ProtobufCBinaryData *bytes)
{
    return bytes->len == 0 ? json_string("") : json_sprintf("(%zu bytes, sealed)", bytes->len);
}

static json_t *json_of_text(const char *text)
{
    json_t *value = json_string(text != NULL ? text : "");
    return value != NULL ? value : json_string("(not UTF-8)");
}

static json_t *json_of_unsigned(uint64_t number)
{
    if (number <= INT64_MAX)
        return json_integer((json_int_t)number);
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return json_string(text);
}

/* Length of "CAMERA_PHASE_" for enum CameraPhase, where the value's name begins with it. */
static size_t enum_prefix_length(const char *value_name, const char *enum_name)
{
    size_t at = 0;
    for (size_t i = 0; enum_name[i] != '\0'; i++) {
        if (i > 0 && isupper((unsigned char)enum_name[i]) && value_name[at++] != '_')
            return 0;
        if (value_name[at++] != toupper((unsigned char)enum_name[i]))
            return 0;
    }
    return value_name[at] == '_' ? at + 1 : 0;
}

static json_t *json_of_enum(const ProtobufCEnumDescriptor *descriptor, int number, enum ctl_enum_style style)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
    if (value == NULL)
        return json_integer(number);
    if (style == CTL_ENUM_FULL)
        return json_string(value->name);

    char word[64];
    const char *from = value->name + enum_prefix_length(value->name, descriptor->short_name);
    size_t n = 0;
    for (; from[n] != '\0' && n + 1 < sizeof word; n++)
        word[n] = (char)tolower((unsigned char)from[n]);
    word[n] = '\0';
    return json_string(word);
}

static json_t *json_of_value(const ProtobufCFieldDescriptor *field, const void *at, enum ctl_enum_style style)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_integer(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_of_unsigned(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_of_unsigned(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return json_of_enum(field->descriptor, *(const int *)at, style);
    case PROTOBUF_C_TYPE_STRING:
        return json_of_text(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return is_withheld(field) ? json_of_length(at) : json_of_bytes(at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return ctl_json_of(*(ProtobufCMessage *const *)at, style);
    }
    return json_null();
}

static size_t value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return 4;
    }
}

static json_t *json_of_list(const ProtobufCFieldDescriptor *field, const uint8_t *items, size_t n,
                            enum ctl_enum_style style)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n; i++)
        json_array_append_new(list, json_of_value(field, items + i * value_size(field->type), style));
    return list;
}

static bool is_present(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)m;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        return *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(ProtobufCMessage *const *)(const void *)(base + field->offset) != NULL;
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING)
        return *(const protobuf_c_boolean *)(const void *)(base + field->quantifier_offset);
    return true;
}

json_t *ctl_json_of(const ProtobufCMessage *m, enum ctl_enum_style style)
{
    json_t *object = json_object();
    const uint8_t *base = (const uint8_t *)m;
    for (unsigned i = 0; object != NULL && i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
        const void *at = base + field->offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(const size_t *)(const void *)(base + field->quantifier_offset);
            json_object_set_new(object, field->name, json_of_list(field, *(uint8_t *const *)at, n, style));
        } else if (is_present(m, field)) {
            json_object_set_new(object, field->name, json_of_value(field, at, style));
        }
    }
    return object;
}

/* "camera-state" of "application/vnd.belfry.camera-state.v1+protobuf"; null for a type that is not named so. */
static json_t *short_type(const char *payload_type)
{
    static const char prefix[] = "application/vnd.belfry.", suffix[] = ".v1+protobuf";
    size_t length = payload_type != NULL ? strlen(payload_type) : 0;
    if (length <= sizeof prefix - 1 + sizeof suffix - 1 || strncmp(payload_type, prefix, sizeof prefix - 1) != 0 ||
        strcmp(payload_type + length - (sizeof suffix - 1), suffix) != 0)
        return json_null();
    return json_stringn(payload_type + sizeof prefix - 1, length - (sizeof prefix - 1) - (sizeof suffix - 1));
}

json_t *ctl_json_line(const struct ctl_json_line *l)
{
    json_t *line = json_object();
    if (line == NULL)
        return NULL;
    json_object_set_new(line, "topic", l->topic != NULL ? json_of_text(l->topic) : json_null());
    json_object_set_new(line, "type", short_type(l->payload_type));
    json_object_set_new(line, "payload_type", l->payload_type != NULL ? json_of_text(l->payload_type) : json_null());
    json_object_set_new(line, "verified", json_boolean(l->verified));
    json_object_set_new(line, "verdict", json_string(l->verdict));
    if (l->reason[0] != '\0')
        json_object_set_new(line, "reason", json_of_text(l->reason));
    if (l->message != NULL)
        json_object_set_new(line, "message", ctl_json_of(l->message, CTL_ENUM_FULL));
    return line;
}
