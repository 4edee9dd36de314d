/* The live playlists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/playlist.h"
#include "playlist_world.h"

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
                        "#EXT-X-VERSION:6\n"
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
    build_segment_end(&b); /* the hint counts as one more segment for some: the oldest of three goes at once */
    text = render(false);
    assert_int_equal(count(text, "#EXT-X-PART:"), 6);
    assert_null(strstr(text, "part-44.m4s"));
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
    assert_non_null(strstr(render(false), "seg-0.m4s\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:01.000Z\n#EXT-X-GAP\n"
                                          "#EXTINF:1.000000,\nseg-1.m4s\n"
                                          "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:02.000Z\n"));
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
    assert_non_null(strstr(text, "#EXT-X-VERSION:9\n"));
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
    build_start(&b, "door", 233334, 1, 4000);
    build_init(&b);
    build_part(&b, 21000, true, 1000);  /* 233333.3 us: all of PART-TARGET */
    build_part(&b, 17851, false, 1000); /* 198344.4 us: just over 85 % of it */
    build_segment_end(&b);
    assert_non_null(strstr(render(false), "DURATION=0.233334,"));
    assert_non_null(strstr(render(false), "DURATION=0.198345,"));
    assert_non_null(strstr(render(false), "#EXTINF:0.431678,\n"));
}

static void test_a_target_that_was_rounded_down_is_not_exceeded(void **state)
{
    (void)state;
    begin(4000);
    build_part(&b, 21000, true, 1000);
    assert_non_null(strstr(render(false), "DURATION=0.233333,"));
}

/* A new map is hinted at as soon as it is known, before the first part that needs it (appendix B.1). */
static void test_hint_of_a_map(void **state)
{
    (void)state;
    begin(4000);
    build_segment(&b, 5);
    assert_null(strstr(render(false), "TYPE=MAP"));
    build_init(&b);
    assert_non_null(strstr(render(false), "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"init-1.mp4\"\n"
                                          "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-5.m4s\"\n"));
    build_part_after_break(&b, 18000, 1000);
    assert_null(strstr(render(false), "TYPE=MAP"));
}

