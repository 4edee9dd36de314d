#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/file.h"
#include "media/encoder.h"
#include "stream/chain.h"
#include "stream/journal.h"
#include "stream/layout.h"

/* ---- places ---- */

int place_make(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    if (p == NULL || sodium_init() < 0)
        return -1;
    strcpy(p->path, "/tmp/belfry-ingest-XXXXXX");
    if (mkdtemp(p->path) == NULL || bf_key_generate(&p->key) != 0)
        return -1;
    p->media_fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->media_fd < 0 ? -1 : 0;
}

int place_drop(void **state)
{
    struct place *p = *state;
    char command[PATH_SIZE];

    snprintf(command, sizeof command, "rm -rf -- %s", p->path);
    close(p->media_fd);
    bf_key_free(p->key);
    free(p);
    return system(command);
}

int session_fd(const struct place *p)
{
    int fd = openat(p->media_fd, TEST_CAMERA "/" TEST_SESSION, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

void session_path(const struct place *p, char ret[static PATH_SIZE], const char *file)
{
    snprintf(ret, PATH_SIZE, "%s/" TEST_CAMERA "/" TEST_SESSION "/%s", p->path, file);
}

void write_over(const struct place *p, const char *file, off_t at, const void *data, size_t size)
{
    char path[PATH_SIZE];

    session_path(p, path, file);
    _cleanup_(bf_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, size, at), size);
}

off_t size_of(const struct place *p, const char *file)
{
    char path[PATH_SIZE];
    struct stat st;

    session_path(p, path, file);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

int session_open(const struct place *p, bool record, uint64_t reserve_bytes, struct bf_session_dir **ret)
{
    Belfry__V1__SessionStart start = BELFRY__V1__SESSION_START__INIT;
    struct bf_error e;

    start.site = "home";
    start.camera = TEST_CAMERA;
    start.session_id = TEST_SESSION;
    start.ingest = TEST_NODE;
    start.started_at_ms = 1700000000000;
    start.record = record;
    start.part_target_us = 216217;
    start.target_duration_s = 2;
    start.profile = BELFRY__V1__PROFILE__PROFILE_BALANCED;
    start.segment_us = 1000000;
    start.window_ms = 12000;
    const struct bf_session_dir_options o = {
        .media_fd = p->media_fd, .start = &start, .key = p->key, .reserve_bytes = reserve_bytes
    };
    return bf_session_dir_open(ret, &o, &e);
}

/* ---- pictures ---- */

static void paint(struct bf_frame *f, size_t index)
{
    for (uint32_t y = 0; y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++)
            f->planes[0][y * f->strides[0] + x] = (uint8_t)(16 + (x + y + index * 3) % 200);
}

struct frames frames_make(uint32_t width, uint32_t height, size_t n, unsigned gop)
{
    const struct bf_encoder_options o = { .name = "libx264",
                                          .width = width,
                                          .height = height,
                                          .fps = 30,
                                          .bitrate_kbps = 500,
                                          .gop_frames = gop,
                                          .format = BF_I420 };
    struct frames f = { .units = calloc(n, sizeof *f.units), .idr = calloc(n, sizeof *f.idr), .n = n };
    uint8_t *pixels = calloc(1, (size_t)width * height * 3 / 2);
    struct bf_frame frame = { .format = BF_I420,
                              .width = width,
                              .height = height,
                              .planes = { pixels, pixels + width * height, pixels + width * height * 5 / 4 },
                              .strides = { width, width / 2, width / 2 } };
    struct bf_encoder *encoder = NULL;
    struct bf_error e;

    memset(frame.planes[1], 128, (size_t)width * height / 2);
    assert_int_equal(bf_encoder_new(&encoder, &o, &e), 0);
    for (size_t i = 0; i < n; i++) {
        struct bf_encoded out;

        paint(&frame, i);
        frame.capture_us = 1700000000000000 + 33333 * i;
        frame.mono_us = 33333 * i;
        assert_int_equal(bf_encoder_encode(encoder, &frame, false, &out), 0);
        uint8_t *copy = calloc(1, out.size + 64);
        memcpy(copy, out.data, out.size);
        f.units[i] = (struct bf_access_unit){
            .data = copy,
            .size = out.size,
            .times = { .pts_90k = FRAME_90K * (int64_t)i, .dts_90k = FRAME_90K * (int64_t)i, .arrival_us = 1 },
        };
        f.idr[i] = out.idr;
    }
    bf_encoder_free(encoder);
    free(pixels);
    return f;
}

void frames_free(struct frames *f)
{
    for (size_t i = 0; i < f->n; i++)
        free((uint8_t *)(uintptr_t)f->units[i].data);
    free(f->units);
    free(f->idr);
}

/* ---- the judge: boxes (ISO/IEC 14496-12) ---- */

static uint64_t be(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | *p++;
    return value;
}

struct box {
    const uint8_t *body;
    size_t size; /* of the body */
};

static struct box box_at(const uint8_t *data, size_t size, size_t *offset, char type[static 5])
{
    assert_true(size - *offset >= 8);
    size_t whole = (size_t)be(data + *offset, 4);
    assert_true(whole >= 8 && whole <= size - *offset);
    memcpy(type, data + *offset + 4, 4);
    type[4] = '\0';
    struct box box = { data + *offset + 8, whole - 8 };
    *offset += whole;
    return box;
}

static struct box child(struct box parent, const char *wanted)
{
    size_t offset = 0;
    char type[5];

    while (offset < parent.size) {
        struct box box = box_at(parent.body, parent.size, &offset, type);

        if (strcmp(type, wanted) == 0)
            return box;
    }
    fail_msg("no box %s", wanted);
    return parent;
}

struct samples {
    unsigned n;
    uint64_t duration_90k;
};

static struct samples samples_of(struct box traf)
{
    struct box tfhd = child(traf, "tfhd"), trun = child(traf, "trun");
    uint32_t flags = (uint32_t)be(tfhd.body + 1, 3), of_run = (uint32_t)be(trun.body + 1, 3);
    const uint8_t *p = tfhd.body + 8 + ((flags & 1) ? 8 : 0) + ((flags & 2) ? 4 : 0);
    uint32_t by_default = (flags & 8) ? (uint32_t)be(p, 4) : 0;
    struct samples s = { .n = (unsigned)be(trun.body + 4, 4) };
    unsigned width = 4 * (unsigned)__builtin_popcount(of_run & 0xf00);

    p = trun.body + 8 + ((of_run & 1) ? 4 : 0) + ((of_run & 4) ? 4 : 0);
    for (unsigned i = 0; i < s.n; i++, p += width)
        s.duration_90k += (of_run & 0x100) ? be(p, 4) : by_default;
    return s;
}

/* Type of the first coded slice in length-prefixed NAL units. */
static unsigned first_slice(struct box mdat)
{
    for (size_t at = 0; at + 5 <= mdat.size; at += 4 + (size_t)be(mdat.body + at, 4)) {
        unsigned type = mdat.body[at + 4] & 31;

        if (type == 1 || type == 5)
            return type;
    }
    return 0;
}

static void judge_part(const struct bf_part_view *part, const uint8_t *data)
{
    size_t offset = 0;
    char type[5];

    struct box moof = box_at(data, part->length, &offset, type);
    assert_string_equal(type, "moof");
    struct box mdat = box_at(data, part->length, &offset, type);
    assert_string_equal(type, "mdat");
    assert_int_equal(offset, part->length);

    struct box traf = child(moof, "traf"), tfdt = child(traf, "tfdt");
    assert_int_equal(tfdt.body[0], 1);
    assert_int_equal(be(tfdt.body + 4, 8), part->decode_time_90k);
    struct samples samples = samples_of(traf);
    assert_int_equal(samples.n, part->frames);
    assert_int_equal(samples.duration_90k, part->duration_90k);
    assert_int_equal(first_slice(mdat) == 5, part->independent);
}

/* ---- the judge: files and records ---- */

static void judge_segment(int dirfd, const struct bf_session_view *v, const struct bf_segment_view *s)
{
    _cleanup_(bf_freep) uint8_t *data = NULL;
    size_t size;
    char name[BF_NAME_SIZE];
    uint8_t sha256[32];

    assert_true(s->duration_90k <= v->target_duration_s * 90000ULL + 44999);
    if (s->gap)
        return;
    bf_segment_name(name, s->msn);
    assert_int_equal(bf_read_file(dirfd, name, 1 << 28, &data, &size), 0);
    assert_true(size >= s->bytes);
    for (size_t i = s->first_part; i < s->first_part + s->n_parts; i++) {
        assert_true((uint64_t)v->parts[i].duration_90k * 100 <= (uint64_t)v->part_target_us * 9);
        judge_part(&v->parts[i], data + v->parts[i].offset);
    }
    if (!s->complete)
        return;
    assert_int_equal(size, s->bytes);
    crypto_hash_sha256(sha256, data, size);
    assert_memory_equal(sha256, s->sha256, 32);
}

static void judge_init(int dirfd, const Belfry__V1__Init *init)
{
    _cleanup_(bf_freep) uint8_t *data = NULL;
    uint8_t sha256[32];
    size_t size;

    assert_int_equal(bf_read_file(dirfd, init->file, 1 << 20, &data, &size), 0);
    crypto_hash_sha256(sha256, data, size);
    assert_int_equal(init->sha256.len, 32);
    assert_memory_equal(sha256, init->sha256.data, 32);
}

static void judge_link(const struct place *p, const Belfry__V1__SegmentEnd *s, const uint8_t prev[static 32])
{
    uint8_t link[32];

    bf_chain_next(link, prev, s->msn, s->decode_time_90k, s->duration_90k, s->sha256.data);
    assert_memory_equal(link, s->link.data, 32);
    assert_int_equal(s->signature.len, BF_SIGNATURE_SIZE);
    assert_int_equal(bf_dsse_verify_detached(s->signature.data, BF_LINK_PAYLOAD_TYPE, link, 32, bf_key_public(p->key)),
                     0);
}

struct bf_session_view judge(const struct place *p)
{
    _cleanup_(bf_closep) int dirfd = session_fd(p);
    struct bf_journal_reader *r = NULL;
    Belfry__V1__Record *record = NULL;
    struct bf_session_view v;
    int why;

    bf_session_view_init(&v);
    assert_int_equal(bf_journal_reader_open(&r, dirfd), 0);
    while ((why = bf_journal_next(r, &record)) == 0) {
        if (record->kind_case == BELFRY__V1__RECORD__KIND_INIT)
            judge_init(dirfd, record->init);
        if (record->kind_case == BELFRY__V1__RECORD__KIND_SEGMENT_END)
            judge_link(p, record->segment_end, v.chain_head);
        assert_int_equal(bf_session_view_apply(&v, record), 0);
        if (record->kind_case == BELFRY__V1__RECORD__KIND_END)
            assert_memory_equal(record->end->chain_head.data, v.chain_head, 32);
        belfry__v1__record__free_unpacked(record, NULL);
    }
    assert_int_equal(why, -EAGAIN);
    bf_journal_reader_free(r);
    for (size_t i = 0; i < v.n_segments; i++)
        judge_segment(dirfd, &v, &v.segments[i]);
    return v;
}

unsigned decoded_frames(const struct place *p, const char *init, uint64_t first, uint64_t last)
{
    char command[1024], path[PATH_SIZE];
    unsigned frames = 0;

    session_path(p, path, init);
    int n = snprintf(command, sizeof command, "cat %s", path);
    for (uint64_t msn = first; msn <= last; msn++) {
        char name[BF_NAME_SIZE];

        bf_segment_name(name, msn);
        session_path(p, path, name);
        n += snprintf(command + n, sizeof command - (size_t)n, " %s", path);
    }
    snprintf(command + n, sizeof command - (size_t)n,
             " | ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 -");
    FILE *out = popen(command, "r");
    assert_non_null(out);
    assert_int_equal(fscanf(out, "%u", &frames), 1);
    assert_int_equal(pclose(out), 0);
    return frames;
}
