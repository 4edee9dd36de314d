#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "media/h264.h"

static const struct bf_encoder_options base = {
    .name = "libx264", .width = 160, .height = 96, .fps = 25, .bitrate_kbps = 300, .gop_frames = 10, .format = BF_I420
};

static struct bf_encoder *open_encoder(const struct bf_encoder_options *o)
{
    struct bf_encoder *c = NULL;
    struct bf_error e = { "" };
    if (bf_encoder_new(&c, o, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

/* Every frame: its packet in the same call, its own capture time inside, in front of the first slice. */
static void each_frame_gives_its_packet(void **state)
{
    (void)state;
    struct bf_encoder *c = open_encoder(&base);
    struct bf_frame *f = picture_new(base.width, base.height);
    for (unsigned i = 0; i < 60; i++) {
        struct bf_encoded out;
        struct bf_au au;
        picture_paint(f, i);
        assert_int_equal(bf_encoder_encode(c, f, false, &out), 0);
        bf_au_scan(out.data, out.size, &au);
        assert_true(au.has_slice);
        assert_int_equal(au.capture_us, f->capture_us);
        assert_int_equal(out.capture_us, f->capture_us);
        assert_int_equal(out.mono_us, f->mono_us);
    }
    picture_free(f);
    bf_encoder_free(c);
}

static void idr_cadence_is_exact(void **state)
{
    (void)state;
    struct bf_encoder *c = open_encoder(&base);
    struct bf_frame *f = picture_new(base.width, base.height);
    unsigned since = 0;
    for (unsigned i = 0; i < 75; i++) {
        struct bf_encoded out;
        struct bf_au au;
        bool force = i == 33 || i == 34;
        bool expected = i == 0 || since == base.gop_frames || force;
        picture_paint(f, i * 37); /* scene changes must not move it */
        assert_int_equal(bf_encoder_encode(c, f, force, &out), 0);
        bf_au_scan(out.data, out.size, &au);
        assert_int_equal(out.idr, expected);
        assert_int_equal(au.idr, expected);
        assert_int_equal(au.sps.size > 0 && au.pps.size > 0, expected);
        since = expected ? 1 : since + 1;
    }
    picture_free(f);
    bf_encoder_free(c);
}

/* AUD, SPS, PPS and SEI stand before the first slice, and our SEI is the last of them. */
static void order_of_nal_units(void **state)
{
    (void)state;
    struct access_unit *aus = access_units_new(160, 96, 3, 2);
    for (unsigned i = 0; i < 3; i++) {
        struct bf_nal nal;
        unsigned before = 0, last = 0;
        for (size_t offset = 0; bf_nal_next(aus[i].data, aus[i].size, &offset, &nal);) {
            if (nal.type == BF_NAL_SLICE || nal.type == BF_NAL_IDR) {
                assert_int_equal(last, BF_NAL_SEI);
                break;
            }
            assert_true(nal.type != BF_NAL_SPS || before == 0 || last == BF_NAL_AUD);
            last = nal.type;
            before++;
        }
        assert_true(before >= 1);
    }
    access_units_free(aus, 3);
}

static void sps_says_what_was_asked(void **state)
{
    static const struct {
        uint32_t width, height, fps;
    } table[] = { { 160, 96, 25 }, { 640, 360, 30 }, { 322, 178, 15 }, { 16, 16, 1 } };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct bf_encoder_options o = base;
        o.width = table[i].width;
        o.height = table[i].height;
        o.fps = table[i].fps;
        struct bf_encoder *c = open_encoder(&o);
        struct bf_frame *f = picture_new(o.width, o.height);
        struct bf_encoded out;
        struct bf_au au;
        struct bf_sps sps;
        picture_paint(f, 1);
        assert_int_equal(bf_encoder_encode(c, f, false, &out), 0);
        bf_au_scan(out.data, out.size, &au);
        assert_int_equal(bf_sps_parse(au.sps.data, au.sps.size, &sps), 0);
        assert_int_equal(sps.width, o.width);
        assert_int_equal(sps.height, o.height);
        assert_int_equal(sps.fps_num, o.fps * sps.fps_den);
        assert_false(sps.reorders);
        picture_free(f);
        bf_encoder_free(c);
    }
}

static void nv12_gives_the_same_picture_size(void **state)
{
    (void)state;
    struct bf_encoder_options o = base;
    o.format = BF_NV12;
    struct bf_encoder *c = open_encoder(&o);
    struct bf_frame *f = picture_new(o.width, o.height);
    struct bf_encoded out;
    picture_paint(f, 0);
    assert_int_equal(bf_encoder_encode(c, f, false, &out), -EINVAL); /* I420 into NV12 */
    f->format = BF_NV12;
    f->strides[1] = o.width;
    assert_int_equal(bf_encoder_encode(c, f, false, &out), 0);
    assert_true(out.idr);
    picture_free(f);
    bf_encoder_free(c);
}

static void bit_rate_is_kept(void **state)
{
    (void)state;
    struct bf_encoder_options o = base;
    o.width = 320;
    o.height = 240;
    o.gop_frames = 25;
    struct bf_encoder *c = open_encoder(&o);
    struct bf_frame *f = picture_new(o.width, o.height);
    size_t bytes = 0;
    for (unsigned i = 0; i < 100; i++) { /* 4 s at 300 kbit/s: 150000 bytes */
        struct bf_encoded out;
        picture_paint(f, i * 11);
        assert_int_equal(bf_encoder_encode(c, f, false, &out), 0);
        bytes += out.size;
    }
    assert_in_range(bytes, 20000, 200000);
    picture_free(f);
    bf_encoder_free(c);
}

static void automatic_choice_encodes(void **state)
{
    (void)state;
    struct bf_encoder_options o = base;
    o.name = "auto";
    struct bf_encoder *c = open_encoder(&o);
    assert_true(strcmp(bf_encoder_name(c), "libx264") == 0 || strcmp(bf_encoder_name(c), "h264_v4l2m2m") == 0);
    bf_encoder_free(c);
}

static void bad_options_are_refused(void **state)
{
    struct bf_encoder_options table[8];
    (void)state;
    for (size_t i = 0; i < 8; i++)
        table[i] = base;
    table[0].name = "h265";
    table[1].width = 161;
    table[2].height = 0;
    table[3].fps = 0;
    table[4].bitrate_kbps = 0;
    table[5].gop_frames = 0;
    table[6].width = 1u << 20;
    table[7].height = 97;
    for (size_t i = 0; i < 8; i++) {
        struct bf_encoder *c = NULL;
        struct bf_error e = { "" };
        assert_int_equal(bf_encoder_new(&c, &table[i], &e), -EINVAL);
        assert_null(c);
        assert_string_not_equal(e.text, "");
    }
}

static long resident_kib(void)
{
    long pages = 0, total = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &total, &pages), 2);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void opening_and_closing_leaves_nothing(void **state)
{
    long before = 0;
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct bf_encoder *c = open_encoder(&base);
        struct bf_frame *f = picture_new(base.width, base.height);
        struct bf_encoded out;
        picture_paint(f, i);
        assert_int_equal(bf_encoder_encode(c, f, false, &out), 0);
        picture_free(f);
        bf_encoder_free(c);
        if (i == 20)
            before = resident_kib();
    }
#ifndef __SANITIZE_ADDRESS__ /* it keeps freed memory for a while, and finds leaks by itself */
    assert_true(resident_kib() - before < 4096);
#else
    (void)before;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_gives_its_packet),
        cmocka_unit_test(idr_cadence_is_exact),
        cmocka_unit_test(order_of_nal_units),
        cmocka_unit_test(sps_says_what_was_asked),
        cmocka_unit_test(nv12_gives_the_same_picture_size),
        cmocka_unit_test(bit_rate_is_kept),
        cmocka_unit_test(automatic_choice_encodes),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(opening_and_closing_leaves_nothing),
    };
    return cmocka_run_group_tests_name("encoder", tests, NULL, NULL);
}
