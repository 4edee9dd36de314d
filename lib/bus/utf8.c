#include "bus/utf8.h"

#include <stdint.h>
#include <string.h>

/* Decodes one code point; returns its length in bytes, or 0 when it is not well formed. */
static size_t decode(const uint8_t *s, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
    uint32_t point;

    if (length < 2) {
        *ret = s[0];
        return length;
    }
    point = s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) /* also the terminator */
            return 0;
        point = point << 6 | (s[i] & 0x3f);
    }
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret = point;
    return length;
}

bool bf_utf8_text(const char *text, size_t max)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t size = strnlen(text, max + 1), length;
    uint32_t point;

    if (size > max)
        return false;
    for (const uint8_t *end = s + size; s < end; s += length) {
        length = decode(s, &point);
        if (length == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0))
            return false;
    }
    return true;
}
