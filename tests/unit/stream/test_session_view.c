#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "records.h"
#include "stream/chain.h"
#include "stream/session_view.h"

static void apply(struct bf_session_view *v, struct test_record *r)
{
    assert_int_equal(bf_session_view_apply(v, &r->record), 0);
}

static void refuse(struct bf_session_view *v, struct test_record *r)
{
    struct bf_session_view before = *v;

    assert_int_equal(bf_session_view_apply(v, &r->record), -EBADMSG);
    assert_int_equal(v->revision, before.revision);
    assert_int_equal(v->n_parts, before.n_parts);
    assert_int_equal(v->n_segments, before.n_segments);
    assert_int_equal(v->n_inits, before.n_inits);
    assert_int_equal(v->next_counter, before.next_counter);
    assert_int_equal(v->next_msn, before.next_msn);
}

static void begin(struct bf_session_view *v)
{
    struct test_record r;

    bf_session_view_init(v);
    make_start(&r);
    apply(v, &r);
    make_init(&r, "init.mp4");
    apply(v, &r);
}

static void add_part(struct bf_session_view *v, uint64_t counter, uint64_t msn, uint64_t offset)
{
    struct test_record r;

    make_part(&r, counter, msn, offset);
    apply(v, &r);
}

/* A whole segment of five parts, one second. */
static void add_segment(struct bf_session_view *v)
{
    uint64_t msn = v->next_msn;
    struct test_record r;

    for (unsigned i = 0; i < 5; i++)
        add_part(v, v->next_counter, msn, i * 1000);
    make_segment_end(&r, msn, 5);
    apply(v, &r);
}

static void sums_up_a_session(void **state)
{
    struct bf_session_view v;
    struct test_record r;

    (void)state;
    begin(&v);
    add_segment(&v);
    add_part(&v, 5, 1, 0);
    assert_string_equal(v.camera, "cam-1");
    assert_string_equal(v.session_id, TEST_SESSION);
    assert_string_equal(v.inits[0].codecs, "avc1.42c01f");
    assert_int_equal(v.n_segments, 2);
    assert_int_equal(v.n_parts, 6);
    assert_int_equal(v.revision, 9);

    const struct bf_segment_view *s = bf_session_view_segment(&v, 0);
    assert_true(s->complete);
    assert_int_equal(s->bytes, 5000);
    assert_int_equal(s->duration_90k, 90000);
    assert_int_equal(s->n_parts, 5);
    assert_int_equal(s->capture_us, 1700000000000000);
    s = bf_session_view_segment(&v, 1);
    assert_ptr_equal(bf_session_view_open_segment(&v), s);
    assert_false(s->complete);
    assert_int_equal(s->first_part, 5);
    assert_int_equal(bf_session_view_part(&v, 5)->msn, 1);
    assert_null(bf_session_view_part(&v, 6));
    assert_null(bf_session_view_segment(&v, 2));

    make_segment_end(&r, 1, 1);
    apply(&v, &r);
    assert_null(bf_session_view_open_segment(&v));
    make_end(&r);
    apply(&v, &r);
    assert_true(v.ended);
    assert_string_equal(v.end_reason, "stopped");
    bf_session_view_done(&v);
}

static void chain_head_begins_with_the_start(void **state)
{
    struct bf_session_view v;
    struct test_record r;
    uint8_t packed[512], expected[32];

    (void)state;
    bf_session_view_init(&v);
    make_start(&r);
    apply(&v, &r);
    bf_chain_start(expected, packed, belfry__v1__record__pack(&r.record, packed));
    assert_memory_equal(v.chain_head, expected, 32);
    bf_session_view_done(&v);
}

