#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "ingest/orphans.h"
#include "ingest/packager.h"

/* Real media, so that the judge can look into it: three segments of five parts each, and two parts of a fourth. */
#define PARTS_A_SEGMENT 5
#define OPEN_PARTS 2

static void ignore_part(void *user)
{
    (void)user;
}

static void sync_segment(void *user, struct bf_sync *sync)
{
    (void)user;
    assert_int_equal(bf_sync_run(sync), 0);
}

static void no_refusal(void *user, int code)
{
    (void)user;
    fail_msg("the storage refuses: %d", code);
}

static void write_media(const struct place *p, struct bf_session_dir *d, size_t frames)
{
    static const struct bf_packager_events events = { ignore_part, sync_segment, no_refusal };
    struct bf_packager_options o = { .dir = d, .frame_90k = FRAME_90K, .events = &events };
    struct frames f = frames_make(160, 128, frames, 30);
    struct bf_packager *packager = NULL;

    (void)p;
    bf_shape_of(&o.shape, 200, 1000, 90000, FRAME_90K);
    assert_int_equal(bf_packager_new(&packager, &o), 0);
    for (size_t i = 0; i < frames; i++)
        assert_int_equal(bf_packager_add(packager, &f.units[i]), 0);
    bf_packager_free(packager);
    frames_free(&f);
}

/* A session as a crash leaves it. */
static void crashed(const struct place *p, bool record)
{
    struct bf_session_dir *d = NULL;

    assert_int_equal(session_open(p, record, 0, &d), 0);
    assert_false(bf_session_dir_place(d)->resumed);
    write_media(p, d, 3 * 30 + OPEN_PARTS * 6);
    bf_session_dir_free(d);
}

/* Opens it again, ends it, and gives what the judge sees. */
static struct bf_session_view recovered(const struct place *p, bool record)
{
    struct bf_session_dir *d = NULL;

    assert_int_equal(session_open(p, record, 0, &d), 0);
    assert_true(bf_session_dir_place(d)->resumed);
    assert_int_equal(bf_session_dir_end(d, "recovered", 1700000060000), 0);
    bf_session_dir_free(d);
    struct bf_session_view v = judge(p);
    assert_true(v.ended);
    assert_string_equal(v.end_reason, "recovered");
    return v;
}

static void assert_shape(struct bf_session_view *v, size_t segments, size_t parts)
{
    assert_int_equal(v->n_segments, segments);
    assert_int_equal(v->n_parts, parts);
    bf_session_view_done(v);
}

static void nothing_is_lost_in_a_crash(void **state)
{
    struct place *p = *state;

    crashed(p, true);
    struct bf_session_view v = recovered(p, true);
    assert_shape(&v, 4, 3 * PARTS_A_SEGMENT + OPEN_PARTS);
}

/* Data is written before its record: what no record names goes. */
static void data_without_a_record_is_cut(void **state)
{
    struct place *p = *state;

    crashed(p, true);
    off_t size = size_of(p, "seg-3.m4s");
    write_over(p, "seg-3.m4s", size, "half a part", 11);
    struct bf_session_view v = recovered(p, true);
    assert_int_equal(size_of(p, "seg-3.m4s"), size);
    assert_shape(&v, 4, 3 * PARTS_A_SEGMENT + OPEN_PARTS);
}

static void torn_record_is_cut(void **state)
{
    struct place *p = *state;
    char path[PATH_SIZE];

    crashed(p, true);
    session_path(p, path, "journal");
    assert_int_equal(truncate(path, size_of(p, "journal") - 3), 0);
    struct bf_session_view v = recovered(p, true);
    assert_shape(&v, 4, 3 * PARTS_A_SEGMENT + OPEN_PARTS - 1);
}

