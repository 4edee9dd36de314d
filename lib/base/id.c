#include "base/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool bf_id_valid(const char *id)
{
    if (id == NULL)
        return false;

    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n >= 1 && n <= BF_ID_MAX && id[n] == '\0';
}

int bf_random(void *buf, size_t size)
{
    uint8_t *at = buf;

    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

void bf_ulid_make(char ret[static BF_ULID_SIZE], uint64_t unix_ms)
{
    uint8_t random[10];
    if (bf_random(random, sizeof random) < 0)
        abort(); /* a kernel without getrandom(2): ids that repeat would mix up recordings */

    for (int i = 9; i >= 0; i--, unix_ms >>= 5)
        ret[i] = crockford[unix_ms & 31U];
    ret[0] = crockford[(size_t)(strchr(crockford, ret[0]) - crockford) & 7U]; /* 48 bits: three in the first digit */

    unsigned bits = 0, held = 0;
    for (size_t in = 0, out = 10; out < BF_ULID_LENGTH; out++) {
        if (held < 5) {
            bits = (bits << 8 | random[in++]) & 0xffffU;
            held += 8;
        }
        held -= 5;
        ret[out] = crockford[bits >> held & 31U];
    }
    ret[BF_ULID_LENGTH] = '\0';
}

bool bf_ulid_valid(const char *id)
{
    if (id == NULL || id[0] < '0' || id[0] > '7')
        return false;
    return strspn(id, crockford) == BF_ULID_LENGTH && id[BF_ULID_LENGTH] == '\0';
}

uint64_t bf_ulid_time_ms(const char *id)
{
    uint64_t ms = 0;

    for (size_t i = 0; i < 10; i++) {
        const char *digit = id[i] != '\0' ? strchr(crockford, id[i]) : NULL;
        if (digit == NULL)
            return 0;
        ms = ms << 5 | (uint64_t)(digit - crockford);
    }
    return ms;
}
