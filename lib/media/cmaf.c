#include "media/cmaf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/bytes.h"

#define IO_BUFFER_BYTES 32768

/* The muxer runs on a timeline of its own on which each part begins where libavformat believes that the last one ended.
 * It insists on that, while our parts begin when their first frame was taken: the true decode time goes into the tfdt of
 * the finished part. Distances inside a part are the true ones. */
struct bf_cmaf {
    AVFormatContext *mux;
    AVIOContext *io;
    AVPacket *packet;
    struct bf_bytes init, part, au;
    struct bf_bytes *out; /* where the muxer writes to: init, then part */
    int write_error;
    unsigned samples; /* in the part being made */
    int64_t shift;    /* muxer's dts - true dts, in this part */
    int64_t part_dts; /* true dts of its first sample */
    int64_t last_dts;
    int64_t mux_end; /* where the muxer believes that its track ends */
};

static int collect(void *user, bf_av_written *data, int size)
{
    struct bf_cmaf *c = user;
    if (c->write_error == 0)
        c->write_error = bf_bytes_append(c->out, data, (size_t)size);
    return c->write_error < 0 ? c->write_error : size;
}

static int set_parameters(AVCodecParameters *par, const struct bf_nal *sps, const struct bf_nal *pps, uint32_t width,
                          uint32_t height)
{
    struct bf_bytes sets = { 0 };
    if (bf_bytes_append_nal(&sets, sps) < 0 || bf_bytes_append_nal(&sets, pps) < 0 ||
        (par->extradata = av_mallocz(sets.size + AV_INPUT_BUFFER_PADDING_SIZE)) == NULL) {
        bf_bytes_done(&sets);
        return AVERROR(ENOMEM);
    }
    memcpy(par->extradata, sets.data, sets.size);
    par->extradata_size = (int)sets.size;
    bf_bytes_done(&sets);

    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_H264;
    par->width = (int)width;
    par->height = (int)height;
    return 0;
}

static int write_header(struct bf_cmaf *c)
{
    _cleanup_(bf_av_dict_freep) AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", "+frag_custom+cmaf+skip_trailer", 0);
    av_dict_set(&options, "use_editlist", "0", 0); /* the default differs between versions */
    av_dict_set(&options, "video_track_timescale", "90000", 0);
    c->mux->flags |= AVFMT_FLAG_CUSTOM_IO;
    c->mux->avoid_negative_ts = 0; /* never shift */

    c->out = &c->init;
    int r = avformat_write_header(c->mux, &options);
    avio_flush(c->io);
    c->out = &c->part;
    return r < 0 ? r : c->write_error;
}

static int open_mux(struct bf_cmaf *c, const struct bf_nal *sps, const struct bf_nal *pps, uint32_t width,
                    uint32_t height)
{
    int r = avformat_alloc_output_context2(&c->mux, NULL, "mp4", NULL);
    if (r < 0)
        return r;
    AVStream *stream = avformat_new_stream(c->mux, NULL);
    c->packet = av_packet_alloc();
    c->io = bf_av_io_new(IO_BUFFER_BYTES, c, NULL, collect, NULL);
    if (stream == NULL || c->io == NULL || c->packet == NULL)
        return AVERROR(ENOMEM);

    c->mux->pb = c->io;
    stream->time_base = (AVRational){ 1, 90000 };
    r = set_parameters(stream->codecpar, sps, pps, width, height);
    return r < 0 ? r : write_header(c);
}

int bf_cmaf_new(struct bf_cmaf **ret, const struct bf_nal *sps, const struct bf_nal *pps, uint32_t width,
                uint32_t height, struct bf_error *e)
{
    if (sps->size < 4 || pps->size == 0 || width == 0 || height == 0)
        return bf_fail(e, -EINVAL, "CMAF: an SPS, a PPS and a picture size are needed");
    int r = bf_av_load(e);
    if (r < 0)
        return r;
    struct bf_cmaf *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    c->last_dts = INT64_MIN;
    r = open_mux(c, sps, pps, width, height);
    if (r < 0) {
        bf_cmaf_free(c);
        return bf_av_fail(e, r, "CMAF muxer");
    }
    *ret = c;
    return 0;
}

