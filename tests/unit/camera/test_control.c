/* The camera's state machine: scripts of what happens, what must be done about it, and where that leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "camera/control.h"

#define A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define B "01HZZZZZZZZZZZZZZZZZZZZZZB"

enum what { DESIRE, STREAMING, INTERRUPTED, STOPPED, FAILED, TICK };
enum { STOP = BF_CONTROL_STOP_WORKER, START = BF_CONTROL_START_WORKER, REPORT = BF_CONTROL_REPORT, END = 12 };

struct line {
    enum what what;
    const char *session; /* of DESIRE; NULL: off */
    uint64_t at_ms;
    unsigned actions;
    enum bf_control_phase phase;
    const char *reported; /* session */
};

struct script {
    const char *name;
    struct line lines[END];
    size_t count;
};

#define SCRIPT(title, ...)                                                                                             \
    {                                                                                                                  \
        .name = title, .lines = {__VA_ARGS__}, .count = BF_COUNT_OF(((const struct line[]){__VA_ARGS__}))              \
    }

static const struct script scripts[] = {
    SCRIPT("start, heartbeat, stop",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {DESIRE, A, 100, 0, BF_CONTROL_STARTING, A},
           {STREAMING, NULL, 200, REPORT, BF_CONTROL_STREAMING, A},
           {DESIRE, A, 3000, 0, BF_CONTROL_STREAMING, A},
           {DESIRE, NULL, 4000, STOP | REPORT, BF_CONTROL_STOPPING, A},
           {DESIRE, NULL, 4001, 0, BF_CONTROL_STOPPING, A},
           {STOPPED, NULL, 4010, REPORT, BF_CONTROL_OFF, ""}),
    SCRIPT("off stays off", {DESIRE, NULL, 0, 0, BF_CONTROL_OFF, ""}, {TICK, NULL, 1, 0, BF_CONTROL_OFF, ""}),
    SCRIPT("another session replaces the one that runs",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {STREAMING, NULL, 100, REPORT, BF_CONTROL_STREAMING, A},
           {DESIRE, B, 200, STOP | REPORT, BF_CONTROL_STOPPING, A},
           {DESIRE, B, 210, 0, BF_CONTROL_STOPPING, A},
           {STOPPED, NULL, 220, START | REPORT, BF_CONTROL_STARTING, B},
           {STREAMING, NULL, 300, REPORT, BF_CONTROL_STREAMING, B}),
    SCRIPT("wanted again while it stops",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {DESIRE, NULL, 10, STOP | REPORT, BF_CONTROL_STOPPING, A},
           {STREAMING, NULL, 11, 0, BF_CONTROL_STOPPING, A},
           {DESIRE, A, 12, 0, BF_CONTROL_STOPPING, A},
           {STOPPED, NULL, 20, START | REPORT, BF_CONTROL_STARTING, A}),
    SCRIPT("a failure while it stops is the end of it",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {DESIRE, NULL, 10, STOP | REPORT, BF_CONTROL_STOPPING, A},
           {FAILED, NULL, 20, REPORT, BF_CONTROL_OFF, ""}),
    SCRIPT("a failure of a session that was replaced does not delay the next",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {DESIRE, B, 10, STOP | REPORT, BF_CONTROL_STOPPING, A},
           {FAILED, NULL, 20, START | REPORT, BF_CONTROL_STARTING, B}),
    SCRIPT("failures are retried with growing pauses while it is wanted",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {FAILED, NULL, 100, REPORT, BF_CONTROL_FAILED, A},
           {TICK, NULL, 599, 0, BF_CONTROL_FAILED, A},
           {DESIRE, A, 599, 0, BF_CONTROL_FAILED, A},
           {TICK, NULL, 600, START | REPORT, BF_CONTROL_STARTING, A},
           {FAILED, NULL, 700, REPORT, BF_CONTROL_FAILED, A},
           {TICK, NULL, 1699, 0, BF_CONTROL_FAILED, A},
           {TICK, NULL, 1700, START | REPORT, BF_CONTROL_STARTING, A},
           {FAILED, NULL, 1800, REPORT, BF_CONTROL_FAILED, A},
           {DESIRE, NULL, 1900, REPORT, BF_CONTROL_OFF, ""},
           {TICK, NULL, 9999, 0, BF_CONTROL_OFF, ""}),
    SCRIPT("another session does not wait for the pause of the one before",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {FAILED, NULL, 100, REPORT, BF_CONTROL_FAILED, A},
           {DESIRE, B, 110, START | REPORT, BF_CONTROL_STARTING, B}),
    SCRIPT("a lost receiver is STARTING again until access units flow",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {INTERRUPTED, NULL, 50, 0, BF_CONTROL_STARTING, A},
           {STREAMING, NULL, 100, REPORT, BF_CONTROL_STREAMING, A},
           {INTERRUPTED, NULL, 200, REPORT, BF_CONTROL_STARTING, A},
           {STREAMING, NULL, 300, REPORT, BF_CONTROL_STREAMING, A}),
    SCRIPT("a stream that was healthy starts the pauses anew",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {FAILED, NULL, 0, REPORT, BF_CONTROL_FAILED, A},
           {TICK, NULL, 500, START | REPORT, BF_CONTROL_STARTING, A},
           {STREAMING, NULL, 1000, REPORT, BF_CONTROL_STREAMING, A},
           {FAILED, NULL, 11000, REPORT, BF_CONTROL_FAILED, A},
           {TICK, NULL, 11500, START | REPORT, BF_CONTROL_STARTING, A}),
    SCRIPT("a stream that broke soon does not",
           {DESIRE, A, 0, START | REPORT, BF_CONTROL_STARTING, A},
           {FAILED, NULL, 0, REPORT, BF_CONTROL_FAILED, A},
           {TICK, NULL, 500, START | REPORT, BF_CONTROL_STARTING, A},
           {STREAMING, NULL, 1000, REPORT, BF_CONTROL_STREAMING, A},
           {FAILED, NULL, 10999, REPORT, BF_CONTROL_FAILED, A},
           {TICK, NULL, 11998, 0, BF_CONTROL_FAILED, A},
           {TICK, NULL, 11999, START | REPORT, BF_CONTROL_STARTING, A}),
};

