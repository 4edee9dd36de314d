#include "base/array.h"

#include <stdlib.h>

void *bf_array_room(void *items, size_t item_size, size_t n, size_t *room)
{
    if (n < *room)
        return items;
    size_t wanted = *room == 0 ? 8 : *room * 2;
    void *grown = reallocarray(items, wanted, item_size);
    if (grown != NULL)
        *room = wanted;
    return grown;
}
