/* The live playlists and the table of blocking reload (rfc8216bis 6.2.5.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/playlist.h"
#include "view_builder.h"

static struct bf_session_view view;
static struct builder b;

static int setup(void **state)
{
    (void)state;
    bf_session_view_init(&view);
    b = (struct builder){ .put = builder_into_view, .user = &view };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bf_session_view_done(&view);
    return 0;
}

static void begin(uint32_t window_ms)
{
    build_start(&b, "door", 233333, 1, window_ms);
    build_init(&b);
}

static const char *render(bool delta)
{
    static char text[65536];
    struct bf_text t = { 0 };

    bf_playlist_media(&t, &view, 0, delta);
    assert_int_equal(t.failed, 0);
    assert_true(t.size < sizeof text);
    memcpy(text, t.data, t.size + 1);
    bf_text_done(&t);
    return text;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static void test_whole_playlist(void **state)
{
    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_segment(&b, 2);
    build_part(&b, 18000, true, 1000);
    build_part(&b, 9000, false, 500);

    assert_string_equal(render(false),
                        "#EXTM3U\n"
                        "#EXT-X-VERSION:9\n"
                        "#EXT-X-TARGETDURATION:1\n"
                        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=6.0,PART-HOLD-BACK=0.699999\n"
                        "#EXT-X-PART-INF:PART-TARGET=0.233333\n"
                        "#EXT-X-MEDIA-SEQUENCE:0\n"
                        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
                        "#EXT-X-MAP:URI=\"init.mp4\"\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-0.m4s\",INDEPENDENT=YES\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-1.m4s\"\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-2.m4s\"\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-3.m4s\"\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-4.m4s\"\n"
                        "#EXTINF:1.000000,\nseg-0.m4s\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:01.000Z\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-5.m4s\",INDEPENDENT=YES\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-6.m4s\"\n"
                        "#EXTINF:0.400000,\nseg-1.m4s\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:01.400Z\n"
                        "#EXT-X-PART:DURATION=0.200000,URI=\"part-7.m4s\",INDEPENDENT=YES\n"
                        "#EXT-X-PART:DURATION=0.100000,URI=\"part-8.m4s\"\n"
                        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-9.m4s\"\n");
}

static void test_window_slides_and_parts_leave(void **state)
{
    (void)state;
    begin(4000);
    for (int i = 0; i < 10; i++)
        build_segment(&b, 5);
    build_part(&b, 18000, true, 1000);

    const char *text = render(false);
    assert_non_null(strstr(text, "#EXT-X-MEDIA-SEQUENCE:6\n"));
    assert_int_equal(count(text, "#EXTINF:"), 4);
    /* Two whole segments and the open one lie within three target durations of the end. */
    assert_int_equal(count(text, "#EXT-X-PART:"), 11);
    assert_null(strstr(text, "part-39.m4s"));
    assert_non_null(strstr(text, "part-40.m4s"));
    assert_int_equal(count(text, "#EXT-X-MAP"), 1);
    assert_non_null(strstr(text, "URI=\"part-51.m4s\"\n"));
}

static void test_forgetting_changes_nothing(void **state)
{
    char before[65536];

    (void)state;
    begin(4000);
    for (int i = 0; i < 40; i++)
        build_segment(&b, 5);
    snprintf(before, sizeof before, "%s", render(false));
    bf_session_view_forget(&view, bf_session_view_keep_start(&view));
    assert_true(view.n_segments < 40);
    assert_string_equal(render(false), before);
}

static void test_discontinuity_and_new_map(void **state)
{
    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_init(&b);
    build_part_after_break(&b, 18000, 1000);
    build_segment_end(&b);

    const char *text = render(false);
    assert_non_null(strstr(text, "seg-0.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-1.mp4\"\n#EXT-X-PROGRAM"));
    for (int i = 0; i < 8; i++)
        build_segment(&b, 5);
    text = render(false);
    assert_non_null(strstr(text, "#EXT-X-DISCONTINUITY-SEQUENCE:1\n"));
    assert_non_null(strstr(text, "#EXT-X-MAP:URI=\"init-1.mp4\"\n"));
    assert_null(strstr(text, "#EXT-X-DISCONTINUITY\n"));
}

static void test_discontinuities_that_were_forgotten_count(void **state)
{
    struct bf_text t = { 0 };

    (void)state;
    begin(4000);
    build_segment(&b, 5);
    bf_playlist_media(&t, &view, 7, false);
    assert_non_null(strstr(t.data, "#EXT-X-DISCONTINUITY-SEQUENCE:7\n"));
    bf_text_done(&t);
}

static void test_gap(void **state)
{
    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_gap(&b, 90000);
    build_segment(&b, 5);
    assert_non_null(strstr(render(false), "seg-0.m4s\n#EXT-X-GAP\n#EXTINF:1.000000,\nseg-1.m4s\n#EXT-X-PROGRAM"));
}

static void test_ended_session(void **state)
{
    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_end(&b, "stopped");

    const char *text = render(false);
    assert_null(strstr(text, "CAN-BLOCK-RELOAD"));
    assert_null(strstr(text, "PRELOAD-HINT"));
    assert_non_null(strstr(text, "seg-0.m4s\n#EXT-X-ENDLIST\n"));
}

