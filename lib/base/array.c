#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>

void *bf_array_room(void *items, size_t item_size, size_t n, size_t *room)
{
    if (n < *room)
        return items;
    /* No object is larger (C11 6.5.6); sanitizers end a program that asks for one. */
    if (*room > PTRDIFF_MAX / 2 / item_size)
        return NULL;
    size_t wanted = *room == 0 ? 8 : *room * 2;
    void *grown = realloc(items, wanted * item_size);
    if (grown != NULL)
        *room = wanted;
    return grown;
}
