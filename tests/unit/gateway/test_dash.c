/* DASH: where a session's periods begin, and the manifest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/dash.h"
#include "view_builder.h"

#define ON UINT64_MAX /* end of a period that goes on */

/* A reader of a journal as the live store is one; `forget_always` lets go of what is old at every record. */
struct reader {
    struct bf_session_view view;
    struct bf_periods periods;
    bool forget_always;
};

static struct reader first, second; /* the second sees the same records */
static struct builder b;

static int take(struct reader *r, const Belfry__V1__Record *record)
{
    int failed = bf_session_view_apply(&r->view, record);

    if (failed == 0)
        failed = bf_periods_take(&r->periods, &r->view);
    if (r->forget_always) {
        uint64_t keep = bf_session_view_keep_start(&r->view);
        bf_session_view_forget(&r->view, keep);
        bf_periods_forget(&r->periods, keep);
    }
    return failed;
}

static int put(void *user, const Belfry__V1__Record *record)
{
    (void)user;
    assert_int_equal(take(&second, record), 0);
    return take(&first, record);
}

static int setup(void **state)
{
    (void)state;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    bf_session_view_init(&first.view);
    bf_session_view_init(&second.view);
    second.forget_always = true;
    b = (struct builder){ .put = put, .says_written = true };
    return 0;
}

static const char *manifest_of(const struct reader *r, char *text, size_t size)
{
    struct bf_text t = { 0 };

    bf_dash_mpd(&t, &r->view, &r->periods);
    assert_int_equal(t.failed, 0);
    assert_true(t.size < size);
    memcpy(text, t.data, t.size + 1);
    bf_text_done(&t);
    return text;
}

/* Whoever began to read earlier or later, forgot more or less: the manifest is the same. */
static int teardown(void **state)
{
    char one[32768], other[32768];

    (void)state;
    if (first.periods.n > 0)
        assert_string_equal(manifest_of(&first, one, sizeof one), manifest_of(&second, other, sizeof other));
    bf_session_view_done(&first.view);
    bf_session_view_done(&second.view);
    bf_periods_done(&first.periods);
    bf_periods_done(&second.periods);
    return 0;
}

static void begin(void)
{
    build_start(&b, "door", 216216, 1, 4000);
    build_init(&b);
}

static void build_segments(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        build_segment(&b, 5);
}

/* One segment of `ticks`, in parts of at most 200 ms. */
static void build_long(uint32_t ticks)
{
    for (uint32_t at = 0; at < ticks; at += 18000)
        build_part(&b, ticks - at < 18000 ? ticks - at : 18000, at == 0, 1000);
    build_segment_end(&b);
}

static void check_period(size_t index, uint64_t first_msn, uint64_t end_msn, uint64_t start_us, uint64_t media_90k)
{
    const struct bf_period *p = &first.periods.list[index];

    assert_true(index < first.periods.n);
    assert_int_equal(p->first_msn, first_msn);
    assert_int_equal(p->end_msn, end_msn);
    assert_int_equal(p->start_us, start_us);
    assert_int_equal(p->media_90k, media_90k);
}

static void check_periods(size_t n)
{
    assert_int_equal(first.periods.n, n);
}

/* --- where periods begin --- */

static void test_a_steady_stream_is_one_period(void **state)
{
    (void)state;
    b.written_off_us = 30000;
    begin();
    for (int i = 0; i < 3000; i++) {
        b.written_off_us = 30000 + (i * 7919 % 400) * 1000; /* a network that shakes */
        build_segments(1);
    }
    check_periods(1);
    check_period(0, 0, ON, 0, 0);
    assert_int_equal(first.periods.origin_us, BUILDER_CAPTURE_US);
    assert_int_equal(first.periods.list[0].segment_90k, 90000);
}

