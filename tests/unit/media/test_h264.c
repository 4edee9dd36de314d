#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "media/h264.h"

/* Bits written most significant first, with emulation prevention added at the end: SPS made to measure. */
struct writer {
    uint8_t raw[512];
    unsigned bits;
};

static void put(struct writer *w, unsigned n, uint64_t value)
{
    while (n-- > 0) {
        if (value >> n & 1)
            w->raw[w->bits / 8] |= (uint8_t)(0x80 >> w->bits % 8);
        w->bits++;
    }
}

static void put_ue(struct writer *w, uint64_t value)
{
    unsigned bits = 0;
    while ((value + 1) >> (bits + 1) != 0)
        bits++;
    put(w, bits, 0);
    put(w, bits + 1, value + 1);
}

static size_t escape(const struct writer *w, uint8_t *to)
{
    size_t size = (w->bits + 7) / 8, at = 0;
    unsigned zeros = 0;
    for (size_t i = 0; i < size; i++) {
        if (zeros >= 2 && w->raw[i] <= 3) {
            to[at++] = 3;
            zeros = 0;
        }
        zeros = w->raw[i] == 0 ? zeros + 1 : 0;
        to[at++] = w->raw[i];
    }
    return at;
}

struct wish {
    unsigned profile, poc_type, width_mbs, height_units, frame_only;
    unsigned crop_right, crop_bottom;
    unsigned chroma_format;
    unsigned ticks, scale; /* 0, 0: no timing */
    int reorder;           /* -1: no bitstream_restriction */
    unsigned hrd;
};

static void put_vui(struct writer *w, const struct wish *s)
{
    put(w, 4, 0); /* aspect, overscan, video signal, chroma location */
    put(w, 1, s->scale != 0);
    if (s->scale != 0) {
        put(w, 32, s->ticks);
        put(w, 32, s->scale);
        put(w, 1, 1);
    }
    put(w, 1, s->hrd);
    if (s->hrd != 0) {
        put_ue(w, 0);
        put(w, 8, 0);
        put_ue(w, 1000000);
        put_ue(w, 1000000);
        put(w, 1, 0);
        put(w, 20, 0);
    }
    put(w, 1, 0);
    if (s->hrd != 0)
        put(w, 1, 0);
    put(w, 1, 0);
    put(w, 1, s->reorder >= 0);
    if (s->reorder >= 0) {
        put(w, 1, 1);
        for (unsigned i = 0; i < 4; i++)
            put_ue(w, 0);
        put_ue(w, (unsigned)s->reorder);
        put_ue(w, 4);
    }
}

static size_t make_sps(const struct wish *s, uint8_t *to)
{
    struct writer w = { 0 };
    put(&w, 8, 0x67);
    put(&w, 8, s->profile);
    put(&w, 8, 0xc0);
    put(&w, 8, 31);
    put_ue(&w, 0);
    if (s->profile == 100) {
        put_ue(&w, s->chroma_format);
        if (s->chroma_format == 3)
            put(&w, 1, 0);
        put_ue(&w, 0);
        put_ue(&w, 0);
        put(&w, 2, 0);
    }
    put_ue(&w, 0);
    put_ue(&w, s->poc_type);
    if (s->poc_type == 0)
        put_ue(&w, 2);
    if (s->poc_type == 1) {
        put(&w, 1, 0);
        put_ue(&w, 3);
        put_ue(&w, 4);
        put_ue(&w, 2);
        put_ue(&w, 1);
        put_ue(&w, 2);
    }
    put_ue(&w, 1);
    put(&w, 1, 0);
    put_ue(&w, s->width_mbs - 1);
    put_ue(&w, s->height_units - 1);
    put(&w, 1, s->frame_only);
    if (s->frame_only == 0)
        put(&w, 1, 0);
    put(&w, 1, 1);
    put(&w, 1, s->crop_right + s->crop_bottom > 0);
    if (s->crop_right + s->crop_bottom > 0) {
        put_ue(&w, 0);
        put_ue(&w, s->crop_right);
        put_ue(&w, 0);
        put_ue(&w, s->crop_bottom);
    }
    bool vui = s->scale != 0 || s->reorder >= 0 || s->hrd != 0;
    put(&w, 1, vui);
    if (vui)
        put_vui(&w, s);
    put(&w, 1, 1);
    return escape(&w, to);
}

