/* The configuration in force as YAML, which loads again to the same. */
#include <inttypes.h>
#include <string.h>

#include "service/config_table.h"

/* A double-quoted YAML scalar: whatever it holds, it is read back as this text. */
static void print_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte == 0x7f)
            fprintf(f, "\\x%02x", byte);
        else if (byte == '"' || byte == '\\')
            fprintf(f, "\\%c", byte);
        else
            fputc(byte, f);
    }
    fputc('"', f);
}

static void print_list(FILE *f, const struct bf_field *field, const void *base)
{
    size_t n;
    char **entries = bf_field_list(field, base, &n);

    fputc('[', f);
    for (size_t i = 0; i < n; i++) {
        fputs(i > 0 ? ", " : "", f);
        print_text(f, entries[i]);
    }
    fputc(']', f);
}

/* One line; nothing for a text that was not given and has no default. Returns whether there was something. */
static bool print_field(FILE *f, const char *indent, const struct bf_field *field, const void *base)
{
    const char *text = field->type == BF_FIELD_TEXT ? *bf_field_text(field, base) : NULL;
    if (field->type == BF_FIELD_TEXT && text == NULL)
        return false;

    fprintf(f, "%s%s: ", indent, field->key);
    switch (field->type) {
    case BF_FIELD_TEXT:
        print_text(f, text);
        break;
    case BF_FIELD_NUMBER:
        fprintf(f, "%" PRIu64, bf_field_number(field, base));
        break;
    case BF_FIELD_SWITCH:
        fputs(bf_field_switch(field, base) ? "true" : "false", f);
        break;
    case BF_FIELD_LIST:
        print_list(f, field, base);
        break;
    }
    fputc('\n', f);
    return true;
}

static void print_camera(FILE *f, const struct bf_camera_config *cam)
{
    const char *indent = "  - ";

    for (size_t i = 0; i < bf_config_camera_section.n_fields; i++)
        if (print_field(f, indent, &bf_config_camera_section.fields[i], cam))
            indent = "    ";
}

void bf_config_print(const struct bf_config *c, FILE *f)
{
    for (size_t i = 0; i < bf_config_n_sections; i++) {
        const struct bf_section *s = &bf_config_sections[i];
        if (s->name[0] != '\0')
            fprintf(f, "%s:\n", s->name);
        for (size_t k = 0; k < s->n_fields; k++)
            print_field(f, s->name[0] != '\0' ? "  " : "", &s->fields[k], c);
    }

    fputs(c->n_cameras > 0 ? "cameras:\n" : "cameras: []\n", f);
    for (size_t i = 0; i < c->n_cameras; i++)
        print_camera(f, &c->cameras[i]);
}
