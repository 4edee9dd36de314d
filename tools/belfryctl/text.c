#include "belfryctl/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

int ctl_text_begin(struct ctl_text *t)
{
    *t = (struct ctl_text){ 0 };
    t->f = open_memstream(&t->data, &t->size);
    return t->f != NULL ? 0 : -ENOMEM;
}

int ctl_text_end(struct ctl_text *t)
{
    FILE *f = t->f;
    t->f = NULL;
    return fclose(f) == 0 ? 0 : -ENOMEM;
}

void ctl_text_done(struct ctl_text *t)
{
    if (t->f != NULL)
        fclose(t->f);
    free(t->data);
    *t = (struct ctl_text){ 0 };
}

char *ctl_format(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return n >= 0 ? text : NULL;
}

void ctl_print_quoted(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', f);
        fputc(*c < 0x20 || *c == 0x7f ? '?' : *c, f);
    }
    fputc('"', f);
}

char *ctl_hex(char *ret, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
    return ret;
}
