/* The live store against real directories: who is seen, who is woken, what is served. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "live_world.h"

static struct {
    unsigned playable, ended, recordings, gone;
    char reason[64];
} told;

static void on_playable(void *user, const char *camera, const char *session)
{
    (void)user;
    assert_string_equal(camera, "door");
    assert_string_equal(session, BUILDER_SESSION);
    told.playable++;
}

static void on_ended(void *user, const char *camera, const char *session, const char *reason)
{
    (void)user;
    (void)camera;
    (void)session;
    snprintf(told.reason, sizeof told.reason, "%s", reason);
    told.ended++;
}

static void on_recording(void *user, const char *camera, const char *session)
{
    (void)user;
    (void)camera;
    (void)session;
    told.recordings++;
}

static void on_gone(void *user, const char *camera, const char *session)
{
    (void)user;
    (void)camera;
    (void)session;
    told.gone++;
}

static void open_store(unsigned max_waiting)
{
    static const struct bf_live_events events = { on_playable, on_ended, on_recording, on_gone };

    live_world_open(max_waiting, &events);
}

static int setup(void **state)
{
    memset(&told, 0, sizeof told);
    return live_world_begin(state);
}

static bool is_playable(void *user)
{
    (void)user;
    return told.playable > 0;
}

static bool has_ended(void *user)
{
    (void)user;
    return told.ended > 0;
}

static bool is_gone(void *user)
{
    (void)user;
    return told.gone > 0;
}

static bool has_recording(void *user)
{
    (void)user;
    return told.recordings > 0;
}

static void write_session(const char *camera)
{
    begin_session(camera);
    build_segment(&t.media.builder, 5);
}

static void test_session_that_begins_while_watching(void **state)
{
    (void)state;
    open_store(8);
    begin_session("door"); /* camera directory, session directory, journal: all new */
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(told.playable, 0);
    build_part(&t.media.builder, 18000, true, 1000);
    run_until(&t.loop, is_playable, NULL);
    build_part(&t.media.builder, 18000, false, 1000);
    build_segment_end(&t.media.builder);
    build_end(&t.media.builder, "stopped");
    run_until(&t.loop, has_ended, NULL);
    assert_int_equal(told.playable, 1);
    assert_int_equal(told.ended, 1);
    assert_string_equal(told.reason, "stopped");
}

static void test_session_that_was_there(void **state)
{
    struct bf_live_session *s;

    (void)state;
    write_session("door");
    open_store(8);
    assert_int_equal(told.playable, 1); /* read at once */
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), 0);
    bf_live_unref(s);
    assert_int_equal(bf_live_acquire(t.live, "yard", BUILDER_SESSION, &s), -ENOENT);
}

static void test_a_part_that_is_not_independent_cannot_be_played(void **state)
{
    (void)state;
    begin_session("door");
    build_part(&t.media.builder, 18000, false, 1000);
    open_store(8);
    assert_int_equal(told.playable, 0);
}

static void test_strangers_are_ignored(void **state)
{
    struct bf_live_session *s;

    (void)state;
    write_session("attic"); /* not configured */
    mkdirat(t.media.dirfd, "door", 0755);
    mkdirat(t.media.dirfd, "door/not-a-session", 0755);
    assert_int_equal(symlinkat("../attic/" BUILDER_SESSION, t.media.dirfd, "door/" BUILDER_SESSION), 0);
    open_store(8);
    assert_int_equal(told.playable, 0);
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), -ENOENT);
}

static void test_damaged_journal(void **state)
{
    (void)state;
    write_session("door");
    int fd = openat(t.media.session_dirfd, "journal", O_WRONLY);
    assert_int_equal(pwrite(fd, "\xff", 1, 12), 1);
    close(fd);
    open_store(8);
    assert_int_equal(told.ended, 1);
    assert_string_equal(told.reason, "journal_damaged");
    build_part(&t.media.builder, 18000, true, 1000);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(told.ended, 1); /* told once */
}

static void test_purged_session_is_gone(void **state)
{
    struct bf_live_session *s;
    struct bf_live_slice slice;

    (void)state;
    write_session("door");
    open_store(8);
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), 0);
    media_dir_purge(&t.media, "door");
    run_until(&t.loop, is_gone, NULL);
    assert_int_equal(bf_live_segment(t.live, s, 0, &slice), -ENOENT); /* who still holds it finds nothing */
    bf_live_unref(s);
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), -ENOENT);
    assert_int_equal(bf_live_count(t.live), 0);
}

