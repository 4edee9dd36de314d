/* Reading the raw byte sequence payload of a NAL unit (7.3.1, 7.4.1): emulation prevention bytes are skipped on the
 * way, nothing is copied. Past the end every read gives 0 and `failed` stays set, so a parser checks once. Private to
 * lib/media. */
#ifndef BELFRY_MEDIA_RBSP_H
#define BELFRY_MEDIA_RBSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bf_rbsp {
    const uint8_t *data;
    size_t size, at;
    unsigned zeros;     /* zero bytes in a row just before `at` */
    uint8_t byte;       /* the byte that bits come from */
    unsigned bits_left; /* of it */
    bool failed;
};

static inline struct bf_rbsp bf_rbsp_of(const uint8_t *data, size_t size)
{
    return (struct bf_rbsp){ .data = data, .size = size };
}

uint8_t bf_rbsp_byte(struct bf_rbsp *r); /* byte aligned readers only */
void bf_rbsp_skip(struct bf_rbsp *r, size_t bytes);

uint32_t bf_rbsp_bits(struct bf_rbsp *r, unsigned n);     /* n <= 32 */
uint32_t bf_rbsp_ue(struct bf_rbsp *r);                   /* 9.1, ue(v) up to 2^32 - 2 */
uint32_t bf_rbsp_ue_max(struct bf_rbsp *r, uint32_t max); /* fails above max */
int32_t bf_rbsp_se(struct bf_rbsp *r);

#endif