/* After a power cut the journal may know more than the disk: at every length of the open segment's file. */
static void parts_without_data_are_cut(void **state)
{
    struct place *p = *state;

    for (unsigned lost = 1; lost <= 3; lost++) {
        char path[PATH_SIZE];

        crashed(p, true);
        off_t size = size_of(p, "seg-3.m4s");
        session_path(p, path, "seg-3.m4s");
        assert_int_equal(truncate(path, lost == 1 ? size - 1 : lost == 2 ? size / 4 : 0), 0);
        struct bf_session_view v = recovered(p, true);
        if (lost == 1)
            assert_shape(&v, 4, 3 * PARTS_A_SEGMENT + 1);
        else
            assert_shape(&v, 3, 3 * PARTS_A_SEGMENT);
        char command[PATH_SIZE + 32];
        session_path(p, path, "");
        snprintf(command, sizeof command, "rm -rf -- %s", path);
        assert_int_equal(system(command), 0);
    }
}

static void missing_file_of_the_open_segment(void **state)
{
    struct place *p = *state;
    char path[PATH_SIZE];

    crashed(p, true);
    session_path(p, path, "seg-3.m4s");
    assert_int_equal(unlink(path), 0);
    struct bf_session_view v = recovered(p, true);
    assert_shape(&v, 3, 3 * PARTS_A_SEGMENT);
}

