#include "service/config_schema.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define MAX_SECTIONS 16
#define MAX_FIELDS 32
#define MAX_BACKTRACE 8

/* A schema in one piece; each array ends in a field without a key. */
struct schema {
    cyaml_schema_field_t fields[MAX_SECTIONS][MAX_FIELDS];
    cyaml_schema_field_t top[MAX_SECTIONS];
    cyaml_schema_field_t camera_fields[MAX_FIELDS];
    cyaml_schema_value_t camera;
    cyaml_schema_value_t list_entry;
    cyaml_schema_value_t root;
};

static cyaml_schema_value_t text_value(void)
{
    return (cyaml_schema_value_t){
        .type = CYAML_STRING,
        .flags = (enum cyaml_flag)(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER),
        .data_size = sizeof(char),
        .string = { .min = 0, .max = CYAML_UNLIMITED },
    };
}

static cyaml_schema_field_t make_field(const struct bf_field *f, size_t offset, const cyaml_schema_value_t *list_entry)
{
    cyaml_schema_field_t made = { .key = f->key, .data_offset = (uint32_t)(f->offset - offset) };

    switch (f->type) {
    case BF_FIELD_TEXT:
        made.value = text_value();
        break;
    case BF_FIELD_NUMBER:
    case BF_FIELD_SWITCH:
        made.value.type = f->type == BF_FIELD_NUMBER ? CYAML_UINT : CYAML_BOOL;
        made.value.flags = CYAML_FLAG_OPTIONAL;
        made.value.data_size = (uint32_t)f->size;
        break;
    case BF_FIELD_LIST:
        made.value.type = CYAML_SEQUENCE;
        made.value.flags = (enum cyaml_flag)(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER);
        made.value.data_size = sizeof(char *);
        made.value.sequence.entry = list_entry;
        made.value.sequence.max = CYAML_UNLIMITED;
        made.count_offset = (uint32_t)(f->count - offset);
        made.count_size = sizeof(size_t);
        break;
    }
    return made;
}

static void make_section(cyaml_schema_field_t made[static MAX_FIELDS], const struct bf_section *s,
                         const cyaml_schema_value_t *list_entry)
{
    for (size_t i = 0; i < s->n_fields; i++)
        made[i] = make_field(&s->fields[i], s->offset, list_entry);
}

static void make_cameras(struct schema *schema, cyaml_schema_field_t *made)
{
    make_section(schema->camera_fields, &bf_config_camera_section, &schema->list_entry);
    schema->camera = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .data_size = sizeof(struct bf_camera_config),
        .mapping.fields = schema->camera_fields,
    };
    *made = (cyaml_schema_field_t){
        .key = bf_config_camera_section.name,
        .data_offset = offsetof(struct bf_config, cameras),
        .count_offset = offsetof(struct bf_config, n_cameras),
        .count_size = sizeof(size_t),
        .value = { .type = CYAML_SEQUENCE,
                   .flags = (enum cyaml_flag)(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER),
                   .data_size = sizeof(struct bf_camera_config),
                   .sequence = { .entry = &schema->camera, .max = CYAML_UNLIMITED } },
    };
}

static int schema_new(struct schema **ret)
{
    struct schema *schema = calloc(1, sizeof *schema);
    if (schema == NULL)
        return -ENOMEM;
    schema->list_entry = text_value();

    cyaml_schema_field_t *at = schema->top;
    for (size_t i = 0; i < bf_config_n_sections; i++) {
        const struct bf_section *s = &bf_config_sections[i];
        if (s->name[0] == '\0') {
            for (size_t k = 0; k < s->n_fields; k++)
                *at++ = make_field(&s->fields[k], 0, &schema->list_entry);
            continue;
        }
        make_section(schema->fields[i], s, &schema->list_entry);
        *at++ = (cyaml_schema_field_t){
            .key = s->name,
            .data_offset = (uint32_t)s->offset,
            .value = { .type = CYAML_MAPPING,
                       .flags = CYAML_FLAG_OPTIONAL,
                       .data_size = (uint32_t)s->size,
                       .mapping.fields = schema->fields[i] },
        };
    }
    make_cameras(schema, at);

    schema->root = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER,
        .data_size = sizeof(struct bf_config),
        .mapping.fields = schema->top,
    };
    *ret = schema;
    return 0;
}

/* What libcyaml said: the first line is the reason, then its backtrace from the inside out. */
struct complaint {
    char reason[160];
    char steps[MAX_BACKTRACE][64]; /* "broker", "[0]" */
    unsigned n_steps;
};

static void note_step(struct complaint *c, const char *line)
{
    char name[64];
    unsigned number;

    if (c->n_steps == MAX_BACKTRACE)
        return;
    if (sscanf(line, " in mapping field '%63[^']'", name) == 1)
        snprintf(c->steps[c->n_steps++], sizeof c->steps[0], "%s", name);
    else if (sscanf(line, " in sequence entry '%u'", &number) == 1 && number > 0)
        snprintf(c->steps[c->n_steps++], sizeof c->steps[0], "[%u]", number - 1);
}

static void listen_to_cyaml(cyaml_log_t level, void *user, const char *format, va_list args)
{
    struct complaint *c = user;
    char line[160];

    if (level < CYAML_LOG_ERROR || vsnprintf(line, sizeof line, format, args) < 0)
        return;
    line[strcspn(line, "\n")] = '\0';
    if (c->reason[0] == '\0')
        snprintf(c->reason, sizeof c->reason, "%s", strncmp(line, "Load: ", 6) == 0 ? line + 6 : line);
    else
        note_step(c, line);
}

