#include "media/framer.h"

#include <string.h>

enum { SYNC = 0x47, RELOCK_SYNCS = 4 };

/* Sync bytes at `from` and every packet on; 0 when one is missing. `from` past the end counts as one: nothing says no. */
static size_t syncs_at(const uint8_t *data, size_t size, size_t from)
{
    size_t n = from >= size;
    for (; from < size; from += BF_TS_PACKET_SIZE, n++)
        if (data[from] != SYNC)
            return 0;
    return n;
}

/* Where the first packet starts in a datagram that does not go on from the ones before; size when nowhere. */
static size_t relock(const uint8_t *data, size_t size)
{
    if (size % BF_TS_PACKET_SIZE == 0 && syncs_at(data, size, 0) > 0)
        return 0;
    for (size_t from = 0; from < BF_TS_PACKET_SIZE && from < size; from++)
        if (syncs_at(data, size, from) >= RELOCK_SYNCS)
            return from;
    return size;
}

uint8_t *bf_framer_room(struct bf_framer *f)
{
    memmove(f->data, f->data + f->begin, f->end - f->begin);
    f->end -= f->begin;
    f->begin = 0;
    return f->data + f->end;
}

bool bf_framer_accept(struct bf_framer *f, size_t size)
{
    size_t carried = f->end - f->begin;
    if (size == 0 || size > BF_TS_DATAGRAM_MAX || carried >= BF_TS_PACKET_SIZE)
        return false;

    const uint8_t *datagram = f->data + f->end;
    size_t expected = carried > 0 ? BF_TS_PACKET_SIZE - carried : 0;
    if (syncs_at(datagram, size, expected) == 0) {
        size_t from = relock(datagram, size);
        if (from == size)
            return false;
        f->begin = f->end + from;
    }
    f->end += size;
    return true;
}

size_t bf_framer_take(struct bf_framer *f, void *ret, size_t size)
{
    size_t whole = f->end - f->begin;
    if (whole > size)
        whole = size;
    whole -= whole % BF_TS_PACKET_SIZE;
    memcpy(ret, f->data + f->begin, whole);
    f->begin += whole;
    return whole;
}

void bf_framer_reset(struct bf_framer *f)
{
    f->begin = f->end = 0;
}
