/* Another gateway has taken over: what it took is given up, nothing is sent there, and whoever asks is told who it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orch_world.h"

static void lose(struct world *w, enum bf_role role, uint64_t epoch)
{
    w->lost = role;
    w->lost_to_epoch = epoch;
}

static void test_our_own_lease_is_no_reason(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    assert_true(bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->online);
    assert_int_equal(bf_orch_nodes_superseded(w->o, BF_ROLE_CAMERA), 0);
    assert_null(bf_orch_superseded(w->o, door(w)));
}

static void test_a_start_is_refused(void **state)
{
    struct world *w = *state;

    all_online(w);
    lose(w, BF_ROLE_INGEST, 4);
    ingest_is(w, "", NULL);
    assert_int_equal(bf_orch_nodes_online(w->o, BF_ROLE_INGEST), 0);
    assert_int_equal(bf_orch_nodes_superseded(w->o, BF_ROLE_INGEST), 1);
    w->seen[0] = '\0';
    start(w, "door", SESSION_A, 1);
    expect(w, "1:superseded");
    assert_string_equal(w->last.result.code, "superseded");
    assert_non_null(strstr(w->last.result.detail, "gateway-2"));
    assert_non_null(strstr(w->last.result.detail, "ingest ingest-1 obeys its lease epoch 4, and ours is 3"));
    start(w, "pole", SESSION_A, 2);
    expect(w, "2:superseded");
}

static void test_an_equal_epoch_of_another_holder(void **state)
{
    struct world *w = *state;

    all_online(w);
    lose(w, BF_ROLE_CAMERA, 3);
    camera_is(w, "off", NULL);
    w->seen[0] = '\0';
    start(w, "door", SESSION_A, 1);
    expect(w, "1:superseded");
    assert_non_null(strstr(w->last.result.detail, "Another gateway (gateway-2) has the same lease epoch, 3"));
}

static void test_a_lower_epoch_is_what_was_before_us(void **state)
{
    struct world *w = *state;

    all_online(w);
    lose(w, BF_ROLE_CAMERA, 2);
    camera_is(w, "off", NULL);
    assert_true(bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->online);
}

static void test_one_camera_costs_no_other(void **state)
{
    struct world *w = *state;

    all_online(w);
    lose(w, BF_ROLE_CAMERA, UINT64_MAX);
    camera_is(w, "off", NULL);
    w->seen[0] = '\0';
    start(w, "door", SESSION_A, 1);
    expect(w, "1:superseded");
    start(w, "pole", SESSION_B, 2);
    expect(w, "persist >ingest-1 >janitor-1");
}

static void test_nothing_is_sent_any_more(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    lose(w, BF_ROLE_CAMERA, 4);
    camera_is(w, "off", NULL);
    expect(w, "persist >ingest-1"); /* its session has no camera any more, so it ends */
    assert_int_equal(door(w)->phase, BF_STREAM_STOPPING);
    ingest_is(w, "ended", SESSION_A);
    assert_string_equal(door(w)->error.code, "superseded");
    lose(w, BF_ROLE_INGEST, 4);
    ingest_is(w, "", NULL);
    w->lost = BF_ROLE_CAMERA;
    w->seen[0] = '\0';
    for (int i = 0; i < 10; i++) {
        passes(w, 3000);
        camera_is(w, "off", NULL);
        w->lost = BF_ROLE_INGEST;
        ingest_is(w, "", NULL);
        w->lost = BF_ROLE_CAMERA;
        assert_null(strstr(w->seen, ">ingest-1"));
        assert_null(strstr(w->seen, ">door"));
    }
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED);
}

/* The journal's last record is often seen before what the nodes say. */
static void test_an_end_that_the_other_one_made_is_told_as_that(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    media_ended(w, "door", SESSION_A, "not wanted any more");
    assert_string_equal(door(w)->error.code, "session_ended");
    lose(w, BF_ROLE_CAMERA, 4);
    camera_is(w, "off", NULL);
    assert_string_equal(door(w)->error.code, "superseded");
}

