/* The hash chain over a session's segments (proto/journal.proto, SegmentEnd). Pure. */
#ifndef BELFRY_STREAM_CHAIN_H
#define BELFRY_STREAM_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#define BF_LINK_PAYLOAD_TYPE "application/vnd.belfry.segment-link.v1"

/* link_{-1}: SHA-256 of the packed SessionStart Record. */
void bf_chain_start(uint8_t ret_link[static 32], const void *record, size_t size);
/* link_n from link_{n-1}; ret may be prev. */
void bf_chain_next(uint8_t ret_link[static 32], const uint8_t prev[static 32], uint64_t msn, uint64_t decode_time_90k,
                   uint64_t duration_90k, const uint8_t sha256[static 32]);

#endif