/* Gaps have their time of day from what was before, however the list slides. */
static void test_every_listed_segment_has_its_time(void **state)
{
    (void)state;
    begin(4000);
    for (int i = 0; i < 5; i++)
        build_segment(&b, 5);
    for (int i = 0; i < 5; i++)
        build_gap(&b, 90000);
    build_part(&b, 18000, true, 1000);
    const char *text = render(false);
    assert_int_equal(count(text, "#EXT-X-PROGRAM-DATE-TIME:"), 5);
    assert_non_null(strstr(text, "#EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:06.000Z\n"
                                 "#EXT-X-GAP\n"));
    assert_non_null(strstr(text, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.000Z\n#EXT-X-PART:"));
}

/* --- profiles whose players are told of segments only --- */

static void build_economy_segment(void)
{
    for (int i = 0; i < 4; i++)
        build_part(&b, 45000, i == 0, 1000);
    build_segment_end(&b);
}

static void test_economy_playlist(void **state)
{
    (void)state;
    begin_economy(9000);
    build_economy_segment();
    build_gap(&b, 90000);
    build_part(&b, 45000, true, 1000);
    assert_string_equal(render(false), "#EXTM3U\n"
                                       "#EXT-X-VERSION:6\n"
                                       "#EXT-X-TARGETDURATION:3\n"
                                       "#EXT-X-MEDIA-SEQUENCE:0\n"
                                       "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
                                       "#EXT-X-MAP:URI=\"init.mp4\"\n"
                                       "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n"
                                       "#EXTINF:2.000000,\nseg-0.m4s\n"
                                       "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:02.000Z\n"
                                       "#EXT-X-GAP\n"
                                       "#EXTINF:1.000000,\nseg-1.m4s\n");
}

static void test_economy_can_be_played_once_a_segment_is_whole(void **state)
{
    (void)state;
    begin_economy(9000);
    assert_false(bf_playlist_playable(&view));
    build_part(&b, 45000, true, 1000);
    assert_false(bf_playlist_playable(&view));
    build_segment_end(&b);
    assert_true(bf_playlist_playable(&view));
    build_end(&b, "stopped");
    assert_true(bf_playlist_playable(&view));
}

static void test_economy_ends(void **state)
{
    (void)state;
    begin_economy(9000);
    build_end(&b, "stopped");
    assert_true(bf_playlist_playable(&view));
    assert_false(bf_playlist_has_media(&view));
    assert_non_null(strstr(render(false), "#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-ENDLIST\n"));
}

static void test_economy_never_skips(void **state)
{
    (void)state;
    begin_economy(60000);
    for (int i = 0; i < 30; i++)
        build_economy_segment();
    assert_int_equal(bf_playlist_skippable(&view),
                     0); /* without CAN-SKIP-UNTIL, _HLS_skip is to be ignored (6.2.5.1) */
    assert_null(strstr(render(true), "#EXT-X-SKIP"));
}

/* --- how long a segment stays --- */

static void test_segments_say_how_long_they_stay(void **state)
{
    uint32_t begun, left;

    (void)state;
    begin(4000);
    build_segment(&b, 5);
    begun = bf_playlist_segment_ttl_s(&view, 0);
    assert_in_range(begun, 20, 30); /* twice the window, three target durations, ten seconds */
    assert_int_equal(bf_playlist_segment_ttl_s(&view, 1), 0);
    for (uint32_t i = 1; i < begun; i++) {
        build_segment(&b, 5);
        left = bf_playlist_segment_ttl_s(&view, 0);
        assert_int_equal(left, begun - i);
        bf_session_view_forget(&view, bf_session_view_keep_start(&view));
        assert_non_null(bf_session_view_segment(&view, 0)); /* what was promised is kept */
    }
    build_segment(&b, 5);
    build_segment(&b, 5);
    bf_session_view_forget(&view, bf_session_view_keep_start(&view));
    assert_int_equal(bf_playlist_segment_ttl_s(&view, 0), 0);
}

/* Parts can be had for three target durations after their tags went, and longer (6.2.2). */
static void test_parts_outlive_their_tags(void **state)
{
    (void)state;
    begin(4000);
    for (int i = 0; i < 8; i++)
        build_segment(&b, 5);
    assert_null(strstr(render(false), "part-0.m4s"));
    bf_session_view_forget(&view, bf_session_view_keep_start(&view));
    assert_non_null(bf_session_view_part(&view, 0));
}

/* A segment that had to be cut between two key frames depends on the one before. */
static void test_index_promises_only_what_is_so(void **state)
{
    struct bf_text t = { 0 };

    (void)state;
    begin(4000);
    build_segment(&b, 5);
    build_part(&b, 18000, false, 1000);
    build_segment_end(&b);
    bf_playlist_index(&t, &view);
    assert_null(strstr(t.data, "INDEPENDENT-SEGMENTS"));
    bf_text_done(&t);
}

static void test_index(void **state)
{
    struct bf_text t = { 0 };

    (void)state;
    begin(4000);
    build_segment(&b, 5); /* 5000 bytes a second: 40 kbit/s */
    bf_playlist_index(&t, &view);
    assert_string_equal(t.data, "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n"
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, playlist_world_begin, playlist_world_end)

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
        TEST(test_a_target_that_was_rounded_down_is_not_exceeded),
        TEST(test_hint_of_a_map),
        TEST(test_every_listed_segment_has_its_time),
        TEST(test_economy_playlist),
        TEST(test_economy_can_be_played_once_a_segment_is_whole),
        TEST(test_economy_ends),
        TEST(test_economy_never_skips),
        TEST(test_segments_say_how_long_they_stay),
        TEST(test_parts_outlive_their_tags),
        TEST(test_index_promises_only_what_is_so),
        TEST(test_index),
        TEST(test_gzip_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
