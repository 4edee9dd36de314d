/* A gateway that orders nothing: which session it takes for the camera's present one, what the camera then looks like,
 * and which routes it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/app.h"
#include "gateway/orchestrator.h"
#include "live_world.h"

#define OLDER "01HZZZZZZZZZZZZZZZZZZZZZZ9"
#define SILENT_MS 30000

static void ignore(void *user, const char *camera, const char *session)
{
    (void)user;
    (void)camera;
    (void)session;
}

static void ignore_end(void *user, const char *camera, const char *session, const char *reason)
{
    (void)reason;
    ignore(user, camera, session);
}

static void open_store(void)
{
    static const struct bf_live_events events = { ignore, ignore_end, ignore, ignore };

    live_world_open(1, &events);
}

enum { HAS_MEDIA = 1, HAS_ENDED = 2 };

static void write_session(unsigned what)
{
    begin_session("door");
    if ((what & HAS_MEDIA) != 0)
        build_segment(&t.media.builder, 5);
    if ((what & HAS_ENDED) != 0)
        build_end(&t.media.builder, "stopped");
}

/* What is written next goes to a newer session. */
static void write_older_session(unsigned what)
{
    write_session(what);
    media_dir_close(&t.media);
    assert_int_equal(renameat(t.media.dirfd, "door/" BUILDER_SESSION, t.media.dirfd, "door/" OLDER), 0);
}

/* As if the journal had been written so long ago. */
static void age(const char *session, int64_t seconds)
{
    const struct timespec then = { .tv_sec = (time_t)(bf_unix_ms() / 1000) - seconds };
    const struct timespec times[] = { then, then };
    char path[64];

    snprintf(path, sizeof path, "door/%s/journal", session);
    assert_int_equal(utimensat(t.media.dirfd, path, times, 0), 0);
}

/* The session that is taken for the present one, or "". */
static const char *newest(struct bf_live_found *found)
{
    *found = (struct bf_live_found){ 0 };
    int r = bf_live_newest(t.live, "door", SILENT_MS, bf_unix_ms(), found);

    assert_int_equal(r, found->session[0] == '\0' ? -ENOENT : 0);
    return found->session;
}

static void the_newest_that_can_be_watched_is_present(void **state)
{
    (void)state;
    static const struct {
        unsigned older, newer;
        const char *expected;
    } rows[] = {
        { HAS_MEDIA, HAS_MEDIA, BUILDER_SESSION },
        { HAS_MEDIA, 0, OLDER }, /* the new one cannot be played yet */
        { HAS_MEDIA, HAS_MEDIA | HAS_ENDED, OLDER },
        { HAS_MEDIA | HAS_ENDED, HAS_MEDIA, BUILDER_SESSION },
        { HAS_MEDIA | HAS_ENDED, HAS_MEDIA | HAS_ENDED, "" },
        { 0, 0, "" },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_live_found found;
        live_world_begin(NULL);
        write_older_session(rows[i].older);
        write_session(rows[i].newer);
        open_store();
        assert_string_equal(newest(&found), rows[i].expected);
        assert_int_equal(bf_live_newest(t.live, "yard", SILENT_MS, bf_unix_ms(), &found), -ENOENT);
        live_world_end(NULL);
    }
}

static void what_is_found_is_described(void **state)
{
    (void)state;
    struct bf_live_found found;
    write_session(HAS_MEDIA);
    open_store();

    assert_string_equal(newest(&found), BUILDER_SESSION);
    assert_string_equal(found.ingest, "ingest-1");
    assert_true(found.width > 0 && found.height > 0 && found.fps > 0);
}

/* A dead ingest never ends its session; one that lives writes several times a second. */
static void an_abandoned_session_is_not_present(void **state)
{
    (void)state;
    struct bf_live_found found;
    write_older_session(HAS_MEDIA);
    write_session(HAS_MEDIA);
    open_store();

    age(BUILDER_SESSION, 25);
    assert_string_equal(newest(&found), BUILDER_SESSION);
    age(BUILDER_SESSION, 35);
    assert_string_equal(newest(&found), OLDER);
    age(OLDER, 35);
    assert_string_equal(newest(&found), "");
    age(OLDER, 0); /* it goes on after all */
    assert_string_equal(newest(&found), OLDER);
}

