#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "janitor/catalog.h"
#include "janitor/names.h"
#include "janitor/recording.h"
#include "stream/layout.h"

struct world {
    struct media media;
    struct bf_key *key;
    struct bf_trust *trust;
    struct bf_catalog catalog;
};

static void write_recording(const struct world *w, int dirfd, const char *id, const struct bf_key *key)
{
    struct bf_error e;
    Belfry__V1__Recording r = BELFRY__V1__RECORDING__INIT;
    r.camera = (char *)CAMERA;
    r.session_id = (char *)id;
    r.bytes = 1000;
    r.ended_at_ms = STARTED_MS;
    r.protected_ = true;
    assert_int_equal(bf_recording_write(&bf_file_ops_real, dirfd, key, &r, &e), 0);
    (void)w;
}

static int scan(struct world *w)
{
    return bf_catalog_scan(&w->catalog, w->trust, 0, STARTED_MS);
}

static void test_finds(void **state)
{
    struct world *w = *state;
    close(make_ended_session(&w->media, OTHER_SESSION, false, 1));
    _cleanup_(bf_closep) int kept = make_ended_session(&w->media, SESSION, true, 1);
    write_recording(w, kept, SESSION, w->key);
    write_file(kept, BF_DOWNLOAD_NAME, "0123456789");
    assert_int_equal(scan(w), 1);
    assert_int_equal(scan(w), 0);

    assert_int_equal(w->catalog.n_followed, 1);
    assert_non_null(bf_catalog_followed(&w->catalog, OTHER_SESSION));
    assert_int_equal(w->catalog.n_recordings, 1);
    struct bf_kept_recording *k = bf_catalog_recording(&w->catalog, SESSION);
    assert_non_null(k);
    assert_true(k->protected);
    assert_int_equal(k->bytes, 1010);
    assert_int_equal(bf_catalog_recording_bytes(&w->catalog), 1010);
}

/* A camera without a clock dates its pictures long ago; one whose clock is ahead dates them later. */
static void test_nothing_ended_before_it_began(void **state)
{
    struct world *w = *state;
    char young[BF_ULID_SIZE], old[BF_ULID_SIZE];

    bf_ulid_make(young, STARTED_MS + 5000);
    bf_ulid_make(old, STARTED_MS - 5000);
    for (int i = 0; i < 2; i++) {
        const char *id = i == 0 ? young : old;
        _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, id, true, 1);
        write_recording(w, dirfd, id, w->key);
    }
    scan(w);
    assert_int_equal(bf_catalog_recording(&w->catalog, young)->ended_at_ms, STARTED_MS + 5000);
    assert_int_equal(bf_catalog_recording(&w->catalog, old)->ended_at_ms, STARTED_MS);
}

static void test_order(void **state)
{
    struct world *w = *state;
    static const char *const ids[] = { "01JD8V5T7MZX3K9QW4R2N6P0A3", "01JD8V5T7MZX3K9QW4R2N6P0A1",
                                       "01JD8V5T7MZX3K9QW4R2N6P0A2" };
    for (size_t i = 0; i < BF_COUNT_OF(ids); i++) {
        _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, ids[i], true, 1);
        write_recording(w, dirfd, ids[i], w->key);
    }
    scan(w);
    for (size_t i = 0; i + 1 < w->catalog.n_recordings; i++)
        assert_true(strcmp(w->catalog.recordings[i].id, w->catalog.recordings[i + 1].id) < 0);
    for (size_t i = 0; i < BF_COUNT_OF(ids); i++)
        assert_non_null(bf_catalog_recording(&w->catalog, ids[i]));
    bf_catalog_drop(&w->catalog, bf_catalog_recording(&w->catalog, ids[2]));
    assert_null(bf_catalog_recording(&w->catalog, ids[2]));
    assert_int_equal(w->catalog.n_recordings, 2);
}

static void test_foreign_names(void **state)
{
    struct world *w = *state;
    mkdirat(w->media.mediafd, "lost+found", 0755);
    mkdirat(w->media.mediafd, "Front", 0755);
    mkdirat(w->media.mediafd, CAMERA, 0755);
    mkdirat(w->media.mediafd, CAMERA "/not-a-session", 0755);
    write_file(w->media.mediafd, CAMERA "/" SESSION, "a file");
    assert_int_equal(symlinkat("/tmp", w->media.mediafd, CAMERA "/" OTHER_SESSION), 0);
    assert_int_equal(symlinkat("/tmp", w->media.mediafd, "linked"), 0);
    assert_true(scan(w) >= 0);
    assert_int_equal(w->catalog.n_followed + w->catalog.n_recordings, 0);
}

static void test_recording_of_nobody(void **state)
{
    struct world *w = *state;
    struct bf_key *stranger;
    assert_int_equal(bf_key_generate(&stranger), 0);
    _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, SESSION, true, 1);
    write_recording(w, dirfd, SESSION, stranger);
    scan(w);
    assert_int_equal(w->catalog.n_recordings, 0);
    assert_true(bf_catalog_followed(&w->catalog, SESSION)->damaged);
    bf_key_free(stranger);
}

static void test_recording_of_another_session(void **state)
{
    struct world *w = *state;
    _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, SESSION, true, 1);
    write_recording(w, dirfd, OTHER_SESSION, w->key);
    scan(w);
    assert_int_equal(w->catalog.n_recordings, 0);
    assert_true(bf_catalog_followed(&w->catalog, SESSION)->damaged);
}

/* A deletion that a crash cut short goes on. */
static void test_deleted(void **state)
{
    struct world *w = *state;
    _cleanup_(bf_closep) int dirfd = make_ended_session(&w->media, SESSION, true, 1);
    write_file(dirfd, BF_DELETED_NAME, "x");
    scan(w);
    assert_true(bf_catalog_followed(&w->catalog, SESSION)->deleted);
}

static void test_gone(void **state)
{
    struct world *w = *state;
    int dirfd = make_ended_session(&w->media, SESSION, true, 0);
    scan(w);
    assert_int_equal(w->catalog.n_followed, 1);
    unlinkat(dirfd, "init.mp4", 0);
    unlinkat(dirfd, BF_JOURNAL_NAME, 0);
    close(dirfd);
    assert_int_equal(unlinkat(w->media.mediafd, CAMERA "/" SESSION, AT_REMOVEDIR), 0);
    assert_int_equal(scan(w), 1);
    assert_int_equal(w->catalog.n_followed, 0);
}

static int setup(void **state)
{
    static struct world w;
    media_make(&w.media);
    make_trust(&w.key, &w.trust);
    w.catalog = (struct bf_catalog){ .mediafd = dup(w.media.mediafd) };
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    bf_catalog_done(&w->catalog);
    bf_key_free(w->key);
    bf_trust_free(w->trust);
    media_remove(&w->media);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_finds),
                                        TEST(test_nothing_ended_before_it_began),
                                        TEST(test_order),
                                        TEST(test_foreign_names),
                                        TEST(test_recording_of_nobody),
                                        TEST(test_recording_of_another_session),
                                        TEST(test_deleted),
                                        TEST(test_gone) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
