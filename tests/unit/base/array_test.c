#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/array.h"

static void there_is_room_for_one_more_and_nothing_is_lost(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    size_t room = 0;
    unsigned moves = 0;

    for (uint32_t n = 0; n < 1000; n++) {
        size_t before = room;
        items = bf_array_room(items, sizeof *items, n, &room);
        assert_non_null(items);
        assert_true(room > n);
        moves += room != before;
        items[n] = n;
    }
    for (uint32_t n = 0; n < 1000; n++)
        assert_int_equal(items[n], n);
    assert_in_range(moves, 1, 10); /* it grows by doubling */
    free(items);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    uint32_t held[1] = { 7 };
    size_t room = SIZE_MAX / 4;

    assert_null(bf_array_room(held, 1024, room, &room));
    assert_int_equal(room, SIZE_MAX / 4);
    assert_int_equal(held[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_room_for_one_more_and_nothing_is_lost),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
