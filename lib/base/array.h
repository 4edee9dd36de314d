/* Room in arrays that grow. */
#ifndef BELFRY_BASE_ARRAY_H
#define BELFRY_BASE_ARRAY_H

#include <stddef.h>

/* Makes sure that `items`, malloc'd or NULL, has room for one more than the `n` that it holds; *room counts items. Returns
 * where they are now. NULL: no memory, and nothing has changed. */
void *bf_array_room(void *items, size_t item_size, size_t n, size_t *room);

#endif
