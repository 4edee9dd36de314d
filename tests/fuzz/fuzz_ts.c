/* Datagrams of any bytes through the framer, and what it lets through, through the MPEG-TS reader: always ends with the
 * word of the source, never with an error of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/framer.h"
#include "media/h264.h"
#include "media/ts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
    struct bf_framer framer;
};

/* The first byte of each datagram says how long it is, in a way that makes whole packets likely. */
static void next_datagram(struct input *in)
{
    uint8_t plan = *in->data++;
    in->size--;
    size_t size = plan < 200 ? (size_t)(plan % 8) * BF_TS_PACKET_SIZE : (size_t)plan * 7;
    if (size > in->size)
        size = in->size;
    memcpy(bf_framer_room(&in->framer), in->data, size);
    bf_framer_accept(&in->framer, size);
    in->data += size;
    in->size -= size;
}

static int source(void *user, void *ret, size_t size)
{
    struct input *in = user;
    for (;;) {
        size_t whole = bf_framer_take(&in->framer, ret, size);
        if (whole > 0)
            return (int)whole;
        if (in->size == 0)
            return -EPIPE;
        next_datagram(in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { .data = data, .size = size };
    struct bf_ts_reader *reader = NULL;
    struct bf_ts_packet packet;
    int r;
    if (bf_ts_reader_new_from(&reader, source, &in, NULL) < 0)
        return 0;
    while ((r = bf_ts_read(reader, &packet)) == 0) {
        struct bf_au au;
        bf_au_scan(packet.data, packet.size, &au);
    }
    if (r != -EPIPE && r != -ENOMEM)
        abort();
    bf_ts_reader_free(reader);
    return 0;
}
