/* A full disk, for real: a tmpfs of a few hundred KiB where the test may mount one, else a limit on the size of files,
 * which the kernel refuses in the middle of a write in the same way. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "ingest/packager.h"
#include "stream/layout.h"

#define DISK_BYTES (3 << 20)

struct seen {
    unsigned parts, refusals, recoveries;
    int code;
};

static void on_part(void *user)
{
    ((struct seen *)user)->parts++;
}

static void on_segment(void *user, struct bf_sync *sync)
{
    (void)user;
    bf_sync_run(sync);
}

static void on_storage(void *user, int code)
{
    struct seen *s = user;

    s->code = code;
    s->refusals += code != 0;
    s->recoveries += code == 0;
}

static const struct bf_packager_events events = { .part = on_part, .segment = on_segment, .storage = on_storage };

/* ---- a disk that can be filled ---- */

struct disk {
    struct place *place;
    bool mounted;
};

static int disk_make(void **state)
{
    struct disk *d = calloc(1, sizeof *d);
    char options[32];

    signal(SIGXFSZ, SIG_IGN);
    if (d == NULL || place_make((void **)&d->place) != 0)
        return -1;
    snprintf(options, sizeof options, "size=%d", DISK_BYTES);
    d->mounted = mount("tmpfs", d->place->path, "tmpfs", 0, options) == 0;
    close(d->place->media_fd);
    d->place->media_fd = open(d->place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    print_message("disk: %s\n", d->mounted ? "tmpfs" : "limited file size");
    *state = d;
    return 0;
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static int disk_drop(void **state)
{
    struct disk *d = *state;

    set_file_limit(RLIM_INFINITY);
    if (d->mounted)
        umount2(d->place->path, MNT_DETACH);
    int r = place_drop((void **)&d->place);
    free(d);
    return r;
}

/* No room for another byte, or for `room` bytes. */
static void fill(const struct disk *d, size_t room)
{
    static uint8_t block[4096];

    if (!d->mounted) {
        set_file_limit(room);
        return;
    }
    _cleanup_(bf_closep) int fd = openat(d->place->media_fd, "filler", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) == (ssize_t)sizeof block)
        ;
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, st.st_size - (off_t)room), 0);
}

static void make_room(const struct disk *d)
{
    set_file_limit(RLIM_INFINITY);
    if (d->mounted)
        assert_int_equal(unlinkat(d->place->media_fd, "filler", 0), 0);
}

/* ---- tests ---- */

struct bench {
    struct bf_session_dir *dir;
    struct bf_packager *packager;
    struct seen seen;
};

static void begin(struct bench *b, const struct place *p, uint64_t reserve)
{
    struct bf_packager_options o = { .frame_90k = FRAME_90K, .events = &events, .user = &b->seen };

    *b = (struct bench){ 0 };
    assert_int_equal(session_open(p, false, reserve, &b->dir), 0);
    bf_shape_of(&o.shape, 200, 1000, 90000, FRAME_90K);
    o.dir = b->dir;
    assert_int_equal(bf_packager_new(&b->packager, &o), 0);
}

static void feed(struct bench *b, const struct frames *f, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(bf_packager_add(b->packager, &f->units[i]), 0);
}

static struct bf_packager_counters finish(struct bench *b)
{
    struct bf_packager_counters c;
    struct bf_sync sync;

    assert_int_equal(bf_packager_pause(b->packager), 0);
    if (bf_session_dir_place(b->dir)->segment_open)
        assert_int_equal(bf_session_dir_end_segment(b->dir, &sync), 0);
    assert_int_equal(bf_session_dir_end(b->dir, "stopped", 1700000060000), 0);
    c = bf_packager_counters(b->packager);
    bf_packager_free(b->packager);
    bf_session_dir_free(b->dir);
    return c;
}

/* Full in the middle of a segment, room again two seconds later: what was written stands, the hole is told in gaps, and
 * media goes on at the next IDR on the same timeline. */
static void goes_on_when_there_is_room(void **state)
{
    struct disk *d = *state;
    struct frames f = frames_make(320, 240, 180, 30);
    struct bench b;

    begin(&b, d->place, 0);
    feed(&b, &f, 0, 45);
    assert_int_equal(b.seen.parts, 7);
    fill(d, 0);
    feed(&b, &f, 45, 110);
    assert_int_equal(b.seen.parts, 7);
    assert_int_equal(b.seen.refusals, 1); /* told once, however long it lasts */
    assert_int_equal(b.seen.recoveries, 0);

    make_room(d);
    feed(&b, &f, 110, 180);
    assert_int_equal(b.seen.refusals, 1);
    assert_int_equal(b.seen.recoveries, 1);
    struct bf_packager_counters c = finish(&b);
    assert_int_equal(c.lost, 78); /* 42..119 */

    struct bf_session_view v = judge(d->place);
    assert_int_equal(c.gaps, 2);
    assert_true(v.segments[2].gap && v.segments[3].gap);
    assert_int_equal(v.segments[2].duration_90k + v.segments[3].duration_90k, 78 * FRAME_90K);
    assert_int_equal(v.segments[1].n_parts, 2);
    const struct bf_part_view *part = &v.parts[v.segments[4].first_part];
    assert_int_equal(part->counter, 7);
    assert_int_equal(part->decode_time_90k, 120 * FRAME_90K);
    assert_true(part->independent);
    assert_false(v.segments[4].discontinuity); /* the gaps account for the time */
    assert_int_equal(v.n_segments, 6);
    bf_session_view_done(&v);
    frames_free(&f);
}