static void order_of_kinds(void **state)
{
    struct bf_session_view v;
    struct test_record start, init, part, segment_end, gap, end;

    (void)state;
    bf_session_view_init(&v);
    make_start(&start);
    make_init(&init, "init.mp4");
    make_part(&part, 0, 0, 0);
    make_segment_end(&segment_end, 0, 1);
    make_gap(&gap, 0, 90000);
    make_end(&end);

    refuse(&v, &init);
    refuse(&v, &part);
    refuse(&v, &segment_end);
    refuse(&v, &gap);
    refuse(&v, &end);
    apply(&v, &start);
    refuse(&v, &start);
    refuse(&v, &part);
    apply(&v, &init);
    refuse(&v, &init); /* the same index again */
    refuse(&v, &segment_end);
    apply(&v, &part);
    refuse(&v, &part);
    refuse(&v, &gap);
    refuse(&v, &end);
    make_init(&init, "init-1.mp4");
    refuse(&v, &init); /* a segment is open */
    apply(&v, &segment_end);
    refuse(&v, &segment_end);
    apply(&v, &init);
    apply(&v, &end);
    refuse(&v, &end);
    make_part(&part, 1, 1, 0);
    refuse(&v, &part);
    bf_session_view_done(&v);
}

static void order_of_parts(void **state)
{
    static const struct {
        const char *what;
        uint64_t counter, msn, offset, length;
        uint32_t duration_90k, frames;
        bool discontinuity;
    } table[] = {
        { "counter again", 1, 0, 2000, 1, 1, 1, false },
        { "counter left out", 3, 0, 2000, 1, 1, 1, false },
        { "next segment while one is open", 2, 1, 0, 1, 1, 1, false },
        { "hole in the file", 2, 0, 2001, 1, 1, 1, false },
        { "overlap in the file", 2, 0, 1999, 1, 1, 1, false },
        { "empty", 2, 0, 2000, 0, 1, 1, false },
        { "no duration", 2, 0, 2000, 1, 0, 1, false },
        { "no frames", 2, 0, 2000, 1, 1, 0, false },
        { "longer than a file can be", 2, 0, 2000, UINT64_MAX - 1000, 1, 1, false },
        { "discontinuity inside a segment", 2, 0, 2000, 1, 1, 1, true },
    };
    struct bf_session_view v;
    struct test_record r;

    (void)state;
    begin(&v);
    add_part(&v, 0, 0, 0);
    add_part(&v, 1, 0, 1000);
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        make_part(&r, table[i].counter, table[i].msn, table[i].offset);
        r.part.length = table[i].length;
        r.part.duration_90k = table[i].duration_90k;
        r.part.frames = table[i].frames;
        r.part.discontinuity = table[i].discontinuity;
        refuse(&v, &r);
    }
    make_segment_end(&r, 0, 2);
    apply(&v, &r);
    make_part(&r, 2, 0, 2000);
    refuse(&v, &r); /* the segment is whole */
    make_part(&r, 2, 2, 0);
    refuse(&v, &r); /* a segment left out */
    make_part(&r, 2, 1, 1000);
    refuse(&v, &r); /* does not begin at 0 */
    make_part(&r, 2, 1, 0);
    r.part.discontinuity = true;
    apply(&v, &r);
    assert_true(bf_session_view_segment(&v, 1)->discontinuity);
    bf_session_view_done(&v);
}

static void segment_end_must_sum_up(void **state)
{
    static uint8_t short_hash[31];
    struct bf_session_view v;
    struct test_record r;

    (void)state;
    begin(&v);
    add_part(&v, 0, 0, 0);
    make_segment_end(&r, 1, 1);
    refuse(&v, &r);
    make_segment_end(&r, 0, 2);
    refuse(&v, &r);
    make_segment_end(&r, 0, 1);
    r.segment_end.duration_90k++;
    refuse(&v, &r);
    make_segment_end(&r, 0, 1);
    r.segment_end.sha256 = (ProtobufCBinaryData){ sizeof short_hash, short_hash };
    refuse(&v, &r);
    make_segment_end(&r, 0, 1);
    r.segment_end.link.len = 0;
    refuse(&v, &r);
    make_segment_end(&r, 0, 1);
    apply(&v, &r);
    bf_session_view_done(&v);
}