/* --- what the camera looks like --- */

static const struct bf_orch_camera cameras[] = { { "door", true }, { "yard", true }, { "robot", false } };

static struct bf_orch *make_orchestrator(void)
{
    const struct bf_orch_options options = { .cameras = cameras,
                                             .n_cameras = BF_COUNT_OF(cameras),
                                             .janitor = "janitor-1",
                                             .lease_ms = 10000,
                                             .start_timeout_ms = 10000,
                                             .stop_timeout_ms = 10000 };
    struct bf_orch *o;

    assert_int_equal(bf_orch_new(&o, &options), 0);
    return o;
}

static void expect_changed(struct bf_orch *o, const char *camera)
{
    struct bf_orch_action a;

    assert_true(bf_orch_next(o, &a));
    assert_int_equal(a.kind, BF_ORCH_CHANGED);
    assert_string_equal(a.camera, camera);
    assert_false(bf_orch_next(o, &a));
}

static bool is_online(struct bf_orch *o, enum bf_role role, const char *id)
{
    const struct bf_node *n = bf_orch_node(o, role, id);
    return n != NULL && n->online;
}

static void the_directory_is_mirrored(void **state)
{
    (void)state;
    const struct bf_want want = { .record = true };
    struct bf_orch *o = make_orchestrator();
    const struct bf_stream *door = bf_orch_stream_of(o, "door");
    struct bf_orch_action a;
    char detail[200];

    bf_orch_mirror(o, "door", "", "", &want); /* as it was */
    bf_orch_mirror(o, "attic", OLDER, "ingest-1", &want);
    assert_false(bf_orch_next(o, &a));

    bf_orch_mirror(o, "door", OLDER, "ingest-1", &want);
    expect_changed(o, "door");
    assert_int_equal(door->phase, BF_STREAM_LIVE);
    assert_string_equal(door->session, OLDER);
    assert_true(door->want.record);
    assert_string_equal(bf_orch_detail(o, door, detail, sizeof detail), "Live.");
    assert_true(is_online(o, BF_ROLE_CAMERA, "door"));
    assert_false(is_online(o, BF_ROLE_CAMERA, "yard"));
    assert_true(is_online(o, BF_ROLE_INGEST, "ingest-1"));

    bf_orch_mirror(o, "door", OLDER, "ingest-1", &want);
    assert_false(bf_orch_next(o, &a));

    bf_orch_mirror(o, "door", BUILDER_SESSION, "ingest-2", &want);
    expect_changed(o, "door");
    assert_string_equal(door->session, BUILDER_SESSION);
    assert_false(is_online(o, BF_ROLE_INGEST, "ingest-1"));

    bf_orch_mirror(o, "door", "", "", &want);
    expect_changed(o, "door");
    assert_int_equal(door->phase, BF_STREAM_IDLE);
    assert_string_equal(bf_orch_detail(o, door, detail, sizeof detail), "Nothing is running.");
    assert_false(is_online(o, BF_ROLE_CAMERA, "door"));
    assert_false(is_online(o, BF_ROLE_INGEST, "ingest-2"));
    bf_orch_free(o);
}

static void whatever_changes_state_is_refused(void **state)
{
    (void)state;
    static struct bf_app whole, refusing;
    size_t replaced = 0;

    bf_routes_collect(&whole);
    bf_routes_collect(&refusing);
    bf_routes_refuse_changes(&refusing);
    assert_int_equal(refusing.n_routes, whole.n_routes);
    for (size_t i = 0; i < whole.n_routes; i++) {
        const struct bf_http_route *before = whole.routes[i], *after = refusing.routes[i];

        assert_string_equal(after->pattern, before->pattern);
        assert_int_equal(after->method, before->method);
        assert_int_equal(after->handle == before->handle, before->method == BF_GET);
        replaced += after->handle != before->handle;
    }
    assert_true(replaced >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_that_can_be_watched_is_present),
        cmocka_unit_test_setup_teardown(what_is_found_is_described, live_world_begin, live_world_end),
        cmocka_unit_test_setup_teardown(an_abandoned_session_is_not_present, live_world_begin, live_world_end),
        cmocka_unit_test(the_directory_is_mirrored),
        cmocka_unit_test(whatever_changes_state_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