/* The kernel takes a part of a part: nothing of it stays. */
static void half_a_part_is_taken_back(void **state)
{
    static const size_t rooms[] = { 1, 500, 4096, 8192 };
    struct disk *d = *state;
    struct frames f = frames_make(320, 240, 90, 30);

    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        struct bench b;
        char path[PATH_SIZE], command[PATH_SIZE + 32], name[BF_NAME_SIZE];

        begin(&b, d->place, 0);
        feed(&b, &f, 0, 30);
        off_t size = size_of(d->place, "seg-0.m4s");
        fill(d, d->mounted ? rooms[i] : (size_t)size + rooms[i]);
        feed(&b, &f, 30, 90);
        make_room(d);
        struct bf_session_view v = judge(d->place);
        assert_true(v.n_parts >= 5);
        assert_int_equal(size_of(d->place, "seg-0.m4s"), size);
        const struct bf_segment_view *open = bf_session_view_open_segment(&v);
        if (open != NULL) {
            bf_segment_name(name, open->msn);
            assert_int_equal(size_of(d->place, name), open->bytes);
        }
        bf_session_view_done(&v);
        finish(&b);
        v = judge(d->place);
        assert_true(v.ended);
        bf_session_view_done(&v);
        session_path(d->place, path, "");
        snprintf(command, sizeof command, "rm -rf -- %s", path);
        assert_int_equal(system(command), 0);
    }
    frames_free(&f);
}

static bool cuts_fail;

/* In the place of libc's: a disk that also refuses to cut off what a failed write has left. */
int ftruncate(int fd, off_t size)
{
    if (cuts_fail) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, size);
}

static void what_stays_is_cut_off_later(void **state)
{
    struct disk *d = *state;
    struct frames f = frames_make(320, 240, 90, 30);
    struct bench b;

    begin(&b, d->place, 0);
    feed(&b, &f, 0, 12);
    off_t size = size_of(d->place, "seg-0.m4s");
    set_file_limit((rlim_t)size + 500); /* in the middle of a part, whatever room the disk has */
    cuts_fail = true;
    feed(&b, &f, 12, 50);
    assert_true(size_of(d->place, "seg-0.m4s") > size);
    set_file_limit(RLIM_INFINITY);
    feed(&b, &f, 50, 61); /* with an IDR that finds room, but the segment still cannot be ended */
    assert_int_equal(b.seen.recoveries, 0);
    cuts_fail = false;
    assert_int_equal(bf_packager_pause(b.packager), 0);
    finish(&b);
    assert_int_equal(size_of(d->place, "seg-0.m4s"), size);
    struct bf_session_view v = judge(d->place);
    assert_true(v.ended);
    assert_int_equal(v.segments[0].bytes, size);
    bf_session_view_done(&v);
    frames_free(&f);
}

static void full_from_the_beginning(void **state)
{
    struct disk *d = *state;
    struct frames f = frames_make(320, 240, 90, 30);
    struct bench b;

    begin(&b, d->place, 0);
    fill(d, d->mounted ? 0 : (size_t)size_of(d->place, "journal"));
    feed(&b, &f, 0, 50);
    assert_int_equal(b.seen.parts, 0);
    assert_int_equal(b.seen.refusals, 1);
    make_room(d);
    feed(&b, &f, 50, 90);
    finish(&b);
    struct bf_session_view v = judge(d->place);
    assert_true(v.segments[0].gap);
    assert_int_equal(v.n_inits, 1);
    assert_int_equal(v.n_parts, 5);
    assert_int_equal(v.parts[0].decode_time_90k, 60 * FRAME_90K);
    bf_session_view_done(&v);
    frames_free(&f);
}

/* Media leaves the reserve alone, records may use it: the session can always be ended. */
static void reserve_is_for_records(void **state)
{
    struct disk *d = *state;
    struct frames f = frames_make(320, 240, 60, 30);
    struct bench b;

    begin(&b, d->place, UINT64_MAX / 2);
    feed(&b, &f, 0, 60);
    assert_int_equal(b.seen.parts, 0);
    assert_int_equal(b.seen.refusals, 1);
    assert_int_equal(b.seen.code, -ENOSPC);
    finish(&b);
    struct bf_session_view v = judge(d->place);
    assert_true(v.ended);
    assert_int_equal(v.n_segments, 0);
    assert_int_equal(size_of(d->place, "init.mp4"), -1);
    bf_session_view_done(&v);
    frames_free(&f);
}

/* A hole that is too long to be told in gaps is a discontinuity as well. */
static void long_hole(void **state)
{
    struct disk *d = *state;
    struct frames f = frames_make(160, 128, 60, 30);
    struct bench b;

    begin(&b, d->place, 0);
    feed(&b, &f, 0, 30);
    fill(d, 0);
    feed(&b, &f, 0, 0);
    for (size_t round = 1; round < 100; round++)
        for (size_t i = 0; i < 30; i++) {
            struct bf_access_unit au = f.units[30 + i];

            if (round == 99 && i == 0)
                make_room(d);
            au.times.dts_90k = au.times.pts_90k = FRAME_90K * (int64_t)(30 * round + i);
            assert_int_equal(bf_packager_add(b.packager, &au), 0);
        }
    struct bf_packager_counters c = finish(&b);
    assert_int_equal(c.gaps, 30);
    assert_int_equal(c.discontinuities, 1);
    struct bf_session_view v = judge(d->place);
    assert_true(v.segments[v.n_segments - 1].discontinuity);
    assert_int_equal(v.parts[v.n_parts - 1].decode_time_90k, FRAME_90K * (30 * 99 + 24));
    bf_session_view_done(&v);
    frames_free(&f);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, disk_make, disk_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(goes_on_when_there_is_room), ON_DISK(half_a_part_is_taken_back), ON_DISK(what_stays_is_cut_off_later),
        ON_DISK(full_from_the_beginning),    ON_DISK(reserve_is_for_records),    ON_DISK(long_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
