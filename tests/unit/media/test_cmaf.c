#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "media/cmaf.h"

enum { WIDTH = 160, HEIGHT = 96, FRAMES = 60, GOP = 20, FRAME_90K = 3600 };

struct movie {
    struct access_unit *aus;
    struct bf_cmaf *cmaf;
};

static void movie_open(struct movie *m)
{
    struct bf_au au;
    struct bf_error e = { "" };
    m->aus = access_units_new(WIDTH, HEIGHT, FRAMES, GOP);
    bf_au_scan(m->aus[0].data, m->aus[0].size, &au);
    if (bf_cmaf_new(&m->cmaf, &au.sps, &au.pps, WIDTH, HEIGHT, &e) < 0)
        fail_msg("%s", e.text);
}

static void movie_close(struct movie *m)
{
    bf_cmaf_free(m->cmaf);
    access_units_free(m->aus, FRAMES);
}

static void add(struct movie *m, unsigned i, int64_t dts)
{
    const struct access_unit *au = &m->aus[i];
    assert_int_equal(bf_cmaf_add(m->cmaf, au->data, au->size, dts, dts, FRAME_90K, au->idr), 0);
}

static void init_segment_is_ready_at_once(void **state)
{
    struct movie m;
    const uint8_t *init;
    size_t size, offset = 0;
    struct box box;
    (void)state;
    movie_open(&m);
    bf_cmaf_init_segment(m.cmaf, &init, &size);
    assert_true(box_next(init, size, &offset, &box));
    assert_string_equal(box.type, "ftyp");
    assert_true(box_next(init, size, &offset, &box));
    assert_string_equal(box.type, "moov");
    assert_false(box_next(init, size, &offset, &box));

    struct box mdhd = box_find(init, size, "moov/trak/mdia/mdhd");
    assert_int_equal(be_read(mdhd.body + 12, 4), 90000);
    struct box stsd = box_find(init, size, "moov/trak/mdia/minf/stbl/stsd");
    assert_memory_equal(stsd.body + 12, "avc1", 4);
    movie_close(&m);
}

/* tfhd and trun as far as the sample flags and durations of our parts need. */
struct sample {
    uint32_t duration, flags;
};

static unsigned read_samples(const uint8_t *part, size_t size, struct sample *to, unsigned room)
{
    struct box tfhd = box_find(part, size, "moof/traf/tfhd"), trun = box_find(part, size, "moof/traf/trun");
    uint32_t has = (uint32_t)be_read(tfhd.body, 4) & 0xffffff;
    const uint8_t *p = tfhd.body + 8;
    struct sample standard = { 0 };
    p += (has & 0x1 ? 8 : 0) + (has & 0x2 ? 4 : 0);
    if (has & 0x8)
        standard.duration = (uint32_t)be_read(p, 4), p += 4;
    p += has & 0x10 ? 4 : 0;
    if (has & 0x20)
        standard.flags = (uint32_t)be_read(p, 4);

    uint32_t gives = (uint32_t)be_read(trun.body, 4) & 0xffffff, count = (uint32_t)be_read(trun.body + 4, 4);
    p = trun.body + 8 + (gives & 0x1 ? 4 : 0);
    uint32_t first_flags = gives & 0x4 ? (uint32_t)be_read(p, 4) : standard.flags;
    p += gives & 0x4 ? 4 : 0;
    assert_true(count <= room);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = standard;
        to[i].flags = i == 0 ? first_flags : standard.flags;
        if (gives & 0x100)
            to[i].duration = (uint32_t)be_read(p, 4), p += 4;
        p += gives & 0x200 ? 4 : 0;
        if (gives & 0x400)
            to[i].flags = (uint32_t)be_read(p, 4), p += 4;
        p += gives & 0x800 ? 4 : 0;
    }
    return count;
}

static uint64_t decode_time(const uint8_t *part, size_t size)
{
    struct box tfdt = box_find(part, size, "moof/traf/tfdt");
    assert_int_equal(tfdt.body[0], 1);
    return be_read(tfdt.body + 4, 8);
}

