/* Text from outside: well-formed UTF-8 (RFC 3629) without control characters. Internal to the bus. Pure. */
#ifndef BELFRY_BUS_UTF8_H
#define BELFRY_BUS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* At most `max` bytes, no C0, DEL or C1 control, no overlong form, no surrogate. */
bool bf_utf8_text(const char *text, size_t max);

#endif
