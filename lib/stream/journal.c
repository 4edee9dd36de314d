#include "stream/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crc.h"
#include "stream/layout.h"

#define FRAME_HEAD 8
#define FRAME_MAX (FRAME_HEAD + BF_RECORD_MAX)

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_le32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

long bf_journal_parse(const uint8_t *data, size_t size, Belfry__V1__Record **ret)
{
    if (size < FRAME_HEAD)
        return 0;
    uint32_t length = get_le32(data);
    if (length == 0 || length > BF_RECORD_MAX)
        return -EBADMSG;
    if (size - FRAME_HEAD < length)
        return 0;
    if (bf_crc32c(data + FRAME_HEAD, length) != get_le32(data + 4))
        return -EBADMSG;

    Belfry__V1__Record *record = belfry__v1__record__unpack(NULL, length, data + FRAME_HEAD);
    if (record == NULL)
        return -EBADMSG;
    if (record->kind_case == BELFRY__V1__RECORD__KIND__NOT_SET) {
        belfry__v1__record__free_unpacked(record, NULL);
        return -EBADMSG;
    }

    *ret = record;
    return (long)(FRAME_HEAD + length);
}

/* ---- reading ---- */

struct bf_journal_reader {
    int fd;
    uint64_t offset;   /* of the next record in the file */
    size_t begin, end; /* what of `buffer` is not consumed yet */
    uint8_t buffer[FRAME_MAX];
};

BF_DEFINE_CLEANUP(struct bf_journal_reader, bf_journal_reader_free)

int bf_journal_reader_open(struct bf_journal_reader **ret, int dirfd)
{
    _cleanup_(bf_journal_reader_freep) struct bf_journal_reader *r = calloc(1, sizeof *r);

    if (r == NULL)
        return -ENOMEM;
    r->fd = openat(dirfd, BF_JOURNAL_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (r->fd < 0)
        return -errno;

    *ret = BF_TAKE(r);
    return 0;
}

void bf_journal_reader_free(struct bf_journal_reader *r)
{
    if (r == NULL)
        return;
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

static int refill(struct bf_journal_reader *r)
{
    ssize_t n;

    do
        n = pread(r->fd, r->buffer, sizeof r->buffer, (off_t)r->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;

    r->begin = 0;
    r->end = (size_t)n;
    return 0;
}

int bf_journal_next(struct bf_journal_reader *r, Belfry__V1__Record **ret)
{
    long used = bf_journal_parse(r->buffer + r->begin, r->end - r->begin, ret);

    /* Bytes of a record that was not whole are read again: the writer may have cut them back and written others. */
    if (used <= 0) {
        int failed = refill(r);
        if (failed != 0)
            return failed;
        used = bf_journal_parse(r->buffer, r->end, ret);
    }
    if (used < 0)
        return (int)used;
    if (used == 0)
        return -EAGAIN;

    r->begin += (size_t)used;
    r->offset += (uint64_t)used;
    return 0;
}

uint64_t bf_journal_offset(const struct bf_journal_reader *r)
{
    return r->offset;
}

/* ---- writing ---- */

struct bf_journal_writer {
    int fd;
    off_t end;  /* after the last whole record */
    int broken; /* errno of a failed cut: nothing may follow what it left until it succeeds */
};

BF_DEFINE_CLEANUP(struct bf_journal_writer, bf_journal_writer_free)

/* Does a whole record stand behind the bad one at r's offset? Then that one is damage, not a torn tail. */
static int followed_by_a_record(struct bf_journal_reader *r)
{
    Belfry__V1__Record *record = NULL;

    if (r->end - r->begin < FRAME_HEAD)
        return 0;
    uint32_t length = get_le32(r->buffer + r->begin);
    if (length == 0 || length > BF_RECORD_MAX)
        return 0;

    r->offset += FRAME_HEAD + length;
    r->begin = r->end = 0;
    if (bf_journal_next(r, &record) != 0)
        return 0;
    belfry__v1__record__free_unpacked(record, NULL);
    return 1;
}

/* Offset after the last whole record, or negative errno. */
static off_t find_end(int dirfd, struct bf_error *e)
{
    _cleanup_(bf_journal_reader_freep) struct bf_journal_reader *r = NULL;
    int failed = bf_journal_reader_open(&r, dirfd);

    while (failed == 0) {
        Belfry__V1__Record *record = NULL;

        failed = bf_journal_next(r, &record);
        if (failed == 0)
            belfry__v1__record__free_unpacked(record, NULL);
    }
    if (failed != -EAGAIN && failed != -EBADMSG)
        return bf_fail(e, failed, "reading the journal: %s", strerror(-failed));

    off_t end = (off_t)bf_journal_offset(r);
    if (failed == -EBADMSG && followed_by_a_record(r))
        return bf_fail(e, -EBADMSG, "the journal is damaged at byte %lld: a wrong checksum before whole records",
                       (long long)end);
    return end;
}

int bf_journal_writer_open(struct bf_journal_writer **ret, int dirfd, struct bf_error *e)
{
    _cleanup_(bf_journal_writer_freep) struct bf_journal_writer *w = calloc(1, sizeof *w);

    if (w == NULL)
        return bf_fail(e, -ENOMEM, "opening the journal: out of memory");
    w->fd = openat(dirfd, BF_JOURNAL_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (w->fd < 0)
        return bf_fail(e, -errno, "opening the journal: %s", strerror(errno));

    w->end = find_end(dirfd, e);
    if (w->end < 0)
        return (int)w->end;
    if (ftruncate(w->fd, w->end) != 0)
        return bf_fail(e, -errno, "cutting the journal's torn tail at byte %lld: %s", (long long)w->end,
                       strerror(errno));

    *ret = BF_TAKE(w);
    return 0;
}

void bf_journal_writer_free(struct bf_journal_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

static int cut_back(struct bf_journal_writer *w)
{
    w->broken = ftruncate(w->fd, w->end) != 0 ? errno : 0;
    return -w->broken;
}

static int write_frame(struct bf_journal_writer *w, const uint8_t *frame, size_t size)
{
    ssize_t n;

    do
        n = write(w->fd, frame, size);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)size)
        return 0;

    int failed = n < 0 ? -errno : -ENOSPC;
    cut_back(w);
    return failed;
}

int bf_journal_append(struct bf_journal_writer *w, const Belfry__V1__Record *record)
{
    size_t length = belfry__v1__record__get_packed_size(record);

    if (w->broken != 0 && cut_back(w) != 0)
        return -w->broken;
    if (length == 0 || length > BF_RECORD_MAX)
        return -EMSGSIZE;
    _cleanup_(bf_freep) uint8_t *frame = malloc(FRAME_HEAD + length);
    if (frame == NULL)
        return -ENOMEM;

    belfry__v1__record__pack(record, frame + FRAME_HEAD);
    put_le32(frame, (uint32_t)length);
    put_le32(frame + 4, bf_crc32c(frame + FRAME_HEAD, length));
    int failed = write_frame(w, frame, FRAME_HEAD + length);
    if (failed == 0)
        w->end += (off_t)(FRAME_HEAD + length);
    return failed;
}

int bf_journal_sync(struct bf_journal_writer *w)
{
    return fdatasync(w->fd) == 0 ? 0 : -errno;
}

int bf_journal_cut(struct bf_journal_writer *w, uint64_t offset)
{
    if (offset > (uint64_t)w->end)
        return -EINVAL;
    if (ftruncate(w->fd, (off_t)offset) != 0)
        return -errno;

    w->end = (off_t)offset;
    return 0;
}

int bf_journal_writer_fd(const struct bf_journal_writer *w)
{
    return w->fd;
}
