/* Is the simulated world what it says it is? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "gateway/gateway_internal.h"
#include "test_worlds.h"

static uint64_t hash_of(uint64_t seed)
{
    assert_true(sim_run(&(struct sim_history){ .seed = seed, .steps = 20, .only = UINT64_MAX }));
    return sim.hash;
}

static void test_same_seed_same_history(void **state)
{
    (void)state;
    uint64_t first = hash_of(3);

    assert_true(hash_of(4) != first);
    assert_true(hash_of(3) == first);
}

static void test_start_and_stop(void **state)
{
    (void)state;
    begin_world(NULL);
    const struct sim_session *s = start_camera_1();

    assert_true(s->told_live && s->parts > 0);
    assert_non_null(sim_producers);
    sim_request(sim_node_named("gateway-1"),
                &(struct sim_asking){ .ask = SIM_ASK_STOP, .camera = "cam-1", .times = 1 });
    assert_true(sim_run_until(40 * SEC, sim_requests_answered));
    assert_null(sim_producers);
    expect_none();
    end_world(NULL);
}

/* A stream outlives each service that is killed and comes back within the lease: same session, more pictures. */
static void expect_survives(const char *id)
{
    begin_world(NULL);
    const struct sim_session *s = start_camera_1();
    struct sim_node *n = sim_node_named(id);

    sim_kill(n);
    sim_run_until(sim.now_us + SEC, NULL);
    sim_boot(n);
    sim_run_until(sim.now_us + 4 * SIM_LEASE_MS * MSEC, NULL);
    unsigned parts = s->parts;
    sim_run_until(sim.now_us + 4 * SEC, NULL);
    expect_none();
    assert_int_equal(sim.n_sessions, 1);
    assert_non_null(sim_producers);
    assert_string_equal(sim_producers->session, s->id);
    assert_true(s->parts > parts);
    end_world(NULL);
}

static void test_stream_survives(void **state)
{
    (void)state;
    expect_survives("gateway-1");
    expect_survives("cam-1");
    expect_survives("ingest-1");
    expect_survives("janitor-1");
}

/* Every step on files before the last counts, none after it does. */
static void test_killed_between_two_steps(void **state)
{
    (void)state;
    begin_world(NULL);
    struct sim_node *n = sim_node_named("ingest-1");
    int dirfd = n->state_dir;

    sim.current = n;
    n->effects_left = 3; /* of a file: made, written, renamed */
    assert_int_equal(bf_replace_file(dirfd, "first", "x", 1, 0600), 0);
    assert_false(n->dead);
    assert_true(bf_replace_file(dirfd, "second", "x", 1, 0600) < 0);
    assert_true(n->dead);
    sim.current = NULL;
    assert_int_equal(faccessat(dirfd, "first", F_OK, 0), 0);
    assert_true(faccessat(dirfd, "second", F_OK, 0) < 0);
    sim_reap();
    assert_false(n->alive);
    sim_run_until(5 * SEC, NULL);
    assert_true(n->alive); /* somebody starts it again */
    expect_none();
    end_world(NULL);
}

/* flock() of a process that is gone is no more. */
static void test_standby_takes_over(void **state)
{
    (void)state;
    sim_begin(1, false, SIM_GATEWAY_AND_STANDBY);
    struct sim_node *first = sim_node_named("gateway-1"), *second = sim_node_named("gateway-2");

    sim_run_until(10 * SEC, NULL);
    assert_true(first->alive && !second->alive);
    uint64_t lease_epoch = ((const struct bf_gateway *)first->made_state)->lease_epoch;
    sim_kill(first);
    sim_run_until(15 * SEC, NULL);
    assert_true(second->alive);
    assert_true(((const struct bf_gateway *)second->made_state)->lease_epoch > lease_epoch);
    sim_boot(first);
    assert_false(first->alive);
    expect_none();
    sim_end();
}

static void test_suspended_machine(void **state)
{
    (void)state;
    begin_world(NULL);
    struct sim_node *n = sim_node_named("cam-1");

    sim_run_until(SEC, NULL);
    sim.current = n;
    uint64_t mono_ms = bf_mono_ms(), boot_ms = bf_boot_ms();
    sim.current = NULL;
    sim_suspend(n->host, 100 * SEC);
    sim_run_until(101 * SEC, NULL);
    sim.current = n;
    assert_int_equal(bf_mono_ms(), mono_ms);
    assert_int_equal(bf_boot_ms(), boot_ms + 100000);
    sim.current = NULL;
    expect_none();
    end_world(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_history), cmocka_unit_test(test_start_and_stop),
        cmocka_unit_test(test_stream_survives),        cmocka_unit_test(test_killed_between_two_steps),
        cmocka_unit_test(test_standby_takes_over),     cmocka_unit_test(test_suspended_machine),
    };
    return cmocka_run_group_tests(tests, enter_worlds, leave_worlds);
}
