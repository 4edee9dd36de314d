/* The janitor as a whole: a real process, told what to do and asked by a gateway over a real broker. */
#include "rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "stream/layout.h"

#define KEPT "01JD8V5T7MZX3K9QW4R2N6P0A1"
#define PURGED "01JD8V5T7MZX3K9QW4R2N6P0A2"
#define LIVE "01JD8V5T7MZX3K9QW4R2N6P0A3"
#define BROKEN "01JD8V5T7MZX3K9QW4R2N6P0A4"
#define UNLISTED "01JD8V5T7MZX3K9QW4R2N6P0A5"
#define FINISHED "01JD8V5T7MZX3K9QW4R2N6P0A6"

struct expected_phase {
    const char *id;
    Belfry__V1__JanitorPhase phase;
};

static bool has_phase(const struct rig *r, const void *arg)
{
    const struct expected_phase *e = arg;
    return rig_phase(r, e->id) == e->phase;
}

static void wait_phase(struct rig *r, const char *id, Belfry__V1__JanitorPhase phase)
{
    struct expected_phase e = { id, phase };
    rig_wait(r, id, has_phase, &e);
}

struct expected_event {
    Belfry__V1__EventKind kind;
    const char *id;
};

static bool has_event(const struct rig *r, const void *arg)
{
    const struct expected_event *e = arg;
    return rig_event_code(r, e->kind, e->id) != NULL;
}

static void wait_event(struct rig *r, Belfry__V1__EventKind kind, const char *id)
{
    struct expected_event e = { kind, id };
    rig_wait(r, "an event", has_event, &e);
}

static bool is_gone(const struct rig *r, const void *path)
{
    return !exists(r->media.mediafd, path);
}

static bool has_recordings(const struct rig *r, const void *n)
{
    return r->state != NULL && r->state->recordings == *(const uint64_t *)n;
}

static void make_real(const struct rig *r, const char *id, bool record, bool ended)
{
    struct session s;
    session_begin(&s, &r->media, CAMERA, id, record);
    session_real_segments(&s);
    if (ended)
        session_end(&s);
    session_close(&s);
}

static void assert_frames(const struct rig *r, const char *id, const char *name)
{
    char command[256], line[32] = "";
    snprintf(command, sizeof command,
             "ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 %s/media/" CAMERA "/%s/%s",
             r->root.path, id, name);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    pclose(f);
    assert_int_equal(strtol(line, NULL, 10), 50);
}

static void test_archives_what_is_listed(void **state)
{
    struct rig *r = *state;
    make_real(r, KEPT, true, true);
    rig_desire(r, &(struct listed){ KEPT, BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE }, 1);
    wait_phase(r, KEPT, BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_ARCHIVED);
    wait_event(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_RECORDING_READY, KEPT);
    assert_int_equal(r->state->recordings, 1);
    assert_true(r->state->recording_bytes > 0);

    _cleanup_(bf_closep) int dirfd = bf_open_dir(r->media.mediafd, CAMERA "/" KEPT, 0, 0);
    _cleanup_(bf_freep) char *poster = read_text(dirfd, BF_POSTER_NAME);
    assert_memory_equal(poster, "\xff\xd8\xff", 3);
    assert_frames(r, KEPT, BF_DOWNLOAD_NAME);
    assert_frames(r, KEPT, BF_VOD_PLAYLIST_NAME);
}

static void test_purges_what_is_listed(void **state)
{
    struct rig *r = *state;
    close(make_ended_session(&r->media, PURGED, false, 2));
    rig_desire(r, &(struct listed){ PURGED, BELFRY__V1__SESSION_FATE__SESSION_FATE_PURGE }, 1);
    wait_phase(r, PURGED, BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_PURGED);
    wait_event(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_SESSION_PURGED, PURGED);
    assert_false(exists(r->media.mediafd, CAMERA "/" PURGED));
}

/* What nobody asks about follows its own journal. */
static void test_unlisted(void **state)
{
    struct rig *r = *state;
    rig_desire(r, NULL, 0);
    close(make_ended_session(&r->media, PURGED, false, 2));
    make_real(r, UNLISTED, true, true);
    wait_event(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_RECORDING_READY, UNLISTED);
    rig_wait(r, "the purge", is_gone, CAMERA "/" PURGED);
}

static const char *command_delete(struct rig *r, const char *id)
{
    Belfry__V1__DeleteRecording delete = BELFRY__V1__DELETE_RECORDING__INIT;
    Belfry__V1__JanitorCommand command = BELFRY__V1__JANITOR_COMMAND__INIT;
    delete.recording_id = (char *)id;
    command.action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_DELETE;
    command.delete_ = &delete;
    return rig_command(r, &command);
}

static const char *command_protect(struct rig *r, const char *id, bool protect, const char *title)
{
    Belfry__V1__ProtectRecording request = BELFRY__V1__PROTECT_RECORDING__INIT;
    Belfry__V1__JanitorCommand command = BELFRY__V1__JANITOR_COMMAND__INIT;
    request.recording_id = (char *)id;
    request.protected_ = protect;
    request.title = (char *)title;
    command.action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_PROTECT;
    command.protect = &request;
    return rig_command(r, &command);
}

