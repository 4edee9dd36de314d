/* What can be done with one row of the table and the place that it names. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "service/config_table.h"
#include "service/config_values.h"

static void *place(const struct bf_field *f, const void *base)
{
    return (char *)(uintptr_t)base + f->offset;
}

char **bf_field_text(const struct bf_field *f, const void *base)
{
    return place(f, base);
}

char **bf_field_list(const struct bf_field *f, const void *base, size_t *ret_count)
{
    memcpy(ret_count, (const char *)base + f->count, sizeof *ret_count);
    return *(char ***)place(f, base);
}

bool bf_field_switch(const struct bf_field *f, const void *base)
{
    return *(bool *)place(f, base);
}

uint64_t bf_field_number(const struct bf_field *f, const void *base)
{
    const void *at = place(f, base);

    switch (f->size) {
    case sizeof(uint16_t):
        return *(const uint16_t *)at;
    case sizeof(uint32_t):
        return *(const uint32_t *)at;
    default:
        return *(const uint64_t *)at;
    }
}

static void set_number(const struct bf_field *f, void *base, uint64_t value)
{
    void *at = place(f, base);

    switch (f->size) {
    case sizeof(uint16_t):
        *(uint16_t *)at = (uint16_t)value;
        break;
    case sizeof(uint32_t):
        *(uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(uint64_t *)at = value;
        break;
    }
}

bool bf_field_takes(const struct bf_field *f, const char *text)
{
    return f->words != NULL ? bf_value_word(text, f->words) : f->valid(text);
}

static int set_text(const struct bf_field *f, void *base, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return -ENOMEM;

    char **at = bf_field_text(f, base);
    free(*at);
    *at = copy;
    return 0;
}

int bf_field_set(const struct bf_field *f, void *base, const char *text)
{
    uint64_t value;

    switch (f->type) {
    case BF_FIELD_TEXT:
        return bf_field_takes(f, text) ? set_text(f, base, text) : -EINVAL;
    case BF_FIELD_NUMBER:
        if (bf_value_number(&value, text, f->least, f->most) < 0)
            return -EINVAL;
        set_number(f, base, value);
        return 0;
    case BF_FIELD_SWITCH:
        if (!bf_value_word(text, "true|false"))
            return -EINVAL;
        *(bool *)place(f, base) = text[0] == 't';
        return 0;
    case BF_FIELD_LIST:
        break;
    }
    return -EINVAL;
}

static bool equal_lists(const struct bf_field *f, const void *a, const void *b)
{
    size_t n_a, n_b;
    char **in_a = bf_field_list(f, a, &n_a), **in_b = bf_field_list(f, b, &n_b);

    for (size_t i = 0; n_a == n_b && i < n_a; i++)
        if (strcmp(in_a[i], in_b[i]) != 0)
            return false;
    return n_a == n_b;
}

bool bf_field_equal(const struct bf_field *f, const void *a, const void *b)
{
    switch (f->type) {
    case BF_FIELD_TEXT: {
        const char *in_a = *bf_field_text(f, a), *in_b = *bf_field_text(f, b);
        return in_a == NULL || in_b == NULL ? in_a == in_b : strcmp(in_a, in_b) == 0;
    }
    case BF_FIELD_NUMBER:
        return bf_field_number(f, a) == bf_field_number(f, b);
    case BF_FIELD_SWITCH:
        return bf_field_switch(f, a) == bf_field_switch(f, b);
    case BF_FIELD_LIST:
        return equal_lists(f, a, b);
    }
    return false;
}

void bf_field_release(const struct bf_field *f, void *base)
{
    if (f->type == BF_FIELD_TEXT) {
        free(*bf_field_text(f, base));
    } else if (f->type == BF_FIELD_LIST) {
        size_t n;
        char **list = bf_field_list(f, base, &n);
        for (size_t i = 0; i < n; i++)
            free(list[i]);
        free(list);
    }
}

const char *bf_field_accepted(const struct bf_field *f, char *buf, size_t size)
{
    if (f->type == BF_FIELD_NUMBER)
        snprintf(buf, size, "a whole number from %" PRIu64 " to %" PRIu64, f->least, f->most);
    else if (f->type == BF_FIELD_SWITCH)
        snprintf(buf, size, "true or false");
    else if (f->words != NULL)
        bf_value_spell_words(f->words, buf, size);
    else
        snprintf(buf, size, "%s", f->accepted);
    return buf;
}

const char *bf_section_keys(const struct bf_section *s, char *buf, size_t size)
{
    size_t n = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < s->n_fields && n + 1 < size; i++) {
        int w = snprintf(buf + n, size - n, "%s%s", i > 0 ? ", " : "", s->fields[i].key);
        n += (size_t)w;
    }
    return buf;
}