static void test_delta_update(void **state)
{
    (void)state;
    begin(12000);
    for (int i = 0; i < 20; i++)
        build_segment(&b, 5);
    assert_int_equal(bf_playlist_skippable(&view), 6); /* 12 listed, the last six seconds stay */

    const char *text = render(true);
    assert_non_null(strstr(text, "#EXT-X-MEDIA-SEQUENCE:8\n"));
    assert_non_null(strstr(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS=6\n"));
    assert_null(strstr(text, "#EXT-X-MAP"));
    assert_null(strstr(text, "seg-13.m4s"));
    assert_non_null(strstr(text, "seg-14.m4s"));
}

static void test_no_delta_of_a_short_playlist(void **state)
{
    (void)state;
    begin(4000);
    for (int i = 0; i < 4; i++)
        build_segment(&b, 5);
    assert_int_equal(bf_playlist_skippable(&view), 0);
    assert_null(strstr(render(true), "#EXT-X-SKIP"));
    assert_non_null(strstr(render(true), "#EXT-X-MAP"));
}

/* Rules that players enforce: no part is longer than PART-TARGET, none but the marked and the last is
 * under 85 % of it. */
static void test_part_rounding(void **state)
{
    (void)state;
    build_start(&b, "door", 233333, 1, 4000);
    build_init(&b);
    build_part(&b, 21000, true, 1000); /* seven frames at 30 fps: 233333.3 us */
    assert_non_null(strstr(render(false), "DURATION=0.233333,"));
}

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
        assert_int_equal(got == BF_RELOAD_REFUSE, e.text[0] != '\0');
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
        { "_HLS_msn=4", BF_RELOAD_REFUSE }, /* more than two after the last whole one */
        { "_HLS_msn=99999999999", BF_RELOAD_REFUSE },
        { "_HLS_msn=18446744073709551615&_HLS_part=18446744073709551615", BF_RELOAD_REFUSE },
        { "_HLS_part=0", BF_RELOAD_REFUSE }, /* without _HLS_msn */
        { "_HLS_msn=1&_HLS_part=4", BF_RELOAD_READY },
        { "_HLS_msn=1&_HLS_part=5", BF_RELOAD_READY }, /* beyond a finished one: part 0 of the next, which is there */
        { "_HLS_msn=0&_HLS_part=77", BF_RELOAD_READY },
        { "_HLS_msn=2&_HLS_part=0", BF_RELOAD_READY },
        { "_HLS_msn=2&_HLS_part=1", BF_RELOAD_READY },
        { "_HLS_msn=2&_HLS_part=2", BF_RELOAD_WAIT },
        { "_HLS_msn=2&_HLS_part=14", BF_RELOAD_WAIT }, /* 13 parts of 0.233333 s make three seconds */
        { "_HLS_msn=2&_HLS_part=15", BF_RELOAD_REFUSE },
        { "_HLS_msn=3&_HLS_part=0", BF_RELOAD_WAIT },
        { "_HLS_msn=3&_HLS_part=13", BF_RELOAD_REFUSE },
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
        { "_HLS_msn=3", BF_RELOAD_REFUSE },
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
    static const struct reload_row rows[] = { { "", BF_RELOAD_WAIT }, { "_HLS_msn=0&_HLS_part=0", BF_RELOAD_WAIT } };

    (void)state;
    check_rows(rows, 2); /* not even started */
    begin(4000);
    check_rows(rows, 2);
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

static void test_index(void **state)
{
    struct bf_text t = { 0 };

    (void)state;
    begin(4000);
    build_segment(&b, 5); /* 5000 bytes a second: 40 kbit/s */
    bf_playlist_index(&t, &view);
    assert_string_equal(t.data, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n"
                                "#EXT-X-STREAM-INF:BANDWIDTH=44001,CODECS=\"avc1.42c01f\",RESOLUTION=640x480,"
                                "FRAME-RATE=30.000\n" BUILDER_SESSION "/media.m3u8\n");
    bf_text_done(&t);
}

static void test_gzip_round_trip(void **state)
{
    char text[] = "the same bytes, the same bytes, the same bytes, the same bytes";
    struct bf_text t = { 0 };

    (void)state;
    bf_text_add(&t, "%s", text);
    struct bf_blob *plain = bf_text_take(&t);
    assert_non_null(plain);
    struct bf_blob *packed = bf_blob_gzip(plain);
    assert_non_null(packed);
    assert_true(packed->size < plain->size);
    assert_memory_equal(packed->data, "\x1f\x8b\x08", 3);
    bf_blob_unref(packed);
    assert_ptr_equal(bf_blob_ref(plain), plain);
    bf_blob_unref(plain);
    assert_string_equal(plain->data, text);
    bf_blob_unref(plain);
    bf_blob_unref(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole_playlist),
        TEST(test_window_slides_and_parts_leave),
        TEST(test_forgetting_changes_nothing),
        TEST(test_discontinuity_and_new_map),
        TEST(test_discontinuities_that_were_forgotten_count),
        TEST(test_gap),
        TEST(test_ended_session),
        TEST(test_delta_update),
        TEST(test_no_delta_of_a_short_playlist),
        TEST(test_part_rounding),
        TEST(test_blocking_reload_within_a_segment),
        TEST(test_blocking_reload_between_segments),
        TEST(test_blocking_reload_of_what_left_the_playlist),
        TEST(test_blocking_reload_across_a_gap),
        TEST(test_blocking_reload_before_the_first_part),
        TEST(test_ended_session_ignores_directives),
        TEST(test_index),
        TEST(test_gzip_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