static void test_a_running_start_is_told(void **state)
{
    struct world *w = *state;

    all_online(w);
    start(w, "door", SESSION_A, 1);
    w->seen[0] = '\0';
    lose(w, BF_ROLE_INGEST, 9);
    ingest_is(w, "", NULL);
    expect(w, "1:superseded persist >janitor-1");
    assert_int_equal(w->last.result.step, BF_STEP_INGEST);
    janitor_is(w, "purged", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED);
}

static void test_a_session_taken_over_is_given_up_at_once(void **state)
{
    struct world *w = *state;
    struct bf_intent intent = { .camera = "door", .session = SESSION_A, .ingest = "ingest-1" };

    assert_int_equal(bf_orch_adopt(w->o, &intent, w->now_ms), 0);
    bf_orch_bus(w->o, true, w->now_ms);
    w->seen[0] = '\0';
    lose(w, BF_ROLE_INGEST, 4);
    ingest_is(w, "live", SESSION_A);
    assert_string_equal(door(w)->error.code, "superseded");
    assert_null(strstr(w->seen, ">ingest-1"));
}

static void test_a_stop_is_not_ours_to_make(void **state)
{
    struct world *w = *state;

    all_online(w);
    lose(w, BF_ROLE_CAMERA, 4);
    camera_is(w, "streaming", SESSION_C);
    w->seen[0] = '\0';
    stop(w, "door", 1);
    expect(w, "1:superseded");
}

static void test_it_ends_when_the_node_obeys_us_again(void **state)
{
    struct world *w = *state;

    all_online(w);
    lose(w, BF_ROLE_INGEST, 4);
    ingest_is(w, "", NULL);
    w->seen[0] = '\0';
    w->lost = BF_ROLE_NONE; /* it has lost its state directory */
    ingest_is(w, "", NULL);
    expect(w, ">ingest-1");
    start(w, "door", SESSION_A, 1);
    expect(w, "persist >ingest-1 >janitor-1");
}

static void test_a_copy_of_ourselves(void **state)
{
    struct world *w = *state;

    all_online(w);
    lose(w, BF_ROLE_INGEST, 3);
    w->lost_to_a_copy = true;
    ingest_is(w, "", NULL);
    w->seen[0] = '\0';
    start(w, "door", SESSION_A, 1);
    expect(w, "1:superseded");
    assert_non_null(strstr(w->last.result.detail, "Another gateway (of our own id: a copy, or this one before"));
}

/* The first of two with one epoch goes on, and knows of the other. */
static void test_a_conflict_that_we_won(void **state)
{
    static const uint8_t ours[BF_ORCH_BOOT_ID_SIZE] = { 5 }, boot_id[BF_ORCH_BOOT_ID_SIZE] = { 1 };
    struct world *w = *state;
    const struct bf_node_report report = { .online = true,
                                           .boot_id = boot_id,
                                           .error_code = "lease_conflict",
                                           .error_detail = "both",
                                           .lease_epoch = 3,
                                           .lease_holder = "gateway-1",
                                           .lease_boot_id = ours };

    go_live(w, false);
    bf_orch_camera_state(w->o, "door", &report, BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING, SESSION_A, w->now_ms);
    assert_true(bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->contested);
    assert_true(bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->online);
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
    camera_is(w, "streaming", SESSION_A);
    assert_false(bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->contested);
}

static void test_words_for_people(void **state)
{
    struct world *w = *state;
    char detail[600];

    all_online(w);
    assert_string_equal(bf_orch_detail(w->o, door(w), detail, sizeof detail), "Nothing is running.");
    lose(w, BF_ROLE_CAMERA, 4);
    camera_is(w, "off", NULL);
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "Another gateway (gateway-2)"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_our_own_lease_is_no_reason),
        TEST(test_a_start_is_refused),
        TEST(test_an_equal_epoch_of_another_holder),
        TEST(test_a_lower_epoch_is_what_was_before_us),
        TEST(test_one_camera_costs_no_other),
        TEST(test_nothing_is_sent_any_more),
        TEST(test_an_end_that_the_other_one_made_is_told_as_that),
        TEST(test_a_running_start_is_told),
        TEST(test_a_session_taken_over_is_given_up_at_once),
        TEST(test_a_stop_is_not_ours_to_make),
        TEST(test_it_ends_when_the_node_obeys_us_again),
        TEST(test_a_copy_of_ourselves),
        TEST(test_a_conflict_that_we_won),
        TEST(test_words_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
