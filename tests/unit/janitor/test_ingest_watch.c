#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "janitor/ingest_watch.h"

#define SESSION "01JD8V5T7MZX3K9QW4R2N6P0AB"

static void say(struct bf_ingest_watch *w, const char *node, bool online, Belfry__V1__IngestPhase phase,
                uint64_t now_ms)
{
    Belfry__V1__NodeStatus status = BELFRY__V1__NODE_STATUS__INIT;
    Belfry__V1__IngestSessionStatus session = BELFRY__V1__INGEST_SESSION_STATUS__INIT, *sessions[] = { &session };
    Belfry__V1__IngestState state = BELFRY__V1__INGEST_STATE__INIT;
    status.online = online;
    session.session_id = (char *)SESSION;
    session.phase = phase;
    state.node = &status;
    state.n_sessions = 1;
    state.sessions = sessions;
    assert_int_equal(bf_ingest_watch_update(w, node, &state, now_ms), 0);
}

static void test_runs(void **state)
{
    (void)state;
    struct bf_ingest_watch w = { 0 };
    assert_false(bf_ingest_watch_runs(&w, SESSION, 0));

    for (int phase = 0; phase <= BELFRY__V1__INGEST_PHASE__INGEST_PHASE_FAILED; phase++) {
        say(&w, "ingest-1", true, (Belfry__V1__IngestPhase)phase, 1000);
        bool expected = phase >= BELFRY__V1__INGEST_PHASE__INGEST_PHASE_STARTING &&
                        phase <= BELFRY__V1__INGEST_PHASE__INGEST_PHASE_DRAINING;
        assert_int_equal(bf_ingest_watch_runs(&w, SESSION, 1000), expected);
    }
    bf_ingest_watch_done(&w);
}

static void test_goes_offline(void **state)
{
    (void)state;
    struct bf_ingest_watch w = { 0 };
    say(&w, "ingest-2", true, BELFRY__V1__INGEST_PHASE__INGEST_PHASE_FAILED, 1000);
    say(&w, "ingest-1", true, BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LIVE, 1000);
    assert_true(bf_ingest_watch_runs(&w, SESSION, 16000));
    assert_false(bf_ingest_watch_runs(&w, SESSION, 16001));

    say(&w, "ingest-1", true, BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LIVE, 17000);
    assert_true(bf_ingest_watch_runs(&w, SESSION, 17000));
    assert_false(bf_ingest_watch_runs(&w, "01JD8V5T7MZX3K9QW4R2N6P0AC", 17000));
    say(&w, "ingest-1", false, BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LIVE, 17000); /* its last will */
    assert_false(bf_ingest_watch_runs(&w, SESSION, 17000));
    bf_ingest_watch_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_runs), cmocka_unit_test(test_goes_offline) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
