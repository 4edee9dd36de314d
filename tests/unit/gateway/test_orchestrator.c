/* Every transition of the orchestrator, its failures and its races. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

#include "orch_world.h"

/* --- the way up --- */

static void test_start_in_order(void **state)
{
    struct world *w = *state;

    all_online(w);
    start(w, "door", SESSION_A, 1);
    expect(w, "persist >ingest-1 >janitor-1");
    assert_int_equal(door(w)->step, BF_STEP_INGEST);
    ingest_is(w, "starting", SESSION_A);
    expect(w, "");
    ingest_is(w, "listening", SESSION_A);
    expect(w, ">door");
    assert_int_equal(door(w)->step, BF_STEP_CAMERA);
    assert_int_equal(door(w)->endpoint.port, 20000);
    camera_is(w, "starting", SESSION_A);
    expect(w, "");
    camera_is(w, "streaming", SESSION_A);
    assert_int_equal(door(w)->step, BF_STEP_MEDIA);
    ingest_is(w, "live", SESSION_A);
    assert_int_equal(door(w)->step, BF_STEP_PLAYLIST);
    expect(w, "");
    w->now_ms += 321;
    playable(w, "door", SESSION_A);
    expect(w, "1:started");
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
    assert_int_equal(w->last.took_ms, 321);
    assert_string_equal(w->last.session, SESSION_A);
}

static void test_order_of_news_does_not_matter(void **state)
{
    struct world *w = *state;

    all_online(w);
    start(w, "door", SESSION_A, 1);
    ingest_is(w, "listening", SESSION_A);
    w->seen[0] = '\0';
    playable(w, "door", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    expect(w, "");
    camera_is(w, "streaming", SESSION_A);
    expect(w, "1:started");
}

static void test_another_sessions_part_is_not_readiness(void **state)
{
    struct world *w = *state;

    all_online(w);
    start(w, "door", SESSION_A, 1);
    ingest_is(w, "listening", SESSION_A);
    camera_is(w, "streaming", SESSION_B);
    assert_int_equal(door(w)->step, BF_STEP_CAMERA);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    w->seen[0] = '\0';
    playable(w, "door", SESSION_B);
    expect(w, "");
    assert_int_equal(door(w)->phase, BF_STREAM_STARTING);
}

static void test_input_camera_needs_no_camera_service(void **state)
{
    struct world *w = *state;

    bf_orch_bus(w->o, true, w->now_ms);
    ingest_is(w, "", NULL);
    w->seen[0] = '\0';
    start(w, "pole", SESSION_A, 1);
    ingest_is(w, "listening", SESSION_A);
    assert_int_equal(bf_orch_stream_of(w->o, "pole")->step, BF_STEP_MEDIA);
    ingest_is(w, "live", SESSION_A);
    playable(w, "pole", SESSION_A);
    expect(w, "persist >ingest-1 1:started");
    stop(w, "pole", 2);
    expect(w, "persist >ingest-1");
    ingest_is(w, "ended", SESSION_A);
    expect(w, "2:stopped persist");
}

static void test_start_of_a_running_one_answers_with_it(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    start(w, "door", SESSION_B, 2);
    expect(w, "2:running");
    assert_string_equal(w->last.session, SESSION_A);
}

static void test_parallel_starts_join(void **state)
{
    struct world *w = *state;

    all_online(w);
    start(w, "door", SESSION_A, 1);
    start(w, "door", SESSION_B, 2);
    ingest_is(w, "listening", SESSION_A);
    start(w, "door", SESSION_C, 3);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    w->seen[0] = '\0';
    playable(w, "door", SESSION_A);
    expect(w, "1:started 2:running 3:running");
    assert_string_equal(w->last.session, SESSION_A);
}

static void test_too_many_waiters_are_refused(void **state)
{
    struct world *w = *state;

    all_online(w);
    for (uint64_t i = 1; i <= BF_ORCH_WAITERS_MAX; i++)
        start(w, "door", SESSION_A, i);
    w->seen[0] = '\0';
    start(w, "door", SESSION_A, 99);
    expect(w, "99:busy");
}

static void test_forgotten_ticket_is_not_answered(void **state)
{
    struct world *w = *state;

    all_online(w);
    start(w, "door", SESSION_A, 1);
    start(w, "door", SESSION_A, 2);
    bf_orch_forget(w->o, 1);
    bf_orch_forget(w->o, 2);
    ingest_is(w, "listening", SESSION_A);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    w->seen[0] = '\0';
    playable(w, "door", SESSION_A);
    expect(w, "0:started"); /* that it came up is worth telling, though whoever began it has left */
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
}

static void test_a_stop_needs_no_room_beside_starts(void **state)
{
    struct world *w = *state;

    all_online(w);
    for (uint64_t i = 1; i <= BF_ORCH_WAITERS_MAX; i++)
        start(w, "door", SESSION_A, i);
    stop(w, "door", 500);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_CANCELLED);
    assert_int_equal(w->answers, BF_ORCH_WAITERS_MAX);
    assert_int_equal(door(w)->phase, BF_STREAM_STOPPING);
}

