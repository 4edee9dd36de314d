/* One readable line for a message: when, who, on which channel, and what it says or, where the topic's last message is
 * remembered, what has changed. */
#ifndef BELFRY_CTL_DESCRIBE_H
#define BELFRY_CTL_DESCRIBE_H

#include <stdint.h>
#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

#include "belfryctl/json.h"
#include "bus/message.h"

/* "sessions[01J…].phase" -> "live" for every value of the message that is not a default. Header, counters and boot ids
 * are left out. NULL without memory. */
json_t *ctl_flatten(const ProtobufCMessage *m);

/* Prints "key=value" for what `now` has and `before` (may be NULL) had not, "key=-" for what is gone; "unchanged". */
void ctl_print_changes(FILE *f, const json_t *before, const json_t *now);

/* "camera/front state" out of a topic; a topic that is not one of ours is printed with odd bytes replaced. */
void ctl_print_topic(FILE *f, const char *topic);

#endif
