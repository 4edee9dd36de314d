/* Checksums against accidents, not against people. */
#ifndef BELFRY_BASE_CRC_H
#define BELFRY_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t bf_crc32c(const void *data, size_t size); /* Castagnoli, RFC 3720 B.4: "123456789" gives 0xe3069283 */
uint8_t bf_crc8(const void *data, size_t size);    /* polynomial 0x07, initial 0: "123456789" gives 0xf4 */

#endif