/* --- what stands in the way --- */

static void test_refusals_at_once(void **state)
{
    struct world *w = *state;

    start(w, "door", SESSION_A, 1);
    expect(w, "1:bus-offline");
    bf_orch_bus(w->o, true, w->now_ms);
    start(w, "door", SESSION_A, 2);
    expect(w, "2:camera-offline");
    camera_is(w, "off", NULL);
    w->seen[0] = '\0';
    start(w, "door", SESSION_A, 3);
    expect(w, "3:ingest-offline");
    assert_int_equal(door(w)->phase, BF_STREAM_IDLE);
    assert_int_equal(bf_orch_start(w->o, "nosuch", &(struct bf_want){ 0 }, SESSION_A, 4, w->now_ms), -2);
}

static void test_camera_goes_silent(void **state)
{
    struct world *w = *state;

    all_online(w);
    passes(w, BF_ORCH_SILENCE_MS + 1);
    start(w, "door", SESSION_A, 1);
    expect(w, "1:camera-offline");
}

static void test_disk_refuses_the_intent(void **state)
{
    struct world *w = *state;

    all_online(w);
    w->disk_broken = true;
    start(w, "door", SESSION_A, 1);
    expect(w, "persist 1:storage persist"); /* nothing was ordered, so nothing is sent */
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED);
}

struct failure {
    const char *name;
    void (*strike)(struct world *w);
    enum bf_step at; /* the start has come so far */
    const char *answer;
    const char *code;
};

static void ingest_fails(struct world *w)
{
    ingest_is(w, "failed", SESSION_A);
}

static void ingest_ends(struct world *w)
{
    ingest_is(w, "ended", SESSION_A);
}

static void ingest_leaves(struct world *w)
{
    ingest_is(w, "gone", NULL);
}

static void camera_fails(struct world *w)
{
    camera_is(w, "failed", SESSION_A);
}

static void camera_leaves(struct world *w)
{
    camera_is(w, "gone", NULL);
}

static void time_runs_out(struct world *w)
{
    for (int i = 0; i < 24 && w->answers == 0; i++) {
        passes(w, 500);
        camera_is(w, door(w)->step == BF_STEP_CAMERA ? "starting" : "streaming", SESSION_A);
        ingest_is(w,
                  door(w)->step == BF_STEP_INGEST     ? "starting"
                  : door(w)->step == BF_STEP_PLAYLIST ? "live"
                                                      : "listening",
                  SESSION_A);
    }
}

static void test_each_step_can_fail(void **state)
{
    (void)state;
    static const struct failure table[] = {
        { "ingest fails first", ingest_fails, BF_STEP_INGEST, "1:failed@ingest", "no_port" },
        { "ingest fails later", ingest_fails, BF_STEP_MEDIA, "1:failed@media", "no_port" },
        { "ingest ends by itself", ingest_ends, BF_STEP_CAMERA, "1:failed@camera", "session_ended" },
        { "ingest goes offline", ingest_leaves, BF_STEP_INGEST, "1:ingest-offline", "ingest_offline" },
        { "ingest goes offline late", ingest_leaves, BF_STEP_PLAYLIST, "1:ingest-offline", "ingest_offline" },
        { "camera fails", camera_fails, BF_STEP_CAMERA, "1:failed@camera", "source_failed" },
        { "camera fails late", camera_fails, BF_STEP_MEDIA, "1:failed@media", "source_failed" },
        { "camera goes offline", camera_leaves, BF_STEP_CAMERA, "1:camera-offline", "camera_offline" },
        { "camera goes offline early", camera_leaves, BF_STEP_INGEST, "1:camera-offline", "camera_offline" },
        { "ingest never listens", time_runs_out, BF_STEP_INGEST, "1:timeout@ingest", "timeout" },
        { "camera never streams", time_runs_out, BF_STEP_CAMERA, "1:timeout@camera", "timeout" },
        { "no media", time_runs_out, BF_STEP_MEDIA, "1:timeout@media", "timeout" },
        { "nothing in the journal", time_runs_out, BF_STEP_PLAYLIST, "1:timeout@playlist", "timeout" },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct world w;

        world_make(&w);
        climb(&w, table[i].at);
        table[i].strike(&w);
        if (w.answers != 1 || strstr(w.seen, table[i].answer) == NULL) {
            print_error("%s: expected %s, got \"%s\"\n", table[i].name, table[i].answer, w.seen);
            fail();
        }
        assert_string_equal(w.last.result.code, table[i].code);
        assert_true(door(&w)->phase == BF_STREAM_STOPPING || door(&w)->phase == BF_STREAM_FAILED);
        /* Whatever happened, in the end nothing is ordered any more and the reason is kept. */
        for (int k = 0; k < 40; k++)
            passes(&w, 500);
        assert_int_equal(door(&w)->phase, BF_STREAM_FAILED);
        assert_false(door(&w)->camera_ordered || door(&w)->ingest_ordered);
        assert_string_equal(door(&w)->error.code, table[i].code);
        assert_string_equal(door(&w)->session, "");
        world_done(&w);
    }
}

