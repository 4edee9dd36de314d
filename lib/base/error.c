#include "base/error.h"

#include <stdio.h>
#include <string.h>

int bf_fail(struct bf_error *e, int code, const char *format, ...)
{
    if (e == NULL)
        return code;

    /* Apart from e->text, which may be one of the arguments. */
    char text[sizeof e->text];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);

    if (n < 0)
        text[0] = '\0';
    memcpy(e->text, text, sizeof text);
    return code;
}

int bf_fail_in(struct bf_error *e, int code, const char *what)
{
    if (e == NULL)
        return code;

    size_t prefix = strnlen(what, sizeof e->text - 1);
    size_t separator = prefix + 2 < sizeof e->text ? 2 : 0;
    size_t room = sizeof e->text - prefix - separator - 1;
    size_t kept = strnlen(e->text, room);

    memmove(e->text + prefix + separator, e->text, kept);
    memcpy(e->text, what, prefix);
    memcpy(e->text + prefix, ": ", separator);
    e->text[prefix + separator + kept] = '\0';
    return code;
}
