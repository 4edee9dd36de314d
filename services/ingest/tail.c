#include "ingest/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "stream/layout.h"

#define KEEP_ALL UINT64_MAX

/* Where in the journal each part's record begins; index as in the view. */
struct offsets {
    uint64_t *of_part;
    size_t room;
};

BF_DEFINE_CLEANUP(struct bf_journal_reader, bf_journal_reader_free)

static int note_offset(struct offsets *o, size_t part, uint64_t offset)
{
    uint64_t *of_part = bf_array_room(o->of_part, sizeof *of_part, part, &o->room);

    if (of_part == NULL)
        return -ENOMEM;
    o->of_part = of_part;
    o->of_part[part] = offset;
    return 0;
}

static int read_one(struct bf_journal_reader *r, struct bf_session_view *v, struct offsets *o)
{
    Belfry__V1__Record *record = NULL;
    uint64_t offset = bf_journal_offset(r);
    size_t parts = v->n_parts;
    int failed = bf_journal_next(r, &record);

    if (failed != 0)
        return failed;
    failed = bf_session_view_apply(v, record);
    belfry__v1__record__free_unpacked(record, NULL);
    if (failed == 0 && v->n_parts > parts)
        failed = note_offset(o, parts, offset);
    return failed;
}

static int read_all(int dirfd, struct bf_session_view *v, struct offsets *o, struct bf_error *e)
{
    _cleanup_(bf_journal_reader_freep) struct bf_journal_reader *r = NULL;
    int failed = bf_journal_reader_open(&r, dirfd);

    while (failed == 0)
        failed = read_one(r, v, o);
    if (failed == -EAGAIN)
        return 0;
    return bf_fail(e, failed, "reading the journal at byte %llu: %s",
                   r == NULL ? 0ULL : (unsigned long long)bf_journal_offset(r), strerror(-failed));
}

static int open_segment_file(int dirfd, uint64_t msn, int flags)
{
    char name[BF_NAME_SIZE];

    bf_segment_name(name, msn);
    int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

static uint64_t size_of(int fd)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static int hash_file(int fd, uint64_t size, struct bf_sha256 *hash)
{
    _cleanup_(bf_freep) uint8_t *chunk = malloc(65536);

    if (chunk == NULL)
        return -ENOMEM;
    bf_sha256_begin(hash);
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < 65536 ? (size_t)(size - at) : 65536;
        int failed = bf_pread_all(fd, chunk, n, (off_t)at);

        if (failed != 0)
            return failed;
        bf_sha256_add(hash, chunk, n);
        at += n;
    }
    return 0;
}

/* A segment that is not there at all counts as whole where the session does not record: the janitor trims those. */
static bool segment_whole(int dirfd, const struct bf_session_view *v, const struct bf_segment_view *s)
{
    _cleanup_(bf_sha256_freep) struct bf_sha256 *hash = NULL;
    uint8_t sha256[32];
    _cleanup_(bf_closep) int fd = open_segment_file(dirfd, s->msn, O_RDONLY);

    if (fd == -ENOENT && !v->record)
        return true;
    if (size_of(fd) != s->bytes || bf_sha256_new(&hash) != 0 || hash_file(fd, s->bytes, hash) != 0)
        return false;
    return bf_sha256_value(hash, sha256) == 0 && memcmp(sha256, s->sha256, sizeof sha256) == 0;
}

static const struct bf_segment_view *newest_complete(const struct bf_session_view *v)
{
    for (size_t i = v->n_segments; i > 0; i--)
        if (v->segments[i - 1].complete && !v->segments[i - 1].gap)
            return &v->segments[i - 1];
    return NULL;
}

/* The first record that names what is not there, or KEEP_ALL. */
static uint64_t where_to_cut(int dirfd, const struct bf_session_view *v, const struct offsets *o)
{
    const struct bf_segment_view *complete = newest_complete(v), *open = bf_session_view_open_segment(v);

    if (v->ended)
        return KEEP_ALL;
    if (complete != NULL && !segment_whole(dirfd, v, complete))
        return o->of_part[complete->first_part];
    if (open == NULL)
        return KEEP_ALL;

    _cleanup_(bf_closep) int fd = open_segment_file(dirfd, open->msn, O_RDONLY);
    uint64_t size = size_of(fd);
    for (size_t i = open->first_part; i < open->first_part + open->n_parts; i++)
        if (v->parts[i].offset + v->parts[i].length > size)
            return o->of_part[i];
    return KEEP_ALL;
}

int bf_tail_repair(int dirfd, struct bf_journal_writer *w, struct bf_session_view *v, struct bf_error *e)
{
    struct offsets offsets = { 0 };
    int failed;

    for (;;) {
        failed = read_all(dirfd, v, &offsets, e);
        if (failed != 0)
            break;
        uint64_t cut = where_to_cut(dirfd, v, &offsets);
        if (cut == KEEP_ALL)
            break;

        failed = bf_journal_cut(w, cut);
        if (failed != 0) {
            bf_fail(e, failed, "cutting the journal at byte %llu: %s", (unsigned long long)cut, strerror(-failed));
            break;
        }
        bf_session_view_done(v);
    }

    free(offsets.of_part);
    return failed;
}

int bf_tail_open_segment(int dirfd, const struct bf_segment_view *segment, int *ret_fd, struct bf_sha256 *hash)
{
    _cleanup_(bf_closep) int fd = open_segment_file(dirfd, segment->msn, O_RDWR);

    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)segment->bytes) != 0 || lseek(fd, (off_t)segment->bytes, SEEK_SET) < 0)
        return -errno;
    int failed = hash_file(fd, segment->bytes, hash);
    if (failed != 0)
        return failed;

    *ret_fd = fd;
    fd = -1;
    return 0;
}
