/* Bytes that grow, with Annex B and length-prefixed NAL units on top. `size = 0` empties; room is kept for the next use;
 * free(data) releases. Private to lib/media. */
#ifndef BELFRY_MEDIA_BYTES_H
#define BELFRY_MEDIA_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "media/h264.h"

struct bf_bytes {
    uint8_t *data;
    size_t size, room;
};

int bf_bytes_append(struct bf_bytes *b, const void *data, size_t size); /* -ENOMEM, b as before */
int bf_bytes_append_nal(struct bf_bytes *b, const struct bf_nal *nal);  /* with a 4-byte start code */

static inline void bf_bytes_done(struct bf_bytes *b)
{
    free(b->data);
    *b = (struct bf_bytes){ 0 };
}

#endif