static void test_recording_is_announced(void **state)
{
    (void)state;
    open_store(8);
    write_session("door");
    run_until(&t.loop, is_playable, NULL);
    int fd = openat(t.media.session_dirfd, ".tmp-recording", O_WRONLY | O_CREAT, 0644);
    close(fd);
    assert_int_equal(renameat(t.media.session_dirfd, ".tmp-recording", t.media.session_dirfd, "recording"), 0);
    run_until(&t.loop, has_recording, NULL);
}

static void test_recordings_found_at_the_start(void **state)
{
    (void)state;
    write_session("door");
    close(openat(t.media.session_dirfd, "recording", O_WRONLY | O_CREAT, 0644));
    open_store(8);
    assert_int_equal(told.recordings, 1);
    assert_int_equal(bf_live_count(t.live), 0); /* not followed: its files do not change */
}

/* --- reading --- */

static struct bf_live_session *live_session(void)
{
    struct bf_live_session *s;

    write_session("door");
    open_store(8);
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), 0);
    return s;
}

static void test_current_session(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session(), *current;
    struct bf_blob *text;

    assert_int_equal(bf_live_acquire_current(t.live, "door", &current), -ENOENT);
    bf_live_set_current(t.live, "door", BUILDER_SESSION);
    assert_int_equal(bf_live_acquire_current(t.live, "door", &current), 0);
    assert_ptr_equal(current, s);
    assert_int_equal(bf_live_index(current, false, &text), 0);
    assert_non_null(strstr(text->data, BUILDER_SESSION "/media.m3u8\n"));
    bf_blob_unref(text);
    bf_live_unref(current);
    bf_live_set_current(t.live, "door", "");
    assert_int_equal(bf_live_acquire_current(t.live, "door", &current), -ENOENT);
    bf_live_unref(s);
}

static struct bf_blob *playlist(struct bf_live_session *s, bool gzip)
{
    const struct bf_hls_query q = { 0 };
    struct bf_blob *text;
    bool heeded;

    assert_int_equal(bf_live_playlist(t.live, s, &q, gzip, &text, &heeded, NULL), 0);
    assert_false(heeded);
    return text;
}

static void test_rendered_once_and_shared(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct bf_blob *first = playlist(s, false), *second = playlist(s, false), *packed = playlist(s, true);

    assert_ptr_equal(first, second);
    assert_memory_equal(packed->data, "\x1f\x8b", 2);
    bf_blob_unref(second);
    build_part(&t.media.builder, 18000, true, 1000);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    second = playlist(s, false);
    assert_ptr_not_equal(first, second);
    assert_non_null(strstr(first->data, "seg-0.m4s")); /* whoever holds the old one can still send it */
    assert_non_null(strstr(second->data, "part-5.m4s\",INDEPENDENT=YES"));
    bf_blob_unref(first);
    bf_blob_unref(second);
    bf_blob_unref(packed);
    bf_live_unref(s);
}

static void check_part(const struct bf_live_slice *slice, uint64_t msn, uint64_t offset, uint64_t length)
{
    assert_int_equal(slice->msn, msn);
    assert_int_equal(slice->offset, offset);
    assert_int_equal(slice->length, length);
    assert_int_equal(slice->blob->size, length);
    for (uint64_t i = 0; i < length; i++) /* media_dir: bytes say where they lie */
        assert_int_equal((uint8_t)slice->blob->data[i], (uint8_t)(msn + offset + i));
}

static void test_parts_and_segments(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct bf_live_slice slice, again;

    assert_int_equal(bf_live_part(t.live, s, 3, &slice), 0);
    check_part(&slice, 0, 3000, 1000);
    assert_int_equal(bf_live_part(t.live, s, 3, &again), 0);
    assert_ptr_equal(again.blob, slice.blob); /* read once */
    bf_blob_unref(slice.blob);
    bf_blob_unref(again.blob);
    assert_int_equal(bf_live_part(t.live, s, 6, &slice), -ERANGE); /* beyond the hinted one */
    assert_int_equal(bf_live_segment(t.live, s, 0, &slice), 0);
    assert_int_equal(slice.length, 5000);
    assert_in_range(slice.ttl_s, 10, 60);
    assert_int_equal(bf_live_segment(t.live, s, 1, &slice), -EINPROGRESS); /* the next */
    build_part(&t.media.builder, 18000, true, 1000);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(bf_live_segment(t.live, s, 1, &slice), -EINPROGRESS); /* open */
    assert_int_equal(bf_live_segment(t.live, s, 2, &slice), -EINPROGRESS); /* the next */
    assert_int_equal(bf_live_segment(t.live, s, 3, &slice), -ERANGE);
    bf_live_unref(s);
}

