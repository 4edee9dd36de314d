/* Worlds for the unit tests of the simulation: everything is up, and nothing has happened yet. */
#ifndef BELFRY_TESTS_SIM_TEST_WORLDS_H
#define BELFRY_TESTS_SIM_TEST_WORLDS_H

#include "sim.h"

int enter_worlds(void **state);
int leave_worlds(void **state);
int begin_world(void **state); /* one gateway */
int end_world(void **state);

void expect_none(void); /* no violation so far */
void expect_violation(const char *text);

/* Starts it, unrecorded, and waits until it is live. */
struct sim_session *start_camera_1(void);

#endif
