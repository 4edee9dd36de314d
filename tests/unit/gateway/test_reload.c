/* The table of blocking reload (rfc8216bis 6.2.5.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/playlist.h"
#include "playlist_world.h"

struct reload_row {
    const char *query;
    enum bf_reload then;
};

static void check_rows(const struct reload_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct bf_hls_query q;
        struct bf_error e = { 0 };

        assert_int_equal(bf_hls_query_parse(&q, rows[i].query, &e), 0);
        enum bf_reload got = bf_playlist_reload(&view, &q, &e);
        if (got != rows[i].then) {
            print_error("%s: expected %d, got %d (%s)\n", rows[i].query, (int)rows[i].then, (int)got, e.text);
            fail();
        }
        assert_int_equal(got == BF_RELOAD_REFUSE || got == BF_RELOAD_TOO_EARLY, e.text[0] != '\0');
    }
}

static void test_blocking_reload_within_a_segment(void **state)
{
    static const struct reload_row rows[] = {
        { "", BF_RELOAD_READY },
        { "_HLS_msn=0", BF_RELOAD_READY },
        { "_HLS_msn=1", BF_RELOAD_READY },
        { "_HLS_msn=2", BF_RELOAD_WAIT }, /* open: not a whole segment yet */
        { "_HLS_msn=3", BF_RELOAD_WAIT },
        { "_HLS_msn=4", BF_RELOAD_TOO_EARLY }, /* more than two after the last whole one */
        { "_HLS_msn=99999999999", BF_RELOAD_TOO_EARLY },
        { "_HLS_msn=18446744073709551615&_HLS_part=18446744073709551615", BF_RELOAD_TOO_EARLY },
        { "_HLS_msn=2&_HLS_part=18446744073709551615", BF_RELOAD_TOO_EARLY },
        { "_HLS_msn=0&_HLS_part=18446744073709551615", BF_RELOAD_READY },
        { "_HLS_part=0", BF_RELOAD_REFUSE }, /* without _HLS_msn */
        { "_HLS_msn=1&_HLS_part=4", BF_RELOAD_READY },
        { "_HLS_msn=1&_HLS_part=5", BF_RELOAD_READY }, /* beyond a finished one: part 0 of the next, which is there */
        { "_HLS_msn=0&_HLS_part=77", BF_RELOAD_READY },
        { "_HLS_msn=2&_HLS_part=0", BF_RELOAD_READY },
        { "_HLS_msn=2&_HLS_part=1", BF_RELOAD_READY },
        { "_HLS_msn=2&_HLS_part=2", BF_RELOAD_WAIT },
        { "_HLS_msn=2&_HLS_part=13", BF_RELOAD_WAIT }, /* twelve after the last one: 2.8 s */
        { "_HLS_msn=2&_HLS_part=14", BF_RELOAD_TOO_EARLY },
        { "_HLS_msn=3&_HLS_part=0", BF_RELOAD_WAIT },
        { "_HLS_msn=3&_HLS_part=11", BF_RELOAD_WAIT },
        { "_HLS_msn=3&_HLS_part=12", BF_RELOAD_TOO_EARLY },
        { "_HLS_part=3&_HLS_msn=1", BF_RELOAD_READY }, /* keys in any order */
        { "x=1&_HLS_later=9&_HLS_msn=1&_HLS_push=1", BF_RELOAD_READY },
        { "_HLS_skip=v3&_HLS_msn=1", BF_RELOAD_READY },
        { "_HLS_msn=1&_HLS_skip=YES", BF_RELOAD_READY },
    };

    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_segment(&b, 5);
    build_part(&b, 18000, true, 1000);
    build_part(&b, 18000, false, 1000);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_blocking_reload_between_segments(void **state)
{
    static const struct reload_row rows[] = {
        { "_HLS_msn=0&_HLS_part=5", BF_RELOAD_WAIT }, /* stands for part 0 of segment 1 */
        { "_HLS_msn=1&_HLS_part=0", BF_RELOAD_WAIT },
        { "_HLS_msn=1", BF_RELOAD_WAIT },
        { "_HLS_msn=2", BF_RELOAD_WAIT },
        { "_HLS_msn=3", BF_RELOAD_TOO_EARLY },
    };

    (void)state;
    begin(4000);
    build_segment(&b, 5);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_blocking_reload_of_what_left_the_playlist(void **state)
{
    static const struct reload_row rows[] = {
        { "_HLS_msn=0", BF_RELOAD_READY },
        { "_HLS_msn=0&_HLS_part=3", BF_RELOAD_READY },
        { "_HLS_msn=2&_HLS_part=99", BF_RELOAD_READY },
    };

    (void)state;
    begin(4000);
    for (int i = 0; i < 60; i++)
        build_segment(&b, 5);
    bf_session_view_forget(&view, bf_session_view_keep_start(&view));
    assert_null(bf_session_view_segment(&view, 0));
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_blocking_reload_across_a_gap(void **state)
{
    static const struct reload_row rows[] = {
        { "_HLS_msn=0&_HLS_part=9", BF_RELOAD_READY }, /* the gap is later */
        { "_HLS_msn=1&_HLS_part=0", BF_RELOAD_WAIT },
        { "_HLS_msn=1", BF_RELOAD_READY },
    };

    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_gap(&b, 90000);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_blocking_reload_before_the_first_part(void **state)
{
    static const struct reload_row rows[] = {
        { "", BF_RELOAD_WAIT },
        { "_HLS_msn=0&_HLS_part=0", BF_RELOAD_WAIT },
        { "_HLS_msn=1", BF_RELOAD_WAIT },
        { "_HLS_msn=2", BF_RELOAD_TOO_EARLY },
        { "_HLS_part=0", BF_RELOAD_REFUSE },
    };

    (void)state;
    check_rows(rows, 3); /* not even started */
    begin(4000);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_ended_session_ignores_directives(void **state)
{
    static const struct reload_row rows[] = {
        { "_HLS_msn=900&_HLS_part=900", BF_RELOAD_READY },
        { "_HLS_part=1", BF_RELOAD_READY },
    };

    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_end(&b, "stopped");
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_economy_does_not_block(void **state)
{
    static const struct reload_row before[] = { { "", BF_RELOAD_WAIT }, { "_HLS_msn=99", BF_RELOAD_WAIT } };
    static const struct reload_row after[] = {
        { "", BF_RELOAD_READY },
        { "_HLS_msn=1", BF_RELOAD_READY },
        { "_HLS_msn=99999&_HLS_part=77", BF_RELOAD_READY },
        { "_HLS_part=3", BF_RELOAD_READY },
    };
    struct bf_hls_query q = { .has_msn = true };

    (void)state;
    begin_economy(9000);
    check_rows(before, 2);
    build_segment(&b, 5);
    check_rows(after, sizeof after / sizeof after[0]);
    assert_false(bf_playlist_heeds(&view, &q));
}

/* A number that is too big is too big in any place, and at once. */
static void test_far_ahead_of_a_long_part(void **state)
{
    static const struct reload_row rows[] = {
        { "_HLS_msn=0&_HLS_part=3", BF_RELOAD_WAIT }, /* three after the last one */
        { "_HLS_msn=0&_HLS_part=4", BF_RELOAD_TOO_EARLY },
    };

    (void)state;
    build_start(&b, "door", 1000000, 6, 20000); /* the limit is three parts where one lasts a second or more */
    build_init(&b);
    build_part(&b, 90000, true, 1000);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, playlist_world_begin, playlist_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_blocking_reload_within_a_segment),
        TEST(test_blocking_reload_between_segments),
        TEST(test_blocking_reload_of_what_left_the_playlist),
        TEST(test_blocking_reload_across_a_gap),
        TEST(test_blocking_reload_before_the_first_part),
        TEST(test_ended_session_ignores_directives),
        TEST(test_economy_does_not_block),
        TEST(test_far_ahead_of_a_long_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