static void test_undo_is_in_reverse_order(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_CAMERA);
    camera_is(w, "failed", SESSION_A);
    expect(w, "1:failed@camera persist >door");
    camera_is(w, "off", NULL);
    expect(w, ">ingest-1");
    ingest_is(w, "draining", SESSION_A);
    expect(w, "");
    ingest_is(w, "ended", SESSION_A);
    expect(w, ">janitor-1");
    janitor_is(w, "purging", SESSION_A);
    expect(w, "persist");
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED);
}

static void test_failed_camera_can_be_started_again(void **state)
{
    struct world *w = *state;

    test_undo_is_in_reverse_order(state);
    start(w, "door", SESSION_B, 2);
    expect(w, "persist >ingest-1 >janitor-1");
    assert_string_equal(door(w)->error.code, "");
    assert_int_equal(door(w)->phase, BF_STREAM_STARTING);
}

static void test_start_has_a_total_deadline(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_INGEST);
    passes(w, 3900);
    ingest_is(w, "listening", SESSION_A);
    camera_is(w, "starting", SESSION_A);
    passes(w, 5900);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "listening", SESSION_A);
    assert_int_equal(w->answers, 0);
    passes(w, 300); /* 10.1 s in all, though the media step has just begun */
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STEP_TIMEOUT);
    assert_int_equal(w->last.result.step, BF_STEP_MEDIA);
}

/* --- on demand --- */

static void test_a_session_of_viewers_stays_theirs(void **state)
{
    struct world *w = *state;

    all_online(w);
    start_on_demand(w, "door", SESSION_A, 1);
    start_on_demand(w, "door", SESSION_B, 2);
    assert_true(door(w)->want.on_demand);
    assert_null(strstr(w->seen, "persist >ingest-1 >janitor-1 persist"));
}

static void test_a_start_by_hand_keeps_what_viewers_began(void **state)
{
    struct world *w = *state;
    struct bf_intent intent;

    all_online(w);
    start_on_demand(w, "door", SESSION_A, 1);
    w->seen[0] = '\0';
    start(w, "door", SESSION_B, 2);
    expect(w, "persist");
    assert_false(door(w)->want.on_demand);
    assert_int_equal(bf_orch_intents(w->o, &intent, 1), 1);
    assert_false(intent.want.on_demand);
    start_on_demand(w, "door", SESSION_C, 3);
    assert_false(door(w)->want.on_demand);
    expect(w, "");
}

static void test_a_viewer_does_not_make_it_theirs(void **state)
{
    struct world *w = *state;

    go_live(w, true);
    start_on_demand(w, "door", SESSION_B, 2);
    expect(w, "2:running");
    assert_false(door(w)->want.on_demand);
    assert_true(door(w)->want.record);
}

static void test_a_queued_start_of_a_viewer_joined_by_hand(void **state)
{
    const struct bf_want by_hand = { .record = true, .profile = BELFRY__V1__PROFILE__PROFILE_REALTIME, .fps = 25 };
    struct world *w = *state;

    go_live(w, false);
    stop(w, "door", 0);
    start_on_demand(w, "door", SESSION_B, 2);
    assert_int_equal(bf_orch_start(w->o, "door", &by_hand, SESSION_C, 3, w->now_ms), 0);
    start_on_demand(w, "door", SESSION_C, 4);
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    janitor_is(w, "purged", SESSION_A);
    assert_string_equal(door(w)->session, SESSION_B);
    assert_false(door(w)->want.on_demand);
    assert_true(door(w)->want.record);
    assert_int_equal(door(w)->want.profile, by_hand.profile);
    assert_int_equal(door(w)->want.fps, by_hand.fps);
}

