/* Any protobuf message as JSON, by walking its descriptor: new messages and fields appear without code of their own. */
#ifndef BELFRY_CTL_JSON_H
#define BELFRY_CTL_JSON_H

#include <stdbool.h>

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

enum ctl_enum_style {
    CTL_ENUM_FULL, /* "CAMERA_PHASE_STREAMING", as in the .proto file */
    CTL_ENUM_SHORT /* "streaming" */
};

/* Fields by their names in the .proto files; bytes as hex; enums by name, unknown values as numbers; numbers beyond 63
 * bits as strings. Absent messages and unset oneofs are left out, other defaults are not. NULL without memory. */
json_t *ctl_json_of(const ProtobufCMessage *m, enum ctl_enum_style style);

/* What `watch` and `decode` print of one message with --json. */
struct ctl_json_line {
    const char *topic;        /* NULL: not known */
    const char *payload_type; /* NULL: not even an envelope */
    const char *verdict;      /* "ok", "refused_…", "duplicate", "unverified" */
    bool verified;
    const char *reason;              /* "": none */
    const ProtobufCMessage *message; /* NULL: not shown */
};
json_t *ctl_json_line(const struct ctl_json_line *l);

#endif
