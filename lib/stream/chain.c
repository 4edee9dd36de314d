#include "stream/chain.h"

#include <string.h>

#include <sodium.h>

static uint8_t *put_be64(uint8_t *p, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *p++ = (uint8_t)(value >> shift);
    return p;
}

void bf_chain_start(uint8_t ret_link[static 32], const void *record, size_t size)
{
    crypto_hash_sha256(ret_link, record, size);
}

void bf_chain_next(uint8_t ret_link[static 32], const uint8_t prev[static 32], uint64_t msn, uint64_t decode_time_90k,
                   uint64_t duration_90k, const uint8_t sha256[static 32])
{
    uint8_t leaf[1 + 3 * 8 + 32] = { 0x00 };
    uint8_t node[1 + 32 + 32] = { 0x02 };

    uint8_t *p = put_be64(leaf + 1, msn);
    p = put_be64(p, decode_time_90k);
    p = put_be64(p, duration_90k);
    memcpy(p, sha256, 32);

    memcpy(node + 1, prev, 32);
    crypto_hash_sha256(node + 33, leaf, sizeof leaf);
    crypto_hash_sha256(ret_link, node, sizeof node);
}
