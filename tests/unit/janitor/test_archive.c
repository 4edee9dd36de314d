#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "faults.h"
#include "janitor/archive.h"
#include "janitor/names.h"
#include "janitor/recording.h"
#include "stream/layout.h"

struct world {
    struct media media;
    struct bf_key *key;
    struct bf_trust *trust;
};

static int archive(const struct world *w, int dirfd, struct faults *f, Belfry__V1__Recording **ret, struct bf_error *e)
{
    struct bf_file_ops ops = faults_ops(f);
    _Atomic unsigned progress = 0;
    atomic_bool cancel = false;
    struct bf_archive a = { .ops = &ops,
                            .site = SITE,
                            .key = w->key,
                            .now_ms = STARTED_MS + 99000,
                            .progress_percent = &progress,
                            .cancel = &cancel };
    return bf_archive_session(&a, dirfd, ret, e);
}

static void assert_text(int dirfd, const char *name, const char *expected)
{
    _cleanup_(bf_freep) char *text = read_text(dirfd, name);
    assert_string_equal(text, expected);
}

/* Everything that a recording consists of, whole, and nothing else. */
static void assert_complete(const struct world *w, int dirfd, unsigned segments)
{
    struct bf_error e;
    Belfry__V1__Recording *r;
    _cleanup_(bf_freep) char *playlist = read_text(dirfd, BF_VOD_PLAYLIST_NAME);
    assert_non_null(strstr(playlist, "#EXT-X-ENDLIST\n"));
    assert_text(dirfd, BF_DOWNLOAD_NAME, "made-up download");
    assert_text(dirfd, BF_POSTER_NAME, "made-up poster");
    assert_int_equal(bf_recording_read(dirfd, w->trust, STARTED_MS, &r, &e), 0);
    assert_string_equal(r->session_id, SESSION);
    assert_int_equal(r->segments, segments);
    assert_int_equal(r->bytes, segments * SEGMENT_BYTES);
    assert_int_equal(r->duration_ms, segments * 1000);
    assert_int_equal(r->started_at_ms, STARTED_MS);
    assert_int_equal(r->ended_at_ms, STARTED_MS + segments * 1000);
    assert_int_equal(r->width, 640);
    assert_string_equal(r->codecs, "avc1.42c01f");
    assert_int_equal(r->chain_head.len, 32);
    assert_int_equal(r->chain_head.data[0], segments - 1);
    belfry__v1__recording__free_unpacked(r, NULL);
    assert_int_equal(count_entries(dirfd), segments + 2 + 4); /* init, journal; playlist, download, poster, recording */
}

/* What stands there under a final name is whole. */
static void assert_nothing_half_made(int dirfd)
{
    if (exists(dirfd, BF_DOWNLOAD_NAME))
        assert_text(dirfd, BF_DOWNLOAD_NAME, "made-up download");
    if (exists(dirfd, BF_POSTER_NAME))
        assert_text(dirfd, BF_POSTER_NAME, "made-up poster");
    if (exists(dirfd, BF_RECORDING_NAME)) {
        assert_true(exists(dirfd, BF_VOD_PLAYLIST_NAME));
        assert_true(exists(dirfd, BF_DOWNLOAD_NAME));
        assert_true(exists(dirfd, BF_POSTER_NAME));
    }
}

static void test_archives(void **state)
{
    struct world *w = *state;
    _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, SESSION, true, 3);
    struct faults f = { 0 };
    struct bf_error e;
    Belfry__V1__Recording *r = NULL;
    assert_int_equal(archive(w, dirfd, &f, &r, &e), 0);
    assert_int_equal(r->segments, 3);
    belfry__v1__recording__free_unpacked(r, NULL);
    assert_complete(w, dirfd, 3);
}

static void test_crash_at_every_step(void **state)
{
    struct world *w = *state;
    int steps = 0;
    for (int at = 1; at == 1 || at <= steps; at++) {
        struct media m;
        media_make(&m);
        _cleanup_(bf_closep) int dirfd = make_ended_session(&m, SESSION, true, 3);
        struct faults dying = { .fail_at = at, .error = -EIO, .crash = true, .half_write = true }, healthy = { 0 };
        struct bf_error e;
        Belfry__V1__Recording *r = NULL;
        assert_true(archive(w, dirfd, &dying, &r, &e) < 0);
        assert_null(r);
        assert_nothing_half_made(dirfd);

        assert_int_equal(archive(w, dirfd, &healthy, &r, &e), 0);
        belfry__v1__recording__free_unpacked(r, NULL);
        assert_complete(w, dirfd, 3);
        if (at == 1)
            steps = healthy.step;
        media_remove(&m);
    }
    assert_true(steps > 20);
}