static void test_what_viewers_began_is_not_recorded_by_hand(void **state)
{
    struct world *w = *state;

    all_online(w);
    start_on_demand(w, "door", SESSION_A, 1);
    w->seen[0] = '\0';
    start_recorded(w, "door", SESSION_B, 2);
    expect(w, "2:unrecorded");
    assert_string_equal(w->last.result.code, "not_recording");
    ingest_is(w, "listening", SESSION_A);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    playable(w, "door", SESSION_A);
    expect(w, ">door 1:started");
    start_recorded(w, "door", SESSION_B, 3);
    expect(w, "3:unrecorded");
    assert_true(door(w)->want.on_demand); /* still the viewers' */
    start(w, "door", SESSION_B, 4);
    expect(w, "persist 4:running");
}

/* --- the way down --- */

static void test_stop_in_order(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    stop(w, "door", 2);
    expect(w, "persist >door");
    camera_is(w, "stopping", SESSION_A);
    expect(w, "");
    camera_is(w, "off", NULL);
    expect(w, ">ingest-1");
    ingest_is(w, "draining", SESSION_A);
    ingest_is(w, "ended", SESSION_A);
    expect(w, ">janitor-1");
    assert_int_equal(bf_orch_fates(w->o, &(size_t){ 0 })[0].fate, BELFRY__V1__SESSION_FATE__SESSION_FATE_PURGE);
    janitor_is(w, "purging", SESSION_A);
    expect(w, "2:stopped persist");
    assert_false(w->last.recorded);
    assert_int_equal(door(w)->phase, BF_STREAM_IDLE);
}

static void test_stop_of_a_recorded_one_archives(void **state)
{
    struct world *w = *state;
    size_t n;

    go_live(w, true);
    stop(w, "door", 2);
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    assert_int_equal(bf_orch_fates(w->o, &n)[0].fate, BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE);
    janitor_is(w, "archiving", SESSION_A);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STOPPED);
    assert_true(w->last.recorded);
    assert_string_equal(w->last.session, SESSION_A);
    janitor_is(w, "archived", SESSION_A);
    bf_orch_fates(w->o, &n);
    assert_int_equal(n, 0);
}

static void test_stop_when_idle_is_fine(void **state)
{
    struct world *w = *state;

    all_online(w);
    stop(w, "door", 1);
    expect(w, "1:stopped");
    assert_false(w->last.recorded);
}

static void test_stop_clears_a_failure(void **state)
{
    struct world *w = *state;

    test_undo_is_in_reverse_order(state);
    stop(w, "door", 2);
    assert_int_equal(door(w)->phase, BF_STREAM_IDLE);
    assert_string_equal(door(w)->error.code, "");
}

static void test_parallel_stops_join(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    stop(w, "door", 2);
    stop(w, "door", 3);
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    w->seen[0] = '\0';
    janitor_is(w, "purging", SESSION_A);
    expect(w, "2:stopped 3:stopped persist");
}

static void test_stop_goes_on_without_answers(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    stop(w, "door", 2);
    for (int i = 0; i < 21; i++) {
        passes(w, 500);
        camera_is(w, "streaming", SESSION_A); /* does not obey: its lease will end it */
        ingest_is(w, "live", SESSION_A);
    }
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STOPPED);
    assert_int_equal(door(w)->phase, BF_STREAM_IDLE);
}

static void test_a_state_from_before_the_order_is_not_off(void **state)
{
    struct world *w = *state;
    uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE];

    all_online(w);
    start(w, "door", SESSION_A, 1);
    const uint64_t before = bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->generation;
    ingest_is(w, "listening", SESSION_A);
    stop(w, "door", 2); /* the camera has not even seen the start */
    w->seen[0] = '\0';
    memset(boot_id, 1, sizeof boot_id);
    const struct bf_node_report old = {
        .online = true, .boot_id = boot_id, .observed_generation = before, .error_code = "", .error_detail = ""
    };
    bf_orch_camera_state(w->o, "door", &old, BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF, "", w->now_ms);
    assert_int_equal(door(w)->step, BF_STEP_CAMERA_OFF);
    camera_is(w, "off", NULL);
    assert_int_equal(door(w)->step, BF_STEP_INGEST_END);
}

/* --- races --- */

static void test_stop_cancels_a_start(void **state)
{
    static const enum bf_step steps[] = { BF_STEP_INGEST, BF_STEP_CAMERA, BF_STEP_MEDIA, BF_STEP_PLAYLIST };

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct world w;

        world_make(&w);
        climb(&w, steps[i]);
        stop(&w, "door", 2);
        assert_non_null(strstr(w.seen, "1:cancelled"));
        camera_is(&w, "off", NULL);
        ingest_is(&w, "ended", SESSION_A);
        janitor_is(&w, "purging", SESSION_A);
        assert_int_equal(w.last.ticket, 2);
        assert_int_equal(w.last.result.outcome, BF_OUTCOME_STOPPED);
        assert_int_equal(door(&w)->phase, BF_STREAM_IDLE);
        world_done(&w);
    }
}