static void assert_moof_and_mdat(const uint8_t *part, size_t size)
{
    struct box box;
    size_t offset = 0;
    assert_true(box_next(part, size, &offset, &box));
    assert_string_equal(box.type, "moof");
    assert_true(box_next(part, size, &offset, &box));
    assert_string_equal(box.type, "mdat");
    assert_false(box_next(part, size, &offset, &box));
}

static void parts_are_whole_and_follow(void **state)
{
    enum { DEPENDS = 0x01010000, SYNC = 0x02000000, PER_PART = 6 };
    struct movie m;
    const int64_t start = INT64_C(8589934592) * 3; /* far beyond 33 bits */
    uint64_t expected = (uint64_t)start;
    uint32_t sequence = 0;
    (void)state;
    movie_open(&m);
    for (unsigned i = 0; i < FRAMES; i += PER_PART) {
        const uint8_t *part;
        size_t size;
        struct sample samples[PER_PART];
        for (unsigned k = i; k < i + PER_PART; k++)
            add(&m, k, start + (int64_t)k * FRAME_90K);
        assert_int_equal(bf_cmaf_flush(m.cmaf, &part, &size), 0);
        assert_moof_and_mdat(part, size);
        assert_true(decode_time(part, size) == expected);
        assert_int_equal(be_read(box_find(part, size, "moof/mfhd").body + 4, 4), ++sequence);
        assert_int_equal(read_samples(part, size, samples, PER_PART), PER_PART);
        for (unsigned k = 0; k < PER_PART; k++) {
            assert_int_equal(samples[k].duration, FRAME_90K);
            assert_int_equal(samples[k].flags, m.aus[i + k].idr ? SYNC : DEPENDS);
            expected += samples[k].duration;
        }
    }
    movie_close(&m);
}

/* Frames come when they come: each sample's time must be its own, in every part, however the muxer counts. */
static void jitter_neither_drifts_nor_breaks(void **state)
{
    static const int jitter[] = { 0, 900, -1500, 40, 1700, -900, 3, -3, 1600, -1700, 0 };
    struct movie m;
    int64_t dts[FRAMES];
    unsigned sizes[] = { 1, 5, 2, 7, 1, 1, 13, 6, 9, 15 }, at = 0;
    (void)state;
    movie_open(&m);
    for (unsigned i = 0; i < FRAMES; i++)
        dts[i] = 1000000 + (int64_t)i * FRAME_90K + jitter[i % 11] + (i >= 30 ? 90000 : 0);
    for (unsigned p = 0; p < sizeof(sizes) / sizeof(sizes[0]); p++) {
        const uint8_t *part;
        size_t size;
        struct sample samples[16];
        for (unsigned k = 0; k < sizes[p]; k++)
            add(&m, at + k, dts[at + k]);
        assert_int_equal(bf_cmaf_flush(m.cmaf, &part, &size), 0);
        assert_moof_and_mdat(part, size);
        int64_t time = (int64_t)decode_time(part, size);
        assert_int_equal(read_samples(part, size, samples, 16), sizes[p]);
        for (unsigned k = 0; k < sizes[p]; k++) {
            assert_true(time == dts[at + k]);
            time += samples[k].duration;
        }
        assert_int_equal(samples[sizes[p] - 1].duration, FRAME_90K);
        at += sizes[p];
    }
    assert_int_equal(at, FRAMES);
    movie_close(&m);
}

static void samples_hold_no_parameter_sets(void **state)
{
    struct movie m;
    const uint8_t *part;
    size_t size;
    (void)state;
    movie_open(&m);
    add(&m, 0, 0);
    assert_int_equal(bf_cmaf_flush(m.cmaf, &part, &size), 0);
    struct box mdat = box_find(part, size, "mdat");
    bool idr = false, sei = false;
    for (size_t at = 0; at < mdat.body_size;) {
        size_t length = (size_t)be_read(mdat.body + at, 4);
        unsigned type = mdat.body[at + 4] & 0x1f;
        assert_true(length > 0 && length <= mdat.body_size - at - 4);
        assert_true(type != BF_NAL_SPS && type != BF_NAL_PPS && type != BF_NAL_AUD);
        idr |= type == BF_NAL_IDR;
        sei |= type == BF_NAL_SEI;
        at += 4 + length;
    }
    assert_true(idr && sei);
    movie_close(&m);
}