static void test_origin(void **state)
{
    static const struct {
        int64_t capture_off_us, written_off_us, origin_off_us;
        bool known;
    } rows[] = {
        { 0, 0, 0, true },
        { 0, 120000, 0, true },              /* the true time of the picture */
        { 0, 3000000, 2500000, true },       /* three seconds on the way: at most half a segment of that */
        { 5000, 0, 0, true },                /* 5 ms fast */
        { 3600000000, 50000, 50000, false }, /* an hour fast: not a clock like ours */
        { -3600000000, 50000, -450000, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        teardown(NULL);
        setup(NULL);
        b.capture_off_us = rows[i].capture_off_us;
        b.written_off_us = rows[i].written_off_us;
        begin();
        build_segments(3);
        check_periods(1);
        int64_t off = (int64_t)(first.periods.origin_us - BUILDER_CAPTURE_US);
        bool known = first.periods.list[0].capture_us != 0;
        if (rows[i].known != known || (known && off != rows[i].origin_off_us))
            fail_msg("row %zu: %lld, %d", i, (long long)off, known);
    }
}

static void test_no_time_of_writing(void **state)
{
    (void)state;
    b.says_written = false;
    begin();
    build_segments(10);
    check_periods(1);
    assert_int_equal(first.periods.origin_us, BUILDER_CAPTURE_US);
}

static void test_a_gap_ends_a_period(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    build_gap(&b, 90000);
    build_gap(&b, 45000);
    check_periods(1);
    check_period(0, 0, 3, 0, 0);
    assert_int_equal(first.periods.list[0].length_us, 3000000);
    build_segments(2);
    check_periods(2);
    check_period(1, 5, ON, 4500000, 405000);
}

static void test_another_picture(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    build_init(&b);
    build_part_after_break(&b, 18000, 1000);
    build_segment_end(&b);
    check_periods(2);
    check_period(0, 0, 3, 0, 0);
    check_period(1, 3, ON, 3000000, 270000);
    assert_int_equal(first.periods.list[1].init_index, 1);
}

/* Silence is not in the media's own time; it is in the time of day. */
static void test_a_source_that_was_away(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    b.capture_off_us = b.written_off_us = 30000000;
    build_part_after_break(&b, 18000, 1000);
    build_segment_end(&b);
    check_periods(2);
    check_period(1, 3, ON, 33000000 - 250000, 270000); /* a quarter of a segment to be early by */
}

static void test_a_break_that_took_no_time(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    b.capture_off_us = b.written_off_us = 200000;
    build_part_after_break(&b, 18000, 1000);
    check_periods(2);
    check_period(1, 3, ON, 3000000, 270000); /* right behind: nothing for a player to jump over */
}

static void test_a_segment_that_was_cut(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    build_long(36000); /* 0.4 s */
    build_segments(5);
    check_periods(2);
    check_period(0, 0, 4, 0, 0);
    check_period(1, 4, ON, 3400000, 306000);
    assert_int_equal(first.periods.list[0].length_us, 3400000);
    assert_int_equal(first.periods.list[1].segment_90k, 90000);
}

static void test_a_source_that_is_a_little_slow(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 100; i++)
        build_long(90900); /* 1.01 s each, where 1 s was said */
    check_periods(2);
    check_period(1, 51, ON, 51510000, 51 * 90900); /* 51 times 10 ms is more than half a segment */
}

/* The media's clock and the wall's: a viewer must not ask for what is not there yet, nor fall behind. */
static void test_a_camera_whose_clock_is_slow(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 1000; i++) {
        b.capture_off_us = b.written_off_us = i * 1000;
        build_segments(1);
    }
    check_periods(2);
    /* Later than three quarters of a segment from the 751st on, for the fifth time in a row with the 755th. */
    check_period(1, 755, ON, 755000000 + 755000 - 250000, UINT64_C(755) * 90000);
}

static void test_a_camera_whose_clock_is_fast(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 400; i++) {
        b.capture_off_us = b.written_off_us = -i * 1000;
        build_segments(1);
    }
    check_periods(2);
    check_period(1, 251, ON, 251000000 - 251000 - 250000, UINT64_C(251) * 90000);
}