static void test_what_never_comes(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct bf_live_slice slice;

    build_gap(&t.media.builder, 90000);
    build_end(&t.media.builder, "stopped");
    run_until(&t.loop, has_ended, NULL);
    assert_int_equal(bf_live_segment(t.live, s, 1, &slice), -ENOENT);
    assert_int_equal(bf_live_segment(t.live, s, 2, &slice), -ENOENT);
    assert_int_equal(bf_live_segment(t.live, s, 9, &slice), -ENOENT);
    assert_int_equal(bf_live_part(t.live, s, 5, &slice), -ENOENT);
    assert_int_equal(bf_live_part(t.live, s, 9, &slice), -ENOENT);
    assert_int_equal(bf_live_part(t.live, s, 4, &slice), 0); /* what was there can be had */
    bf_blob_unref(slice.blob);
    bf_live_unref(s);
}

static void test_a_file_that_is_gone(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct bf_live_slice slice;

    assert_int_equal(unlinkat(t.media.session_dirfd, "seg-0.m4s", 0), 0);
    assert_int_equal(bf_live_part(t.live, s, 2, &slice), 0);
    assert_null(slice.blob);
    assert_int_equal(bf_live_growing(t.live, s, 0, 2, &slice), -EIO);
    bf_live_unref(s);
}

static void test_manifest(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct bf_blob *first, *second;

    assert_int_equal(bf_live_manifest(t.live, s, false, &first), 0);
    assert_int_equal(bf_live_manifest(t.live, s, false, &second), 0);
    assert_ptr_equal(first, second);
    assert_non_null(strstr(first->data, "startNumber=\"0\""));
    bf_blob_unref(first);
    bf_blob_unref(second);
    bf_live_unref(s);
}

/* A thread that waits for something, as HTTP threads do. */
struct waiter {
    struct bf_live_session *s;
    enum { PLAYLIST, PART, SEGMENT, GROWING } what;
    struct bf_hls_query query;
    uint64_t number, index, took_ms;
    struct bf_live_slice slice;
    int result;
    pthread_t thread;
};

static int wait_for(struct waiter *w)
{
    struct bf_blob *text = NULL;
    bool heeded;
    int r;

    switch (w->what) {
    case PART:
        return bf_live_part(t.live, w->s, w->number, &w->slice);
    case SEGMENT:
        return bf_live_segment(t.live, w->s, w->number, &w->slice);
    case GROWING:
        return bf_live_growing(t.live, w->s, w->number, w->index, &w->slice);
    default:
        r = bf_live_playlist(t.live, w->s, &w->query, false, &text, &heeded, NULL);
        bf_blob_unref(text);
        return r;
    }
}

static void *wait_thread(void *user)
{
    struct waiter *w = user;
    uint64_t begun = bf_mono_ms();

    w->result = wait_for(w);
    w->took_ms = bf_mono_ms() - begun;
    return NULL;
}

static void join(struct waiter *w)
{
    pthread_join(w->thread, NULL);
}

static bool enough_wait(void *user)
{
    return bf_live_waiting(t.live) >= *(unsigned *)user;
}

static void give_way(uv_idle_t *idle)
{
    (void)idle;
    sched_yield();
}