static void test_start_stop_start(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_CAMERA);
    stop(w, "door", 2);
    start(w, "door", SESSION_B, 3);
    start(w, "door", SESSION_C, 4);
    expect(w, "1:cancelled persist >door");
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    w->seen[0] = '\0';
    janitor_is(w, "purging", SESSION_A);
    expect(w, "2:stopped persist >ingest-1 >janitor-1");
    assert_string_equal(door(w)->session, SESSION_B);
    ingest_is(w, "listening", SESSION_B);
    camera_is(w, "streaming", SESSION_B);
    ingest_is(w, "live", SESSION_B);
    w->seen[0] = '\0';
    playable(w, "door", SESSION_B);
    expect(w, "3:started 4:running");
}

static void test_start_stop_start_stop(void **state)
{
    struct world *w = *state;

    climb(w, BF_STEP_CAMERA);
    stop(w, "door", 2);
    start(w, "door", SESSION_B, 3);
    stop(w, "door", 4);
    expect(w, "1:cancelled persist >door 3:cancelled");
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    janitor_is(w, "purging", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_IDLE);
    assert_int_equal(w->answers, 4);
}

static void test_queued_start_has_its_own_deadline(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    stop(w, "door", 2);
    passes(w, 2900);
    start(w, "door", SESSION_B, 3);
    for (int i = 0; i < 12; i++) { /* nobody obeys: each step of the stop takes its whole time */
        passes(w, 500);
        camera_is(w, "streaming", SESSION_A);
        ingest_is(w, "live", SESSION_A);
        janitor_is(w, "trimming", SESSION_A);
    }
    assert_int_equal(door(w)->phase == BF_STREAM_STARTING || door(w)->phase == BF_STREAM_STOPPING, 1);
    passes(w, 10000);
    assert_int_equal(w->last.ticket, 3);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STEP_TIMEOUT);
}

static void test_queued_start_without_the_broker(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    bf_orch_bus(w->o, false, w->now_ms);
    stop(w, "door", 2);
    start(w, "door", SESSION_B, 3);
    for (int i = 0; i < 3; i++)
        passes(w, 3100); /* each step of the stop takes its whole time */
    assert_int_equal(w->last.ticket, 3);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_BUS_OFFLINE);
    assert_string_equal(w->last.result.code, "broker_offline");
}

/* --- while it runs --- */

static void test_desired_is_the_heartbeat(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    passes(w, 2900);
    expect(w, "");
    passes(w, 200);
    expect(w, ">door >ingest-1 >janitor-1");
    passes(w, 3000);
    expect(w, ">door >ingest-1 >janitor-1");
}

static void test_idle_nodes_are_left_in_peace(void **state)
{
    struct world *w = *state;

    all_online(w);
    passes(w, 60);
    passes(w, 9000);
    expect(w, "");
}

static void test_unobserved_desired_is_sent_again(void **state)
{
    struct world *w = *state;
    uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE] = { 9 };
    const struct bf_node_report deaf = { .online = true, .boot_id = boot_id, .error_code = "", .error_detail = "" };

    bf_orch_bus(w->o, true, w->now_ms);
    bf_orch_camera_state(w->o, "door", &deaf, BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF, "", w->now_ms);
    expect(w, ">door");
    passes(w, 3000);
    expect(w, ">door");
}

static void test_camera_restart_is_ordered_again_at_once(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    const uint64_t generation = bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->generation;
    camera_boots(w, 2, "off", NULL);
    expect(w, ">door");
    assert_int_equal(bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->generation, generation);
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
    assert_true(door(w)->camera_ordered);
}

static void test_camera_gone_keeps_the_session(void **state)
{
    struct world *w = *state;
    char detail[512];

    go_live(w, false);
    camera_is(w, "gone", NULL);
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "offline"));
    camera_boots(w, 2, "off", NULL);
    expect(w, ">door");
}

static void test_new_endpoint_reaches_the_camera(void **state)
{
    struct world *w = *state;

    go_live(w, false);
    ingest_boots(w, 2, "", NULL);
    expect(w, ">ingest-1");
    ingest_listens_on(w, 20007, "listening", SESSION_A);
    expect(w, ">door");
    assert_int_equal(door(w)->endpoint.port, 20007);
}

static void test_session_that_ends_by_itself(void **state)
{
    struct world *w = *state;
    char detail[512];

    go_live(w, true);
    media_ended(w, "door", SESSION_A, "disk_full");
    expect(w, "persist >door");
    camera_is(w, "off", NULL);
    janitor_is(w, "archiving", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED);
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "disk_full"));
}

