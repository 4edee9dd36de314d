/* JSON bodies against a table of fields: what is not in the table is refused by name. Pure. */
#ifndef BELFRY_GATEWAY_BODY_H
#define BELFRY_GATEWAY_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BF_BODY_MAX 16384

enum bf_body_type { BF_BODY_BOOL, BF_BODY_NUMBER, BF_BODY_TEXT, BF_BODY_WORD };
#define BF_BODY_WORD_SIZE 32

struct bf_body_field {
    const char *name;
    enum bf_body_type type;
    void *value;       /* bool, uint32_t, char[size], or of a word char[BF_BODY_WORD_SIZE] */
    bool *given;       /* set when the field is there; may be NULL */
    uint32_t min, max; /* of a number; max bytes of a text */
    bool even;         /* numbers: even ones only */
    const char *words; /* of a word: "one|another" */
};

struct bf_body_error {
    char field[64]; /* "" when it is the body as a whole */
    char accepted[256];
    char detail[256];
};

/* An empty body is an empty object. 0, or -EBADMSG with *e filled; values may have been written by then. */
int bf_body_parse(const char *text, size_t size, const struct bf_body_field *fields, size_t n, struct bf_body_error *e);

#endif
