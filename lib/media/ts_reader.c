#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/ts.h"

#define IO_BUFFER_BYTES 65536
#define PROBE_BYTES 262144      /* how far to look for a PMT before streams are taken as they come */
#define ACCESS_UNIT_MAX 4194304 /* one of unknown length is cut there */
#define STUFFING_PACKETS 44     /* 8192 bytes: what libavformat wants to see before it believes in packets of 188 */
#define TS_PACKET_BYTES 188
#define PTS_MASK ((INT64_C(1) << 33) - 1)

struct bf_ts_reader {
    bf_ts_source *source;
    void *user;
    AVIOContext *io;
    AVFormatContext *demux; /* NULL until something has arrived, and again after an end */
    AVPacket *packet;
    int stuffing;     /* null packets still to be given to a new demuxer */
    int stream;       /* index of the H.264 stream; -1: not seen yet */
    int source_error; /* the source's last word, not told to the caller yet */
};

static int from_transport(void *user, void *ret, size_t size)
{
    return bf_transport_recv(user, ret, size);
}

/* 2.4.1: PID 0x1fff means nothing. With these in front, the first access unit need not wait for the next ones until
 * there is enough to guess the packet size from. */
static int null_packet(uint8_t *buffer, int size)
{
    static const uint8_t header[] = { 0x47, 0x1f, 0xff, 0x10 };
    if (size < TS_PACKET_BYTES)
        return AVERROR(EINVAL);
    memset(buffer, 0xff, TS_PACKET_BYTES);
    memcpy(buffer, header, sizeof(header));
    return TS_PACKET_BYTES;
}

/* Everything that libavformat's reads inside one call get after a source error is that same error. */
static int read_source(void *user, uint8_t *buffer, int size)
{
    struct bf_ts_reader *r = user;
    if (r->stuffing > 0) {
        r->stuffing--;
        return null_packet(buffer, size);
    }
    if (r->source_error == 0) {
        int n = r->source(r->user, buffer, (size_t)size);
        if (n >= 0)
            return n;
        r->source_error = n;
    }
    return r->source_error;
}

static void close_demux(struct bf_ts_reader *r)
{
    avformat_close_input(&r->demux);
    bf_av_io_free(BF_TAKE(r->io));
    r->stream = -1;
}

static int open_demux(struct bf_ts_reader *r)
{
    _cleanup_(bf_av_dict_freep) AVDictionary *options = NULL;
    av_dict_set_int(&options, "max_packet_size", ACCESS_UNIT_MAX, 0);
    av_dict_set_int(&options, "merge_pmt_versions", 1, 0); /* a sender that starts again goes on in the same stream */
    r->stuffing = STUFFING_PACKETS;
    r->io = bf_av_io_new(IO_BUFFER_BYTES, r, read_source, NULL, NULL);
    r->demux = avformat_alloc_context();
    if (r->io == NULL || r->demux == NULL)
        return AVERROR(ENOMEM);

    /* No stream probing, no parser, no second guess at timestamps: each costs a frame or more of latency. */
    r->demux->pb = r->io;
    r->demux->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN | AVFMT_FLAG_CUSTOM_IO;
    r->demux->probesize = PROBE_BYTES;
    r->demux->correct_ts_overflow = 0;
    return avformat_open_input(&r->demux, "", av_find_input_format("mpegts"), &options);
}

static bool wanted(struct bf_ts_reader *r)
{
    const AVStream *stream = r->demux->streams[r->packet->stream_index];
    if (stream->codecpar->codec_id != AV_CODEC_ID_H264)
        return false;
    if (r->stream < 0)
        r->stream = stream->index;
    return stream->index == r->stream;
}

static int64_t wrapped(int64_t timestamp)
{
    return timestamp == AV_NOPTS_VALUE ? INT64_MIN : timestamp & PTS_MASK;
}

static int64_t position(const struct bf_ts_reader *r)
{
    return avio_seek(r->io, 0, SEEK_CUR);
}

/* 1 with a packet of the wanted stream; 0 for nothing yet or a word of the source; -ENOMEM. Data that libavformat gets
 * stuck on ends the demuxer, and a new one starts at what follows. */
static int read_one(struct bf_ts_reader *r)
{
    if (r->demux == NULL) {
        int code = open_demux(r);
        if (code < 0)
            close_demux(r);
        return code == AVERROR(ENOMEM) ? -ENOMEM : 0;
    }
    r->io->eof_reached = 0;
    r->io->error = 0;
    int64_t before = position(r);
    int code = av_read_frame(r->demux, r->packet);
    if (code >= 0)
        return r->packet->size > 0 && wanted(r);
    if (r->source_error == 0 && position(r) == before)
        close_demux(r);
    return 0;
}

int bf_ts_read(struct bf_ts_reader *r, struct bf_ts_packet *ret)
{
    int got = 0;
    while (got == 0) {
        av_packet_unref(r->packet);
        if (r->source_error != 0) {
            int code = r->source_error;
            r->source_error = 0;
            return code;
        }
        got = read_one(r);
        if (got < 0)
            return got;
    }
    *ret = (struct bf_ts_packet){
        .data = r->packet->data,
        .size = (size_t)r->packet->size,
        .pts_90k = wrapped(r->packet->pts),
        .dts_90k = wrapped(r->packet->dts),
        .corrupt = (r->packet->flags & AV_PKT_FLAG_CORRUPT) != 0,
    };
    return 0;
}

int bf_ts_reader_new_from(struct bf_ts_reader **ret, bf_ts_source *source, void *user, struct bf_error *e)
{
    int code = bf_av_load(e);
    if (code < 0)
        return code;
    struct bf_ts_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    r->source = source;
    r->user = user;
    r->stream = -1;
    r->packet = av_packet_alloc();
    if (r->packet == NULL) {
        bf_ts_reader_free(r);
        return bf_fail(e, -ENOMEM, "MPEG-TS reader: out of memory");
    }
    *ret = r;
    return 0;
}

int bf_ts_reader_new(struct bf_ts_reader **ret, struct bf_transport *t, struct bf_error *e)
{
    return bf_ts_reader_new_from(ret, from_transport, t, e);
}

void bf_ts_reader_free(struct bf_ts_reader *r)
{
    if (r == NULL)
        return;
    close_demux(r);
    av_packet_free(&r->packet);
    free(r);
}