/* --- across a restart of the gateway --- */

static struct bf_intent intent(bool stopping)
{
    struct bf_intent i = { .camera = "door", .session = SESSION_A, .ingest = "ingest-1", .stopping = stopping };

    i.want.record = true;
    return i;
}

static void test_intents_follow_the_session(void **state)
{
    struct world *w = *state;
    struct bf_intent found[2];

    assert_int_equal(bf_orch_intents(w->o, found, 2), 0);
    go_live(w, true);
    assert_int_equal(bf_orch_intents(w->o, found, 2), 1);
    assert_string_equal(found[0].session, SESSION_A);
    assert_string_equal(found[0].ingest, "ingest-1");
    assert_true(found[0].want.record);
    assert_false(found[0].stopping);
    stop(w, "door", 2);
    assert_int_equal(bf_orch_intents(w->o, found, 2), 1);
    assert_true(found[0].stopping);
}

static void test_running_session_is_adopted(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(false);

    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, "streaming", SESSION_A);
    expect(w, ""); /* not switched off while nothing is known */
    playable(w, "door", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    expect(w, ">door >ingest-1");
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
    assert_true(door(w)->camera_ordered && door(w)->ingest_ordered);
}

/* With its camera in that phase, a session that was live goes on. */
static void adopt_with_camera(struct world *w, const char *camera, const char *ingest)
{
    const struct bf_intent i = intent(false);

    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, camera, SESSION_A);
    ingest_is(w, ingest, SESSION_A);
    passes(w, 3100); /* past the grace in which nodes come back */
    playable(w, "door", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_LIVE);
    assert_true(door(w)->camera_ordered);
}

static void test_adoption_does_not_hang_on_the_camera(void **state)
{
    static const char *const cameras[] = { "gone", "lost", "off", "starting", "failed" };
    static const char *const ingests[] = { "live", "stalled", "listening" }; /* the last: restarted, too */

    (void)state;
    for (size_t i = 0; i < sizeof cameras / sizeof cameras[0]; i++)
        for (size_t k = 0; k < sizeof ingests / sizeof ingests[0]; k++) {
            struct world w;

            world_make(&w);
            adopt_with_camera(&w, cameras[i], ingests[k]);
            passes(&w, 10000);
            ingest_is(&w, "stalled", SESSION_A);
            assert_int_equal(door(&w)->phase, BF_STREAM_LIVE);
            world_done(&w);
        }
}

/* Nothing was ever seen of it, and nothing comes: a start that was half done. */
static void test_adoption_of_a_start_without_pictures_ends(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(false);

    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, "off", NULL);
    ingest_is(w, "listening", SESSION_A);
    passes(w, 6000);
    assert_string_equal(door(w)->error.code, "timeout");
    assert_int_equal(door(w)->error.step, BF_STEP_MEDIA);
}

static void test_adoption_joins_a_start(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(false);

    bf_orch_adopt(w->o, &i, w->now_ms);
    bf_orch_bus(w->o, true, w->now_ms);
    start(w, "door", SESSION_B, 1);
    ingest_is(w, "live", SESSION_A);
    camera_is(w, "streaming", SESSION_A);
    playable(w, "door", SESSION_A);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_RUNNING);
    assert_string_equal(w->last.session, SESSION_A);
}

static void test_lost_session_is_undone(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(false);

    bf_orch_adopt(w->o, &i, w->now_ms);
    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "", NULL);
    assert_string_equal(door(w)->error.code, "session_lost");
    expect(w, "persist >door >ingest-1");
    camera_is(w, "off", NULL);
    assert_int_equal(door(w)->phase, BF_STREAM_STOPPING);
    ingest_is(w, "", NULL);
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED); /* the janitor is offline: its journal tells it */
}

static void test_adoption_gives_up_in_time(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(false);

    bf_orch_adopt(w->o, &i, w->now_ms);
    bf_orch_bus(w->o, true, w->now_ms);
    passes(w, 12900);
    assert_int_equal(door(w)->step, BF_STEP_ADOPT);
    passes(w, 100); /* a third of the lease, and the start's time-out */
    assert_string_equal(door(w)->error.code, "timeout");
    for (int k = 0; k < 20; k++)
        passes(w, 500);
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED);
}

static void test_half_done_stop_is_finished(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(true);

    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    janitor_is(w, "trimming", SESSION_A);
    w->seen[0] = '\0';
    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    world_run(w);
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    janitor_is(w, "purging", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_IDLE);
}

