#include "media/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/av.h"
#include "media/bytes.h"
#include "media/pieces.h"

#define IO_BUFFER_BYTES 262144
#define TIMESCALE 90000
#define GAP_MAX_90K TIMESCALE /* a longer leap of the source's clock is closed up */

/* One descriptor seen by libavformat: the file written, and for the index the same file read back. */
struct file_io {
    int fd;
    int64_t at;
    const atomic_bool *cancel;
    int error; /* AVERROR of the transfer that failed */
};

struct export
{
    struct bf_pieces in;
    AVFormatContext *demux, *mux;
    AVPacket *packet;
    struct file_io write, read_back;
    AVIOContext *out;

    int64_t next_dts;     /* of the output: end of what is in it */
    int64_t shift;        /* output dts - input dts */
    int64_t last_dts;     /* of the input; INT64_MIN at the start of a run */
    int64_t frame_90k;    /* the latest distance between two frames */
    struct bf_bytes sets; /* parameter sets of this run, length-prefixed, when they differ from the first run's */

    uint64_t total_bytes;
    _Atomic unsigned *progress_percent;
};

static int io_transfer(struct file_io *io, void *data, int size, bool writing)
{
    ssize_t n;
    if (io->cancel != NULL && atomic_load_explicit(io->cancel, memory_order_relaxed))
        return io->error = AVERROR_EXIT;
    do
        n = writing ? pwrite(io->fd, data, (size_t)size, io->at) : pread(io->fd, data, (size_t)size, io->at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return io->error = AVERROR(errno);
    io->at += n;
    return n > 0 ? (int)n : AVERROR_EOF;
}

static int io_write(void *user, bf_av_written *data, int size)
{
    int done = 0;
    while (done < size) {
        int n = io_transfer(user, (uint8_t *)data + done, size - done, true);
        if (n < 0)
            return n;
        done += n;
    }
    return size;
}

static int io_read(void *user, uint8_t *data, int size)
{
    return io_transfer(user, data, size, false);
}

static int64_t io_seek(void *user, int64_t offset, int whence)
{
    struct file_io *io = user;
    struct stat st;
    if (fstat(io->fd, &st) < 0)
        return AVERROR(errno);
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return st.st_size;
    case SEEK_SET:
        break;
    case SEEK_CUR:
        offset += io->at;
        break;
    case SEEK_END:
        offset += st.st_size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    return offset < 0 ? AVERROR(EINVAL) : (io->at = offset);
}

/* To put the index in front, the muxer reads the file it wrote: same descriptor, a position of its own. */
static int open_read_back(AVFormatContext *mux, AVIOContext **ret, const char *url, int flags, AVDictionary **options)
{
    struct export *x = mux->opaque;
    (void)url, (void)options;
    if ((flags & AVIO_FLAG_WRITE) != 0)
        return AVERROR(ENOSYS);
    x->read_back.at = 0;
    *ret = bf_av_io_new(IO_BUFFER_BYTES, &x->read_back, io_read, NULL, io_seek);
    return *ret != NULL ? 0 : AVERROR(ENOMEM);
}

static int close_read_back(AVFormatContext *mux, AVIOContext *io)
{
    (void)mux;
    bf_av_io_free(io);
    return 0;
}

static int open_output(struct export *x, const AVCodecParameters *par)
{
    _cleanup_(bf_av_dict_freep) AVDictionary *options = NULL;
    int r = avformat_alloc_output_context2(&x->mux, NULL, "mp4", NULL);
    if (r < 0)
        return r;
    AVStream *stream = avformat_new_stream(x->mux, NULL);
    x->out = bf_av_io_new(IO_BUFFER_BYTES, &x->write, NULL, io_write, io_seek);
    if (stream == NULL || x->out == NULL)
        return AVERROR(ENOMEM);

    x->mux->pb = x->out;
    x->mux->opaque = x;
    x->mux->io_open = open_read_back;
    x->mux->io_close2 = close_read_back;
    x->mux->flags |= AVFMT_FLAG_CUSTOM_IO;
    stream->time_base = (AVRational){ 1, TIMESCALE };
    r = avcodec_parameters_copy(stream->codecpar, par);
    if (r < 0)
        return r;
    stream->codecpar->codec_tag = 0;
    av_dict_set(&options, "movflags", "+faststart", 0);
    av_dict_set_int(&options, "video_track_timescale", TIMESCALE, 0);
    return avformat_write_header(x->mux, &options);
}

/* One kind of parameter set out of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1). */
static int append_sets(struct bf_bytes *to, const uint8_t *record, size_t size, size_t *at, uint8_t count_mask)
{
    if (*at >= size)
        return -EBADMSG;
    unsigned count = record[(*at)++] & count_mask;
    while (count-- > 0) {
        size_t length = size - *at >= 2 ? (size_t)record[*at] << 8 | record[*at + 1] : SIZE_MAX;
        if (length > size - *at - 2)
            return -EBADMSG;
        const uint8_t prefix[4] = { 0, 0, (uint8_t)(length >> 8), (uint8_t)length };
        int r = bf_bytes_append(to, prefix, sizeof(prefix));
        if (r == 0)
            r = bf_bytes_append(to, record + *at + 2, length);
        if (r < 0)
            return r;
        *at += 2 + length;
    }
    return 0;
}

/* MP4 by libavformat has one sample entry: later runs that differ from it carry their parameter sets in the samples. */
static int compare_sets(struct export *x, const AVCodecParameters *par)
{
    const AVCodecParameters *first = x->mux->streams[0]->codecpar;
    size_t size = (size_t)par->extradata_size, at = 5;
    x->sets.size = 0;
    if (par->extradata_size == first->extradata_size && memcmp(par->extradata, first->extradata, size) == 0)
        return 0;
    int r = append_sets(&x->sets, par->extradata, size, &at, 0x1f);
    if (r == 0)
        r = append_sets(&x->sets, par->extradata, size, &at, 0xff);
    return r < 0 ? AVERROR(-r) : 0;
}

static int prefix_sets(struct export *x)
{
    if (x->sets.size == 0 || (x->packet->flags & AV_PKT_FLAG_KEY) == 0)
        return 0;
    int size = x->packet->size, added = (int)x->sets.size;
    int r = av_grow_packet(x->packet, added);
    if (r < 0)
        return r;
    r = av_packet_make_writable(x->packet);
    if (r < 0)
        return r;
    memmove(x->packet->data + added, x->packet->data, (size_t)size);
    memcpy(x->packet->data, x->sets.data, (size_t)added);
    return 0;
}

/* Runs on from what is there: a new run, and a clock that leapt or went back, start where the output ends. A frame is
 * taken to last as long as the one before it: read as a stream, MP4 does not tell. */
static void retime(struct export *x)
{
    AVPacket *p = x->packet;
    av_packet_rescale_ts(p, x->demux->streams[0]->time_base, (AVRational){ 1, TIMESCALE });
    if (p->dts == AV_NOPTS_VALUE)
        p->dts = x->last_dts != INT64_MIN ? x->last_dts + x->frame_90k : 0;
    if (p->pts == AV_NOPTS_VALUE)
        p->pts = p->dts;

    if (x->last_dts == INT64_MIN || p->dts <= x->last_dts || p->dts - x->last_dts > GAP_MAX_90K)
        x->shift = x->next_dts - p->dts;
    else
        x->frame_90k = p->dts - x->last_dts;
    x->last_dts = p->dts;
    p->dts += x->shift;
    p->pts += x->shift;
    p->duration = x->frame_90k;
    x->next_dts = p->dts + p->duration;
    p->stream_index = 0;
    p->pos = -1;
}

static void tell_progress(const struct export *x)
{
    uint64_t percent = x->total_bytes > 0 ? x->in.read_bytes * 100 / x->total_bytes : 0;
    if (x->progress_percent != NULL)
        atomic_store(x->progress_percent, percent < 99 ? (unsigned)percent : 99);
}

static int copy_packets(struct export *x)
{
    for (;;) {
        int r = av_read_frame(x->demux, x->packet);
        if (r < 0)
            return r == AVERROR_EOF ? 0 : r;
        retime(x);
        r = prefix_sets(x);
        if (r >= 0)
            r = av_write_frame(x->mux, x->packet);
        av_packet_unref(x->packet);
        if (r < 0)
            return r;
        tell_progress(x);
    }
}

static int copy_run(struct export *x, const struct bf_export_run *run)
{
    struct bf_piece *list = calloc(run->n_segments + 1, sizeof(*list));
    if (list == NULL)
        return AVERROR(ENOMEM);
    list[0] = (struct bf_piece){ .name = run->init, .length = UINT64_MAX };
    for (size_t i = 0; i < run->n_segments; i++)
        list[i + 1] = (struct bf_piece){ .name = run->segments[i], .length = UINT64_MAX };
    x->in.list = list;
    x->in.n = run->n_segments + 1;
    x->last_dts = INT64_MIN;

    int r = bf_pieces_open(&x->in, &x->demux);
    if (r >= 0)
        r = x->mux == NULL ? open_output(x, x->demux->streams[0]->codecpar)
                           : compare_sets(x, x->demux->streams[0]->codecpar);
    if (r >= 0)
        r = copy_packets(x);
    bf_pieces_close(&x->in, &x->demux);
    free(list);
    return x->in.error < 0 ? x->in.error : r;
}

static uint64_t bytes_of(int dirfd, const char *name)
{
    struct stat st;
    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

static int copy_runs(struct export *x, const struct bf_export_run *runs, size_t n_runs)
{
    for (size_t i = 0; i < n_runs; i++) {
        x->total_bytes += bytes_of(x->in.dirfd, runs[i].init);
        for (size_t k = 0; k < runs[i].n_segments; k++)
            x->total_bytes += bytes_of(x->in.dirfd, runs[i].segments[k]);
    }
    x->packet = av_packet_alloc();
    if (x->packet == NULL)
        return AVERROR(ENOMEM);
    for (size_t i = 0; i < n_runs; i++) {
        int r = copy_run(x, &runs[i]);
        if (r < 0)
            return r;
    }
    int r = av_write_trailer(x->mux);
    avio_flush(x->out);
    return r < 0 ? r : x->out->error;
}

int bf_export_mp4(int dirfd, const struct bf_export_run *runs, size_t n_runs, int out_fd,
                  _Atomic unsigned *progress_percent, const atomic_bool *cancel, struct bf_error *e)
{
    struct export x = { .in = { .dirfd = dirfd, .fd = -1, .cancel = cancel },
                        .write = { .fd = out_fd, .cancel = cancel },
                        .read_back = { .fd = out_fd, .cancel = cancel },
                        .last_dts = INT64_MIN,
                        .frame_90k = TIMESCALE / 30,
                        .progress_percent = progress_percent };
    if (n_runs == 0)
        return bf_fail(e, -EINVAL, "MP4 export: there is nothing to export");
    int r = bf_av_load(e);
    if (r < 0)
        return r;
    r = copy_runs(&x, runs, n_runs);
    avformat_free_context(x.mux);
    bf_av_io_free(x.out);
    av_packet_free(&x.packet);
    bf_bytes_done(&x.sets);
    if (x.write.error < 0)
        r = x.write.error;
    if (r < 0) {
        r = bf_av_fail(e, r, x.in.failed != NULL ? x.in.failed : "libavformat");
        return bf_fail_in(e, r, "MP4 export");
    }
    if (progress_percent != NULL)
        atomic_store(progress_percent, 100);
    return 0;
}