static void spin_until_waiting(unsigned n)
{
    uv_idle_t idle;

    uv_idle_init(&t.loop, &idle); /* the loop must not block: what is awaited happens in other threads */
    uv_idle_start(&idle, give_way);
    run_until(&t.loop, enough_wait, &n);
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

static void begin_waiting(struct waiter *w)
{
    assert_int_equal(pthread_create(&w->thread, NULL, wait_thread, w), 0);
}

static void test_waiters_are_woken_by_the_next_part(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct waiter waiters[3] = {
        { .s = s, .what = PART, .number = 5 },
        { .s = s, .query = { .has_msn = true, .has_part = true, .msn = 1, .part = 0 } },
        { .s = s, .query = { .has_msn = true, .has_part = true, .msn = 0, .part = 9 } },
    };

    for (int i = 0; i < 3; i++)
        begin_waiting(&waiters[i]);
    spin_until_waiting(3);
    build_part(&t.media.builder, 18000, true, 1000);
    uv_run(&t.loop, UV_RUN_ONCE);
    for (int i = 0; i < 3; i++) {
        join(&waiters[i]);
        assert_int_equal(waiters[i].result, 0);
    }
    check_part(&waiters[0].slice, 1, 0, 1000);
    bf_blob_unref(waiters[0].slice.blob);
    assert_int_equal(bf_live_waiting(t.live), 0);
    bf_live_unref(s);
}

static void test_waiting_ends_after_three_target_durations(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct waiter w = { .s = s, .what = PART, .number = 5 };

    begin_waiting(&w);
    join(&w);
    assert_int_equal(w.result, -ETIMEDOUT);
    assert_in_range(w.took_ms, 2990, 4500);
    bf_live_unref(s);
}

static void test_hint_that_is_withdrawn(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct waiter part = { .s = s, .what = PART, .number = 5 };
    struct waiter list = { .s = s, .query = { .has_msn = true, .msn = 1 } };

    begin_waiting(&part);
    begin_waiting(&list);
    spin_until_waiting(2);
    build_end(&t.media.builder, "stopped");
    run_until(&t.loop, has_ended, NULL);
    join(&part);
    join(&list);
    assert_int_equal(part.result, -ENOENT);
    assert_int_equal(list.result, 0); /* with ENDLIST: there is nothing more to wait for */
    bf_live_unref(s);
}

static void test_only_so_many_may_wait(void **state)
{
    (void)state;
    struct waiter waiters[2], late;
    struct bf_live_slice slice = { 0 };

    write_session("door");
    open_store(2);
    struct bf_live_session *s;
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), 0);
    for (int i = 0; i < 2; i++) {
        waiters[i] = (struct waiter){ .s = s, .what = PART, .number = 5 };
        begin_waiting(&waiters[i]);
    }
    spin_until_waiting(2);
    late = (struct waiter){ .s = s, .what = PART, .number = 5 };
    begin_waiting(&late);
    join(&late);
    assert_int_equal(late.result, -EBUSY);
    assert_int_equal(bf_live_part(t.live, s, 0, &slice), 0); /* what is there is still served */
    bf_blob_unref(slice.blob);
    bf_live_shut(t.live);
    for (int i = 0; i < 2; i++) {
        join(&waiters[i]);
        assert_int_equal(waiters[i].result, -ESHUTDOWN);
    }
    bf_live_unref(s);
}

/* Those who wait find the same bytes: read once, by the loop. */
static void test_one_read_for_all_who_wait(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct waiter waiters[4];

    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){ .s = s, .what = i < 2 ? PART : GROWING, .number = i < 2 ? 5 : 1 };
        begin_waiting(&waiters[i]);
    }
    spin_until_waiting(4);
    build_part(&t.media.builder, 18000, true, 1000);
    uv_run(&t.loop, UV_RUN_ONCE);
    for (int i = 0; i < 4; i++) {
        join(&waiters[i]);
        assert_int_equal(waiters[i].result, 0);
        assert_ptr_equal(waiters[i].slice.blob, waiters[0].slice.blob);
    }
    for (int i = 0; i < 4; i++)
        bf_blob_unref(waiters[i].slice.blob);
    bf_live_unref(s);
}

static void test_a_segment_part_by_part(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct waiter second = { .s = s, .what = GROWING, .number = 1, .index = 1 };
    struct waiter past = { .s = s, .what = GROWING, .number = 1, .index = 2 };

    build_part(&t.media.builder, 18000, true, 1000);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    begin_waiting(&second);
    begin_waiting(&past);
    spin_until_waiting(2);
    build_part(&t.media.builder, 18000, false, 500);
    build_segment_end(&t.media.builder);
    uv_run(&t.loop, UV_RUN_ONCE);
    join(&second);
    join(&past);
    assert_int_equal(second.result, 0);
    check_part(&second.slice, 1, 1000, 500);
    assert_int_equal(past.result, -ENODATA); /* the segment has ended: so does its body */
    bf_blob_unref(second.slice.blob);
    bf_live_unref(s);
}

static void test_a_segment_that_does_not_begin(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct waiter next = { .s = s, .what = GROWING, .number = 1 };

    begin_waiting(&next);
    spin_until_waiting(1);
    build_end(&t.media.builder, "stopped");
    run_until(&t.loop, has_ended, NULL);
    join(&next);
    assert_int_equal(next.result, -ENOENT);
    bf_live_unref(s);
}

