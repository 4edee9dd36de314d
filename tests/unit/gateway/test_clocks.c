/* Nodes that are refused for their clocks: named, with whose clock it is, wherever a person looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "orch_world.h"

#define HOUR_MS INT64_C(3600000)
#define CAMERA_AHEAD "The clock of camera door is 60 min ahead of this gateway's"
#define OURS_BEHIND "This gateway's clock is 60 min behind those of its nodes"

static void gap(struct world *w, enum bf_role role, const char *id, int64_t ahead_ms)
{
    bf_orch_clock_gap(w->o, role, id, ahead_ms, w->now_ms);
    world_run(w);
}

static void assert_says(const struct world *w, const char *expected)
{
    const struct bf_stream *s = bf_orch_stream_of(w->o, "door");
    char detail[600];

    if (strstr(bf_orch_detail(w->o, s, detail, sizeof detail), expected) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", expected, detail);
}

static void test_a_live_stream_names_the_camera(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    gap(w, BF_ROLE_CAMERA, "door", HOUR_MS);
    assert_says(w, CAMERA_AHEAD);
    assert_says(w, "set it (timedatectl on that machine)");
    camera_is(w, "streaming", SESSION_A);
    assert_says(w, "Live.");
}

static void test_all_alike_is_our_own(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    gap(w, BF_ROLE_CAMERA, "door", HOUR_MS);
    gap(w, BF_ROLE_INGEST, "ingest-1", HOUR_MS + 900);
    assert_says(w, CAMERA_AHEAD); /* the janitor is heard */
    gap(w, BF_ROLE_JANITOR, "janitor-1", HOUR_MS - 900);
    assert_says(w, OURS_BEHIND);
    gap(w, BF_ROLE_JANITOR, "janitor-1", HOUR_MS / 2);
    assert_says(w, CAMERA_AHEAD);
}

static void test_one_node_alone_is_not_enough_to_doubt_ourselves(void **state)
{
    struct world *w = *state;

    gap(w, BF_ROLE_CAMERA, "door", HOUR_MS);
    assert_says(w, CAMERA_AHEAD);
}

static void test_a_refused_start_says_it(void **state)
{
    struct world *w = *state;

    all_online(w);
    gap(w, BF_ROLE_CAMERA, "door", -2 * HOUR_MS);
    passes(w, BF_ORCH_SILENCE_MS + 1);
    ingest_is(w, "", NULL);
    w->seen[0] = '\0';
    start(w, "door", SESSION_A, 1);
    expect(w, "1:camera-offline");
    assert_string_equal(w->last.result.code, "camera_offline");
    assert_non_null(strstr(w->last.result.detail, "The clock of camera door is 120 min behind this gateway's"));
}

static void test_an_ingest_that_was_never_heard(void **state)
{
    struct world *w = *state;

    bf_orch_bus(w->o, true, w->now_ms);
    gap(w, BF_ROLE_INGEST, "ingest-1", -40 * 365 * 24 * HOUR_MS);
    w->seen[0] = '\0';
    start(w, "pole", SESSION_A, 1);
    world_run(w);
    assert_non_null(strstr(w->last.result.detail, "The clock of ingest ingest-1 is 14600 days behind this gateway's"));
}

static void test_a_session_that_ended_says_why(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    gap(w, BF_ROLE_INGEST, "ingest-1", 12345);
    media_ended(w, "door", SESSION_A, "lease_expired");
    world_run(w);
    assert_non_null(strstr(bf_orch_stream_of(w->o, "door")->error.detail,
                           "(lease_expired). The clock of ingest ingest-1 is "
                           "12 s ahead of this gateway's"));
}

static void test_a_stranger_is_no_reason(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    gap(w, BF_ROLE_CAMERA, "nowhere", HOUR_MS);
    gap(w, BF_ROLE_NONE, "door", HOUR_MS);
    assert_says(w, "Live.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_live_stream_names_the_camera, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_all_alike_is_our_own, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_one_node_alone_is_not_enough_to_doubt_ourselves, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_start_says_it, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_an_ingest_that_was_never_heard, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_a_session_that_ended_says_why, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_a_stranger_is_no_reason, world_setup, world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
