/* The ranges that the .proto comments state, as one table for every message and one walk over it. Internal to the bus:
 * message rows point at bf_limits_check. Pure. */
#ifndef BELFRY_BUS_LIMITS_H
#define BELFRY_BUS_LIMITS_H

#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

#include "base/error.h"

/* 0, or -EBADMSG with the path of the first field that does not hold and what was expected; never quotes its value. */
int bf_limits_check(const ProtobufCMessage *m, struct bf_error *e);

/* Does the table bound this field? Strings, bytes and repeated fields must be bounded (a test walks them all). */
bool bf_limits_has(const ProtobufCMessageDescriptor *of, const char *field);

#endif
