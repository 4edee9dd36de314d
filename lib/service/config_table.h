/* The typed table behind belfry.yml: one row per key, with its type, place, default, limits and words of what is
 * accepted. The YAML schema, the overrides from the environment, the defaults, the checks of single values, --check and
 * the comparison at a reload all follow it; a new key is one row here and one member in config.h. */
#ifndef BELFRY_SERVICE_CONFIG_TABLE_H
#define BELFRY_SERVICE_CONFIG_TABLE_H

#include "service/config.h"

#define BF_CONFIG_PATH_SIZE 160 /* "cameras[63].input_source" and keys that do not exist, cut where longer */

enum bf_field_type {
    BF_FIELD_TEXT,   /* char * */
    BF_FIELD_NUMBER, /* unsigned, `size` bytes */
    BF_FIELD_SWITCH, /* bool */
    BF_FIELD_LIST    /* char ** and the size_t at `count` */
};

struct bf_field {
    const char *key;
    enum bf_field_type type;
    size_t offset; /* in struct bf_config; for cameras in struct bf_camera_config */
    size_t size;
    size_t count;                /* BF_FIELD_LIST: offset of the number of entries */
    const char *initial;         /* default as it would be written; NULL: none, or found by bf_config_complete */
    uint64_t least, most;        /* BF_FIELD_NUMBER */
    const char *words;           /* BF_FIELD_TEXT: "one|another", exactly one of these */
    bool (*valid)(const char *); /* BF_FIELD_TEXT and entries of a list, where there are no words */
    const char *accepted;        /* of `valid`, for people: "an id ..." */
};

struct bf_section {
    const char *name; /* "" for the keys at the top */
    const struct bf_field *fields;
    size_t n_fields;
    size_t offset, size; /* of the section's struct in struct bf_config */
};

extern const struct bf_section bf_config_sections[];
extern const size_t bf_config_n_sections;
extern const struct bf_section bf_config_camera_section; /* one entry of `cameras` */

#define BF_CONFIG_MAX_CAMERAS 64
#define BF_CONFIG_MAX_LIST 32

const struct bf_section *bf_section_find(const char *name);
const struct bf_field *bf_field_find(const struct bf_section *s, const char *key);

/* What the field takes, for an error: "a whole number from 1 to 65535". Returns buf. */
const char *bf_field_accepted(const struct bf_field *f, char *buf, size_t size);
/* The keys of a section: "expected one of host, port". Returns buf. */
const char *bf_section_keys(const struct bf_section *s, char *buf, size_t size);

/* Parses `text` strictly and stores it in the struct at `base`. -EINVAL: not accepted; -ENOMEM. Not for lists. */
int bf_field_set(const struct bf_field *f, void *base, const char *text);
bool bf_field_takes(const struct bf_field *f, const char *text); /* text and list entries: is it accepted? */
bool bf_field_equal(const struct bf_field *f, const void *a, const void *b);
void bf_field_release(const struct bf_field *f, void *base);

char **bf_field_text(const struct bf_field *f, const void *base);
char **bf_field_list(const struct bf_field *f, const void *base, size_t *ret_count);
uint64_t bf_field_number(const struct bf_field *f, const void *base);
bool bf_field_switch(const struct bf_field *f, const void *base);

/* "broker.port", "site", "cameras[2].id"; camera < 0 outside `cameras`. Returns buf. */
const char *bf_field_path(char buf[static BF_CONFIG_PATH_SIZE], const struct bf_section *s, int camera,
                          const char *key);

/* Calls fn for every key of every section and of every camera, in the order of the file; stops at the first non-zero
 * and returns it. `base` is what the row's offset counts from. */
typedef int (*bf_field_visitor)(void *user, const struct bf_section *s, int camera, const struct bf_field *f,
                                void *base);
int bf_config_each(struct bf_config *c, bf_field_visitor fn, void *user);

#endif
