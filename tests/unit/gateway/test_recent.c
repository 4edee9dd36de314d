/* The newest parts of a session in memory: what is kept, what goes, and who owns it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/recent.h"

static struct bf_recent recent;

static int setup(void **state)
{
    (void)state;
    recent = (struct bf_recent){ 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bf_recent_done(&recent);
    assert_int_equal(recent.bytes, 0);
    return 0;
}

static void put(uint64_t counter, size_t size)
{
    char *data = calloc(1, size + 1);

    assert_non_null(data);
    struct bf_blob *blob = bf_blob_new(data, size);
    assert_non_null(blob);
    bf_recent_put(&recent, counter, blob);
    bf_blob_unref(blob);
}

static bool kept(uint64_t counter)
{
    struct bf_blob *blob = bf_recent_get(&recent, counter);

    bf_blob_unref(blob);
    return blob != NULL;
}

static void test_the_newest_are_kept(void **state)
{
    (void)state;
    assert_false(kept(0));
    for (uint64_t i = 0; i < 100; i++)
        put(i, 1000);
    for (uint64_t i = 0; i < 120; i++)
        assert_int_equal(kept(i), i >= 100 - BF_RECENT_PARTS && i < 100);
    assert_int_equal(recent.bytes, BF_RECENT_PARTS * 1000);
}

static void test_an_old_one_takes_nobodys_place(void **state)
{
    (void)state;
    for (uint64_t i = 50; i < 50 + BF_RECENT_PARTS; i++)
        put(i, 1000);
    put(50 - BF_RECENT_PARTS, 1000);
    assert_true(kept(50));
    assert_false(kept(50 - BF_RECENT_PARTS));
}

static void test_the_same_again_changes_nothing(void **state)
{
    (void)state;
    put(7, 1000);
    struct bf_blob *first = bf_recent_get(&recent, 7);
    put(7, 1000); /* two threads read it at the same time */
    struct bf_blob *then = bf_recent_get(&recent, 7);
    assert_ptr_equal(first, then);
    assert_int_equal(recent.bytes, 1000);
    bf_blob_unref(first);
    bf_blob_unref(then);
}

static void test_bytes_are_bounded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5; i++)
        put(i, BF_RECENT_BYTES / 4);
    assert_false(kept(0));
    assert_true(kept(1) && kept(4));
    put(5, BF_RECENT_BYTES + 1); /* never */
    assert_false(kept(5));
    put(6, BF_RECENT_BYTES);
    assert_true(kept(6) && !kept(4));
    put(2, 1000); /* older than what would have to go for it */
    assert_false(kept(2));
    assert_true(kept(6));
}

static void test_who_sends_keeps_it(void **state)
{
    (void)state;
    put(0, 1000);
    struct bf_blob *sent = bf_recent_get(&recent, 0);
    for (uint64_t i = 1; i <= BF_RECENT_PARTS; i++)
        put(i, 1000);
    assert_false(kept(0));
    assert_int_equal(sent->size, 1000);
    assert_int_equal(sent->data[999], 0);
    bf_blob_unref(sent);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_newest_are_kept),
        TEST(test_an_old_one_takes_nobodys_place),
        TEST(test_the_same_again_changes_nothing),
        TEST(test_bytes_are_bounded),
        TEST(test_who_sends_keeps_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
