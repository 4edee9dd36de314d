#include "media/encoder.h"

#include <errno.h>
#include <string.h>

#include "media/av.h"
#include "media/bytes.h"
#include "media/h264.h"

enum { FRAMES_INSIDE_MAX = 64, PROBE_FRAMES = 16, SIDE_MAX = 8192 };

struct moment {
    int64_t pts;
    uint64_t capture_us, mono_us;
};

struct bf_encoder {
    AVCodecContext *codec;
    AVFrame *frame; /* the codec may hold on to it, so it has buffers of its own */
    AVPacket *packet;
    int64_t next_pts;                        /* frames so far; time base 1/fps */
    struct moment inside[FRAMES_INSIDE_MAX]; /* by pts modulo size */
    struct bf_bytes sets;                    /* the latest SPS and PPS, as Annex B */
    struct bf_bytes out;
};

struct backend {
    const char *name;
    bool probe; /* opening says little: only a packet proves that there is hardware behind it */
    void (*configure)(AVCodecContext *codec, AVDictionary **options);
};

/* One thread without slices: more threads would either delay frames or cut each picture into slices. */
static void configure_x264(AVCodecContext *codec, AVDictionary **options)
{
    codec->thread_count = 1;
    codec->rc_max_rate = codec->bit_rate;
    codec->rc_buffer_size = (int)(codec->bit_rate / 2); /* an IDR may take half a second's worth */
    av_dict_set(options, "preset", "veryfast", 0);
    av_dict_set(options, "tune", "zerolatency", 0);
    av_dict_set(options, "forced-idr", "1", 0);
    av_dict_set(options, "x264-params", "scenecut=0:bframes=0:sliced-threads=0:repeat-headers=1:open-gop=0", 0);
}

static void configure_v4l2(AVCodecContext *codec, AVDictionary **options)
{
    (void)codec, (void)options; /* bit rate and GOP say it all; the driver has its own defaults for low delay */
}

static const struct backend backends[] = {
    { .name = "h264_v4l2m2m", .probe = true, .configure = configure_v4l2 },
    { .name = "libx264", .configure = configure_x264 },
};

static enum AVPixelFormat pixel_format(enum bf_pixel_format format)
{
    return format == BF_NV12 ? AV_PIX_FMT_NV12 : AV_PIX_FMT_YUV420P;
}

static void configure(AVCodecContext *codec, const struct bf_encoder_options *o)
{
    bool hd = o->height >= 720;
    codec->width = (int)o->width;
    codec->height = (int)o->height;
    codec->pix_fmt = pixel_format(o->format);
    codec->time_base = (AVRational){ 1, (int)o->fps };
    codec->framerate = (AVRational){ (int)o->fps, 1 };
    codec->bit_rate = (int64_t)o->bitrate_kbps * 1000;
    codec->gop_size = codec->keyint_min = (int)o->gop_frames;
    codec->max_b_frames = 0;
    codec->color_range = AVCOL_RANGE_MPEG;
    codec->colorspace = hd ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    codec->color_primaries = hd ? AVCOL_PRI_BT709 : AVCOL_PRI_SMPTE170M;
    codec->color_trc = hd ? AVCOL_TRC_BT709 : AVCOL_TRC_SMPTE170M;
}

static int open_codec(struct bf_encoder *c, const struct backend *b, const struct bf_encoder_options *o)
{
    _cleanup_(bf_av_dict_freep) AVDictionary *options = NULL;
    const AVCodec *codec = avcodec_find_encoder_by_name(b->name);
    if (codec == NULL)
        return AVERROR_ENCODER_NOT_FOUND;
    c->codec = avcodec_alloc_context3(codec);
    c->frame = bf_av_picture(pixel_format(o->format), (int)o->width, (int)o->height);
    c->packet = av_packet_alloc();
    if (c->codec == NULL || c->frame == NULL || c->packet == NULL)
        return AVERROR(ENOMEM);

    configure(c->codec, o);
    b->configure(c->codec, &options);
    return avcodec_open2(c->codec, codec, &options);
}