static void test_a_stall_is_not_a_clock(void **state)
{
    (void)state;
    begin();
    build_segments(5);
    b.written_off_us = 2000000;
    build_segments(2);
    b.written_off_us = 900000;
    build_segments(2);
    b.written_off_us = 0;
    build_segments(5);
    check_periods(1);
}

/* Time cannot go back: whatever the clocks say, periods follow each other. */
static void test_a_clock_that_is_set_back(void **state)
{
    (void)state;
    begin();
    build_segments(5);
    b.capture_off_us = b.written_off_us = -3600000000;
    build_segments(5);
    for (size_t i = 1; i < first.periods.n; i++)
        assert_true(first.periods.list[i].start_us > first.periods.list[i - 1].start_us);
}

static void test_a_gop_that_nobody_told(void **state)
{
    (void)state;
    b.segment_us = 10000000;
    build_start(&b, "door", 216216, 10, 40000);
    build_init(&b);
    for (int i = 0; i < 10; i++)
        build_long(360000);
    check_periods(3); /* the second segment is early, and so is the third; then it is known */
    check_period(2, 2, ON, 8000000, 720000);
    assert_int_equal(first.periods.list[2].segment_90k, 360000);
}

static void test_old_periods_are_forgotten(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 100; i++) {
        build_segments(3);
        build_gap(&b, 90000);
    }
    build_segments(1);
    check_periods(101);
    assert_in_range(second.periods.n, 2, 12);
}

/* --- the manifest --- */

static const char *manifest(void)
{
    static char text[32768];

    return manifest_of(&first, text, sizeof text);
}

