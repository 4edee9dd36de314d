#include "media/video_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "media/av.h"

struct bf_video_file {
    char *url;
    AVFormatContext *demux;
    AVCodecContext *codec;
    int stream;
    bool draining; /* the file has ended, the decoder still holds pictures */
    bool any;      /* this round gave a picture */
    AVPacket *packet;
    AVFrame *decoded, *scaled;
    struct SwsContext *scaler;
};

static void close_input(struct bf_video_file *v)
{
    avcodec_free_context(&v->codec);
    avformat_close_input(&v->demux);
}

static int open_decoder(struct bf_video_file *v, const AVCodec *codec)
{
    v->codec = avcodec_alloc_context3(codec);
    if (v->codec == NULL)
        return AVERROR(ENOMEM);
    int r = avcodec_parameters_to_context(v->codec, v->demux->streams[v->stream]->codecpar);
    return r < 0 ? r : avcodec_open2(v->codec, codec, NULL);
}

/* Opening again is the one way to the start that every container has. */
static int open_input(struct bf_video_file *v)
{
    _cleanup_(bf_av_dict_freep) AVDictionary *options = NULL;
    av_dict_set(&options, "protocol_whitelist", "file", 0); /* a playlist must not reach into the network */
    const AVCodec *codec = NULL;
    v->draining = v->any = false;
    int r = avformat_open_input(&v->demux, v->url, NULL, &options);
    if (r >= 0)
        r = avformat_find_stream_info(v->demux, NULL);
    if (r >= 0)
        r = v->stream = av_find_best_stream(v->demux, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    return r < 0 ? r : open_decoder(v, codec);
}

static int feed(struct bf_video_file *v)
{
    int r;
    do {
        av_packet_unref(v->packet);
        r = av_read_frame(v->demux, v->packet);
    } while (r >= 0 && v->packet->stream_index != v->stream);

    v->draining = r < 0; /* a file that is cut off or damaged at the end ends there */
    int sent = avcodec_send_packet(v->codec, v->draining ? NULL : v->packet);
    av_packet_unref(v->packet);
    return sent == AVERROR_INVALIDDATA ? 0 : sent; /* the decoder goes on at the next key frame */
}

/* Next picture of this round; AVERROR_EOF after the last. */
static int decode(struct bf_video_file *v)
{
    for (;;) {
        int r = avcodec_receive_frame(v->codec, v->decoded);
        if (r == AVERROR(EAGAIN))
            r = feed(v);
        else if (r != AVERROR_INVALIDDATA)
            return r;
        if (r < 0 && r != AVERROR_INVALIDDATA)
            return r;
    }
}

static int decode_looping(struct bf_video_file *v)
{
    int r = decode(v);
    if (r == AVERROR_EOF && v->any) {
        close_input(v);
        r = open_input(v);
        if (r >= 0)
            r = decode(v);
    }
    v->any = r >= 0;
    return r;
}

int bf_video_file_open(struct bf_video_file **ret, const char *path, uint32_t width, uint32_t height,
                       struct bf_error *e)
{
    if (width == 0 || height == 0 || width % 2 != 0 || height % 2 != 0)
        return bf_fail(e, -EINVAL, "video file %s: %ux%u: even sizes are accepted", path, width, height);
    int r = bf_av_load(e);
    if (r < 0)
        return r;
    struct bf_video_file *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return -ENOMEM;
    v->url = av_asprintf("file:%s", path);
    v->packet = av_packet_alloc();
    v->decoded = av_frame_alloc();
    v->scaled = bf_av_picture(AV_PIX_FMT_YUV420P, (int)width, (int)height);
    r = AVERROR(ENOMEM);
    if (v->url != NULL && v->packet != NULL && v->decoded != NULL && v->scaled != NULL)
        r = open_input(v);
    if (r < 0) {
        bf_video_file_free(v);
        r = bf_av_fail(e, r, path);
        return bf_fail_in(e, r, "video file");
    }
    v->scaled->color_range = AVCOL_RANGE_MPEG;
    *ret = v;
    return 0;
}

int bf_video_file_next(struct bf_video_file *v, struct bf_frame *ret, struct bf_error *e)
{
    int r = v->codec != NULL ? decode_looping(v) : AVERROR_EOF;
    if (r == AVERROR_EOF)
        return bf_fail(e, -ENODATA, "video file %s: no picture in it can be decoded", v->url);
    if (r >= 0)
        r = bf_av_scale(&v->scaler, v->decoded, v->scaled);
    av_frame_unref(v->decoded);
    if (r < 0) {
        r = bf_av_fail(e, r, v->url);
        return bf_fail_in(e, r, "video file");
    }

    *ret = (struct bf_frame){ .format = BF_I420,
                              .width = (uint32_t)v->scaled->width,
                              .height = (uint32_t)v->scaled->height,
                              .capture_us = bf_unix_us(),
                              .mono_us = bf_mono_us() };
    for (int i = 0; i < 3; i++) {
        ret->planes[i] = v->scaled->data[i];
        ret->strides[i] = (uint32_t)v->scaled->linesize[i];
    }
    return 0;
}

void bf_video_file_free(struct bf_video_file *v)
{
    if (v == NULL)
        return;
    close_input(v);
    av_packet_free(&v->packet);
    av_frame_free(&v->decoded);
    av_frame_free(&v->scaled);
    sws_freeContext(v->scaler);
    av_free(v->url);
    free(v);
}
