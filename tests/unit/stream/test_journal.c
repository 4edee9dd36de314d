#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "records.h"
#include "stream/journal.h"

struct place {
    char path[64];
    int dirfd;
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->path, "/tmp/belfry-journal-XXXXXX");
    if (mkdtemp(p->path) == NULL)
        return -1;
    p->dirfd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->dirfd < 0 ? -1 : 0;
}

static int drop_place(void **state)
{
    struct place *p = *state;

    unlinkat(p->dirfd, "journal", 0);
    close(p->dirfd);
    rmdir(p->path);
    free(p);
    return 0;
}

static void append(struct bf_journal_writer *w, struct test_record *r)
{
    assert_int_equal(bf_journal_append(w, &r->record), 0);
}

/* Start, init, three parts. */
static void write_five(int dirfd)
{
    struct bf_journal_writer *w = NULL;
    struct test_record r;

    assert_int_equal(bf_journal_writer_open(&w, dirfd, NULL), 0);
    make_start(&r);
    append(w, &r);
    make_init(&r, "init.mp4");
    append(w, &r);
    for (unsigned i = 0; i < 3; i++) {
        make_part(&r, i, 0, i * 1000);
        append(w, &r);
    }
    assert_int_equal(bf_journal_sync(w), 0);
    bf_journal_writer_free(w);
}

/* Records that can be read, and what ended the reading. */
static unsigned count(int dirfd, int *ret_why)
{
    struct bf_journal_reader *r = NULL;
    Belfry__V1__Record *record = NULL;
    unsigned n = 0;
    int why;

    assert_int_equal(bf_journal_reader_open(&r, dirfd), 0);
    while ((why = bf_journal_next(r, &record)) == 0) {
        belfry__v1__record__free_unpacked(record, NULL);
        n++;
    }
    bf_journal_reader_free(r);
    *ret_why = why;
    return n;
}

static off_t size_of(int dirfd)
{
    struct stat st;

    assert_int_equal(fstatat(dirfd, "journal", &st, 0), 0);
    return st.st_size;
}

static void reads_back_what_was_written(void **state)
{
    struct place *p = *state;
    struct bf_journal_reader *r = NULL;
    Belfry__V1__Record *record = NULL;

    write_five(p->dirfd);
    assert_int_equal(bf_journal_reader_open(&r, p->dirfd), 0);
    assert_int_equal(bf_journal_next(r, &record), 0);
    assert_int_equal(record->kind_case, BELFRY__V1__RECORD__KIND_START);
    assert_string_equal(record->start->camera, "cam-1");
    belfry__v1__record__free_unpacked(record, NULL);
    assert_int_equal(bf_journal_next(r, &record), 0);
    assert_string_equal(record->init->file, "init.mp4");
    belfry__v1__record__free_unpacked(record, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bf_journal_next(r, &record), 0);
        assert_int_equal(record->part->counter, i);
        belfry__v1__record__free_unpacked(record, NULL);
    }
    assert_int_equal(bf_journal_next(r, &record), -EAGAIN);
    assert_int_equal(bf_journal_offset(r), size_of(p->dirfd));
    bf_journal_reader_free(r);
}

/* Cut at every byte: a reader sees the whole records before the cut, a writer leaves exactly those and goes on. */
static void tail_torn_at_every_byte(void **state)
{
    struct place *p = *state;
    uint8_t whole[4096];
    off_t ends[6] = { 0 };
    unsigned n_ends = 1;

    write_five(p->dirfd);
    _cleanup_(bf_closep) int fd = openat(p->dirfd, "journal", O_RDWR);
    ssize_t size = pread(fd, whole, sizeof whole, 0);
    assert_true(size > 0);
    for (off_t at = 0; at < size; n_ends++) {
        at += 8 + whole[at] + 256 * whole[at + 1];
        ends[n_ends] = at;
    }
    assert_int_equal(n_ends, 6);

    for (off_t cut = 0; cut <= size; cut++) {
        struct bf_journal_writer *w = NULL;
        struct test_record end;
        unsigned expected = 0;
        int why;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, whole, (size_t)cut, 0), cut);
        while (expected < 5 && ends[expected + 1] <= cut)
            expected++;
        assert_int_equal(count(p->dirfd, &why), expected);
        assert_int_equal(why, -EAGAIN);

        assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
        assert_int_equal(size_of(p->dirfd), ends[expected]);
        make_end(&end);
        append(w, &end);
        bf_journal_writer_free(w);
        assert_int_equal(count(p->dirfd, &why), expected + 1);
    }
}