/* The process lives on: it must also clean up after itself at once. */
static void test_full_disk_at_every_step(void **state)
{
    struct world *w = *state;
    int steps = 0;
    for (int at = 1; at == 1 || at <= steps; at++) {
        struct media m;
        media_make(&m);
        _cleanup_(bf_closep) int dirfd = make_ended_session(&m, SESSION, true, 3);
        struct faults full = { .fail_at = at, .error = -ENOSPC, .half_write = true }, healthy = { 0 };
        struct bf_error e;
        Belfry__V1__Recording *r = NULL;
        int result = archive(w, dirfd, &full, &r, &e);
        assert_int_equal(result, -ENOSPC);
        assert_true(strlen(e.text) > 0);
        assert_nothing_half_made(dirfd);
        assert_false(exists(dirfd, BF_DOWNLOAD_TEMPORARY));
        assert_false(exists(dirfd, BF_RECORDING_TEMPORARY));

        assert_int_equal(archive(w, dirfd, &healthy, &r, &e), 0);
        belfry__v1__recording__free_unpacked(r, NULL);
        assert_complete(w, dirfd, 3);
        if (at == 1)
            steps = healthy.step;
        media_remove(&m);
    }
}

static void test_nothing_to_keep(void **state)
{
    struct world *w = *state;
    struct session s;
    struct faults f = { 0 };
    struct bf_error e;
    Belfry__V1__Recording *r = NULL;
    session_begin(&s, &w->media, CAMERA, SESSION, true);
    session_init(&s, 0);
    session_open_segment(&s);
    assert_int_equal(archive(w, s.dirfd, &f, &r, &e), -ENODATA);
    assert_false(exists(s.dirfd, BF_VOD_PLAYLIST_NAME));
    session_close(&s);
}

/* An ingest that died leaves no SessionEnd and an open segment: what is complete is kept. */
static void test_without_end(void **state)
{
    struct world *w = *state;
    struct session s;
    struct faults f = { 0 };
    struct bf_error e;
    Belfry__V1__Recording *r = NULL;
    session_begin(&s, &w->media, CAMERA, SESSION, true);
    session_init(&s, 0);
    session_segments(&s, 2);
    session_open_segment(&s);
    write_file(s.dirfd, ".tmp-download.mp4", "left by a janitor that died");
    assert_int_equal(archive(w, s.dirfd, &f, &r, &e), 0);
    assert_int_equal(r->segments, 2);
    assert_int_equal(r->ended_at_ms, STARTED_MS + 2000);
    belfry__v1__recording__free_unpacked(r, NULL);
    session_close(&s);
}

/* A stream that was not meant to be kept was trimmed; the recording begins with what is there. */
static void test_trimmed(void **state)
{
    struct world *w = *state;
    _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, SESSION, false, 5);
    struct faults f = { 0 };
    struct bf_error e;
    Belfry__V1__Recording *r = NULL;
    unlinkat(dirfd, "seg-0.m4s", 0);
    unlinkat(dirfd, "seg-1.m4s", 0);
    assert_int_equal(archive(w, dirfd, &f, &r, &e), 0);
    assert_int_equal(r->segments, 3);
    assert_int_equal(r->started_at_ms, STARTED_MS + 2000);
    belfry__v1__recording__free_unpacked(r, NULL);
    _cleanup_(bf_freep) char *playlist = read_text(dirfd, BF_VOD_PLAYLIST_NAME);
    assert_non_null(strstr(playlist, "#EXT-X-MEDIA-SEQUENCE:2\n"));
}

static void test_reserve(void **state)
{
    struct world *w = *state;
    _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, SESSION, true, 1);
    struct faults f = { 0 };
    struct bf_file_ops ops = faults_ops(&f);
    struct bf_archive a = { .ops = &ops, .site = SITE, .key = w->key, .reserve_bytes = UINT64_MAX };
    struct bf_error e;
    Belfry__V1__Recording *r = NULL;
    assert_int_equal(bf_archive_session(&a, dirfd, &r, &e), -ENOSPC);
    assert_false(exists(dirfd, BF_VOD_PLAYLIST_NAME));
}

static void test_recording_of_nobody(void **state)
{
    struct world *w = *state;
    _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, SESSION, true, 1);
    struct faults f = { 0 };
    struct bf_file_ops ops = faults_ops(&f);
    struct bf_key *stranger;
    struct bf_error e;
    Belfry__V1__Recording r = BELFRY__V1__RECORDING__INIT, *read = NULL;
    r.camera = (char *)CAMERA;
    r.session_id = (char *)SESSION;
    assert_int_equal(bf_key_generate(&stranger), 0);
    assert_int_equal(bf_recording_write(&ops, dirfd, stranger, &r, &e), 0);
    assert_int_equal(bf_recording_read(dirfd, w->trust, STARTED_MS, &read, &e), -EBADMSG);
    bf_key_free(stranger);
}

static int setup(void **state)
{
    static struct world w;
    media_make(&w.media);
    make_trust(&w.key, &w.trust);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    bf_key_free(w->key);
    bf_trust_free(w->trust);
    media_remove(&w->media);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_archives),        TEST(test_crash_at_every_step), TEST(test_full_disk_at_every_step),
        TEST(test_nothing_to_keep), TEST(test_without_end),         TEST(test_trimmed),
        TEST(test_reserve),         TEST(test_recording_of_nobody)
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
