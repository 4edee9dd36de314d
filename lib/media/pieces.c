#include "media/pieces.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define IO_BUFFER_BYTES 65536

static int failed(struct bf_pieces *p, int code)
{
    p->error = code;
    p->failed = p->at < p->n ? p->list[p->at].name : NULL;
    return code;
}

static int open_next(struct bf_pieces *p)
{
    const struct bf_piece *piece = &p->list[p->at];
    p->fd = openat(p->dirfd, piece->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (p->fd >= 0 && lseek(p->fd, (off_t)piece->offset, SEEK_SET) >= 0) {
        p->left = piece->length;
        return 0;
    }
    return failed(p, AVERROR(errno));
}

static void close_current(struct bf_pieces *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static int read_current(struct bf_pieces *p, uint8_t *buffer, int size)
{
    size_t want = (uint64_t)size < p->left ? (size_t)size : (size_t)p->left;
    ssize_t n;
    do
        n = read(p->fd, buffer, want);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return failed(p, AVERROR(errno));
    p->left -= (uint64_t)n;
    p->read_bytes += (uint64_t)n;
    return (int)n;
}

static int read_pieces(void *user, uint8_t *buffer, int size)
{
    struct bf_pieces *p = user;
    if (p->cancel != NULL && atomic_load_explicit(p->cancel, memory_order_relaxed))
        return failed(p, AVERROR_EXIT);
    while (p->at < p->n) {
        int r = p->fd < 0 ? open_next(p) : 0;
        if (r < 0)
            return r;
        r = read_current(p, buffer, size);
        if (r != 0)
            return r;
        close_current(p);
        p->at++;
    }
    return AVERROR_EOF;
}

int bf_pieces_open(struct bf_pieces *p, AVFormatContext **ret)
{
    p->at = 0;
    p->fd = -1;
    p->error = 0;
    p->failed = NULL;
    p->io = bf_av_io_new(IO_BUFFER_BYTES, p, read_pieces, NULL, NULL);
    *ret = avformat_alloc_context();
    if (p->io == NULL || *ret == NULL)
        return AVERROR(ENOMEM);
    (*ret)->pb = p->io;
    (*ret)->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_NOPARSE;
    int r = avformat_open_input(ret, "", av_find_input_format("mov"), NULL);
    if (r < 0)
        return r;
    if ((*ret)->nb_streams != 1 || (*ret)->streams[0]->codecpar->codec_id != AV_CODEC_ID_H264)
        return AVERROR_STREAM_NOT_FOUND;
    return 0;
}

void bf_pieces_close(struct bf_pieces *p, AVFormatContext **demux)
{
    avformat_close_input(demux);
    bf_av_io_free(BF_TAKE(p->io));
    close_current(p);
}
