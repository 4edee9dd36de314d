#include "belfryctl/describe.h"

#include <string.h>

#include "base/cleanup.h"
#include "belfryctl/text.h"
#include "bus/topic.h"

static bool left_out(const char *key)
{
    return strcmp(key, "header") == 0 || strcmp(key, "counters") == 0 || strcmp(key, "boot_id") == 0;
}

static bool is_default(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_string_length(value) == 0 || strcmp(json_string_value(value), "unspecified") == 0;
    case JSON_INTEGER:
        return json_integer_value(value) == 0;
    case JSON_FALSE:
    case JSON_NULL:
        return true;
    default:
        return false;
    }
}

/* Things in lists are named by what identifies them, so that a change of order is no change. NULL: by their place. */
static const char *key_of_item(const json_t *item)
{
    static const char *const keys[] = { "session_id", "camera", "node", "name" };
    for (size_t i = 0; i < BF_COUNT_OF(keys); i++)
        if (json_string_length(json_object_get(item, keys[i])) > 0)
            return keys[i];
    return NULL;
}

static const char *name_of_item(const json_t *item)
{
    const char *key = key_of_item(item);
    return key != NULL ? json_string_value(json_object_get(item, key)) : NULL;
}

static bool name_is_taken(const json_t *list, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++) {
        const char *other = name_of_item(json_array_get(list, i));
        if (other != NULL && strcmp(other, name) == 0)
            return true;
    }
    return false;
}

static void flatten_into(json_t *flat, const char *path, const json_t *value);

static void flatten_object(json_t *flat, const char *path, const json_t *object, const char *but)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        _cleanup_(bf_freep) char *below = *path != '\0' ? ctl_format("%s.%s", path, key) : strdup(key);
        if (below != NULL && !left_out(key) && (but == NULL || strcmp(key, but) != 0))
            flatten_into(flat, below, value);
    }
}

/* The name in the path need not be said again below it. */
static void flatten_item(json_t *flat, const char *path, const json_t *item, bool named)
{
    if (named && json_object_size(item) > 1)
        flatten_object(flat, path, item, key_of_item(item));
    else
        flatten_into(flat, path, item);
}

static void flatten_list(json_t *flat, const char *path, const json_t *list)
{
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item)
    {
        const char *name = name_of_item(item);
        if (name != NULL && name_is_taken(list, index, name))
            name = NULL;
        _cleanup_(bf_freep) char *below =
            name != NULL ? ctl_format("%s[%s]", path, name) : ctl_format("%s[%zu]", path, index);
        if (below != NULL)
            flatten_item(flat, below, item, name != NULL);
    }
}

static void flatten_into(json_t *flat, const char *path, const json_t *value)
{
    if (json_is_object(value))
        flatten_object(flat, path, value, NULL);
    else if (json_is_array(value))
        flatten_list(flat, path, value);
    else if (!is_default(value))
        json_object_set(flat, path, (json_t *)value);
}

json_t *ctl_flatten(const ProtobufCMessage *m)
{
    _cleanup_(json_decrefp) json_t *tree = ctl_json_of(m, CTL_ENUM_SHORT);
    json_t *flat = json_object();
    if (tree != NULL && flat != NULL)
        flatten_into(flat, "", tree);
    return flat;
}

static bool plain_word(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '"' || *c == '=')
            return false;
    return true;
}

static void print_value(FILE *f, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL)
        json_dumpf(value, f, JSON_ENCODE_ANY | JSON_COMPACT);
    else if (plain_word(text))
        fputs(text, f);
    else
        ctl_print_quoted(f, text);
}

void ctl_print_changes(FILE *f, const json_t *before, const json_t *now)
{
    size_t printed = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)now, key, value)
    {
        const json_t *old = before != NULL ? json_object_get(before, key) : NULL;
        if (old != NULL && json_equal(old, value))
            continue;
        fprintf(f, " %s=", key);
        print_value(f, value);
        printed++;
    }
    json_object_foreach((json_t *)before, key, value)
    {
        if (json_object_get(now, key) != NULL)
            continue;
        fprintf(f, " %s=%s", key, json_is_true(value) ? "false" : "-");
        printed++;
    }
    if (printed == 0)
        fputs(before != NULL ? " unchanged" : " empty", f);
}

void ctl_print_topic(FILE *f, const char *topic)
{
    struct bf_topic t;
    if (bf_topic_parse(&t, topic) == 0)
        fprintf(f, "%s/%s %s", bf_role_name(t.role), t.id, bf_channel_name(t.channel));
    else
        ctl_print_quoted(f, topic);
}
