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

enum what { DESIRE, REDIRECT, STREAMING, INTERRUPTED, STOPPED, FAILED, TICK };
enum { STOP = BF_CONTROL_STOP_WORKER, START = BF_CONTROL_START_WORKER, ELSEWHERE = BF_CONTROL_REDIRECT_WORKER };
enum { REPORT = BF_CONTROL_REPORT };
enum { OFF = BF_CONTROL_OFF, STARTING = BF_CONTROL_STARTING, LIVE = BF_CONTROL_STREAMING };
enum { STOPPING = BF_CONTROL_STOPPING, BROKEN = BF_CONTROL_FAILED };

/* A row happens after the one before it; a name begins a new script with a camera that is off. */
struct row {
    const char *script;
    enum what what;
    const char *session; /* of DESIRE; NULL: off */
    uint64_t at_ms;
    unsigned actions;
    int phase;            /* enum bf_control_phase */
    const char *reported; /* session */
};

static const struct row rows[] = {
    { "start, heartbeat, stop", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, DESIRE, A, 100, 0, STARTING, A },
    { NULL, STREAMING, NULL, 200, REPORT, LIVE, A },
    { NULL, DESIRE, A, 3000, 0, LIVE, A },
    { NULL, DESIRE, NULL, 4000, STOP | REPORT, STOPPING, A },
    { NULL, DESIRE, NULL, 4001, 0, STOPPING, A },
    { NULL, STOPPED, NULL, 4010, REPORT, OFF, "" },

    { "off stays off", DESIRE, NULL, 0, 0, OFF, "" },
    { NULL, TICK, NULL, 1, 0, OFF, "" },

    { "another session replaces the one that runs", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, STREAMING, NULL, 100, REPORT, LIVE, A },
    { NULL, DESIRE, B, 200, STOP | REPORT, STOPPING, A },
    { NULL, DESIRE, B, 210, 0, STOPPING, A },
    { NULL, STOPPED, NULL, 220, START | REPORT, STARTING, B },
    { NULL, STREAMING, NULL, 300, REPORT, LIVE, B },

    { "wanted again while it stops", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, DESIRE, NULL, 10, STOP | REPORT, STOPPING, A },
    { NULL, STREAMING, NULL, 11, 0, STOPPING, A },
    { NULL, DESIRE, A, 12, 0, STOPPING, A },
    { NULL, STOPPED, NULL, 20, START | REPORT, STARTING, A },

    { "a failure while it stops is the end of it", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, DESIRE, NULL, 10, STOP | REPORT, STOPPING, A },
    { NULL, FAILED, NULL, 20, REPORT, OFF, "" },

    { "a failure of a session that was replaced does not delay the next", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, DESIRE, B, 10, STOP | REPORT, STOPPING, A },
    { NULL, FAILED, NULL, 20, START | REPORT, STARTING, B },

    { "failures are retried with growing pauses while it is wanted", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, FAILED, NULL, 100, REPORT, BROKEN, A },
    { NULL, TICK, NULL, 599, 0, BROKEN, A },
    { NULL, DESIRE, A, 599, 0, BROKEN, A },
    { NULL, TICK, NULL, 600, START | REPORT, STARTING, A },
    { NULL, FAILED, NULL, 700, REPORT, BROKEN, A },
    { NULL, TICK, NULL, 1699, 0, BROKEN, A },
    { NULL, TICK, NULL, 1700, START | REPORT, STARTING, A },
    { NULL, FAILED, NULL, 1800, REPORT, BROKEN, A },
    { NULL, DESIRE, NULL, 1900, REPORT, OFF, "" },
    { NULL, TICK, NULL, 9999, 0, OFF, "" },

    { "another session does not wait for the pause of the one before", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, FAILED, NULL, 100, REPORT, BROKEN, A },
    { NULL, DESIRE, B, 110, START | REPORT, STARTING, B },

    { "a lost receiver is STARTING again until access units flow", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, INTERRUPTED, NULL, 50, 0, STARTING, A },
    { NULL, STREAMING, NULL, 100, REPORT, LIVE, A },
    { NULL, INTERRUPTED, NULL, 200, REPORT, STARTING, A },
    { NULL, STREAMING, NULL, 300, REPORT, LIVE, A },

    { "a receiver that is elsewhere is one that was lost", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, REDIRECT, NULL, 50, ELSEWHERE, STARTING, A },
    { NULL, STREAMING, NULL, 100, REPORT, LIVE, A },
    { NULL, REDIRECT, NULL, 200, ELSEWHERE | REPORT, STARTING, A },
    { NULL, STREAMING, NULL, 300, REPORT, LIVE, A },

    { "nobody is sent elsewhere where no worker runs, or not on", REDIRECT, NULL, 0, 0, OFF, "" },
    { NULL, DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, FAILED, NULL, 100, REPORT, BROKEN, A },
    { NULL, REDIRECT, NULL, 110, 0, BROKEN, A },
    { NULL, TICK, NULL, 600, START | REPORT, STARTING, A },
    { NULL, DESIRE, NULL, 700, STOP | REPORT, STOPPING, A },
    { NULL, REDIRECT, NULL, 701, 0, STOPPING, A },

    { "a stream that was healthy starts the pauses anew", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, FAILED, NULL, 0, REPORT, BROKEN, A },
    { NULL, TICK, NULL, 500, START | REPORT, STARTING, A },
    { NULL, STREAMING, NULL, 1000, REPORT, LIVE, A },
    { NULL, FAILED, NULL, 11000, REPORT, BROKEN, A },
    { NULL, TICK, NULL, 11500, START | REPORT, STARTING, A },

    { "a stream that broke soon does not", DESIRE, A, 0, START | REPORT, STARTING, A },
    { NULL, FAILED, NULL, 0, REPORT, BROKEN, A },
    { NULL, TICK, NULL, 500, START | REPORT, STARTING, A },
    { NULL, STREAMING, NULL, 1000, REPORT, LIVE, A },
    { NULL, FAILED, NULL, 10999, REPORT, BROKEN, A },
    { NULL, TICK, NULL, 11998, 0, BROKEN, A },
    { NULL, TICK, NULL, 11999, START | REPORT, STARTING, A },
};

static unsigned happen(struct bf_control *c, const struct row *l)
{
    switch (l->what) {
    case DESIRE:
        return bf_control_desire(c, l->session);
    case REDIRECT:
        return bf_control_redirect(c);
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
    struct bf_control c = { 0 };
    const char *script = "";

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        const struct row *l = &rows[i];
        if (l->script != NULL) {
            script = l->script;
            c = (struct bf_control){ 0 };
        }
        unsigned actions = happen(&c, l);
        const char *reported = bf_control_session(&c);
        if (actions != l->actions || (int)c.phase != l->phase || strcmp(reported, l->reported) != 0)
            fail_msg("\"%s\" at %llu ms: actions %u phase %d session \"%s\", expected %u %d \"%s\"", script,
                     (unsigned long long)l->at_ms, actions, (int)c.phase, reported, l->actions, l->phase, l->reported);
    }
}

static void pauses_double_up_to_the_last(void **state)
{
    static const uint64_t pauses[] = { 500, 1000, 2000, 4000, 8000, 8000, 8000 };
    struct bf_control c = { 0 };
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
