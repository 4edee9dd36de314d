/* Whole MPEG-TS packets out of datagrams. A datagram is taken when sync bytes stand where the stream so far says they
 * must. Senders that cut their stream anywhere (libavformat's udp with its default pkt_size) are pieced together; a
 * lost datagram costs the packet it cut, nothing more. Pure. Private to lib/media. */
#ifndef BELFRY_MEDIA_FRAMER_H
#define BELFRY_MEDIA_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BF_TS_PACKET_SIZE 188
#define BF_TS_DATAGRAM_MAX 9216 /* jumbo frames; longer ones are refused */

struct bf_framer {
    size_t begin, end; /* of what is in data; whole packets first, then the start of one */
    uint8_t data[BF_TS_PACKET_SIZE + BF_TS_DATAGRAM_MAX];
};

/* Where a datagram may be received into: BF_TS_DATAGRAM_MAX bytes. Only when bf_framer_take gives 0. */
uint8_t *bf_framer_room(struct bf_framer *f);
/* Takes the `size` bytes in the room; false: not MPEG-TS, nothing changed. */
bool bf_framer_accept(struct bf_framer *f, size_t size);
/* Copies out whole packets, at most `size` bytes; returns how many bytes, 0 when none is whole. */
size_t bf_framer_take(struct bf_framer *f, void *ret, size_t size);
/* A new sender: forgets the start of a packet that the last one left. */
void bf_framer_reset(struct bf_framer *f);

#endif