static void nal_units_are_found(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        unsigned count;
        struct {
            unsigned type;
            size_t size;
        } units[3];
    } table[] = {
        { "", 0, 0, { { 0 } } },
        { "\x09\x10\x65", 3, 0, { { 0 } } },
        { "\0\0\1", 3, 0, { { 0 } } },
        { "\0\0\0\1\x65", 5, 1, { { 5, 1 } } },
        { "\0\0\1\x09\xf0\0\0\0\1\x67\x42\0\0\1\x68\xce\0\0\0", 19, 3, { { 9, 2 }, { 7, 2 }, { 8, 2 } } },
        { "\xff\xff\0\0\1\x41\x9a\0\0\1\0\0\1\x06\x05", 15, 2, { { 1, 2 }, { 6, 2 } } },
        { "\0\0\1\0\0\1\0\0\1\x65\x88", 11, 1, { { 5, 2 } } },
        { "\0\0\1\x65\0\0\3\0\0\3\1", 11, 1, { { 5, 8 } } },
        { "\0\0\1\x65\0\0", 6, 1, { { 5, 1 } } },
    };
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_nal nal;
        size_t offset = 0;
        for (unsigned k = 0; k < table[i].count; k++) {
            assert_true(bf_nal_next((const uint8_t *)table[i].bytes, table[i].size, &offset, &nal));
            assert_int_equal(nal.type, table[i].units[k].type);
            assert_int_equal(nal.size, table[i].units[k].size);
        }
        assert_false(bf_nal_next((const uint8_t *)table[i].bytes, table[i].size, &offset, &nal));
        assert_false(bf_nal_next((const uint8_t *)table[i].bytes, table[i].size, &offset, &nal));
    }
}

static void access_unit_is_described(void **state)
{
    static const uint8_t data[] =
        "\0\0\0\1\x09\xf0\0\0\0\1\x67\x01\0\0\1\x67\x42\xc0\x1f\0\0\1\x68\xce\0\0\1\x06\x05\x01\xff\x80"
        "\0\0\1\x65\x88\x84";
    struct bf_au au;
    (void)state;
    bf_au_scan(data, sizeof(data) - 1, &au);
    assert_true(au.idr);
    assert_true(au.has_slice);
    assert_int_equal(au.sps.size, 4); /* the last of two */
    assert_int_equal(au.pps.size, 2);
    assert_int_equal(au.capture_us, 0);

    bf_au_scan((const uint8_t *)"\0\0\1\x41\x9a", 5, &au);
    assert_false(au.idr);
    assert_true(au.has_slice);
    assert_int_equal(au.sps.size, 0);

    bf_au_scan(data, 12, &au);
    assert_false(au.has_slice);
}

static void capture_time_survives(void **state)
{
    static const uint64_t table[] = { 1,
                                      2,
                                      3,
                                      255,
                                      256,
                                      0x000003,
                                      0x030000,
                                      0x0000030000000001,
                                      1769860800123456,
                                      0x0100000000000000,
                                      0x0000010000020003,
                                      UINT64_MAX,
                                      0x0000000000000100,
                                      0x0200000003000001 };
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        uint8_t au[3 + BF_SEI_MAX + 6] = { 0, 0, 1 }, *sei = au + 3;
        size_t size = bf_sei_capture_write(sei, table[i]);
        assert_in_range(size, 32, BF_SEI_MAX);
        /* Nothing after the start code may look like one, or like the start of one (7.4.1). */
        for (size_t k = 4; k + 2 < size; k++)
            assert_false(sei[k] == 0 && sei[k + 1] == 0 && sei[k + 2] <= 2);
        assert_int_equal(sei[size - 1], 0x80);
        memcpy(sei + size, "\0\0\1\x41\x9a\x01", 6);

        struct bf_au scan;
        bf_au_scan(sei, size + 6, &scan);
        assert_true(scan.capture_us == table[i]);
        assert_true(scan.has_slice);
        for (size_t cut = 0; cut + 1 < size; cut++) { /* whatever is missing, nothing is made up */
            bf_au_scan(sei, cut, &scan);
            assert_true(scan.capture_us == 0 || scan.capture_us == table[i]);
        }
    }
}

/* Our message behind others in one SEI, and messages that only look like ours. */
static void capture_time_among_other_messages(void **state)
{
    uint8_t own[BF_SEI_MAX], data[1024] = { 0, 0, 1, 6, 1, 2, 0xaa, 0xbb, 5, 255, 10 };
    struct bf_au au;
    (void)state;
    size_t own_size = bf_sei_capture_write(own, 1769860800123456), at = 11;
    memset(data + at, 0x55, 265);
    at += 265;
    memcpy(data + at, own + 5, own_size - 5);
    bf_au_scan(data, at + own_size - 5, &au);
    assert_true(au.capture_us == 1769860800123456);

    own[10] ^= 1; /* another UUID */
    bf_au_scan(own, own_size, &au);
    assert_true(au.capture_us == 0);

    static const uint8_t endless[] = "\0\0\1\x06\xff\xff\xff\xff\xff\xff";
    bf_au_scan(endless, sizeof(endless) - 1, &au);
    assert_true(au.capture_us == 0);
}