static void test_low_latency_manifest(void **state)
{
    (void)state;
    b.written_off_us = 40000;
    begin();
    build_segments(2);
    build_part(&b, 18000, true, 1000);
    assert_string_equal(
        manifest(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" "
        "profiles=\"urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5\" "
        "availabilityStartTime=\"2026-01-01T00:00:00.000Z\" publishTime=\"2026-01-01T00:00:02.240Z\" "
        "minimumUpdatePeriod=\"PT2.000000S\" timeShiftBufferDepth=\"PT4.000000S\" maxSegmentDuration=\"PT1.000000S\" "
        "minBufferTime=\"PT0.216216S\">\n"
        "  <ServiceDescription id=\"0\">\n"
        "    <Latency target=\"1000\" min=\"600\" max=\"3000\" referenceId=\"0\"/>\n"
        "    <PlaybackRate min=\"0.96\" max=\"1.1\"/>\n"
        "  </ServiceDescription>\n"
        "  <Period id=\"0\" start=\"PT0.000000S\">\n"
        "    <AdaptationSet id=\"0\" contentType=\"video\" mimeType=\"video/mp4\" codecs=\"avc1.42c01f\" width=\"640\" "
        "height=\"480\" frameRate=\"30\" segmentAlignment=\"true\" startWithSAP=\"1\">\n"
        "      <ProducerReferenceTime id=\"0\" type=\"encoder\" wallClockTime=\"2026-01-01T00:00:00.000Z\" "
        "presentationTime=\"0\"><UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"/api/v1/time\"/>"
        "</ProducerReferenceTime>\n"
        "      <SegmentTemplate timescale=\"90000\" duration=\"90000\" startNumber=\"0\" presentationTimeOffset=\"0\" "
        "initialization=\"init.mp4\" media=\"seg-$Number$.m4s\" availabilityTimeOffset=\"0.783784\" "
        "availabilityTimeComplete=\"false\"/>\n"
        "      <Representation id=\"0\" bandwidth=\"49152\"/>\n"
        "    </AdaptationSet>\n"
        "  </Period>\n"
        "  <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"/api/v1/time\"/>\n"
        "</MPD>\n");
}

static bool says(const char *what)
{
    return strstr(manifest(), what) != NULL;
}

static void test_realtime_target(void **state)
{
    (void)state;
    b.profile = BELFRY__V1__PROFILE__PROFILE_REALTIME;
    b.segment_us = 500000;
    build_start(&b, "door", 72073, 1, 4000);
    build_init(&b);
    build_part(&b, 6000, true, 1000);
    assert_true(says("<Latency target=\"500\"") && says("availabilityTimeOffset=\"0.427927\""));
    assert_true(says("duration=\"45000\"") && says("maxSegmentDuration=\"PT1.000000S\""));
}

static void test_economy_manifest(void **state)
{
    (void)state;
    b.profile = BELFRY__V1__PROFILE__PROFILE_ECONOMY;
    b.segment_us = 2000000;
    build_start(&b, "door", 540541, 3, 12000);
    build_init(&b);
    build_long(180000);
    assert_false(says("availabilityTime"));
    assert_false(says("ServiceDescription"));
    assert_false(says("low-latency"));
    assert_true(says("suggestedPresentationDelay=\"PT6.000000S\"") && says("minimumUpdatePeriod=\"PT6.000000S\""));
    assert_true(says("duration=\"180000\"") && says("minBufferTime=\"PT2.000000S\""));
}

static void test_an_ended_session(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    build_long(36000);
    build_end(&b, "stopped");
    assert_false(says("minimumUpdatePeriod"));
    assert_true(says("mediaPresentationDuration=\"PT3.400000S\""));
    assert_true(says("<Period id=\"0\" start=\"PT0.000000S\" duration=\"PT3.400000S\">"));
}

static void test_an_end_behind_a_gap(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    build_gap(&b, 90000);
    build_end(&b, "stopped");
    assert_true(says("mediaPresentationDuration=\"PT3.000000S\""));
}

static void test_only_periods_of_the_window(void **state)
{
    (void)state;
    begin();
    build_segments(3);
    build_gap(&b, 90000);
    build_segments(4);
    assert_true(says("<Period id=\"4\" start=\"PT4.000000S\">"));
    assert_false(says("<Period id=\"0\""));
    build_gap(&b, 90000);
    build_segments(1);
    assert_true(says("<Period id=\"4\" start=\"PT4.000000S\" duration=\"PT4.000000S\">"));
    assert_true(says("<Period id=\"9\" start=\"PT9.000000S\">"));
    assert_true(says("startNumber=\"9\" presentationTimeOffset=\"810000\""));
}

static void test_a_clock_that_is_not_ours_is_no_reference(void **state)
{
    (void)state;
    b.capture_off_us = 3600000000;
    begin();
    build_segments(1);
    assert_false(says("ProducerReferenceTime"));
    assert_false(says("referenceId"));
}

static void test_an_odd_frame_rate(void **state)
{
    (void)state;
    begin();
    build_segments(1);
    first.view.inits[0].frame_rate_milli = second.view.inits[0].frame_rate_milli = 29970;
    assert_true(says("frameRate=\"29970/1000\""));
    first.view.inits[0].frame_rate_milli = second.view.inits[0].frame_rate_milli = 0;
    assert_false(says("frameRate"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_steady_stream_is_one_period),
        TEST(test_origin),
        TEST(test_no_time_of_writing),
        TEST(test_a_gap_ends_a_period),
        TEST(test_another_picture),
        TEST(test_a_source_that_was_away),
        TEST(test_a_break_that_took_no_time),
        TEST(test_a_segment_that_was_cut),
        TEST(test_a_source_that_is_a_little_slow),
        TEST(test_a_camera_whose_clock_is_slow),
        TEST(test_a_camera_whose_clock_is_fast),
        TEST(test_a_stall_is_not_a_clock),
        TEST(test_a_clock_that_is_set_back),
        TEST(test_a_gop_that_nobody_told),
        TEST(test_old_periods_are_forgotten),
        TEST(test_low_latency_manifest),
        TEST(test_realtime_target),
        TEST(test_economy_manifest),
        TEST(test_an_ended_session),
        TEST(test_an_end_behind_a_gap),
        TEST(test_only_periods_of_the_window),
        TEST(test_a_clock_that_is_not_ours_is_no_reference),
        TEST(test_an_odd_frame_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
