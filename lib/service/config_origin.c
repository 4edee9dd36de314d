#include "service/config_origin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/array.h"
#include "base/log.h"
#include "service/config_table.h"

#define MAX_DEPTH 6 /* the file needs four: document, cameras, entry, value */
#define MAX_SHOWN 72

struct scan {
    yaml_parser_t parser;
    struct bf_origins *origins;
    struct bf_error *e;
};

static void origin_done(struct bf_origin *o)
{
    free(o->path);
    free(o->value);
    free(o->variable);
}

void bf_origins_done(struct bf_origins *o)
{
    for (size_t i = 0; i < o->n; i++)
        origin_done(&o->entries[i]);
    free(o->entries);
    *o = (struct bf_origins){ .file = o->file };
}

int bf_origins_add(struct bf_origins *o, const char *path, const char *value, const char *variable, unsigned line)
{
    struct bf_origin *entries = bf_array_room(o->entries, sizeof *entries, o->n, &o->room);
    if (entries == NULL)
        return -ENOMEM;
    o->entries = entries;

    struct bf_origin entry = {
        .path = strdup(path),
        .value = value != NULL ? strdup(value) : NULL,
        .variable = variable != NULL ? strdup(variable) : NULL,
        .line = line,
    };
    if (entry.path == NULL || (value != NULL && entry.value == NULL) || (variable != NULL && entry.variable == NULL)) {
        origin_done(&entry);
        return -ENOMEM;
    }
    o->entries[o->n++] = entry;
    return 0;
}

const struct bf_origin *bf_origin_of(const struct bf_origins *o, const char *path)
{
    for (size_t i = o->n; i-- > 0;) /* variables are added last */
        if (strcmp(o->entries[i].path, path) == 0)
            return &o->entries[i];
    return NULL;
}

/* The line of the nearest thing around `path` that was given; 0 when there is none. */
static unsigned line_around(const struct bf_origins *o, const char *path)
{
    char upto[BF_CONFIG_PATH_SIZE];
    snprintf(upto, sizeof upto, "%s", path);

    for (char *cut; (cut = strrchr(upto, '.')) != NULL;) {
        *cut = '\0';
        const struct bf_origin *around = bf_origin_of(o, upto);
        if (around != NULL)
            return around->line;
    }
    return 0;
}

int bf_config_refuse(const struct bf_origins *o, struct bf_error *e, const char *path, const char *why, ...)
{
    const struct bf_origin *given = bf_origin_of(o, path);
    unsigned line = given != NULL ? given->line : line_around(o, path);
    char place[256], value[MAX_SHOWN + 4] = "missing", text[sizeof e->text];

    if (given != NULL && given->variable != NULL)
        snprintf(place, sizeof place, "%s", given->variable);
    else if (line > 0)
        snprintf(place, sizeof place, "%s:%u: %s", o->file, line, path);
    else
        snprintf(place, sizeof place, "%s: %s", o->file, path);
    if (given != NULL)
        bf_log_quote(value, sizeof value, given->value);

    va_list args;
    va_start(args, why);
    vsnprintf(text, sizeof text, why, args);
    va_end(args);

    bool scalar = given == NULL || given->value != NULL;
    return bf_fail(e, -EINVAL, "%s: %s%s%s", place, scalar ? value : "", scalar ? ": " : "", text);
}

static int fail_syntax(struct scan *s)
{
    const yaml_parser_t *p = &s->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return -ENOMEM;

    /* Reader errors (bytes that are not UTF-8) come without a mark. */
    unsigned long line = p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line;
    return bf_fail(s->e, -EBADMSG, "%s:%lu: not YAML: %s", s->origins->file, line + 1,
                   p->problem != NULL ? p->problem : "unreadable");
}

static int scan_value(struct scan *s, const yaml_event_t *event, const char *path, unsigned depth);

static int next_event(struct scan *s, yaml_event_t *ret)
{
    return yaml_parser_parse(&s->parser, ret) ? 0 : fail_syntax(s);
}

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

