/* Small text helpers that several commands share. */
#ifndef BELFRY_CTL_TEXT_H
#define BELFRY_CTL_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Builds a text by printing: ctl_text_begin, fprintf to t.f, ctl_text_end. */
struct ctl_text {
    FILE *f;
    char *data; /* malloc'd; valid after ctl_text_end, freed by ctl_text_done */
    size_t size;
};
int ctl_text_begin(struct ctl_text *t);
int ctl_text_end(struct ctl_text *t);
void ctl_text_done(struct ctl_text *t);

/* printf into fresh memory; NULL without memory. */
char *ctl_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* In double quotes, with quotes and backslashes escaped; bytes that would steer a terminal become '?'. */
void ctl_print_quoted(FILE *f, const char *text);

/* Lower-case hex; ret holds 2 * size + 1 bytes. Returns ret. */
char *ctl_hex(char *ret, const void *data, size_t size);

#endif
