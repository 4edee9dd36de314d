/* The broker goes and comes back: what is live goes on, what is starting waits for its nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orch_world.h"

static void test_bus_outage_leaves_the_stream_alone(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    bf_orch_bus(w->o, false, w->now_ms);
    passes(w, 20000);
    expect(w, "");
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    janitor_is(w, "trimming", SESSION_A);
    expect(w, ">door >ingest-1 >janitor-1");
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
}

/* After a restart of the broker the gateway may be there first: what it sends then, the others never hear. */
static void test_after_an_outage_a_node_is_ordered_when_it_is_heard(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    bf_orch_bus(w->o, false, w->now_ms);
    passes(w, 1000);
    bf_orch_bus(w->o, true, w->now_ms);
    expect(w, ">door >ingest-1 >janitor-1");
    passes(w, 500);
    camera_is(w, "streaming", SESSION_A);
    expect(w, ">door");
    ingest_is(w, "live", SESSION_A);
    expect(w, ">ingest-1");
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    expect(w, "");
}

/* A broker that ends says last wills for all before it drops this gateway, too. */
static void wills_of_a_broker_that_ends(struct world *w)
{
    ingest_is(w, "lost", NULL);
    camera_is(w, "lost", NULL);
    bf_orch_bus(w->o, false, w->now_ms);
    passes(w, 1500);
    expect(w, "");
    bf_orch_bus(w->o, true, w->now_ms);
}

static void test_a_start_outlives_the_brokers_restart(void **state)
{
    static const enum bf_step steps[] = { BF_STEP_INGEST, BF_STEP_CAMERA, BF_STEP_MEDIA, BF_STEP_PLAYLIST };

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct world w;

        world_make(&w);
        climb(&w, steps[i]);
        wills_of_a_broker_that_ends(&w);
        passes(&w, 1500);
        ingest_is(&w, "listening", SESSION_A);
        camera_is(&w, "streaming", SESSION_A);
        ingest_is(&w, "live", SESSION_A);
        playable(&w, "door", SESSION_A);
        assert_int_equal(door(&w)->phase, BF_STREAM_LIVE);
        assert_int_equal(w.last.result.outcome, BF_OUTCOME_STARTED);
        world_done(&w);
    }
}

/* The broker has kept the wills, and delivers them before the nodes are back. */
static void test_a_start_outlives_retained_wills(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_MEDIA);
    bf_orch_bus(w->o, false, w->now_ms);
    passes(w, 500);
    bf_orch_bus(w->o, true, w->now_ms);
    ingest_is(w, "lost", NULL);
    camera_is(w, "lost", NULL);
    passes(w, 2900);
    assert_int_equal(door(w)->phase, BF_STREAM_STARTING);
    ingest_is(w, "live", SESSION_A);
    camera_is(w, "streaming", SESSION_A);
    playable(w, "door", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
}

static void test_a_node_that_is_not_back_in_time_ends_the_start(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_MEDIA);
    wills_of_a_broker_that_ends(w);
    ingest_is(w, "live", SESSION_A);
    passes(w, 2900);
    assert_int_equal(w->answers, 0);
    passes(w, 200); /* 3.1 s, a third of the lease */
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_CAMERA_OFFLINE);
}

/* Its last state is from before the outage, so that it falls silent while it may still come back. */
static void test_a_node_that_falls_silent_after_an_outage_has_the_same_time(void **state)
{
    struct world *w = *state;

    all_online(w);
    passes(w, 12000);
    ingest_is(w, "", NULL);
    start(w, "door", SESSION_A, 1);
    ingest_is(w, "listening", SESSION_A);
    bf_orch_bus(w->o, false, w->now_ms);
    passes(w, 2000);
    bf_orch_bus(w->o, true, w->now_ms);
    ingest_is(w, "listening", SESSION_A);
    passes(w, 1100); /* the camera was heard 15.1 s ago */
    assert_false(bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->online);
    assert_int_equal(w->answers, 0);
    passes(w, 1800);
    assert_int_equal(w->answers, 0);
    passes(w, 200); /* 3.1 s after the outage */
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_CAMERA_OFFLINE);
}