static void complaint_path(const struct complaint *c, char path[static BF_CONFIG_PATH_SIZE])
{
    size_t n = 0;

    path[0] = '\0';
    for (unsigned i = c->n_steps; i-- > 0;) {
        const char *dot = n > 0 && c->steps[i][0] != '[' ? "." : "";
        int w = snprintf(path + n, BF_CONFIG_PATH_SIZE - n, "%s%s", dot, c->steps[i]);
        n += (size_t)w < BF_CONFIG_PATH_SIZE - n ? (size_t)w : BF_CONFIG_PATH_SIZE - n - 1;
    }
}

/* The rows that a path leads to: a section, and the field in it where the path goes so far. */
static const struct bf_section *find_rows(const char *path, const struct bf_field **ret_field)
{
    char name[BF_CONFIG_PATH_SIZE];
    snprintf(name, sizeof name, "%s", path);
    char *key = strchr(name, '.');
    const struct bf_section *s;

    if (key == NULL && bf_field_find(bf_section_find(""), name) != NULL) {
        s = bf_section_find("");
        key = name;
    } else {
        if (key != NULL)
            *key++ = '\0';
        s = strncmp(name, "cameras[", 8) == 0 ? &bf_config_camera_section : bf_section_find(name);
    }
    if (key != NULL)
        key[strcspn(key, "[")] = '\0'; /* the row of a list rules its entries */
    *ret_field = s != NULL && key != NULL ? bf_field_find(s, key) : NULL;
    return s;
}

/* Keys that people look for which another one answers. */
static const char *who_sets(const char *key)
{
    static const struct {
        const char *key, *by;
    } rows[] = { { "part_ms", "profile" }, { "segment_ms", "profile" } };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        if (strcmp(rows[i].key, key) == 0)
            return rows[i].by;
    return NULL;
}

static int refuse_key(const struct bf_origins *o, struct bf_error *e, const char *path, const char *key)
{
    const struct bf_field *unused;
    char whole[BF_CONFIG_PATH_SIZE], expected[320];
    int n = snprintf(whole, sizeof whole, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
    if (n >= (int)sizeof whole)
        whole[sizeof whole - 1] = '\0';

    if (path[0] != '\0') {
        const struct bf_section *s = find_rows(path, &unused);
        const char *by = who_sets(key);
        const struct bf_field *other = s != NULL && by != NULL ? bf_field_find(s, by) : NULL;
        if (other != NULL)
            return bf_config_refuse(o, e, whole, "unknown key: %s sets it, expected %s: %s", by, by,
                                    bf_field_accepted(other, expected, sizeof expected));
        return bf_config_refuse(o, e, whole, "unknown key: expected one of %s",
                                s != NULL ? bf_section_keys(s, expected, sizeof expected) : "none");
    }

    size_t at = 0;
    for (size_t i = 1; i < bf_config_n_sections; i++)
        at += (size_t)snprintf(expected + at, sizeof expected - at, "%s, ", bf_config_sections[i].name);
    return bf_config_refuse(o, e, whole, "unknown key: expected one of site, %scameras", expected);
}

static int explain(const struct complaint *c, const struct bf_origins *o, struct bf_error *e)
{
    static const char unknown[] = "Unexpected key: ";
    char path[BF_CONFIG_PATH_SIZE], expected[160];
    complaint_path(c, path);

    if (strncmp(c->reason, unknown, sizeof unknown - 1) == 0)
        return refuse_key(o, e, path, c->reason + sizeof unknown - 1);
    if (path[0] == '\0')
        return bf_fail(e, -EINVAL, "%s:1: %s: expected keys and sections, as in site: home", o->file, c->reason);

    const struct bf_field *f;
    const struct bf_section *s = find_rows(path, &f);
    if (f != NULL && (f->type != BF_FIELD_LIST || path[strlen(path) - 1] == ']'))
        return bf_config_refuse(o, e, path, "expected %s", bf_field_accepted(f, expected, sizeof expected));
    if (f != NULL)
        return bf_config_refuse(o, e, path, "expected a list, as in [first, second]");
    if (s != NULL)
        return bf_config_refuse(o, e, path, "expected a section with keys under it");
    if (strcmp(path, bf_config_camera_section.name) == 0)
        return bf_config_refuse(o, e, path, "expected a list of cameras, each starting with - id:");
    return bf_config_refuse(o, e, path, "%s", c->reason);
}

int bf_config_parse(struct bf_config **ret, const void *text, size_t size, const struct bf_origins *o,
                    struct bf_error *e)
{
    _cleanup_(bf_freep) struct schema *schema = NULL;
    int r = schema_new(&schema);
    if (r < 0)
        return r;

    struct complaint complaint = { .n_steps = 0 };
    const cyaml_config_t how = {
        .log_fn = listen_to_cyaml,
        .log_ctx = &complaint,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    struct bf_config *loaded = NULL;
    cyaml_err_t said = cyaml_load_data(text, size, &how, &schema->root, (cyaml_data_t **)&loaded, NULL);
    if (said == CYAML_ERR_OOM)
        return -ENOMEM;
    if (said != CYAML_OK && complaint.reason[0] == '\0')
        snprintf(complaint.reason, sizeof complaint.reason, "%s", cyaml_strerror(said));
    if (said != CYAML_OK)
        return explain(&complaint, o, e);

    if (loaded == NULL && (loaded = calloc(1, sizeof *loaded)) == NULL) /* an empty file */
        return -ENOMEM;
    *ret = loaded;
    return 0;
}