/* Hands one frame in and takes one packet out, if there is one. */
static int turn(struct bf_encoder *c)
{
    int sent = avcodec_send_frame(c->codec, c->frame);
    if (sent < 0 && sent != AVERROR(EAGAIN))
        return sent;
    int got = avcodec_receive_packet(c->codec, c->packet);
    if (sent == AVERROR(EAGAIN)) /* was full */
        sent = got == 0 ? avcodec_send_frame(c->codec, c->frame) : AVERROR_EXTERNAL;
    return sent < 0 ? sent : got;
}

/* Encodes grey until a coded picture comes out. */
static int probe(struct bf_encoder *c)
{
    int grey = 128;
    for (int i = 0; i < AV_NUM_DATA_POINTERS && c->frame->buf[i] != NULL; i++)
        memset(c->frame->buf[i]->data, grey, (size_t)c->frame->buf[i]->size);
    for (int i = 0; i < PROBE_FRAMES; i++) {
        struct bf_au au = { 0 };
        c->frame->pts = i;
        int r = turn(c);
        if (r < 0 && r != AVERROR(EAGAIN))
            return r;
        if (r == 0)
            bf_au_scan(c->packet->data, (size_t)c->packet->size, &au);
        av_packet_unref(c->packet);
        if (au.has_slice)
            return 0;
    }
    return AVERROR_EXTERNAL;
}

static int open_backend(struct bf_encoder **ret, const struct backend *b, const struct bf_encoder_options *o,
                        bool probing)
{
    struct bf_encoder *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return AVERROR(ENOMEM);
    int r = open_codec(c, b, o);
    if (r >= 0 && probing)
        r = probe(c);
    if (r < 0 || probing)
        bf_encoder_free(c);
    else
        *ret = c;
    return r;
}

static int check_options(const struct bf_encoder_options *o, struct bf_error *e)
{
    if (o->width < 16 || o->height < 16 || o->width > SIDE_MAX || o->height > SIDE_MAX || o->width % 2 != 0 ||
        o->height % 2 != 0)
        return bf_fail(e, -EINVAL, "encoder: %ux%u: even sizes from 16x16 to %dx%d are accepted", o->width, o->height,
                       SIDE_MAX, SIDE_MAX);
    if (o->fps == 0 || o->fps > 1000 || o->bitrate_kbps == 0 || o->bitrate_kbps > 1000000 || o->gop_frames == 0 ||
        o->gop_frames > 10000)
        return bf_fail(e, -EINVAL, "encoder: %u frames/s, %u kbit/s, GOP of %u frames: out of range", o->fps,
                       o->bitrate_kbps, o->gop_frames);
    return 0;
}

int bf_encoder_new(struct bf_encoder **ret, const struct bf_encoder_options *o, struct bf_error *e)
{
    bool automatic = strcmp(o->name, "auto") == 0;
    int r = check_options(o, e);
    if (r == 0)
        r = bf_av_load(e);
    if (r < 0)
        return r;

    r = bf_fail(e, -EINVAL, "encoder \"%s\": auto, h264_v4l2m2m and libx264 are accepted", o->name);
    for (size_t i = 0; i < BF_COUNT_OF(backends); i++) {
        const struct backend *b = &backends[i];
        if (!automatic && strcmp(o->name, b->name) != 0)
            continue;
        int code = b->probe ? open_backend(ret, b, o, true) : 0;
        if (code >= 0)
            code = open_backend(ret, b, o, false);
        if (code >= 0)
            return 0;
        r = bf_av_fail(e, code, b->name);
    }
    return bf_fail_in(e, r, "encoder");
}

const char *bf_encoder_name(const struct bf_encoder *c)
{
    return c->codec->codec->name;
}

static void copy_plane(uint8_t *to, int to_stride, const uint8_t *from, uint32_t from_stride, uint32_t width,
                       uint32_t rows)
{
    for (uint32_t y = 0; y < rows; y++)
        memcpy(to + (ptrdiff_t)to_stride * y, from + (size_t)from_stride * y, width);
}