/* The process that undid it is gone: the one after it still says why it failed. */
static void test_a_half_done_undo_keeps_its_reason(void **state)
{
    struct world *w = *state;
    struct bf_intent i;
    char detail[512];

    climb(w, BF_STEP_CAMERA);
    camera_is(w, "failed", SESSION_A);
    assert_int_equal(bf_orch_intents(w->o, &i, 1), 1);
    assert_true(i.stopping);
    world_done(w);
    world_make(w);
    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    world_run(w);
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED); /* no node is online: their leases end them */
    assert_int_equal(door(w)->error.outcome, BF_OUTCOME_STEP_FAILED);
    assert_int_equal(door(w)->error.step, BF_STEP_CAMERA);
    assert_string_equal(door(w)->error.code, "source_failed");
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "no such sensor"));
}

/* What nodes say may be longer than what is kept of it, and the cut within a character. */
static void test_a_reason_is_text_to_its_end(void **state)
{
    (void)state;
    for (int shift = 0; shift < 2; shift++) {
        static const uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE] = { 1 };
        const struct bf_node_report node = { .online = true, .boot_id = boot_id, .error_code = "", .error_detail = "" };
        struct bf_ingest_report r = { .session = SESSION_A, .phase = BELFRY__V1__INGEST_PHASE__INGEST_PHASE_FAILED };
        struct world w;

        world_make(&w);
        climb(&w, BF_STEP_INGEST);
        memset(r.error_detail, 'x', (size_t)shift);
        for (size_t n = (size_t)shift; n + 2 < sizeof r.error_detail; n += 2)
            memcpy(r.error_detail + n, "\xc3\xa4", 2);
        bf_orch_ingest_state(w.o, "ingest-1", &node, &r, 1, w.now_ms);
        assert_int_equal(strlen(door(&w)->error.detail), sizeof door(&w)->error.detail - 1);
        assert_true(bf_text_valid(door(&w)->error.detail, sizeof door(&w)->error.detail));
        world_done(&w);
    }
}

/* The nodes are heard of only after the intents are taken over: what was recorded goes to the archive unseen. */
static void test_half_done_stop_keeps_the_recording(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(true);
    size_t n;

    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    world_run(w);
    const struct bf_fate *fates = bf_orch_fates(w->o, &n);
    assert_int_equal(n, 1);
    assert_string_equal(fates[0].session, SESSION_A);
    assert_int_equal(fates[0].fate, BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE);
}

static Belfry__V1__SessionFate fate_of_a(const struct world *w)
{
    size_t n;
    const struct bf_fate *fates = bf_orch_fates(w->o, &n);

    assert_int_equal(n, 1);
    assert_string_equal(fates[0].session, SESSION_A);
    return fates[0].fate;
}

/* As without the media directory: what the gateway does not see may be there all the same. */
static void test_a_recording_that_is_not_seen_is_kept(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(false);

    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    assert_int_equal(door(w)->step, BF_STEP_PLAYLIST);
    passes(w, 10000);
    assert_string_equal(door(w)->error.code, "timeout");
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    assert_int_equal(door(w)->phase, BF_STREAM_FAILED);
    assert_false(door(w)->playable);
    assert_int_equal(fate_of_a(w), BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE);
}

static void test_a_recording_lost_meanwhile_is_kept(void **state)
{
    struct world *w = *state;

    test_lost_session_is_undone(state);
    assert_int_equal(fate_of_a(w), BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE);
}

static void test_a_stop_before_the_first_look_keeps_the_recording(void **state)
{
    struct world *w = *state;
    const struct bf_intent i = intent(false);

    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), 0);
    bf_orch_bus(w->o, true, w->now_ms);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    stop(w, "door", 2);
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STOPPED);
    assert_int_equal(fate_of_a(w), BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE);
}

static void test_a_recorded_start_that_failed_late_is_kept(void **state)
{
    struct world *w = *state;

    all_online(w);
    start_recorded(w, "door", SESSION_A, 1);
    ingest_is(w, "listening", SESSION_A);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A); /* so there is media, though nobody has seen it here */
    passes(w, 10000);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STEP_TIMEOUT);
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    assert_int_equal(fate_of_a(w), BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE);
}

static void test_adoption_of_the_unknown(void **state)
{
    struct world *w = *state;
    struct bf_intent i = intent(false);

    snprintf(i.camera, sizeof i.camera, "attic");
    assert_int_equal(bf_orch_adopt(w->o, &i, w->now_ms), -2);
}

