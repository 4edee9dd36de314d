#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "faults.h"
#include "janitor/names.h"
#include "janitor/purge.h"
#include "stream/layout.h"

/* A session with everything that it can hold. */
static void make_full(const struct media *m)
{
    static const char *const made[] = {
        "vod.m3u8",          "download.mp4", "poster.jpg", "snapshot-1700000000000.jpg", ".tmp-0123456789abcdef",
        ".tmp-download.mp4", "seg-3.m4s",    "init-1.mp4"
    };
    _cleanup_(bf_closep) int dirfd = make_ended_session(m, SESSION, true, 3);
    for (size_t i = 0; i < BF_COUNT_OF(made); i++)
        write_file(dirfd, made[i], "x");
}

static int purge(const struct media *m, struct faults *f, struct bf_error *e)
{
    struct bf_file_ops ops = faults_ops(f);
    _cleanup_(bf_closep) int camerafd = bf_open_dir(m->mediafd, CAMERA, 0, 0);
    return bf_purge_session(&ops, camerafd, SESSION, e);
}

static void test_purges(void **state)
{
    struct media *m = *state;
    struct faults f = { 0 };
    struct bf_error e;
    make_full(m);
    assert_int_equal(purge(m, &f, &e), 0);
    assert_false(exists(m->mediafd, CAMERA "/" SESSION));
    assert_true(exists(m->mediafd, CAMERA));
    assert_int_equal(purge(m, &f, &e), 0); /* gone already */
}

static void test_crash_at_every_step(void **state)
{
    struct media *m = *state;
    struct bf_error e;
    for (int at = 1;; at++) {
        struct faults dying = { .fail_at = at, .error = -EIO, .crash = true }, healthy = { 0 };
        make_full(m);
        int r = purge(m, &dying, &e);
        if (r == 0) {
            assert_true(at > 15);
            return;
        }
        assert_int_equal(purge(m, &healthy, &e), 0);
        assert_false(exists(m->mediafd, CAMERA "/" SESSION));
    }
}

/* What is not of the session stays, and so does the journal that says what is. */
static void test_foreign_file(void **state)
{
    struct media *m = *state;
    struct faults f = { 0 };
    struct bf_error e;
    make_full(m);
    _cleanup_(bf_closep) int dirfd = bf_open_dir(m->mediafd, CAMERA "/" SESSION, 0, 0);
    write_file(dirfd, "holiday.mp4", "x");
    write_file(dirfd, "seg-900.m4s", "x");
    assert_int_equal(purge(m, &f, &e), -ENOTEMPTY);
    assert_true(exists(dirfd, "holiday.mp4"));
    assert_true(exists(dirfd, "seg-900.m4s"));
    assert_true(exists(dirfd, BF_JOURNAL_NAME));
    assert_int_equal(count_entries(dirfd), 3);

    unlinkat(dirfd, "holiday.mp4", 0);
    unlinkat(dirfd, "seg-900.m4s", 0);
    assert_int_equal(purge(m, &f, &e), 0);
}

static void test_damaged_journal(void **state)
{
    struct media *m = *state;
    struct faults f = { 0 };
    struct bf_error e;
    make_full(m);
    _cleanup_(bf_closep) int dirfd = bf_open_dir(m->mediafd, CAMERA "/" SESSION, 0, 0);
    _cleanup_(bf_closep) int journal = openat(dirfd, BF_JOURNAL_NAME, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(journal, "!", 1, 20), 1);
    size_t before = count_entries(dirfd);
    assert_int_equal(purge(m, &f, &e), -EBADMSG);
    assert_int_equal(count_entries(dirfd), before);
}

static void test_symlink_is_not_followed(void **state)
{
    struct media *m = *state;
    struct faults f = { 0 };
    struct bf_error e;
    _cleanup_(bf_closep) int elsewhere = make_ended_session(m, OTHER_SESSION, true, 2);
    assert_int_equal(symlinkat(OTHER_SESSION, m->mediafd, CAMERA "/" SESSION), 0);
    assert_true(purge(m, &f, &e) < 0);
    assert_int_equal(count_entries(elsewhere), 4);
}

/* Killed anywhere: what is left says that it is to be purged, until nothing is left. */
static void test_mark_survives(void **state)
{
    struct media *m = *state;
    struct bf_error e;
    for (int at = 1, r = -1; r < 0; at++) {
        struct faults dying = { .fail_at = at, .error = -EIO, .crash = true }, healthy = { 0 };
        struct bf_file_ops ops = faults_ops(&healthy);
        make_full(m);
        _cleanup_(bf_closep) int dirfd = bf_open_dir(m->mediafd, CAMERA "/" SESSION, 0, 0);
        write_file(dirfd, BF_RECORDING_NAME, "x");
        assert_int_equal(bf_purge_mark(&ops, dirfd), 0);
        assert_false(exists(dirfd, BF_RECORDING_NAME));

        r = purge(m, &dying, &e);
        assert_true(exists(dirfd, BF_DELETED_NAME) || count_entries(dirfd) == 0);
        assert_int_equal(purge(m, &healthy, &e), 0);
        assert_false(exists(m->mediafd, CAMERA "/" SESSION));
    }
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
    const struct CMUnitTest tests[] = {
        TEST(test_purges),          TEST(test_crash_at_every_step),     TEST(test_foreign_file),
        TEST(test_damaged_journal), TEST(test_symlink_is_not_followed), TEST(test_mark_survives)
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
