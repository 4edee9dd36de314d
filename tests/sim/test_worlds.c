#include "test_worlds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

int enter_worlds(void **state)
{
    (void)state;
    sim_enter();
    return 0;
}

int leave_worlds(void **state)
{
    (void)state;
    sim_leave();
    return 0;
}

int begin_world(void **state)
{
    (void)state;
    sim_begin(1, false, SIM_ONE_GATEWAY);
    return 0;
}

int end_world(void **state)
{
    (void)state;
    sim_end();
    return 0;
}

void expect_none(void)
{
    assert_string_equal(sim.violation, "");
}

void expect_violation(const char *text)
{
    if (strstr(sim.violation, text) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", text, sim.violation);
}

struct sim_session *start_camera_1(void)
{
    sim_run_until(5 * SEC, NULL);
    sim_request(sim_node_named("gateway-1"),
                &(struct sim_asking){ .ask = SIM_ASK_START, .camera = "cam-1", .must_succeed = true, .times = 1 });
    assert_true(sim_run_until(20 * SEC, sim_requests_answered));
    assert_int_equal(sim.n_sessions, 1);
    return &sim.sessions[0];
}
