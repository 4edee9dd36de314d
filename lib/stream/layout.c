#include "stream/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void bf_segment_name(char ret[static BF_NAME_SIZE], uint64_t msn)
{
    snprintf(ret, BF_NAME_SIZE, "seg-%" PRIu64 ".m4s", msn);
}

void bf_init_name(char ret[static BF_NAME_SIZE], unsigned index)
{
    if (index == 0)
        snprintf(ret, BF_NAME_SIZE, "init.mp4");
    else
        snprintf(ret, BF_NAME_SIZE, "init-%u.mp4", index);
}

/* Decimal digits without a leading zero, at most `max`; returns the first character after them, or NULL. */
static const char *parse_number(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    const char *p = s;

    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (value > (max - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    if (p == s || (*s == '0' && p != s + 1))
        return NULL;

    *ret = value;
    return p;
}

static bool parse_numbered(const char *name, const char *prefix, const char *suffix, uint64_t max, uint64_t *ret)
{
    size_t prefix_size = strlen(prefix);
    uint64_t value;

    if (strncmp(name, prefix, prefix_size) != 0)
        return false;
    const char *rest = parse_number(name + prefix_size, max, &value);
    if (rest == NULL || strcmp(rest, suffix) != 0)
        return false;

    *ret = value;
    return true;
}

bool bf_segment_name_parse(const char *name, uint64_t *ret_msn)
{
    return parse_numbered(name, "seg-", ".m4s", UINT64_MAX, ret_msn);
}

bool bf_part_name_parse(const char *name, uint64_t *ret_counter)
{
    return parse_numbered(name, "part-", ".m4s", UINT64_MAX, ret_counter);
}

bool bf_init_name_parse(const char *name, unsigned *ret_index)
{
    uint64_t index;

    if (strcmp(name, "init.mp4") == 0) {
        *ret_index = 0;
        return true;
    }
    if (!parse_numbered(name, "init-", ".mp4", UINT32_MAX, &index) || index == 0)
        return false;

    *ret_index = (unsigned)index;
    return true;
}