/* The length is there but not the bytes: the hash tells, and everything from that segment on goes. */
static void complete_segment_without_its_bytes_is_cut(void **state)
{
    struct place *p = *state;

    crashed(p, true);
    write_over(p, "seg-2.m4s", 1000, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    struct bf_session_view v = recovered(p, true);
    assert_shape(&v, 2, 2 * PARTS_A_SEGMENT);
}

static void two_complete_segments_without_their_bytes(void **state)
{
    struct place *p = *state;
    char path[PATH_SIZE];

    crashed(p, true);
    for (char msn = '1'; msn <= '2'; msn++) {
        char name[] = "seg-0.m4s";

        name[4] = msn;
        session_path(p, path, name);
        assert_int_equal(truncate(path, 100), 0);
    }
    struct bf_session_view v = recovered(p, true);
    assert_shape(&v, 1, PARTS_A_SEGMENT);
}

static void trimmed_segments_are_not_missed(void **state)
{
    struct place *p = *state;
    struct bf_session_dir *d = NULL;
    char path[PATH_SIZE];

    crashed(p, false);
    for (char msn = '0'; msn <= '2'; msn++) {
        char name[] = "seg-0.m4s";

        name[4] = msn;
        session_path(p, path, name);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(session_open(p, false, 0, &d), 0);
    assert_int_equal(bf_session_dir_place(d)->parts, 3 * PARTS_A_SEGMENT + OPEN_PARTS);
    assert_int_equal(bf_session_dir_place(d)->segments, 4);
    bf_session_dir_free(d);
}

static void lost_from_the_beginning(void **state)
{
    struct place *p = *state;
    char command[PATH_SIZE + 32], path[PATH_SIZE];

    crashed(p, true);
    session_path(p, path, "");
    snprintf(command, sizeof command, "rm -- %s/seg-*", path);
    assert_int_equal(system(command), 0);
    struct bf_session_view v = recovered(p, true);
    assert_shape(&v, 0, 0);
}

static void ended_sessions_stay_ended(void **state)
{
    struct place *p = *state;
    struct bf_session_dir *d = NULL;

    crashed(p, true);
    struct bf_session_view v = recovered(p, true);
    bf_session_view_done(&v);
    assert_int_equal(session_open(p, true, 0, &d), -EALREADY);
}

static void damage_is_not_written_over(void **state)
{
    struct place *p = *state;
    struct bf_session_dir *d = NULL;

    crashed(p, true);
    off_t size = size_of(p, "journal");
    write_over(p, "journal", 40, "xxxx", 4);
    assert_int_equal(session_open(p, true, 0, &d), -EBADMSG);
    assert_int_equal(size_of(p, "journal"), size);
}

static void sessions_of_other_nodes_are_left_alone(void **state)
{
    struct place *p = *state;
    struct bf_session_place place;
    struct bf_orphan *orphans = NULL;
    struct bf_error e;
    size_t n = 0;

    crashed(p, true);
    assert_int_equal(bf_orphans_find(p->media_fd, "ingest-2", &orphans, &n), 0);
    assert_int_equal(n, 0);
    const struct bf_orphan theirs = { TEST_CAMERA, TEST_SESSION };
    assert_int_equal(bf_orphan_close(&theirs, p->media_fd, "ingest-2", p->key, "recovered", 0, &place, &e), -EBADMSG);
    free(orphans);
}

static void orphans_are_found_and_closed(void **state)
{
    struct place *p = *state;
    struct bf_session_place place;
    struct bf_orphan *orphans = NULL;
    struct bf_error e;
    size_t n = 0;

    crashed(p, true);
    assert_int_equal(mkdirat(p->media_fd, "cam-2", 0700), 0);
    assert_int_equal(mkdirat(p->media_fd, "cam-2/01JD9Z5K3M8Q2W4E6R7T9Y0ABD", 0700), 0); /* no journal */
    assert_int_equal(mkdirat(p->media_fd, "cam-2/lost+found", 0700), 0);
    assert_int_equal(mkdirat(p->media_fd, "Not A Camera", 0700), 0);
    assert_int_equal(bf_orphans_find(p->media_fd, TEST_NODE, &orphans, &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(orphans[0].camera, TEST_CAMERA);
    assert_string_equal(orphans[0].session_id, TEST_SESSION);

    assert_int_equal(
        bf_orphan_close(&orphans[0], p->media_fd, TEST_NODE, p->key, "recovered", 1700000060000, &place, &e), 0);
    assert_int_equal(place.segments, 4);
    free(orphans);
    assert_int_equal(bf_orphans_find(p->media_fd, TEST_NODE, &orphans, &n), 0);
    assert_int_equal(n, 0);
    free(orphans);
    struct bf_session_view v = judge(p);
    assert_memory_equal(place.chain_head, v.chain_head, 32);
    bf_session_view_done(&v);
}

static void closing_makes_no_session(void **state)
{
    struct place *p = *state;
    struct bf_session_place place;
    struct bf_error e;

    const struct bf_orphan gone = { TEST_CAMERA, TEST_SESSION };
    assert_int_equal(bf_orphan_close(&gone, p->media_fd, TEST_NODE, p->key, "recovered", 0, &place, &e), -ENOENT);
    assert_int_not_equal(faccessat(p->media_fd, TEST_CAMERA, F_OK, 0), 0);
}

static void files_and_directories_are_not_for_everybody(void **state)
{
    struct place *p = *state;
    struct stat st;

    umask(0);
    crashed(p, true);
    _cleanup_(bf_closep) int fd = session_fd(p);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    assert_int_equal(fstatat(fd, "seg-0.m4s", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(fstatat(fd, "journal", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void links_are_not_followed(void **state)
{
    struct place *p = *state;
    struct bf_session_dir *d = NULL;

    assert_int_equal(symlinkat("/tmp", p->media_fd, TEST_CAMERA), 0);
    assert_int_equal(session_open(p, true, 0, &d), -ENOTDIR);
}

#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_PLACE(nothing_is_lost_in_a_crash),
        AT_PLACE(data_without_a_record_is_cut),
        AT_PLACE(torn_record_is_cut),
        AT_PLACE(parts_without_data_are_cut),
        AT_PLACE(missing_file_of_the_open_segment),
        AT_PLACE(complete_segment_without_its_bytes_is_cut),
        AT_PLACE(two_complete_segments_without_their_bytes),
        AT_PLACE(trimmed_segments_are_not_missed),
        AT_PLACE(lost_from_the_beginning),
        AT_PLACE(ended_sessions_stay_ended),
        AT_PLACE(damage_is_not_written_over),
        AT_PLACE(sessions_of_other_nodes_are_left_alone),
        AT_PLACE(orphans_are_found_and_closed),
        AT_PLACE(closing_makes_no_session),
        AT_PLACE(files_and_directories_are_not_for_everybody),
        AT_PLACE(links_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
