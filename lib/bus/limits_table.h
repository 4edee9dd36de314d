/* The table behind limits.h: one row per bounded field, and the few rules that bind several fields of a message. */
#ifndef BELFRY_BUS_LIMITS_TABLE_H
#define BELFRY_BUS_LIMITS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/error.h"

enum bf_limit_kind {
    ID,        /* [a-z0-9-]{1,32} */
    RECIPIENT, /* an id or "*" */
    ULID,
    WORD,   /* [a-z0-9_]{1,max} */
    NAME,   /* [A-Za-z0-9._-]{1,max}, not starting with a dot: a file, an encoder, a source */
    HOST,   /* address or name, [A-Za-z0-9.:-]{1,max} */
    TEXT,   /* UTF-8 without control characters, 0..max bytes */
    BYTES,  /* min..max bytes */
    NUMBER, /* min..max */
    EVEN,   /* the same, and even */
    COUNT,  /* repeated: min..max entries */
    CHOICE, /* an enum that may be UNSPECIFIED where a row says OR_EMPTY; no other may */
    PRESENT /* a message that must be there */
};

struct bf_limit {
    const ProtobufCMessageDescriptor *of;
    const char *field;
    enum bf_limit_kind kind;
    uint64_t min, max;
    bool or_empty; /* zero, or no characters or bytes, is fine too */
};
extern const struct bf_limit bf_limits[];
extern const size_t bf_n_limits;

struct bf_rule {
    const ProtobufCMessageDescriptor *of;
    int (*check)(const ProtobufCMessage *m, struct bf_error *e);
};
extern const struct bf_rule bf_rules[];
extern const size_t bf_n_rules;

/* "<field>: expected <expected>"; returns -EBADMSG. */
int bf_limit_fail(struct bf_error *e, const char *field, const char *expected);

#endif