static const char *command_snapshot(struct rig *r, const char *id)
{
    Belfry__V1__TakeSnapshot request = BELFRY__V1__TAKE_SNAPSHOT__INIT;
    Belfry__V1__JanitorCommand command = BELFRY__V1__JANITOR_COMMAND__INIT;
    request.session_id = (char *)id;
    request.camera = (char *)CAMERA;
    command.action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_SNAPSHOT;
    command.snapshot = &request;
    return rig_command(r, &command);
}

static void test_protects(void **state)
{
    struct rig *r = *state;
    assert_null(command_protect(r, KEPT, true, "First light"));
    assert_string_equal(command_delete(r, KEPT), "protected");
    assert_true(exists(r->media.mediafd, CAMERA "/" KEPT "/" BF_RECORDING_NAME));
    assert_string_equal(command_delete(r, LIVE), "not_found");
    assert_string_equal(command_protect(r, LIVE, true, ""), "not_found");
}

/* Killed without warning: everything is found again, the protection too. */
static void test_finds_its_recordings_again(void **state)
{
    struct rig *r = *state;
    assert_true(WIFSIGNALED(rig_stop_janitor(r, SIGKILL)));
    rig_start_janitor(r);
    rig_wait(r, "the janitor again", rig_online, NULL);
    rig_wait(r, "its recordings", has_recordings, &(const uint64_t){ 2 });
    assert_string_equal(command_delete(r, KEPT), "protected");
}

static void test_deletes(void **state)
{
    struct rig *r = *state;
    assert_null(command_protect(r, KEPT, false, ""));
    assert_null(command_delete(r, KEPT));
    wait_event(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_RECORDING_DELETED, KEPT);
    rig_wait(r, "the files to go", is_gone, CAMERA "/" KEPT);
    assert_string_equal(command_delete(r, KEPT), "not_found");
    assert_true(exists(r->media.mediafd, CAMERA "/" UNLISTED "/" BF_RECORDING_NAME));
}

static bool is_file(const struct rig *r, const void *path)
{
    return exists(r->media.mediafd, path);
}

/* Its file stands there before the janitor's loop knows: never "not found" for one that others see. */
static void test_deletes_what_it_has_just_finished(void **state)
{
    struct rig *r = *state;
    make_real(r, FINISHED, true, true);
    rig_desire(r, &(struct listed){ FINISHED, BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE }, 1);
    rig_wait(r, "the recording", is_file, CAMERA "/" FINISHED "/" BF_RECORDING_NAME);
    const char *code;
    while ((code = command_delete(r, FINISHED)) != NULL)
        assert_string_equal(code, "busy");
    rig_wait(r, "the files to go", is_gone, CAMERA "/" FINISHED);
}

static void test_snapshot(void **state)
{
    struct rig *r = *state;
    make_real(r, LIVE, false, false); /* asked for at once, before any scan has found it */
    const char *code = command_snapshot(r, LIVE);
    if (code != NULL)
        fail_msg("%s: %s", code, r->reply->error->detail);
    _cleanup_(bf_closep) int dirfd = bf_open_dir(r->media.mediafd, CAMERA "/" LIVE, 0, 0);
    _cleanup_(bf_freep) char *jpeg = read_text(dirfd, r->reply->file);
    assert_memory_equal(jpeg, "\xff\xd8\xff", 3);
    assert_string_equal(command_snapshot(r, KEPT), "not_found");
}

/* Media that nothing can read: said, told, and left as it is. */
static void test_reports_what_fails(void **state)
{
    struct rig *r = *state;
    _cleanup_(bf_closep) int dirfd = make_ended_session(&r->media, BROKEN, true, 2);
    size_t before = count_entries(dirfd);
    rig_desire(r, &(struct listed){ BROKEN, BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE }, 1);
    wait_phase(r, BROKEN, BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_FAILED);
    wait_event(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM, BROKEN);
    assert_string_equal(rig_event_code(r, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM, BROKEN), "archive_failed");
    assert_false(exists(dirfd, BF_RECORDING_NAME));
    assert_false(exists(dirfd, BF_DOWNLOAD_NAME));
    assert_true(count_entries(dirfd) <= before + 1); /* at most the playlist */
}

static void test_ends_in_order(void **state)
{
    struct rig *r = *state;
    int status = rig_stop_janitor(r, SIGTERM);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int setup(void **state)
{
    static struct rig r;
    rig_up(&r);
    *state = &r;
    return 0;
}

static int teardown(void **state)
{
    rig_down(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_archives_what_is_listed),
                                        cmocka_unit_test(test_purges_what_is_listed),
                                        cmocka_unit_test(test_unlisted),
                                        cmocka_unit_test(test_protects),
                                        cmocka_unit_test(test_finds_its_recordings_again),
                                        cmocka_unit_test(test_deletes),
                                        cmocka_unit_test(test_deletes_what_it_has_just_finished),
                                        cmocka_unit_test(test_snapshot),
                                        cmocka_unit_test(test_reports_what_fails),
                                        cmocka_unit_test(test_ends_in_order) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
