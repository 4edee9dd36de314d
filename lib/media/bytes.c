#include "media/bytes.h"

#include <errno.h>
#include <string.h>

int bf_bytes_append(struct bf_bytes *b, const void *data, size_t size)
{
    if (size == 0)
        return 0;
    if (b->room - b->size < size) {
        size_t room = (b->size + size) * 2;
        uint8_t *grown = realloc(b->data, room);
        if (grown == NULL)
            return -ENOMEM;
        b->data = grown;
        b->room = room;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

int bf_bytes_append_nal(struct bf_bytes *b, const struct bf_nal *nal)
{
    static const uint8_t start_code[4] = { 0, 0, 0, 1 };
    int r = bf_bytes_append(b, start_code, sizeof(start_code));
    return r < 0 ? r : bf_bytes_append(b, nal->data, nal->size);
}