static void sps_is_read(void **state)
{
    static const struct {
        struct wish wish;
        uint32_t width, height, fps_num, fps_den;
        bool reorders;
    } table[] = {
        { { 66, 2, 40, 30, 1, 0, 0, 1, 0, 0, -1, 0 }, 640, 480, 0, 1, false },
        { { 66, 0, 40, 30, 1, 0, 0, 1, 0, 0, -1, 0 }, 640, 480, 0, 1, false },
        { { 77, 0, 40, 30, 1, 0, 0, 1, 0, 0, -1, 0 }, 640, 480, 0, 1, true },
        { { 77, 2, 40, 30, 1, 0, 0, 1, 0, 0, -1, 0 }, 640, 480, 0, 1, false },
        { { 100, 0, 120, 68, 1, 0, 4, 1, 1, 60, 0, 0 }, 1920, 1080, 30, 1, false },
        { { 100, 0, 120, 68, 1, 0, 4, 1, 1, 60, 2, 1 }, 1920, 1080, 30, 1, true },
        { { 100, 0, 120, 34, 0, 0, 2, 1, 1001, 60000, 0, 0 }, 1920, 1080, 30000, 1001, false },
        { { 100, 1, 20, 15, 1, 1, 0, 3, 1, 50, 0, 0 }, 319, 240, 25, 1, false },
        { { 100, 0, 20, 15, 1, 1, 1, 0, 2, 50, 0, 0 }, 319, 239, 25, 2, false },
        { { 100, 0, 20, 15, 1, 0, 0, 1, 1, 31, 0, 0 }, 320, 240, 31, 2, false },
        { { 100, 0, 20, 15, 1, 0, 0, 1, 0xffffffff, 1, 0, 0 }, 320, 240, 0, 1, false },
        { { 100, 0, 20, 15, 1, 0, 0, 1, 1, 0xffffffff, 0, 0 }, 320, 240, 0xffffffff, 2, false },
        { { 66, 2, 1, 1, 1, 7, 0, 1, 0, 0, -1, 0 }, 2, 16, 0, 1, false },
    };
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        uint8_t nal[768];
        struct bf_sps sps;
        size_t size = make_sps(&table[i].wish, nal);
        assert_int_equal(bf_sps_parse(nal, size, &sps), 0);
        assert_int_equal(sps.profile_idc, table[i].wish.profile);
        assert_int_equal(sps.level_idc, 31);
        assert_int_equal(sps.width, table[i].width);
        assert_int_equal(sps.height, table[i].height);
        assert_int_equal(sps.fps_num, table[i].fps_num);
        assert_int_equal(sps.fps_den, table[i].fps_den);
        assert_int_equal(sps.reorders, table[i].reorders);

        /* Every cut is an error, and says nothing. Bits of the last byte may be all trailing. */
        for (size_t cut = 0; cut + 1 < size; cut++) {
            uint8_t *exact = malloc(cut + 1); /* a heap block of the right size shows any read past it */
            assert_non_null(exact);
            memcpy(exact, nal, cut);
            struct bf_sps untouched = { .width = 7 };
            if (bf_sps_parse(exact, cut, &untouched) < 0)
                assert_int_equal(untouched.width, 7);
            else
                assert_true(cut + 2 >= size);
            free(exact);
        }
    }
}

