#include "bus/topic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "belfry/v1/"

int bf_topic_format(char ret[static BF_TOPIC_SIZE], const char *site, enum bf_role role, const char *id,
                    enum bf_channel channel)
{
    const char *role_name = bf_role_name(role), *channel_name = bf_channel_name(channel);

    if (!bf_id_valid(site) || !bf_id_valid(id) || role_name == NULL || channel_name == NULL)
        return -EINVAL;
    snprintf(ret, BF_TOPIC_SIZE, PREFIX "%s/%s/%s/%s", site, role_name, id, channel_name);
    return 0;
}

/* Takes the next level off *rest; the last one ends at the end of the string. */
static int take_level(const char **rest, char *ret, size_t size)
{
    const char *end = strchrnul(*rest, '/');
    size_t length = (size_t)(end - *rest);

    if (length == 0 || length >= size)
        return -EINVAL;
    memcpy(ret, *rest, length);
    ret[length] = '\0';
    *rest = *end == '/' ? end + 1 : end;
    return 0;
}

int bf_topic_parse(struct bf_topic *ret, const char *topic)
{
    char role[BF_ID_SIZE], channel[BF_ID_SIZE], again[BF_TOPIC_SIZE];
    struct bf_topic t;
    const char *rest;

    if (strncmp(topic, PREFIX, strlen(PREFIX)) != 0)
        return -EINVAL;
    rest = topic + strlen(PREFIX);
    if (take_level(&rest, t.site, sizeof(t.site)) < 0 || take_level(&rest, role, sizeof(role)) < 0 ||
        take_level(&rest, t.id, sizeof(t.id)) < 0 || take_level(&rest, channel, sizeof(channel)) < 0)
        return -EINVAL;

    /* Whatever was overlooked above does not come out the same again. */
    t.role = bf_role_parse(role);
    t.channel = bf_channel_parse(channel);
    if (bf_topic_format(again, t.site, t.role, t.id, t.channel) < 0 || strcmp(again, topic) != 0)
        return -EINVAL;
    *ret = t;
    return 0;
}
