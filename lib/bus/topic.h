/* Topics: belfry/v1/<site>/<role>/<id>/<channel>. Built from valid ids only, parsed strictly, matched exactly. */
#ifndef BELFRY_BUS_TOPIC_H
#define BELFRY_BUS_TOPIC_H

#include "base/id.h"
#include "bus/message.h"

#define BF_TOPIC_SIZE 128 /* "belfry/v1/" + 2 * 32 + role + channel, with the terminator; AWS IoT Core allows 256 */

struct bf_topic {
    char site[BF_ID_SIZE];
    enum bf_role role;
    char id[BF_ID_SIZE];
    enum bf_channel channel;
};

/* -EINVAL when an id is not valid. */
int bf_topic_format(char ret[static BF_TOPIC_SIZE], const char *site, enum bf_role role, const char *id,
                    enum bf_channel channel);
int bf_topic_parse(struct bf_topic *ret, const char *topic); /* -EINVAL for anything bf_topic_format cannot make */

#endif
