/* Do the checks of the media directory find what they are for? Directories made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "janitor/janitor.h"
#include "test_worlds.h"

#define ID "01KDVDNCAMM4SPSM04GHYW90J1"
#define OTHER "01KDVDNCAMM4SPSM04GHYW90J2"
#define DIRECTORY "media/cam-1/" ID

static void put(const char *name, const char *text, size_t size)
{
    char path[200], data[256] = "";

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    snprintf(data, sizeof data, "%s", text);
    _cleanup_(bf_fclosep) FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
}

static void put_segment(const char *name, const char *session)
{
    char part[SIM_PART_SIZE];

    snprintf(part, sizeof part, "cam-1 %s\n", session);
    put(name, part, sizeof part);
}

/* Recorded, live, of two segments, both in its playlist. */
static struct sim_session *make_recording(void)
{
    static const char playlist[] = "#EXTM3U\nseg-0.m4s\nseg-1.m4s\n";
    struct sim_session *s = sim_session_make(ID, "cam-1", true);

    s->told_live = true;
    s->segments = 2;
    mkdir("media/cam-1", 0700);
    mkdir(DIRECTORY, 0700);
    put_segment("seg-0.m4s", ID);
    put_segment("seg-1.m4s", ID);
    put("vod.m3u8", playlist, sizeof playlist - 1);
    put("recording", "", 0);
    return s;
}

static void test_whole_recording(void **state)
{
    (void)state;
    make_recording();
    sim_check_recordings();
    expect_none();
}

static void test_recording_that_is_gone(void **state)
{
    (void)state;
    make_recording();
    remove(DIRECTORY "/recording");
    sim_check_recordings();
    expect_violation("is no recording");
}

static void test_recording_that_was_asked_to_go(void **state)
{
    (void)state;
    struct sim_session *s = make_recording();
    s->delete_asked = true;
    remove(DIRECTORY "/recording");
    sim_check_recordings();
    expect_none();
}

static void test_recording_that_was_said_to_be_gone(void **state)
{
    (void)state;
    make_recording()->delete_told = true;
    sim_check_recordings();
    expect_violation("which was said to be deleted");
}

static void test_lost_segment(void **state)
{
    (void)state;
    make_recording()->segments = 3;
    sim_check_recordings();
    expect_violation("has lost segments");
}

static void test_named_segment_that_is_not_there(void **state)
{
    (void)state;
    make_recording();
    remove(DIRECTORY "/seg-1.m4s");
    sim_check_recordings();
    expect_violation("which is not there");
}

static void test_segment_of_another_session(void **state)
{
    (void)state;
    make_recording();
    put_segment("seg-1.m4s", OTHER);
    sim_check_recordings();
    expect_violation("seg-1.m4s of session " ID " holds");
}

static void test_torn_segment(void **state)
{
    (void)state;
    make_recording();
    put("seg-1.m4s", "cam-1", 5);
    sim_check_recordings();
    expect_violation("holds");
}

static void test_recording_that_nobody_asked_for(void **state)
{
    (void)state;
    make_recording()->record = false;
    sim_check_recordings();
    expect_violation("which nobody asked for");
}

static void test_removal_of_a_recording(void **state)
{
    (void)state;
    make_recording();
    sim_check_removal(ID, "seg-0.m4s");
    expect_violation("the janitor deletes seg-0.m4s");
}

static void test_removal_of_what_is_not_recorded(void **state)
{
    (void)state;
    make_recording()->record = false;
    put("seg-1.m4s", "torn", 4);
    sim_check_removal(ID, "seg-0.m4s");
    sim_check_removal(ID, "seg-1.m4s");
    expect_none();
    put_segment("seg-0.m4s", OTHER);
    sim_check_removal(ID, "seg-0.m4s");
    expect_violation("holds");
}

static void test_settled(void **state)
{
    (void)state;
    char why[200] = "";

    make_recording();
    assert_true(sim_sessions_settled(why, sizeof why));
    remove(DIRECTORY "/recording");
    assert_false(sim_sessions_settled(why, sizeof why));
    assert_non_null(strstr(why, ID));
}

static void test_picture_that_is_taken_twice(void **state)
{
    (void)state;
    const struct bf_janitor *j = sim_node_named("janitor-1")->made_state;
    struct sim_session *s = make_recording();
    _cleanup_(bf_closep) int fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    s->pictures_asked = 1;
    put("first", "jpeg", 4);
    assert_int_equal(j->ops->rename(j->ops->user, fd, "first", "snapshot-1.jpg"), 0);
    expect_none();
    put("second", "jpeg", 4);
    assert_int_equal(j->ops->rename(j->ops->user, fd, "second", "snapshot-2.jpg"), 0);
    expect_violation("pictures were taken");
}

int main(void)
{
#define CHECK(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)
    const struct CMUnitTest tests[] = {
        CHECK(test_whole_recording),
        CHECK(test_recording_that_is_gone),
        CHECK(test_recording_that_was_asked_to_go),
        CHECK(test_recording_that_was_said_to_be_gone),
        CHECK(test_lost_segment),
        CHECK(test_named_segment_that_is_not_there),
        CHECK(test_segment_of_another_session),
        CHECK(test_torn_segment),
        CHECK(test_recording_that_nobody_asked_for),
        CHECK(test_removal_of_a_recording),
        CHECK(test_removal_of_what_is_not_recorded),
        CHECK(test_settled),
        CHECK(test_picture_that_is_taken_twice),
    };
    return cmocka_run_group_tests(tests, enter_worlds, leave_worlds);
}