static void hostile_sps_is_refused(void **state)
{
    static const struct wish table[] = {
        { 66, 2, 1056, 1, 1, 0, 0, 1, 0, 0, -1, 0 },       /* too wide */
        { 66, 2, 1055, 1055, 1, 0, 0, 1, 0, 0, -1, 0 },    /* too many macroblocks */
        { 66, 2, 500, 200, 0, 0, 0, 1, 0, 0, -1, 0 },      /* the same through fields */
        { 66, 2, 1, 1, 1, 8, 0, 1, 0, 0, -1, 0 },          /* nothing left after cropping */
        { 66, 2, 1, 1, 1, 0, 0xfffffffe, 1, 0, 0, -1, 0 }, /* would wrap around */
        { 66, 3, 40, 30, 1, 0, 0, 1, 0, 0, -1, 0 },        /* no such order count type */
        { 100, 0, 40, 30, 1, 0, 0, 4, 0, 0, -1, 0 },       /* no such chroma format */
        { 100, 0, 40, 30, 1, 0, 0, 1, 0, 0, 17, 0 },       /* reorders more than there can be */
        { 100, 0, 40, 30, 1, 0, 0, 1, 0, 0, 5, 0 },        /* reorders more than it buffers */
    };
    uint8_t nal[768];
    struct bf_sps sps;
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++)
        assert_int_equal(bf_sps_parse(nal, make_sps(&table[i], nal), &sps), -EBADMSG);

    static const uint8_t not_sps[] = { 0x68, 66, 0xc0, 31, 0xff, 0xff },
                         forbidden[] = { 0xe7, 66, 0xc0, 31, 0xff, 0xff };
    assert_int_equal(bf_sps_parse(not_sps, sizeof(not_sps), &sps), -EBADMSG);
    assert_int_equal(bf_sps_parse(forbidden, sizeof(forbidden), &sps), -EBADMSG);
    assert_int_equal(bf_sps_parse(NULL, 0, &sps), -EBADMSG);

    uint8_t zeros[300] = { 0x67, 100, 0, 31 };
    assert_int_equal(bf_sps_parse(zeros, sizeof(zeros), &sps), -EBADMSG);
    srand(1);
    for (unsigned i = 0; i < 20000; i++) { /* whatever comes, it ends, and what it accepts is sane */
        size_t size = (size_t)(rand() % 64);
        for (size_t k = 0; k < size; k++)
            zeros[k] = (uint8_t)(rand() >> 7);
        zeros[0] = 0x67;
        if (bf_sps_parse(zeros, size, &sps) == 0) {
            assert_in_range(sps.width, 1, 16880);
            assert_in_range(sps.height, 1, 16880);
            assert_int_not_equal(sps.fps_den, 0);
        }
    }
}

static void slices_are_numbered(void **state)
{
    static const struct {
        unsigned header, bits, frame_num;
        bool separate_planes, reference;
    } table[] = {
        { 0x41, 4, 0, false, true },  { 0x41, 4, 15, false, true },    { 0x01, 8, 200, false, false },
        { 0x61, 16, 0, false, true }, { 0x21, 16, 65535, true, true },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        const struct bf_sps sps = { .frame_num_bits = (uint8_t)table[i].bits,
                                    .separate_planes = table[i].separate_planes };
        struct writer w = { 0 };
        uint8_t nal[64];
        put(&w, 8, table[i].header);
        put_ue(&w, 300); /* first_mb_in_slice */
        put_ue(&w, 5);
        put_ue(&w, 1);
        put(&w, table[i].separate_planes ? 2 : 0, 1);
        put(&w, table[i].bits, table[i].frame_num);
        struct bf_slice slice;
        const struct bf_nal whole = { .data = nal, .size = escape(&w, nal), .type = BF_NAL_SLICE };
        assert_int_equal(bf_slice_parse(&whole, &sps, &slice), 0);
        assert_int_equal(slice.frame_num, table[i].frame_num);
        assert_int_equal(slice.reference, table[i].reference);
        const struct bf_nal cut = { .data = nal, .size = 2, .type = BF_NAL_SLICE };
        assert_int_equal(bf_slice_parse(&cut, &sps, &slice), -EBADMSG);
    }
    assert_int_equal(
        bf_slice_parse(&(struct bf_nal){ 0 }, &(struct bf_sps){ .frame_num_bits = 4 }, &(struct bf_slice){ 0 }),
        -EBADMSG);
}

static void codecs_string(void **state)
{
    char text[12];
    (void)state;
    assert_string_equal(
        bf_sps_codecs(&(struct bf_sps){ .profile_idc = 66, .constraint_flags = 0xc0, .level_idc = 31 }, text),
        "avc1.42c01f");
    assert_string_equal(bf_sps_codecs(&(struct bf_sps){ .profile_idc = 100, .level_idc = 40 }, text), "avc1.640028");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nal_units_are_found),   cmocka_unit_test(access_unit_is_described),
        cmocka_unit_test(capture_time_survives), cmocka_unit_test(capture_time_among_other_messages),
        cmocka_unit_test(sps_is_read),           cmocka_unit_test(hostile_sps_is_refused),
        cmocka_unit_test(slices_are_numbered),   cmocka_unit_test(codecs_string),
    };
    return cmocka_run_group_tests_name("h264", tests, NULL, NULL);
}