static void bad_calls_are_refused(void **state)
{
    static const uint8_t no_slice[] = { 0, 0, 0, 1, 9, 0xf0 };
    struct movie m;
    const uint8_t *part;
    size_t size;
    (void)state;
    movie_open(&m);
    const struct access_unit *au = &m.aus[0];
    assert_int_equal(bf_cmaf_flush(m.cmaf, &part, &size), -ENODATA);
    assert_int_equal(bf_cmaf_add(m.cmaf, no_slice, sizeof(no_slice), 10, 10, FRAME_90K, true), -EBADMSG);
    assert_int_equal(bf_cmaf_add(m.cmaf, au->data, 0, 10, 10, FRAME_90K, true), -EBADMSG);
    assert_int_equal(bf_cmaf_add(m.cmaf, au->data, au->size, -1, 10, FRAME_90K, true), -EINVAL);
    assert_int_equal(bf_cmaf_add(m.cmaf, au->data, au->size, 10, 9, FRAME_90K, true), -EINVAL);
    assert_int_equal(bf_cmaf_add(m.cmaf, au->data, au->size, 10, 10, 0, true), -EINVAL);
    assert_int_equal(bf_cmaf_flush(m.cmaf, &part, &size), -ENODATA);
    add(&m, 0, 10);
    assert_int_equal(bf_cmaf_add(m.cmaf, au->data, au->size, 10, 10, FRAME_90K, true), -EINVAL);
    assert_int_equal(bf_cmaf_flush(m.cmaf, &part, &size), 0);
    assert_true(decode_time(part, size) == 10);
    movie_close(&m);

    struct bf_cmaf *none = NULL;
    struct bf_error e = { "" };
    assert_int_equal(bf_cmaf_new(&none, &(struct bf_nal){ 0 }, &(struct bf_nal){ 0 }, 2, 2, &e), -EINVAL);
    assert_null(none);
}

/* Another implementation's reading: every frame is there, the key frames are where they should be. */
static void ffprobe_reads_it(void **state)
{
    struct movie m;
    char path[64];
    int dir = make_dir(path);
    const uint8_t *data;
    size_t size;
    (void)state;
    movie_open(&m);
    bf_cmaf_init_segment(m.cmaf, &data, &size);
    write_file(dir, "all.mp4", data, size);
    for (unsigned i = 0; i < FRAMES; i++) {
        add(&m, i, 90000 + (int64_t)i * FRAME_90K);
        if (i % 5 != 4)
            continue;
        assert_int_equal(bf_cmaf_flush(m.cmaf, &data, &size), 0);
        write_file(dir, "all.mp4", data, size);
    }
    assert_string_equal(output_of("ffprobe -v error -select_streams v -count_frames -show_entries "
                                  "stream=codec_name,width,height,nb_read_frames -of csv=p=0 %s/all.mp4 2>&1",
                                  path),
                        "h264,160,96,60");
    assert_string_equal(output_of("ffprobe -v error -show_entries packet=pts,flags -of csv=p=0 %s/all.mp4 2>&1 "
                                  "| grep K | tr -d '_\\n'",
                                  path),
                        "90000,K162000,K234000,K");
    movie_close(&m);
    remove_dir(dir, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_segment_is_ready_at_once),
        cmocka_unit_test(parts_are_whole_and_follow),
        cmocka_unit_test(jitter_neither_drifts_nor_breaks),
        cmocka_unit_test(samples_hold_no_parameter_sets),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(ffprobe_reads_it),
    };
    return cmocka_run_group_tests_name("cmaf", tests, NULL, NULL);
}