static int take_frame(struct bf_encoder *c, const struct bf_frame *f, bool force_idr)
{
    AVFrame *to = c->frame;
    if (f->width != (uint32_t)to->width || f->height != (uint32_t)to->height || pixel_format(f->format) != to->format)
        return -EINVAL;
    int r = av_frame_make_writable(to);
    if (r < 0)
        return bf_av_error(r);

    uint32_t chroma = f->format == BF_NV12 ? f->width : f->width / 2;
    copy_plane(to->data[0], to->linesize[0], f->planes[0], f->strides[0], f->width, f->height);
    for (int i = 1; i < (f->format == BF_NV12 ? 2 : 3); i++)
        copy_plane(to->data[i], to->linesize[i], f->planes[i], f->strides[i], chroma, f->height / 2);

    to->pts = c->next_pts++;
    to->pict_type = force_idr ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    c->inside[to->pts % FRAMES_INSIDE_MAX] =
        (struct moment){ .pts = to->pts, .capture_us = f->capture_us, .mono_us = f->mono_us };
    return 0;
}

/* Where the first coded slice begins, start code included; size when there is none. */
static size_t first_slice(const uint8_t *data, size_t size)
{
    struct bf_nal nal;
    for (size_t offset = 0; bf_nal_next(data, size, &offset, &nal);) {
        if (nal.type < BF_NAL_SLICE || nal.type > BF_NAL_IDR)
            continue;
        size_t at = (size_t)(nal.data - data) - 3;
        return at > 0 && data[at - 1] == 0 ? at - 1 : at;
    }
    return size;
}

static int keep_sets(struct bf_encoder *c, const struct bf_au *au)
{
    if (au->sps.size == 0 || au->pps.size == 0)
        return 0;
    c->sets.size = 0;
    int r = bf_bytes_append_nal(&c->sets, &au->sps);
    return r < 0 ? r : bf_bytes_append_nal(&c->sets, &au->pps);
}

/* The packet with the capture time before its first slice, and with parameter sets where an encoder left them out. */
static int finish(struct bf_encoder *c, const struct bf_au *au, uint64_t capture_us)
{
    const uint8_t *data = c->packet->data;
    size_t size = (size_t)c->packet->size, slice = first_slice(data, size);
    uint8_t sei[BF_SEI_MAX];
    size_t sei_size = bf_sei_capture_write(sei, capture_us);

    c->out.size = 0;
    int r = bf_bytes_append(&c->out, data, slice);
    if (r == 0 && au->idr && (au->sps.size == 0 || au->pps.size == 0))
        r = bf_bytes_append(&c->out, c->sets.data, c->sets.size);
    if (r == 0)
        r = bf_bytes_append(&c->out, sei, sei_size);
    if (r == 0)
        r = bf_bytes_append(&c->out, data + slice, size - slice);
    return r;
}

int bf_encoder_encode(struct bf_encoder *c, const struct bf_frame *f, bool force_idr, struct bf_encoded *ret)
{
    struct bf_au au;
    int r = take_frame(c, f, force_idr);
    if (r < 0)
        return r;
    r = turn(c);
    if (r < 0)
        return bf_av_error(r); /* AVERROR(EAGAIN) is -EAGAIN */

    bf_au_scan(c->packet->data, (size_t)c->packet->size, &au);
    const struct moment *m = &c->inside[(uint64_t)c->packet->pts % FRAMES_INSIDE_MAX];
    struct bf_encoded encoded = { .idr = au.idr, .capture_us = m->capture_us, .mono_us = m->mono_us };
    r = keep_sets(c, &au);
    if (r == 0)
        r = au.has_slice ? finish(c, &au, m->capture_us) : -EAGAIN; /* some hardware sends headers on their own */
    av_packet_unref(c->packet);
    if (r < 0)
        return r;

    encoded.data = c->out.data;
    encoded.size = c->out.size;
    *ret = encoded;
    return 0;
}

void bf_encoder_free(struct bf_encoder *c)
{
    if (c == NULL)
        return;
    avcodec_free_context(&c->codec);
    av_frame_free(&c->frame);
    av_packet_free(&c->packet);
    bf_bytes_done(&c->sets);
    bf_bytes_done(&c->out);
    free(c);
}