static void values_out_of_form(void **state)
{
    struct bf_session_view v;
    struct test_record r;

    (void)state;
    bf_session_view_init(&v);
    make_start(&r);
    r.start.camera = "../cam";
    refuse(&v, &r);
    make_start(&r);
    r.start.ingest = "";
    refuse(&v, &r);
    make_start(&r);
    r.start.session_id = "short";
    refuse(&v, &r);
    make_start(&r);
    r.start.target_duration_s = 0;
    refuse(&v, &r);
    make_start(&r);
    r.start.target_duration_s = 3601;
    refuse(&v, &r);
    make_start(&r);
    r.start.profile = (Belfry__V1__Profile)4;
    refuse(&v, &r);
    make_start(&r);
    apply(&v, &r);
    make_init(&r, "../../etc/passwd");
    refuse(&v, &r);
    make_init(&r, "init-1.mp4"); /* the first is index 0 */
    refuse(&v, &r);
    make_init(&r, "init.mp4");
    r.init.codecs = "avc1\",EVIL=\"";
    refuse(&v, &r);
    r.init.codecs = "avc1.0123456789abcdef0123456789abcdef";
    refuse(&v, &r);
    r.init.codecs = "";
    refuse(&v, &r);
    make_init(&r, "init.mp4");
    apply(&v, &r);
    make_end(&r);
    r.end.reason = "a-reason-of-more-than-forty-eight-characters-is-too-long";
    refuse(&v, &r);
    belfry__v1__record__init(&r.record);
    refuse(&v, &r);
    bf_session_view_done(&v);
}

static void gaps_take_a_segment_number(void **state)
{
    struct bf_session_view v;
    struct test_record r;

    (void)state;
    begin(&v);
    add_segment(&v);
    make_gap(&r, 0, 90000);
    refuse(&v, &r);
    make_gap(&r, 1, 0);
    refuse(&v, &r);
    make_gap(&r, 1, 45000);
    apply(&v, &r);
    add_segment(&v);
    assert_true(bf_session_view_segment(&v, 1)->gap);
    assert_true(bf_session_view_segment(&v, 1)->complete);
    assert_int_equal(bf_session_view_segment(&v, 1)->n_parts, 0);
    assert_int_equal(bf_session_view_segment(&v, 2)->first_part, 5);
    bf_session_view_done(&v);
}

static void segments_know_their_init(void **state)
{
    struct bf_session_view v;
    struct test_record r;

    (void)state;
    begin(&v);
    add_segment(&v);
    make_init(&r, "init-1.mp4");
    apply(&v, &r);
    add_segment(&v);
    assert_int_equal(bf_session_view_segment(&v, 0)->init_index, 0);
    assert_int_equal(bf_session_view_segment(&v, 1)->init_index, 1);
    bf_session_view_done(&v);
}

static void forgets_from_the_front(void **state)
{
    struct bf_session_view v;

    (void)state;
    begin(&v);
    for (int i = 0; i < 10; i++)
        add_segment(&v);
    add_part(&v, 50, 10, 0);

    bf_session_view_forget(&v, 0);
    assert_int_equal(v.n_segments, 11);
    bf_session_view_forget(&v, 7);
    assert_int_equal(v.n_segments, 4);
    assert_int_equal(v.segments[0].msn, 7);
    assert_null(bf_session_view_segment(&v, 6));
    assert_null(bf_session_view_part(&v, 34));
    assert_int_equal(bf_session_view_part(&v, 35)->msn, 7);
    for (size_t i = 0; i < v.n_segments; i++)
        assert_int_equal(v.parts[v.segments[i].first_part].msn, v.segments[i].msn);

    bf_session_view_forget(&v, UINT64_MAX); /* the open one stays */
    assert_int_equal(v.n_segments, 1);
    assert_int_equal(v.n_parts, 1);
    add_part(&v, 51, 10, 1000);
    assert_int_equal(bf_session_view_part(&v, 51)->offset, 1000);
    bf_session_view_done(&v);
}