static void test_a_node_that_dies_ends_the_start_soon(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_MEDIA);
    ingest_is(w, "lost", NULL);
    passes(w, 900);
    assert_int_equal(w->answers, 0);
    passes(w, 200);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_INGEST_OFFLINE);
}

/* Within its last will's second: it listens elsewhere, and the camera is told. */
static void test_a_start_outlives_a_restart_of_ingest(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_MEDIA);
    ingest_is(w, "lost", NULL);
    passes(w, 500);
    ingest_boots(w, 2, "", NULL);
    expect(w, ">ingest-1");
    ingest_listens_on(w, 20007, "listening", SESSION_A);
    expect(w, ">door");
    assert_int_equal(door(w)->endpoint.port, 20007);
    ingest_is(w, "live", SESSION_A);
    playable(w, "door", SESSION_A);
    expect(w, "1:started");
}

static void adopt_door(struct world *w)
{
    const struct bf_intent i = { .camera = "door", .session = SESSION_A, .ingest = "ingest-1" };

    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
}

static void door_comes_back(struct world *w)
{
    ingest_is(w, "live", SESSION_A);
    playable(w, "door", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
}

static void test_an_adoption_outlives_an_outage(void **state)
{
    struct world *w = *state;

    adopt_door(w);
    passes(w, 60000);
    expect(w, "");
    bf_orch_bus(w->o, true, w->now_ms);
    ingest_is(w, "lost", NULL); /* as the broker has kept it */
    passes(w, 12000);
    bf_orch_bus(w->o, false, w->now_ms);
    passes(w, 60000);
    bf_orch_bus(w->o, true, w->now_ms);
    passes(w, 12000); /* of 3 s for the nodes to be back, and 10 s */
    door_comes_back(w);
}

/* Only what is taken over has its time put off. */
static void test_an_outage_gives_no_time_to_a_start(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_PLAYLIST);
    bf_orch_bus(w->o, false, w->now_ms);
    bf_orch_bus(w->o, true, w->now_ms);
    passes(w, 4000);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STEP_TIMEOUT);
}

static void test_who_waits_for_an_adoption_is_told_of_the_outage(void **state)
{
    struct world *w = *state;

    adopt_door(w);
    start(w, "door", SESSION_B, 1);
    passes(w, 9900);
    expect(w, "");
    passes(w, 100);
    expect(w, "1:bus-offline");
    assert_string_equal(w->last.result.code, "broker_offline");
    start(w, "door", SESSION_B, 2);
    expect(w, "2:bus-offline");
    assert_int_equal(door(w)->phase, BF_STREAM_STARTING);
    bf_orch_bus(w->o, true, w->now_ms);
    start(w, "door", SESSION_B, 3);
    w->seen[0] = '\0';
    ingest_is(w, "live", SESSION_A);
    playable(w, "door", SESSION_A);
    assert_int_equal(w->last.ticket, 3);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_RUNNING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bus_outage_leaves_the_stream_alone),
        TEST(test_after_an_outage_a_node_is_ordered_when_it_is_heard),
        TEST(test_a_start_outlives_the_brokers_restart),
        TEST(test_a_start_outlives_retained_wills),
        TEST(test_a_node_that_is_not_back_in_time_ends_the_start),
        TEST(test_a_node_that_falls_silent_after_an_outage_has_the_same_time),
        TEST(test_a_node_that_dies_ends_the_start_soon),
        TEST(test_a_start_outlives_a_restart_of_ingest),
        TEST(test_an_adoption_outlives_an_outage),
        TEST(test_an_outage_gives_no_time_to_a_start),
        TEST(test_who_waits_for_an_adoption_is_told_of_the_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