/* One flipped bit anywhere in the last record: nothing of it is read, a writer cuts it off. */
static void damaged_tail(void **state)
{
    struct place *p = *state;
    off_t four;

    write_five(p->dirfd);
    _cleanup_(bf_closep) int fd = openat(p->dirfd, "journal", O_RDWR);
    off_t size = size_of(p->dirfd);
    uint8_t byte;
    four = size;
    for (off_t at = size - 1; at > size - 20; at--) {
        struct bf_journal_writer *w = NULL;
        int why;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_int_equal(count(p->dirfd, &why), 4);
        assert_int_equal(why, -EBADMSG);

        assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
        bf_journal_writer_free(w);
        assert_true(size_of(p->dirfd) < size);
        four = size_of(p->dirfd);
        struct test_record r;
        assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
        make_part(&r, 2, 0, 2000);
        append(w, &r);
        bf_journal_writer_free(w);
        assert_int_equal(size_of(p->dirfd), size);
    }
    assert_true(four < size);
}

/* A power cut can leave the new length of the file without its bytes. */
static void zeros_behind_the_last_record(void **state)
{
    struct place *p = *state;
    struct bf_journal_writer *w = NULL;
    int why;

    write_five(p->dirfd);
    _cleanup_(bf_closep) int fd = openat(p->dirfd, "journal", O_RDWR);
    off_t size = size_of(p->dirfd);
    assert_int_equal(ftruncate(fd, size + 4096), 0);
    assert_int_equal(count(p->dirfd, &why), 5);
    assert_int_equal(why, -EBADMSG);
    assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
    assert_int_equal(size_of(p->dirfd), size);
    bf_journal_writer_free(w);
}

static void damage_before_whole_records_is_not_cut(void **state)
{
    struct place *p = *state;
    struct bf_journal_writer *w = NULL;
    struct bf_error e = { 0 };
    uint8_t byte;
    int why;

    write_five(p->dirfd);
    _cleanup_(bf_closep) int fd = openat(p->dirfd, "journal", O_RDWR);
    off_t size = size_of(p->dirfd);
    assert_int_equal(pread(fd, &byte, 1, 12), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 12), 1);
    assert_int_equal(count(p->dirfd, &why), 0);
    assert_int_equal(why, -EBADMSG);
    assert_int_equal(bf_journal_writer_open(&w, p->dirfd, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "damaged at byte 0"));
    assert_int_equal(size_of(p->dirfd), size);
}

/* A reader that is ahead of a slow write sees the record once it is whole, also where other bytes took its place. */
static void follows_a_growing_file(void **state)
{
    struct place *p = *state;
    struct bf_journal_reader *r = NULL;
    Belfry__V1__Record *record = NULL;
    uint8_t whole[4096];

    write_five(p->dirfd);
    _cleanup_(bf_closep) int fd = openat(p->dirfd, "journal", O_RDWR);
    ssize_t size = pread(fd, whole, sizeof whole, 0);
    off_t first = 8 + whole[0];

    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(bf_journal_reader_open(&r, p->dirfd), 0);
    assert_int_equal(bf_journal_next(r, &record), -EAGAIN);
    memset(whole + first, 0xff, 3); /* the beginning of a write that failed … */
    assert_int_equal(pwrite(fd, whole, (size_t)first + 3, 0), first + 3);
    assert_int_equal(bf_journal_next(r, &record), 0);
    belfry__v1__record__free_unpacked(record, NULL);
    assert_int_equal(bf_journal_next(r, &record), -EAGAIN);
    assert_int_equal(bf_journal_offset(r), first);

    struct bf_journal_writer *w = NULL; /* … was cut back, and another record came */
    struct test_record end;
    assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
    make_end(&end);
    append(w, &end);
    bf_journal_writer_free(w);
    assert_int_equal(bf_journal_next(r, &record), 0);
    assert_int_equal(record->kind_case, BELFRY__V1__RECORD__KIND_END);
    belfry__v1__record__free_unpacked(record, NULL);
    bf_journal_reader_free(r);
    assert_true(size > 0);
}

static void parse_refuses(void **state)
{
    static const uint8_t zero_length[16] = { 0 };
    static const uint8_t too_long[16] = { 0x01, 0x00, 0x01, 0x00 };
    static const uint8_t empty_record[8 + 2] = { 2, 0, 0, 0 };
    Belfry__V1__Record *record = NULL;

    (void)state;
    assert_int_equal(bf_journal_parse(NULL, 0, &record), 0);
    assert_int_equal(bf_journal_parse(zero_length, 7, &record), 0);
    assert_int_equal(bf_journal_parse(zero_length, 16, &record), -EBADMSG);
    assert_int_equal(bf_journal_parse(too_long, 16, &record), -EBADMSG);
    assert_int_equal(bf_journal_parse(empty_record, 9, &record), 0);
    assert_int_equal(bf_journal_parse(empty_record, 10, &record), -EBADMSG);
    assert_null(record);
}

