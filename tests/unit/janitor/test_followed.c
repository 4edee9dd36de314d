#include "fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "janitor/followed.h"
#include "stream/layout.h"

static void test_follows(void **state)
{
    struct media *m = *state;
    struct session s;
    struct bf_followed *f = bf_followed_new(CAMERA, SESSION, 1000);
    session_begin(&s, m, CAMERA, SESSION, true);
    assert_true(bf_followed_poll(f, s.dirfd, 2000));
    assert_false(bf_followed_poll(f, s.dirfd, 3000));
    struct bf_session_facts facts = bf_followed_facts(f, 5000);
    assert_true(facts.record);
    assert_false(facts.has_media);
    assert_false(facts.ended);
    assert_int_equal(facts.quiet_ms, 3000);

    session_init(&s, 0);
    session_segments(&s, 1);
    session_end(&s);
    assert_true(bf_followed_poll(f, s.dirfd, 6000));
    facts = bf_followed_facts(f, 6000);
    assert_true(facts.has_media && facts.ended);
    assert_int_equal(facts.quiet_ms, 0);
    bf_followed_free(f);
    session_close(&s);
}

/* A day-long stream: only what a playlist may still list stays on disk and in memory. */
static void test_trims(void **state)
{
    struct media *m = *state;
    struct session s;
    struct bf_followed *f = bf_followed_new(CAMERA, SESSION, 0);
    session_begin(&s, m, CAMERA, SESSION, false);
    session_init(&s, 0);
    for (unsigned second = 0; second < 60; second++) {
        session_segments(&s, 1);
        bf_followed_poll(f, s.dirfd, second * 1000);
        assert_true(bf_followed_trim(f, &bf_file_ops_real, s.dirfd) <= 1);
        assert_true(exists(s.dirfd, "init.mp4"));
        uint64_t start = bf_session_view_window_start(&f->view);
        for (uint64_t msn = start; msn <= second; msn++) {
            char name[BF_NAME_SIZE];
            bf_segment_name(name, msn);
            assert_true(exists(s.dirfd, name));
        }
    }
    assert_false(exists(s.dirfd, "seg-0.m4s"));
    assert_in_range(count_entries(s.dirfd), 15, 30);
    assert_in_range(f->view.n_parts, 15, 30);

    /* A janitor that starts later finds the same, and does not mind what is gone. */
    struct bf_followed *late = bf_followed_new(CAMERA, SESSION, 0);
    bf_followed_poll(late, s.dirfd, 0);
    assert_true(bf_followed_trim(late, &bf_file_ops_real, s.dirfd) > 0);
    assert_int_equal(late->trimmed, f->trimmed);
    bf_followed_free(late);
    bf_followed_free(f);
    session_close(&s);
}

static void test_damage(void **state)
{
    struct media *m = *state;
    struct bf_followed *f = bf_followed_new(CAMERA, SESSION, 0);
    _cleanup_(bf_closep) int dirfd = make_ended_session(m, SESSION, true, 2);
    _cleanup_(bf_closep) int journal = openat(dirfd, BF_JOURNAL_NAME, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(journal, "!", 1, 20), 1);
    assert_true(bf_followed_poll(f, dirfd, 0));
    assert_true(bf_followed_facts(f, 0).damaged);
    assert_int_equal(bf_followed_phase(f), BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_FAILED);
    bf_followed_free(f);
}

/* A journal that was copied from elsewhere does not speak for this directory. */
static void test_journal_of_another_session(void **state)
{
    struct media *m = *state;
    struct bf_followed *f = bf_followed_new(CAMERA, OTHER_SESSION, 0);
    _cleanup_(bf_closep) int dirfd = make_ended_session(m, SESSION, false, 2);
    bf_followed_poll(f, dirfd, 0);
    assert_true(f->damaged);
    bf_followed_free(f);
}

static void test_back_off(void **state)
{
    (void)state;
    struct bf_followed *f = bf_followed_new(CAMERA, SESSION, 0);
    struct bf_error e = { "no" };
    static const uint64_t waits_ms[] = { 5000, 10000, 20000, 40000, 80000, 160000, 320000, 600000, 600000 };
    for (size_t i = 0; i < BF_COUNT_OF(waits_ms); i++) {
        bf_followed_fail(f, "archive_failed", &e, 1000, 0);
        assert_int_equal(f->retry_ms, 1000 + waits_ms[i]);
    }
    bf_followed_free(f);
}

static int setup(void **state)
{
    static struct media m;
    media_make(&m);
    *state = &m;
    return 0;
}

static int teardown(void **state)
{
    media_remove(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_follows), TEST(test_trims), TEST(test_damage),
                                        TEST(test_journal_of_another_session), TEST(test_back_off) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
