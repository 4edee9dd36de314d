#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/export.h"
#include "media/pieces.h"

#define JPEG_QUALITY 4 /* of 2 (best) to 31 */

static int open_decoder(AVCodecContext **ret, const AVCodecParameters *par)
{
    const AVCodec *codec = avcodec_find_decoder(par->codec_id);
    if (codec == NULL)
        return AVERROR_DECODER_NOT_FOUND;
    *ret = avcodec_alloc_context3(codec);
    if (*ret == NULL)
        return AVERROR(ENOMEM);
    (*ret)->thread_count = 1; /* one picture: nothing to run ahead on */
    int r = avcodec_parameters_to_context(*ret, par);
    return r < 0 ? r : avcodec_open2(*ret, codec, NULL);
}

/* Feeds until a picture comes out; at the end asks for what the decoder holds. */
static int first_picture(AVFormatContext *demux, AVCodecContext *decoder, AVPacket *packet, AVFrame *ret)
{
    for (bool more = true; more;) {
        more = av_read_frame(demux, packet) >= 0;
        avcodec_send_packet(decoder, more ? packet : NULL); /* damage shows as no picture */
        av_packet_unref(packet);
        int r = avcodec_receive_frame(decoder, ret);
        if (r >= 0 || (r != AVERROR(EAGAIN) && r != AVERROR_INVALIDDATA))
            return r;
    }
    return AVERROR_INVALIDDATA;
}

static int decode_first(struct bf_pieces *in, AVFrame *ret)
{
    AVFormatContext *demux = NULL;
    AVCodecContext *decoder = NULL;
    AVPacket *packet = av_packet_alloc();
    int r = packet != NULL ? bf_pieces_open(in, &demux) : AVERROR(ENOMEM);
    if (r >= 0)
        r = open_decoder(&decoder, demux->streams[0]->codecpar);
    if (r >= 0)
        r = first_picture(demux, decoder, packet, ret);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    bf_pieces_close(in, &demux);
    return r < 0 && in->error < 0 ? in->error : r;
}

/* At most max_width wide, same shape, even, as JPEG wants it: full range. */
static int scale_down(const AVFrame *from, uint32_t max_width, AVFrame **ret)
{
    int width = from->width <= (int64_t)max_width ? from->width : (int)max_width;
    int height = (int)((int64_t)from->height * width / from->width);
    width = width < 2 ? 2 : width & ~1;
    height = height < 2 ? 2 : height & ~1;

    struct SwsContext *scaler = NULL;
    *ret = bf_av_picture(AV_PIX_FMT_YUVJ420P, width, height);
    if (*ret == NULL)
        return AVERROR(ENOMEM);
    (*ret)->color_range = AVCOL_RANGE_JPEG;
    int r = bf_av_scale(&scaler, from, *ret);
    sws_freeContext(scaler);
    return r;
}

static int run_encoder(AVCodecContext *codec, AVFrame *picture, AVPacket *packet)
{
    codec->width = picture->width;
    codec->height = picture->height;
    codec->pix_fmt = picture->format;
    codec->color_range = AVCOL_RANGE_JPEG;
    codec->time_base = (AVRational){ 1, 1 };
    codec->flags |= AV_CODEC_FLAG_QSCALE;
    codec->global_quality = picture->quality = FF_QP2LAMBDA * JPEG_QUALITY;
    codec->thread_count = 1;
    int r = avcodec_open2(codec, codec->codec, NULL);
    if (r >= 0)
        r = avcodec_send_frame(codec, picture);
    return r < 0 ? r : avcodec_receive_packet(codec, packet);
}

static int encode(AVFrame *picture, uint8_t **ret, size_t *ret_size)
{
    const AVCodec *mjpeg = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *codec = mjpeg != NULL ? avcodec_alloc_context3(mjpeg) : NULL;
    AVPacket *packet = av_packet_alloc();
    int r = mjpeg == NULL ? AVERROR_ENCODER_NOT_FOUND : codec == NULL || packet == NULL ? AVERROR(ENOMEM) : 0;
    if (r >= 0)
        r = run_encoder(codec, picture, packet);
    uint8_t *copy = r >= 0 ? malloc((size_t)packet->size) : NULL;
    if (copy != NULL) {
        memcpy(copy, packet->data, (size_t)packet->size);
        *ret_size = (size_t)packet->size;
        *ret = copy;
    } else if (r >= 0)
        r = AVERROR(ENOMEM);
    av_packet_free(&packet);
    avcodec_free_context(&codec);
    return r;
}

int bf_export_jpeg(int dirfd, const char *init, const char *segment, uint64_t offset, uint64_t length,
                   uint32_t max_width, uint8_t **ret, size_t *ret_size, struct bf_error *e)
{
    const struct bf_piece list[] = { { .name = init, .length = UINT64_MAX },
                                     { .name = segment, .offset = offset, .length = length } };
    struct bf_pieces in = { .dirfd = dirfd, .fd = -1, .list = list, .n = 2 };
    int r = bf_av_load(e);
    if (r < 0)
        return r;
    AVFrame *decoded = av_frame_alloc(), *scaled = NULL;
    r = decoded != NULL ? decode_first(&in, decoded) : AVERROR(ENOMEM);
    if (r >= 0)
        r = scale_down(decoded, max_width, &scaled);
    if (r >= 0)
        r = encode(scaled, ret, ret_size);
    av_frame_free(&decoded);
    av_frame_free(&scaled);
    if (r >= 0)
        return 0;
    r = bf_av_fail(e, r, in.failed != NULL ? in.failed : segment);
    return bf_fail_in(e, r, "poster");
}