/* A right checksum over bytes that are not a record of ours. */
static void parse_refuses_a_record_of_no_kind(void **state)
{
    static const uint8_t unknown_field[] = { 3, 0, 0, 0, 0x12, 0x2c, 0xa7, 0x2c, 0xa2, 0x06, 0x00 };
    Belfry__V1__Record *record = NULL;

    (void)state;
    assert_int_equal(bf_journal_parse(unknown_field, sizeof unknown_field, &record), -EBADMSG);
}

/* No room for the whole record: the file is as before, and the same writer goes on when there is room. */
static void failed_append_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct bf_journal_writer *w = NULL;
    struct test_record r;
    struct rlimit before, tight;
    int why;

    write_five(p->dirfd);
    off_t size = size_of(p->dirfd);
    assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (rlim_t room = 0; room < 12; room++) {
        tight = (struct rlimit){ .rlim_cur = (rlim_t)size + room, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        make_part(&r, 3, 0, 3000);
        int failed = bf_journal_append(w, &r.record);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_true(failed == -EFBIG || failed == -ENOSPC);
        assert_int_equal(size_of(p->dirfd), size);
    }
    append(w, &r);
    bf_journal_writer_free(w);
    assert_int_equal(count(p->dirfd, &why), 6);
    assert_int_equal(why, -EAGAIN);
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

/* Half a record stays at the end: nothing follows it until it could be cut off, and then the writer goes on. */
static void what_stays_is_cut_off_later(void **state)
{
    struct place *p = *state;
    struct bf_journal_writer *w = NULL;
    struct test_record r;
    struct rlimit before;
    int why;

    write_five(p->dirfd);
    off_t size = size_of(p->dirfd);
    assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit tight = { .rlim_cur = (rlim_t)size + 6, .rlim_max = before.rlim_max };
    make_part(&r, 3, 0, 3000);
    cuts_fail = true;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int failed = bf_journal_append(w, &r.record);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(failed == -EFBIG || failed == -ENOSPC);
    assert_int_equal(size_of(p->dirfd), size + 6);
    assert_int_equal(bf_journal_append(w, &r.record), -EIO);
    assert_int_equal(size_of(p->dirfd), size + 6);
    assert_int_equal(count(p->dirfd, &why), 5);

    cuts_fail = false;
    append(w, &r);
    bf_journal_writer_free(w);
    assert_int_equal(count(p->dirfd, &why), 6);
    assert_int_equal(why, -EAGAIN);
}

static void refuses_records_that_are_too_long(void **state)
{
    struct place *p = *state;
    struct bf_journal_writer *w = NULL;
    struct test_record r;
    static char reason[BF_RECORD_MAX + 1];

    assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), 0);
    memset(reason, 'a', sizeof reason - 1);
    make_end(&r);
    r.end.reason = reason;
    assert_int_equal(bf_journal_append(w, &r.record), -EMSGSIZE);
    assert_int_equal(size_of(p->dirfd), 0);
    bf_journal_writer_free(w);
}

static void does_not_follow_links(void **state)
{
    struct place *p = *state;
    struct bf_journal_writer *w = NULL;
    struct bf_journal_reader *r = NULL;

    assert_int_equal(symlinkat("/dev/null", p->dirfd, "journal"), 0);
    assert_int_equal(bf_journal_reader_open(&r, p->dirfd), -ELOOP);
    assert_int_equal(bf_journal_writer_open(&w, p->dirfd, NULL), -ELOOP);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, make_place, drop_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(reads_back_what_was_written),
        ON_DISK(tail_torn_at_every_byte),
        ON_DISK(damaged_tail),
        ON_DISK(zeros_behind_the_last_record),
        ON_DISK(damage_before_whole_records_is_not_cut),
        ON_DISK(follows_a_growing_file),
        cmocka_unit_test(parse_refuses),
        cmocka_unit_test(parse_refuses_a_record_of_no_kind),
        ON_DISK(failed_append_leaves_nothing),
        ON_DISK(what_stays_is_cut_off_later),
        ON_DISK(refuses_records_that_are_too_long),
        ON_DISK(does_not_follow_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
