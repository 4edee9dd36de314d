/* The error convention: functions return 0 or a negative errno; outputs named ret_* are untouched on failure.
 * Where a person will have to act on it, the function also takes a `struct bf_error *` for one sentence of why. */
#ifndef BELFRY_BASE_ERROR_H
#define BELFRY_BASE_ERROR_H

#include <stdarg.h>

struct bf_error {
    char text[384];
};

/* Sets e->text (e may be NULL) from the printf format and returns `code` unchanged: `return bf_fail(e, -EINVAL, ...)`. */
int bf_fail(struct bf_error *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<what>: " in front of e->text; returns `code`. Truncates at the end, never fails. */
int bf_fail_in(struct bf_error *e, int code, const char *what);

#endif