/* After the key: its value. */
static int scan_pair(struct scan *s, const yaml_event_t *key, const char *path, unsigned depth)
{
    if (key->type != YAML_SCALAR_EVENT)
        return bf_fail(s->e, -EBADMSG, "%s:%u: expected a key, as in site: home", s->origins->file, line_of(key));

    char inner[BF_CONFIG_PATH_SIZE];
    snprintf(inner, sizeof inner, "%s%s%s", path, path[0] != '\0' ? "." : "", (const char *)key->data.scalar.value);
    const struct bf_origin *twice = bf_origin_of(s->origins, inner);
    if (twice != NULL)
        return bf_fail(s->e, -EBADMSG, "%s:%u: %s: given twice, first in line %u: expected once", s->origins->file,
                       line_of(key), inner, twice->line);

    yaml_event_t value;
    int r = next_event(s, &value);
    if (r < 0)
        return r;
    r = scan_value(s, &value, inner, depth + 1);
    yaml_event_delete(&value);
    return r;
}

static int scan_mapping(struct scan *s, const char *path, unsigned depth)
{
    for (;;) {
        yaml_event_t key;
        int r = next_event(s, &key);
        if (r < 0)
            return r;
        bool end = key.type == YAML_MAPPING_END_EVENT;
        if (!end)
            r = scan_pair(s, &key, path, depth);
        yaml_event_delete(&key);
        if (r < 0 || end)
            return r;
    }
}

static int scan_sequence(struct scan *s, const char *path, unsigned depth)
{
    for (unsigned i = 0;; i++) {
        yaml_event_t entry;
        int r = next_event(s, &entry);
        if (r < 0)
            return r;
        bool end = entry.type == YAML_SEQUENCE_END_EVENT;
        if (!end) {
            char inner[BF_CONFIG_PATH_SIZE];
            int n = snprintf(inner, sizeof inner, "%s[%u]", path, i);
            r = n < (int)sizeof inner ? scan_value(s, &entry, inner, depth + 1) : -EBADMSG;
        }
        yaml_event_delete(&entry);
        if (r < 0 || end)
            return r;
    }
}

static int scan_value(struct scan *s, const yaml_event_t *event, const char *path, unsigned depth)
{
    if (event->type == YAML_ALIAS_EVENT)
        return bf_fail(s->e, -EBADMSG, "%s:%u: %s: an alias: expected the value itself", s->origins->file,
                       line_of(event), path);
    if (depth > MAX_DEPTH)
        return bf_fail(s->e, -EBADMSG, "%s:%u: nested too deeply: expected sections with keys", s->origins->file,
                       line_of(event));

    const char *value = event->type == YAML_SCALAR_EVENT ? (const char *)event->data.scalar.value : NULL;
    if (path[0] != '\0') {
        int r = bf_origins_add(s->origins, path, value, NULL, line_of(event));
        if (r < 0)
            return r;
    }
    if (event->type == YAML_MAPPING_START_EVENT)
        return scan_mapping(s, path, depth);
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return scan_sequence(s, path, depth);
    return 0;
}

/* Stream start, document start, the value, document end, stream end: one document, and nothing after it. */
static int scan_stream(struct scan *s)
{
    unsigned documents = 0;

    for (;;) {
        yaml_event_t event;
        int r = next_event(s, &event);
        if (r < 0)
            return r;

        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            r = bf_fail(s->e, -EBADMSG, "%s:%u: a second document: expected one", s->origins->file, line_of(&event));
        else if (type == YAML_SCALAR_EVENT || type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
            r = scan_value(s, &event, "", 0);
        yaml_event_delete(&event);
        if (r < 0 || type == YAML_STREAM_END_EVENT)
            return r;
    }
}

int bf_origins_scan(struct bf_origins *o, const void *text, size_t size, struct bf_error *e)
{
    struct scan s = { .origins = o, .e = e };
    if (!yaml_parser_initialize(&s.parser))
        return -ENOMEM;

    yaml_parser_set_input_string(&s.parser, text, size);
    int r = scan_stream(&s);
    yaml_parser_delete(&s.parser);
    return r;
}
