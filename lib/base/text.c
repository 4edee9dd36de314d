#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* RFC 3629, section 4: by the first byte, how many follow and what the second may be. The others are 80..BF. */
static const struct {
    unsigned char first, last; /* of the first byte */
    unsigned char least, most; /* of the second */
    size_t length;
} forms[] = {
    { 0x20, 0x7e, 0, 0, 1 },       { 0xc2, 0xc2, 0xa0, 0xbf, 2 }, { 0xc3, 0xdf, 0x80, 0xbf, 2 },
    { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
    { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
    { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t bf_text_character(const char *s, size_t size)
{
    const unsigned char *c = (const unsigned char *)s;
    size_t form = 0, n_forms = sizeof forms / sizeof forms[0];

    while (size > 0 && form < n_forms && (c[0] < forms[form].first || c[0] > forms[form].last))
        form++;
    if (size == 0 || form == n_forms || forms[form].length > size)
        return 0;
    if (forms[form].length > 1 && (c[1] < forms[form].least || c[1] > forms[form].most))
        return 0;
    for (size_t i = 2; i < forms[form].length; i++)
        if (c[i] < 0x80 || c[i] > 0xbf)
            return 0;
    return forms[form].length;
}

bool bf_text_valid(const char *s, size_t max_bytes)
{
    size_t size = s != NULL ? strnlen(s, max_bytes + 1) : max_bytes + 1;
    if (size > max_bytes)
        return false;

    for (size_t n; size > 0; s += n, size -= n)
        if ((n = bf_text_character(s, size)) == 0)
            return false;
    return true;
}

void bf_text_clean(char *s, size_t size)
{
    while (size > 0) {
        size_t n = bf_text_character(s, size);
        if (n == 0) {
            *s = '?';
            n = 1;
        }
        s += n;
        size -= n;
    }
}

const char *bf_text_ahead(char buf[static BF_TEXT_AHEAD_SIZE], int64_t ahead_ms)
{
    static const struct {
        uint64_t ms, most;
        const char *name;
    } units[] = { { 1000, 120, "s" }, { 60000, 120, "min" }, { 3600000, 48, "h" }, { 86400000, UINT64_MAX, "days" } };
    uint64_t ms = ahead_ms < 0 ? -(uint64_t)ahead_ms : (uint64_t)ahead_ms;
    size_t i = 0;

    while (ms / units[i].ms > units[i].most)
        i++;
    snprintf(buf, BF_TEXT_AHEAD_SIZE, "%" PRIu64 " %s %s", (ms + units[i].ms / 2) / units[i].ms, units[i].name,
             ahead_ms < 0 ? "behind" : "ahead of");
    return buf;
}
