#include "rig.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "media/cmaf.h"
#include "media/encoder.h"
#include "stream/layout.h"

enum { WIDTH = 160, HEIGHT = 96, FPS = 25, SECONDS = 2, FRAME_90K = 3600, PART_FRAMES = 5 };

BF_DEFINE_CLEANUP(struct bf_encoder, bf_encoder_free)

static void append_file(int dirfd, const char *name, const void *data, size_t size)
{
    _cleanup_(bf_closep) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_int_equal(bf_write_all(fd, data, size), 0);
}

static void append(struct session *s, Belfry__V1__Record *record)
{
    assert_int_equal(bf_journal_append(s->journal, record), 0);
}

static struct bf_cmaf *begin(struct session *s, const struct bf_encoded *first)
{
    struct bf_cmaf *cmaf;
    struct bf_au au;
    struct bf_error e;
    const uint8_t *data;
    size_t size;
    uint8_t hash[32] = { 0 };
    bf_au_scan(first->data, first->size, &au);
    assert_int_equal(bf_cmaf_new(&cmaf, &au.sps, &au.pps, WIDTH, HEIGHT, &e), 0);
    bf_cmaf_init_segment(cmaf, &data, &size);
    append_file(s->dirfd, "init.mp4", data, size);

    Belfry__V1__Init init = BELFRY__V1__INIT__INIT;
    init.file = (char *)"init.mp4";
    init.codecs = (char *)"avc1.42c01f";
    init.width = WIDTH;
    init.height = HEIGHT;
    init.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_INIT;
    r.init = &init;
    append(s, &r);
    return cmaf;
}

static void flush_part(struct session *s, struct bf_cmaf *cmaf, unsigned frame, uint64_t *segment_bytes)
{
    char name[BF_NAME_SIZE];
    const uint8_t *data;
    size_t size;
    assert_int_equal(bf_cmaf_flush(cmaf, &data, &size), 0);
    bf_segment_name(name, s->msn);
    append_file(s->dirfd, name, data, size);

    Belfry__V1__Part part = BELFRY__V1__PART__INIT;
    part.counter = s->counter++;
    part.msn = s->msn;
    part.offset = *segment_bytes;
    part.length = size;
    part.duration_90k = PART_FRAMES * FRAME_90K;
    part.frames = PART_FRAMES;
    part.decode_time_90k = (uint64_t)(frame + 1 - PART_FRAMES) * FRAME_90K;
    part.independent = part.decode_time_90k % 90000 == 0;
    part.capture_us = STARTED_MS * 1000ull + part.decode_time_90k * 100 / 9;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_PART;
    r.part = &part;
    append(s, &r);
    *segment_bytes += size;
}

static void end_segment(struct session *s, uint64_t *bytes)
{
    uint8_t hash[32] = { (uint8_t)s->msn }, signature[64] = { 0 }, keyid[16] = { 0 };
    Belfry__V1__SegmentEnd end = BELFRY__V1__SEGMENT_END__INIT;
    end.msn = s->msn;
    end.bytes = *bytes;
    end.duration_90k = 90000;
    end.decode_time_90k = s->msn * 90000;
    end.sha256 = end.link = (ProtobufCBinaryData){ sizeof hash, hash };
    end.signature = (ProtobufCBinaryData){ sizeof signature, signature };
    end.keyid = (ProtobufCBinaryData){ sizeof keyid, keyid };
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_SEGMENT_END;
    r.segment_end = &end;
    append(s, &r);
    s->msn++;
    s->decode_time_90k += 90000;
    *bytes = 0;
}

void session_real_segments(struct session *s)
{
    static uint8_t luma[WIDTH * HEIGHT], chroma[WIDTH * HEIGHT / 4];
    struct bf_frame frame = { .format = BF_I420,
                              .width = WIDTH,
                              .height = HEIGHT,
                              .planes = { luma, chroma, chroma },
                              .strides = { WIDTH, WIDTH / 2, WIDTH / 2 } };
    struct bf_encoder_options o = { .name = "libx264",
                                    .width = WIDTH,
                                    .height = HEIGHT,
                                    .fps = FPS,
                                    .bitrate_kbps = 300,
                                    .gop_frames = FPS,
                                    .format = BF_I420 };
    _cleanup_(bf_encoder_freep) struct bf_encoder *encoder = NULL;
    struct bf_cmaf *cmaf = NULL;
    struct bf_encoded au;
    struct bf_error e = { 0 };
    uint64_t segment_bytes = 0;
    memset(chroma, 128, sizeof chroma);
    if (bf_encoder_new(&encoder, &o, &e) < 0)
        fail_msg("%s", e.text);

    for (unsigned i = 0; i < SECONDS * FPS; i++) {
        memset(luma, (int)(16 + 4 * i), sizeof luma);
        frame.mono_us = i * 40000;
        assert_int_equal(bf_encoder_encode(encoder, &frame, i % FPS == 0, &au), 0);
        if (cmaf == NULL)
            cmaf = begin(s, &au);
        int64_t dts = (int64_t)i * FRAME_90K;
        assert_int_equal(bf_cmaf_add(cmaf, au.data, au.size, dts, dts, FRAME_90K, au.idr), 0);
        if (i % PART_FRAMES == PART_FRAMES - 1)
            flush_part(s, cmaf, i, &segment_bytes);
        if (i % FPS == FPS - 1)
            end_segment(s, &segment_bytes);
    }
    bf_cmaf_free(cmaf);
}