static void test_generations_grow_across_restarts(void **state)
{
    struct world *w = *state;
    static const struct bf_orch_camera cameras[] = { { "door", true } };
    const struct bf_orch_options later = { .cameras = cameras,
                                           .n_cameras = 1,
                                           .janitor = "janitor-1",
                                           .lease_epoch = 4,
                                           .lease_ms = 9000,
                                           .start_timeout_ms = 10000,
                                           .stop_timeout_ms = 9000 };
    struct bf_orch *o;

    go_live(w, false);
    assert_int_equal(bf_orch_new(&o, &later), 0);
    assert_true(bf_orch_node(o, BF_ROLE_CAMERA, "door")->generation >
                bf_orch_node(w->o, BF_ROLE_CAMERA, "door")->generation);
    bf_orch_free(o);
}

/* --- the janitor's list --- */

static void test_fates_do_not_pile_up(void **state)
{
    struct world *w = *state;
    size_t n;

    go_live(w, false);
    stop(w, "door", 2);
    camera_is(w, "off", NULL);
    ingest_is(w, "ended", SESSION_A);
    janitor_is(w, "", NULL); /* has observed, lists nothing */
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STOPPED);
    bf_orch_fates(w->o, &n);
    assert_int_equal(n, 1);
    passes(w, 10001);
    bf_orch_fates(w->o, &n);
    assert_int_equal(n, 0);
}

static void test_each_phase_has_words(void **state)
{
    struct world *w = *state;
    char detail[512];

    all_online(w);
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "Nothing"));
    start(w, "door", SESSION_A, 1);
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "ingest node to open a port"));
    ingest_is(w, "listening", SESSION_A);
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "first picture"));
    camera_is(w, "failed", SESSION_A);
    assert_non_null(strstr(bf_orch_detail(w->o, door(w), detail, sizeof detail), "no such sensor"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start_in_order),
        TEST(test_order_of_news_does_not_matter),
        TEST(test_another_sessions_part_is_not_readiness),
        TEST(test_input_camera_needs_no_camera_service),
        TEST(test_start_of_a_running_one_answers_with_it),
        TEST(test_parallel_starts_join),
        TEST(test_too_many_waiters_are_refused),
        TEST(test_forgotten_ticket_is_not_answered),
        TEST(test_a_stop_needs_no_room_beside_starts),
        TEST(test_refusals_at_once),
        TEST(test_camera_goes_silent),
        TEST(test_disk_refuses_the_intent),
        TEST(test_each_step_can_fail),
        TEST(test_undo_is_in_reverse_order),
        TEST(test_failed_camera_can_be_started_again),
        TEST(test_start_has_a_total_deadline),
        TEST(test_stop_in_order),
        TEST(test_stop_of_a_recorded_one_archives),
        TEST(test_a_session_of_viewers_stays_theirs),
        TEST(test_a_start_by_hand_keeps_what_viewers_began),
        TEST(test_a_viewer_does_not_make_it_theirs),
        TEST(test_a_queued_start_of_a_viewer_joined_by_hand),
        TEST(test_what_viewers_began_is_not_recorded_by_hand),
        TEST(test_stop_when_idle_is_fine),
        TEST(test_stop_clears_a_failure),
        TEST(test_parallel_stops_join),
        TEST(test_stop_goes_on_without_answers),
        TEST(test_a_state_from_before_the_order_is_not_off),
        TEST(test_stop_cancels_a_start),
        TEST(test_start_stop_start),
        TEST(test_start_stop_start_stop),
        TEST(test_queued_start_has_its_own_deadline),
        TEST(test_queued_start_without_the_broker),
        TEST(test_desired_is_the_heartbeat),
        TEST(test_idle_nodes_are_left_in_peace),
        TEST(test_unobserved_desired_is_sent_again),
        TEST(test_camera_restart_is_ordered_again_at_once),
        TEST(test_camera_gone_keeps_the_session),
        TEST(test_new_endpoint_reaches_the_camera),
        TEST(test_session_that_ends_by_itself),
        TEST(test_intents_follow_the_session),
        TEST(test_running_session_is_adopted),
        TEST(test_adoption_does_not_hang_on_the_camera),
        TEST(test_adoption_of_a_start_without_pictures_ends),
        TEST(test_adoption_joins_a_start),
        TEST(test_lost_session_is_undone),
        TEST(test_adoption_gives_up_in_time),
        TEST(test_half_done_stop_is_finished),
        TEST(test_a_half_done_undo_keeps_its_reason),
        TEST(test_a_reason_is_text_to_its_end),
        TEST(test_half_done_stop_keeps_the_recording),
        TEST(test_a_recording_that_is_not_seen_is_kept),
        TEST(test_a_recording_lost_meanwhile_is_kept),
        TEST(test_a_stop_before_the_first_look_keeps_the_recording),
        TEST(test_a_recorded_start_that_failed_late_is_kept),
        TEST(test_adoption_of_the_unknown),
        TEST(test_generations_grow_across_restarts),
        TEST(test_fates_do_not_pile_up),
        TEST(test_each_phase_has_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