static void test_one_who_has_begun_is_not_turned_away(void **state)
{
    (void)state;
    struct waiter other, begun;
    struct bf_live_session *s;

    write_session("door");
    build_part(&t.media.builder, 18000, true, 1000);
    open_store(1);
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), 0);
    other = (struct waiter){ .s = s, .what = PART, .number = 6 };
    begin_waiting(&other);
    spin_until_waiting(1);
    begun = (struct waiter){ .s = s, .what = GROWING, .number = 1, .index = 1 };
    begin_waiting(&begun);
    spin_until_waiting(2);
    build_part(&t.media.builder, 18000, false, 1000);
    uv_run(&t.loop, UV_RUN_ONCE);
    join(&other);
    join(&begun);
    assert_int_equal(begun.result, 0);
    bf_blob_unref(begun.slice.blob);
    bf_blob_unref(other.slice.blob);
    bf_live_unref(s);
}

/* --- players that are told of segments only --- */

static void begin_economy(void)
{
    media_dir_begin(&t.media, "door");
    t.media.builder.profile = BELFRY__V1__PROFILE__PROFILE_ECONOMY;
    t.media.builder.segment_us = 2000000;
    build_start(&t.media.builder, "door", 540541, 1, 9000); /* the target duration only to wait less in the tests */
    build_init(&t.media.builder);
    build_part(&t.media.builder, 45000, true, 1000);
}

static void test_economy_is_playable_once_a_segment_is_whole(void **state)
{
    (void)state;
    begin_economy();
    open_store(8);
    assert_int_equal(told.playable, 0);
    build_segment_end(&t.media.builder);
    run_until(&t.loop, is_playable, NULL);
    assert_int_equal(told.playable, 1);
}

static void test_economy_has_no_parts_and_waits_for_segments(void **state)
{
    (void)state;
    struct bf_live_session *s;
    struct bf_live_slice slice;

    begin_economy();
    build_segment_end(&t.media.builder);
    open_store(8);
    assert_int_equal(bf_live_acquire(t.live, "door", BUILDER_SESSION, &s), 0);
    assert_int_equal(bf_live_part(t.live, s, 0, &slice), -ENOENT);
    assert_int_equal(bf_live_part(t.live, s, 1, &slice), -ENOENT);

    struct waiter next = { .s = s, .what = SEGMENT, .number = 1 };
    begin_waiting(&next);
    spin_until_waiting(1);
    build_segment(&t.media.builder, 3);
    uv_run(&t.loop, UV_RUN_ONCE);
    join(&next);
    assert_int_equal(next.result, 0);
    assert_int_equal(next.slice.length, 3000);
    assert_int_equal(bf_live_segment(t.live, s, 3, &slice), -ERANGE);
    bf_live_unref(s);
}

static void test_memory_stays_bounded(void **state)
{
    (void)state;
    struct bf_live_session *s = live_session();
    struct bf_live_slice slice;

    for (int i = 0; i < 200; i++)
        build_segment(&t.media.builder, 5);
    for (int i = 0; i < 4; i++)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(bf_live_segment(t.live, s, 200, &slice), 0);
    assert_int_equal(bf_live_segment(t.live, s, 100, &slice), -ENOENT); /* out of every playlist long ago */
    bf_live_unref(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, live_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_session_that_begins_while_watching),
        TEST(test_session_that_was_there),
        TEST(test_a_part_that_is_not_independent_cannot_be_played),
        TEST(test_strangers_are_ignored),
        TEST(test_damaged_journal),
        TEST(test_purged_session_is_gone),
        TEST(test_recording_is_announced),
        TEST(test_recordings_found_at_the_start),
        TEST(test_current_session),
        TEST(test_rendered_once_and_shared),
        TEST(test_parts_and_segments),
        TEST(test_what_never_comes),
        TEST(test_a_file_that_is_gone),
        TEST(test_manifest),
        TEST(test_waiters_are_woken_by_the_next_part),
        TEST(test_waiting_ends_after_three_target_durations),
        TEST(test_hint_that_is_withdrawn),
        TEST(test_only_so_many_may_wait),
        TEST(test_one_read_for_all_who_wait),
        TEST(test_a_segment_part_by_part),
        TEST(test_a_segment_that_does_not_begin),
        TEST(test_one_who_has_begun_is_not_turned_away),
        TEST(test_economy_is_playable_once_a_segment_is_whole),
        TEST(test_economy_has_no_parts_and_waits_for_segments),
        TEST(test_memory_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
