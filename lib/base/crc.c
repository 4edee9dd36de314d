#include "base/crc.h"

/* Reflected polynomial 0x82f63b78, one entry per nibble: small enough to stay in the cache beside the media. */
static const uint32_t castagnoli[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t bf_crc32c(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ castagnoli[crc & 15U];
        crc = (crc >> 4) ^ castagnoli[crc & 15U];
    }
    return ~crc;
}

uint8_t bf_crc8(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    unsigned crc = 0;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x80U) != 0 ? ((crc << 1) ^ 0x07U) & 0xffU : (crc << 1) & 0xffU;
    }
    return (uint8_t)crc;
}
