#include "gateway/body.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "service/config_values.h"

#define DEPTH_MAX 4 /* our bodies are flat; the parser recurses, and threads have small stacks */

__attribute__((format(printf, 2, 3))) static int refuse(struct bf_body_error *e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(e->detail, sizeof e->detail, format, args);
    va_end(args);
    return -EBADMSG;
}

/* Names and kinds of all fields, for whoever sent something else. */
static void list_fields(struct bf_body_error *e, const struct bf_body_field *fields, size_t n)
{
    size_t at = 0;

    e->accepted[0] = '\0';
    for (size_t i = 0; i < n && at < sizeof e->accepted; i++)
        at += (size_t)snprintf(e->accepted + at, sizeof e->accepted - at, "%s%s", i == 0 ? "" : ", ", fields[i].name);
}

static bool is_too_deep(const char *text, size_t size)
{
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!quoted && (text[i] == '}' || text[i] == ']'))
            depth--;
        if (depth > DEPTH_MAX)
            return true;
    }
    return false;
}

static int take_bool(const struct bf_body_field *f, const json_t *value, struct bf_body_error *e)
{
    snprintf(e->accepted, sizeof e->accepted, "true or false");
    if (!json_is_boolean(value))
        return refuse(e, "%s is not a boolean", f->name);
    *(bool *)f->value = json_is_true(value);
    return 0;
}

static int take_number(const struct bf_body_field *f, const json_t *value, struct bf_body_error *e)
{
    json_int_t number = json_integer_value(value);

    snprintf(e->accepted, sizeof e->accepted, "%s from %u to %u", f->even ? "an even whole number" : "a whole number",
             f->min, f->max);
    if (!json_is_integer(value))
        return refuse(e, "%s is not a whole number", f->name);
    if (number < (json_int_t)f->min || number > (json_int_t)f->max || (f->even && number % 2 != 0))
        return refuse(e, "%s is %lld", f->name, (long long)number);
    *(uint32_t *)f->value = (uint32_t)number;
    return 0;
}

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static int take_text(const struct bf_body_field *f, const json_t *value, struct bf_body_error *e)
{
    size_t length = json_string_length(value);

    snprintf(e->accepted, sizeof e->accepted, "a text of %u to %u bytes without control characters", f->min, f->max);
    if (!json_is_string(value))
        return refuse(e, "%s is not a text", f->name);
    if (length < f->min || length > f->max || !is_printable(json_string_value(value), length))
        return refuse(e, "%s has %zu bytes or a control character in it", f->name, length);
    memcpy(f->value, json_string_value(value), length + 1);
    return 0;
}

static int take_word(const struct bf_body_field *f, const json_t *value, struct bf_body_error *e)
{
    const char *word = json_string_value(value);

    bf_value_spell_words(f->words, e->accepted, sizeof e->accepted);
    if (word == NULL || strlen(word) >= BF_BODY_WORD_SIZE || !bf_value_word(word, f->words))
        return refuse(e, "%s is none of its words", f->name);
    memcpy(f->value, word, strlen(word) + 1);
    return 0;
}

static int take_field(const char *name, const json_t *value, const struct bf_body_field *fields, size_t n,
                      struct bf_body_error *e)
{
    static int (*const take[])(const struct bf_body_field *, const json_t *, struct bf_body_error *) = {
        [BF_BODY_BOOL] = take_bool,
        [BF_BODY_NUMBER] = take_number,
        [BF_BODY_TEXT] = take_text,
        [BF_BODY_WORD] = take_word,
    };

    snprintf(e->field, sizeof e->field, "%.63s", name);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) != 0)
            continue;
        if (fields[i].given != NULL)
            *fields[i].given = true;
        return take[fields[i].type](&fields[i], value, e);
    }
    list_fields(e, fields, n);
    return refuse(e, "%s is not a field of this body", e->field);
}

int bf_body_parse(const char *text, size_t size, const struct bf_body_field *fields, size_t n, struct bf_body_error *e)
{
    json_error_t why;
    const char *name;
    json_t *value;

    *e = (struct bf_body_error){ 0 };
    if (size == 0)
        return 0;
    snprintf(e->accepted, sizeof e->accepted, "a JSON object of at most %d bytes", BF_BODY_MAX);
    if (size > BF_BODY_MAX || is_too_deep(text, size))
        return refuse(e, "the body is too long or nested too deeply");
    _cleanup_(json_decrefp) json_t *body = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (body == NULL)
        return refuse(e, "the body is not JSON (line %d, column %d)", why.line, why.column);
    if (!json_is_object(body))
        return refuse(e, "the body is JSON, but not an object");

    json_object_foreach(body, name, value) if (take_field(name, value, fields, n, e) < 0) return -EBADMSG;
    return 0;
}
