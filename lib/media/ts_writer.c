#include <errno.h>
#include <stdlib.h>

#include "media/av.h"
#include "media/ts.h"

struct bf_ts_writer {
    struct bf_transport *transport;
    AVIOContext *io;
    AVFormatContext *mux;
    AVPacket *packet;
    int send_error; /* of the access unit being written */
};

/* libavformat fills its buffer with 7 TS packets, or fewer at a flush: each write is a datagram. */
static int send_datagram(void *user, bf_av_written *data, int size)
{
    struct bf_ts_writer *w = user;
    if (w->send_error == 0)
        w->send_error = bf_transport_send(w->transport, data, (size_t)size);
    return w->send_error < 0 ? w->send_error : size;
}

static int add_stream(AVFormatContext *mux)
{
    AVStream *stream = avformat_new_stream(mux, NULL);
    if (stream == NULL)
        return AVERROR(ENOMEM);
    stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    stream->codecpar->codec_id = AV_CODEC_ID_H264;
    stream->time_base = (AVRational){ 1, 90000 };
    return 0;
}

static int write_header(AVFormatContext *mux)
{
    _cleanup_(bf_av_dict_freep) AVDictionary *options = NULL;
    av_dict_set_int(&options, "omit_video_pes_length", 0, 0); /* a receiver need not wait for the next frame */
    av_dict_set_int(&options, "mpegts_copyts", 1, 0);
    av_dict_set(&mux->metadata, "service_provider", "belfry", 0);
    av_dict_set(&mux->metadata, "service_name", "camera", 0);
    mux->flags |= AVFMT_FLAG_FLUSH_PACKETS | AVFMT_FLAG_CUSTOM_IO;
    mux->max_delay = 0;
    mux->avoid_negative_ts = 0; /* never shift */
    return avformat_write_header(mux, &options);
}

static int open_mux(struct bf_ts_writer *w)
{
    int r = avformat_alloc_output_context2(&w->mux, NULL, "mpegts", NULL);
    if (r < 0)
        return r;
    w->packet = av_packet_alloc();
    w->io = bf_av_io_new(BF_DATAGRAM_SIZE, w, NULL, send_datagram, NULL);
    if (w->io == NULL || w->packet == NULL)
        return AVERROR(ENOMEM);
    w->mux->pb = w->io;
    r = add_stream(w->mux);
    return r < 0 ? r : write_header(w->mux);
}

int bf_ts_writer_new(struct bf_ts_writer **ret, struct bf_transport *t, struct bf_error *e)
{
    int r = bf_av_load(e);
    if (r < 0)
        return r;
    struct bf_ts_writer *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    w->transport = t;
    r = open_mux(w);
    if (r < 0) {
        bf_ts_writer_free(w);
        return bf_av_fail(e, r, "MPEG-TS writer");
    }
    *ret = w;
    return 0;
}

int bf_ts_write(struct bf_ts_writer *w, const uint8_t *au, size_t size, int64_t pts_90k, bool idr)
{
    if (size == 0 || size > INT32_MAX)
        return -EINVAL;
    w->send_error = 0;
    w->io->error = 0;
    w->packet->data = (uint8_t *)au; /* not reference counted, so libavformat copies and never writes to it */
    w->packet->size = (int)size;
    w->packet->pts = w->packet->dts = pts_90k;
    w->packet->flags = idr ? AV_PKT_FLAG_KEY : 0; /* a key frame repeats PAT and PMT */

    int r = av_write_frame(w->mux, w->packet);
    avio_flush(w->io);
    av_packet_unref(w->packet);
    return w->send_error < 0 ? w->send_error : bf_av_error(r);
}

void bf_ts_writer_free(struct bf_ts_writer *w)
{
    if (w == NULL)
        return;
    avformat_free_context(w->mux); /* no trailer: everything has been flushed */
    bf_av_io_free(w->io);
    av_packet_free(&w->packet);
    free(w);
}