void bf_cmaf_free(struct bf_cmaf *c)
{
    if (c == NULL)
        return;
    avformat_free_context(c->mux); /* no trailer: what was not flushed is not wanted */
    bf_av_io_free(c->io);
    av_packet_free(&c->packet);
    bf_bytes_done(&c->init);
    bf_bytes_done(&c->part);
    bf_bytes_done(&c->au);
    free(c);
}

void bf_cmaf_init_segment(const struct bf_cmaf *c, const uint8_t **ret, size_t *ret_size)
{
    *ret = c->init.data;
    *ret_size = c->init.size;
}

/* Parameter sets live in the init segment (ISO/IEC 14496-15, 5.3.1, sample entry avc1); delimiters and filler only cost
 * bytes. -EBADMSG when no slice is left. */
static int strip(struct bf_bytes *to, const uint8_t *au, size_t size)
{
    enum { FILLER = 12 };
    bool slice = false;
    struct bf_nal nal;
    to->size = 0;
    for (size_t offset = 0; bf_nal_next(au, size, &offset, &nal);) {
        if (nal.type == BF_NAL_AUD || nal.type == BF_NAL_SPS || nal.type == BF_NAL_PPS || nal.type == FILLER)
            continue;
        slice |= nal.type >= BF_NAL_SLICE && nal.type <= BF_NAL_IDR;
        int r = bf_bytes_append_nal(to, &nal);
        if (r < 0)
            return r;
    }
    return slice ? 0 : -EBADMSG;
}

int bf_cmaf_add(struct bf_cmaf *c, const uint8_t *au, size_t size, int64_t dts_90k, int64_t pts_90k,
                uint32_t duration_90k, bool idr)
{
    if (dts_90k < 0 || dts_90k <= c->last_dts || pts_90k < dts_90k || duration_90k == 0)
        return -EINVAL;
    int r = strip(&c->au, au, size);
    if (r < 0)
        return r;
    if (c->samples == 0) {
        c->part.size = 0;
        c->part_dts = dts_90k;
        c->shift = c->mux_end - dts_90k;
    }

    c->packet->data = c->au.data;
    c->packet->size = (int)c->au.size;
    c->packet->dts = dts_90k + c->shift;
    c->packet->pts = pts_90k + c->shift;
    c->packet->duration = duration_90k;
    c->packet->flags = idr ? AV_PKT_FLAG_KEY : 0;
    r = av_write_frame(c->mux, c->packet);
    av_packet_unref(c->packet);
    if (r < 0)
        return bf_av_error(r);

    c->samples++;
    c->last_dts = dts_90k;
    c->mux_end = dts_90k + c->shift + duration_90k;
    return 0;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The body of the first box of this type among `size` bytes of boxes; NULL when there is none. */
static uint8_t *box_body(uint8_t *boxes, size_t size, const char *type, size_t *ret_size)
{
    while (size >= 8) {
        size_t length = be32(boxes);
        if (length < 8 || length > size)
            return NULL;
        if (memcmp(boxes + 4, type, 4) == 0) {
            *ret_size = length - 8;
            return boxes + 8;
        }
        boxes += length;
        size -= length;
    }
    return NULL;
}

/* moof/traf/tfdt, version 1: 4 bytes of version and flags, then baseMediaDecodeTime (ISO/IEC 14496-12, 8.8.12). */
static int set_decode_time(struct bf_bytes *part, uint64_t decode_time_90k)
{
    size_t size = part->size;
    uint8_t *body = part->data;
    static const char *const path[] = { "moof", "traf", "tfdt" };
    for (size_t i = 0; i < BF_COUNT_OF(path) && body != NULL; i++)
        body = box_body(body, size, path[i], &size);
    if (body == NULL || size != 12 || body[0] != 1)
        return -EBADMSG;
    for (unsigned i = 0; i < 8; i++)
        body[4 + i] = (uint8_t)(decode_time_90k >> (56 - 8 * i));
    return 0;
}

int bf_cmaf_flush(struct bf_cmaf *c, const uint8_t **ret, size_t *ret_size)
{
    if (c->samples == 0)
        return -ENODATA;
    c->samples = 0;
    int r = av_write_frame(c->mux, NULL);
    avio_flush(c->io);
    if (r < 0 || c->write_error < 0)
        return r < 0 ? bf_av_error(r) : c->write_error;

    r = set_decode_time(&c->part, (uint64_t)c->part_dts);
    if (r < 0)
        return r;
    *ret = c->part.data;
    *ret_size = c->part.size;
    return 0;
}