static void goes_on_after_forgetting_all(void **state)
{
    struct bf_session_view v;

    (void)state;
    begin(&v);
    add_segment(&v);
    bf_session_view_forget(&v, 1);
    assert_int_equal(v.n_segments, 0);
    assert_int_equal(bf_session_view_window_start(&v), 1);
    add_segment(&v);
    assert_int_equal(v.segments[0].msn, 1);
    assert_int_equal(v.parts[0].counter, 5);
    bf_session_view_done(&v);
}

/* One-second segments, target duration 2 s: the window is the larger of window_ms and three target durations; what must
 * stay on disk is that, the longest playlist (window and two targets), one target for the segment, and ten seconds. */
static void window_arithmetic(void **state)
{
    static const struct {
        uint32_t window_ms;
        unsigned segments;
        bool open;
        uint64_t window_start, keep_start;
    } table[] = {
        { 12000, 0, false, 0, 0 },    { 12000, 1, false, 0, 0 },
        { 12000, 12, false, 0, 0 },   { 12000, 13, false, 1, 0 },
        { 12000, 12, true, 0, 0 }, /* the open segment covers nothing yet */
        { 12000, 13, true, 1, 0 },    { 12000, 40, false, 28, 0 },
        { 12000, 41, false, 29, 1 },  { 12000, 100, true, 88, 60 },
        { 1000, 5, false, 0, 0 },     { 1000, 100, false, 94, 72 }, /* three target durations */
        { 6001, 100, false, 93, 71 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_session_view v;

        begin(&v);
        v.window_ms = table[i].window_ms;
        for (unsigned n = 0; n < table[i].segments; n++)
            add_segment(&v);
        if (table[i].open)
            add_part(&v, v.next_counter, v.next_msn, 0);
        assert_int_equal(bf_session_view_window_start(&v), table[i].window_start);
        assert_int_equal(bf_session_view_keep_start(&v), table[i].keep_start);
        bf_session_view_done(&v);
    }
}

static void window_never_goes_back(void **state)
{
    struct bf_session_view v;
    uint64_t window = 0, keep = 0;

    (void)state;
    begin(&v);
    for (int i = 0; i < 60; i++) {
        struct test_record r;

        if (i % 7 == 3) {
            make_gap(&r, v.next_msn, 30000 + 1000 * (uint64_t)i);
            apply(&v, &r);
        } else {
            add_segment(&v);
        }
        assert_true(bf_session_view_window_start(&v) >= window);
        assert_true(bf_session_view_keep_start(&v) >= keep);
        window = bf_session_view_window_start(&v);
        keep = bf_session_view_keep_start(&v);
        assert_true(keep <= window);
        bf_session_view_forget(&v, keep);
    }
    assert_true(keep > 0);
    bf_session_view_done(&v);
}

static void start_without_profile_is_balanced(void **state)
{
    struct bf_session_view v;
    struct test_record r;

    (void)state;
    bf_session_view_init(&v);
    make_start(&r);
    r.start.profile = BELFRY__V1__PROFILE__PROFILE_UNSPECIFIED;
    r.start.segment_us = 0;
    apply(&v, &r);
    assert_int_equal(v.profile, BELFRY__V1__PROFILE__PROFILE_BALANCED);
    assert_int_equal(v.segment_us, r.start.target_duration_s * 1000000);
    bf_session_view_done(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_up_a_session),
        cmocka_unit_test(chain_head_begins_with_the_start),
        cmocka_unit_test(order_of_kinds),
        cmocka_unit_test(order_of_parts),
        cmocka_unit_test(segment_end_must_sum_up),
        cmocka_unit_test(values_out_of_form),
        cmocka_unit_test(start_without_profile_is_balanced),
        cmocka_unit_test(gaps_take_a_segment_number),
        cmocka_unit_test(segments_know_their_init),
        cmocka_unit_test(forgets_from_the_front),
        cmocka_unit_test(goes_on_after_forgetting_all),
        cmocka_unit_test(window_arithmetic),
        cmocka_unit_test(window_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