static unsigned happen(struct bf_control *c, const struct line *l)
{
    switch (l->what) {
    case DESIRE:
        return bf_control_desire(c, l->session);
    case STREAMING:
        return bf_control_streaming(c, l->at_ms);
    case INTERRUPTED:
        return bf_control_interrupted(c);
    case STOPPED:
        return bf_control_ended(c, false, l->at_ms);
    case FAILED:
        return bf_control_ended(c, true, l->at_ms);
    case TICK:
        return bf_control_tick(c, l->at_ms);
    }
    return ~0u;
}

static void scripts_hold(void **state)
{
    (void)state;
    for (size_t s = 0; s < BF_COUNT_OF(scripts); s++) {
        struct bf_control c = {0};
        for (size_t i = 0; i < scripts[s].count; i++) {
            const struct line *l = &scripts[s].lines[i];
            unsigned actions = happen(&c, l);
            const char *reported = bf_control_session(&c);
            if (actions != l->actions || c.phase != l->phase || strcmp(reported, l->reported) != 0)
                fail_msg("\"%s\" line %zu: actions %u phase %d session \"%s\", expected %u %d \"%s\"", scripts[s].name,
                         i + 1, actions, (int)c.phase, reported, l->actions, (int)l->phase, l->reported);
        }
    }
}

static void pauses_double_up_to_the_last(void **state)
{
    static const uint64_t pauses[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};
    struct bf_control c = {0};
    uint64_t now_ms = 1000;

    (void)state;
    bf_control_desire(&c, A);
    for (size_t i = 0; i < BF_COUNT_OF(pauses); i++) {
        bf_control_ended(&c, true, now_ms);
        assert_int_equal(c.retry_at_ms - now_ms, pauses[i]);
        now_ms = c.retry_at_ms;
        assert_int_equal(bf_control_tick(&c, now_ms), START | REPORT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_hold),
        cmocka_unit_test(pauses_double_up_to_the_last),
    };

    return cmocka_run_group_tests_name("camera.control", tests, NULL, NULL);
}
