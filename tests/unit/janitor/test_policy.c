#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "janitor/policy.h"

static const struct bf_session_policy policy = { .purge_after_ms = 5000, .abandoned_ms = 30000 };

#define RECORDS .record = true
#define ENDED .ended = true
#define MEDIA .has_media = true
#define RUNS .ingest_runs_it = true

static const struct {
    const char *what;
    struct bf_session_facts facts;
    enum bf_action action;
} cases[] = {
    { "runs, does not record", { RUNS, MEDIA }, BF_ACTION_TRIM },
    { "runs and records", { RUNS, MEDIA, RECORDS }, BF_ACTION_KEEP },
    { "runs and records, however quiet", { RUNS, MEDIA, RECORDS, .quiet_ms = 3600000 }, BF_ACTION_KEEP },
    { "records, ingest silent for a moment", { MEDIA, RECORDS, .quiet_ms = 29999 }, BF_ACTION_KEEP },
    { "records, ingest gone", { MEDIA, RECORDS, .quiet_ms = 30000 }, BF_ACTION_ARCHIVE },
    { "does not record, ingest gone", { MEDIA, .quiet_ms = 30000 }, BF_ACTION_WAIT },
    { "does not record, ingest gone for long", { MEDIA, .quiet_ms = 40000, .since_end_ms = 5000 }, BF_ACTION_PURGE },

    { "ended, recorded", { ENDED, MEDIA, RECORDS }, BF_ACTION_ARCHIVE },
    { "ended, recorded, nothing in it", { ENDED, RECORDS, .since_end_ms = 5000 }, BF_ACTION_PURGE },
    { "ended, last viewers", { ENDED, MEDIA, .since_end_ms = 4999 }, BF_ACTION_WAIT },
    { "ended, viewers gone", { ENDED, MEDIA, .since_end_ms = 5000 }, BF_ACTION_PURGE },

    { "listed live, records", { .fate = BF_FATE_LIVE, MEDIA, RECORDS, ENDED }, BF_ACTION_KEEP },
    { "listed live", { .fate = BF_FATE_LIVE, MEDIA, ENDED, .since_end_ms = 60000 }, BF_ACTION_TRIM },
    { "listed archive, still drains", { .fate = BF_FATE_ARCHIVE, MEDIA, RUNS }, BF_ACTION_KEEP },
    { "listed archive, ended", { .fate = BF_FATE_ARCHIVE, MEDIA, ENDED }, BF_ACTION_ARCHIVE },
    { "listed archive, empty", { .fate = BF_FATE_ARCHIVE, ENDED, .since_end_ms = 5000 }, BF_ACTION_PURGE },
    { "listed purge, still drains", { .fate = BF_FATE_PURGE, MEDIA, RUNS }, BF_ACTION_TRIM },
    { "listed purge, still drains, records", { .fate = BF_FATE_PURGE, MEDIA, RUNS, RECORDS }, BF_ACTION_KEEP },
    { "listed purge, just ended", { .fate = BF_FATE_PURGE, MEDIA, ENDED }, BF_ACTION_WAIT },
    { "listed purge, though it recorded",
      { .fate = BF_FATE_PURGE, MEDIA, ENDED, RECORDS, .since_end_ms = 5000 },
      BF_ACTION_PURGE },

    { "damaged", { .damaged = true, MEDIA, RECORDS, ENDED, .since_end_ms = 60000 }, BF_ACTION_REPORT },
    { "damaged, listed purge", { .damaged = true, .fate = BF_FATE_PURGE, .quiet_ms = 90000 }, BF_ACTION_REPORT },
    { "deleted recording", { .deleted = true, RECORDS, MEDIA, ENDED }, BF_ACTION_PURGE },
    { "deleted recording, half gone", { .deleted = true, .damaged = true }, BF_ACTION_PURGE },
    { "empty directory, fresh", { .quiet_ms = 100 }, BF_ACTION_TRIM },
    { "empty directory, left behind", { .quiet_ms = 60000, .since_end_ms = 30000 }, BF_ACTION_PURGE },
};

static void test_decisions(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(cases); i++) {
        enum bf_action action = bf_session_decide(&cases[i].facts, &policy);
        if (action != cases[i].action)
            fail_msg("%s: action %d, expected %d", cases[i].what, action, cases[i].action);
    }
}

/* Whatever the other facts are: what records and is not over is never deleted from. */
static void test_recording_is_never_touched(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 6; bits++) {
        struct bf_session_facts f = { .fate = (enum bf_fate)(bits & 3),
                                      .record = true,
                                      .has_media = bits >> 2 & 1,
                                      .damaged = bits >> 3 & 1,
                                      .ingest_runs_it = true,
                                      .quiet_ms = bits >> 4 & 1 ? UINT64_MAX : 0,
                                      .since_end_ms = bits >> 5 & 1 ? UINT64_MAX : 0 };
        enum bf_action action = bf_session_decide(&f, &policy);
        assert_true(action == BF_ACTION_KEEP || action == BF_ACTION_REPORT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_decisions),
                                        cmocka_unit_test(test_recording_is_never_touched) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
