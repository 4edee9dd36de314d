/* Files for people, and files as a source: export to MP4 and JPEG, and reading a video file in a loop. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "media/cmaf.h"
#include "media/export.h"
#include "media/video_file.h"

enum { FRAMES = 50, GOP = 25, FRAME_90K = 3600 };

/* A run as ingest leaves it: init and two segments of a second; starts at `start`. */
static void write_run(int dir, unsigned index, uint32_t width, uint32_t height, int64_t start)
{
    struct access_unit *aus = access_units_new(width, height, FRAMES, GOP);
    struct bf_cmaf *cmaf = NULL;
    struct bf_au au;
    const uint8_t *data;
    size_t size;
    char name[32];
    bf_au_scan(aus[0].data, aus[0].size, &au);
    assert_int_equal(bf_cmaf_new(&cmaf, &au.sps, &au.pps, width, height, NULL), 0);
    bf_cmaf_init_segment(cmaf, &data, &size);
    snprintf(name, sizeof(name), "init-%u.mp4", index);
    write_file(dir, name, data, size);
    for (unsigned i = 0; i < FRAMES; i++) {
        int64_t dts = start + (int64_t)i * FRAME_90K;
        assert_int_equal(bf_cmaf_add(cmaf, aus[i].data, aus[i].size, dts, dts, FRAME_90K, aus[i].idr), 0);
        if (i % 5 != 4)
            continue;
        assert_int_equal(bf_cmaf_flush(cmaf, &data, &size), 0);
        snprintf(name, sizeof(name), "seg-%u-%u.m4s", index, i / GOP);
        write_file(dir, name, data, size);
    }
    bf_cmaf_free(cmaf);
    access_units_free(aus, FRAMES);
}

static const char *const segments_0[] = { "seg-0-0.m4s", "seg-0-1.m4s" };
static const char *const segments_1[] = { "seg-1-0.m4s", "seg-1-1.m4s" };
static const char *const segments_broken[] = { "seg-0-0.m4s", "seg-7-0.m4s" };
static const struct bf_export_run two_runs[] = {
    { .init = "init-0.mp4", .segments = segments_0, .n_segments = 2 },
    { .init = "init-1.mp4", .segments = segments_1, .n_segments = 2 },
};

static int export_to(int dir, const char *name, const struct bf_export_run *runs, size_t n, const atomic_bool *cancel,
                     struct bf_error *e)
{
    _Atomic unsigned progress = 0;
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    int r = bf_export_mp4(dir, runs, n, fd, &progress, cancel, e);
    assert_int_equal(r == 0, atomic_load(&progress) == 100);
    close(fd);
    return r;
}

static void export_puts_the_index_in_front(void **state)
{
    char path[64];
    int dir = make_dir(path);
    struct bf_error e = { "" };
    (void)state;
    write_run(dir, 0, 160, 96, INT64_C(90000) * 86400 * 3);
    if (export_to(dir, "out.mp4", two_runs, 1, NULL, &e) < 0)
        fail_msg("%s", e.text);

    uint8_t *file = NULL;
    int fd = openat(dir, "out.mp4", O_RDONLY | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    file = malloc((size_t)size);
    assert_non_null(file);
    assert_int_equal(pread(fd, file, (size_t)size, 0), size);
    close(fd);
    char order[64] = "";
    struct box box;
    for (size_t offset = 0; box_next(file, (size_t)size, &offset, &box);)
        strncat(order, box.type, sizeof(order) - strlen(order) - 1);
    assert_string_equal(order, "ftypmoovfreemdat");
    free(file);

    assert_string_equal(
        output_of("ffprobe -v error -count_frames -show_entries stream=start_pts,nb_frames,nb_read_frames "
                  "-of csv=p=0 %s/out.mp4 2>&1",
                  path),
        "0,50,50");
    remove_dir(dir, path);
}

/* Two runs with clocks of their own and other sizes: one film without a hole. */
static void export_runs_on_across_runs(void **state)
{
    char path[64], expected[2048] = "", pts[16];
    int dir = make_dir(path);
    struct bf_error e = { "" };
    (void)state;
    write_run(dir, 0, 160, 96, 5000000);
    write_run(dir, 1, 320, 192, 777);
    if (export_to(dir, "out.mp4", two_runs, 2, NULL, &e) < 0)
        fail_msg("%s", e.text);
    for (unsigned i = 0; i < 2 * FRAMES; i++) {
        snprintf(pts, sizeof(pts), "%s%u", i > 0 ? " " : "", i * FRAME_90K);
        strcat(expected, pts);
    }
    assert_string_equal(output_of("ffprobe -v error -show_entries packet=pts -of csv=p=0 %s/out.mp4 2>&1 "
                                  "| tr '\\n' ' '",
                                  path),
                        expected);
    /* Both sizes decode, without a complaint. */
    assert_string_equal(output_of("ffprobe -v warning -show_entries frame=width -of csv=p=0 %s/out.mp4 2>&1 "
                                  "| tr -d ',' | grep . | sort | uniq -c | tr -s ' \\n' ' '",
                                  path),
                        " 50 160 50 320");
    remove_dir(dir, path);
}

/* A leap of the source's clock inside a run is closed up; segments left out by retention are as well. */
static void export_closes_gaps(void **state)
{
    static const char *const holes[] = { "seg-0-0.m4s", "seg-2-0.m4s" };
    static const struct bf_export_run run = { .init = "init-0.mp4", .segments = holes, .n_segments = 2 };
    char path[64];
    int dir = make_dir(path);
    struct bf_error e = { "" };
    (void)state;
    write_run(dir, 0, 160, 96, 90000);
    write_run(dir, 2, 160, 96, INT64_C(90000) * 3600);
    if (export_to(dir, "out.mp4", &run, 1, NULL, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(output_of("ffprobe -v error -show_entries format=duration:stream=nb_frames -of csv=p=0 "
                                  "%s/out.mp4 2>&1 | tr '\\n' ' '",
                                  path),
                        "50 2.000000");
    remove_dir(dir, path);
}

static void export_failures_are_told(void **state)
{
    static const struct bf_export_run broken = { .init = "init-0.mp4", .segments = segments_broken, .n_segments = 2 };
    char path[64];
    int dir = make_dir(path);
    struct bf_error e = { "" };
    atomic_bool cancel = true;
    (void)state;
    write_run(dir, 0, 160, 96, 90000);
    assert_int_equal(export_to(dir, "missing.mp4", &broken, 1, NULL, &e), -ENOENT);
    assert_non_null(strstr(e.text, "seg-7-0.m4s"));
    assert_int_equal(export_to(dir, "cancelled.mp4", two_runs, 1, &cancel, &e), -ECANCELED);
    assert_int_equal(export_to(dir, "nothing.mp4", NULL, 0, NULL, &e), -EINVAL);

    write_file(dir, "init-1.mp4", "not at all an MP4 file", 22);
    write_file(dir, "seg-1-0.m4s", "nor this", 8);
    write_file(dir, "seg-1-1.m4s", "", 0);
    assert_true(export_to(dir, "garbage.mp4", &two_runs[1], 1, NULL, &e) < 0);
    assert_int_equal(symlinkat("/etc/passwd", dir, "init-link.mp4"), 0);
    const struct bf_export_run link = { .init = "init-link.mp4", .segments = segments_0, .n_segments = 1 };
    assert_int_equal(export_to(dir, "link.mp4", &link, 1, NULL, &e), -ELOOP);
    remove_dir(dir, path);
}

static void poster_is_a_jpeg(void **state)
{
    static const struct {
        uint32_t max_width;
        const char *size;
    } table[] = {
        { 1000, "mjpeg,320,192" }, { 320, "mjpeg,320,192" }, { 160, "mjpeg,160,96" }, { 101, "mjpeg,100,60" }
    };
    char path[64];
    int dir = make_dir(path);
    (void)state;
    write_run(dir, 1, 320, 192, 90000);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint8_t *jpeg = NULL;
        size_t size = 0;
        struct bf_error e = { "" };
        char name[32];
        if (bf_export_jpeg(dir, "init-1.mp4", "seg-1-1.m4s", 0, 100000, table[i].max_width, &jpeg, &size, &e) < 0)
            fail_msg("%s", e.text);
        assert_memory_equal(jpeg, "\xff\xd8\xff", 3);
        assert_memory_equal(jpeg + size - 2, "\xff\xd9", 2);
        snprintf(name, sizeof(name), "poster-%zu.jpg", i);
        write_file(dir, name, jpeg, size);
        assert_string_equal(
            output_of("ffprobe -v error -show_entries stream=codec_name,width,height -of csv=p=0 %s/%s", path, name),
            table[i].size);
        free(jpeg);
    }
    remove_dir(dir, path);
}

/* The second part of a segment by its offset; a part without a key frame, and one that is not there. */
static void poster_of_a_part(void **state)
{
    char path[64];
    int dir = make_dir(path);
    uint8_t *jpeg = NULL;
    size_t size = 0;
    struct bf_error e = { "" };
    (void)state;
    write_run(dir, 0, 160, 96, 90000);
    assert_true(bf_export_jpeg(dir, "init-0.mp4", "seg-0-0.m4s", 0, 10, 160, &jpeg, &size, &e) < 0);
    assert_null(jpeg);
    assert_non_null(strstr(e.text, "seg-0-0.m4s"));
    assert_int_equal(bf_export_jpeg(dir, "init-0.mp4", "seg-9-0.m4s", 0, 10, 160, &jpeg, &size, &e), -ENOENT);
    assert_int_equal(bf_export_jpeg(dir, "init-9.mp4", "seg-0-0.m4s", 0, 10, 160, &jpeg, &size, &e), -ENOENT);
    assert_null(jpeg);
    remove_dir(dir, path);
}

static unsigned brightness(const struct bf_frame *f)
{
    uint64_t sum = 0;
    for (uint32_t y = 0; y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++)
            sum += f->planes[0][y * f->strides[0] + x];
    return (unsigned)(sum / f->width / f->height);
}

/* Five frames from black to white, in several containers: round and round, in the size that was asked for. */
static void video_file_loops(void **state)
{
    static const char *const names[] = { "a.mp4", "a.mkv", "a.h264", "a.avi" };
    char path[64], file[128];
    int dir = make_dir(path);
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct bf_video_file *v = NULL;
        struct bf_error e = { "" };
        output_of("ffmpeg -nostdin -v error -f lavfi -i color=black:size=192x108:rate=5 -frames:v 5 "
                  "-vf \"geq=lum='16+N*50':cb=128:cr=128\" -c:v libx264 -bf 2 %s/%s 2>&1",
                  path, names[i]);
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        if (bf_video_file_open(&v, file, 320, 240, &e) < 0)
            fail_msg("%s", e.text);
        for (unsigned k = 0; k < 23; k++) {
            struct bf_frame f;
            if (bf_video_file_next(v, &f, &e) < 0)
                fail_msg("%s: %s", names[i], e.text);
            assert_int_equal(f.format, BF_I420);
            assert_int_equal(f.width, 320);
            assert_int_equal(f.height, 240);
            assert_in_range(brightness(&f), 16 + k % 5 * 50 - 6, 16 + k % 5 * 50 + 6);
        }
        bf_video_file_free(v);
    }
    remove_dir(dir, path);
}

static void bad_video_files_are_refused(void **state)
{
    char path[64], file[128];
    int dir = make_dir(path);
    struct bf_video_file *v = NULL;
    struct bf_error e = { "" };
    (void)state;
    assert_int_equal(bf_video_file_open(&v, "/nonexistent/a.mp4", 320, 240, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/nonexistent/a.mp4"));
    assert_int_equal(bf_video_file_open(&v, "/etc/passwd", 321, 240, &e), -EINVAL);
    assert_true(bf_video_file_open(&v, "http://127.0.0.1:9/a.mp4", 320, 240, &e) < 0);
    write_file(dir, "text.mp4", "no video at all in here, and a good thing too", 45);
    snprintf(file, sizeof(file), "%s/text.mp4", path);
    assert_true(bf_video_file_open(&v, file, 320, 240, &e) < 0);
    write_file(dir, "list.m3u8", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", 58);
    snprintf(file, sizeof(file), "%s/list.m3u8", path);
    assert_true(bf_video_file_open(&v, file, 320, 240, &e) < 0);
    assert_null(v);
    remove_dir(dir, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export_puts_the_index_in_front),
        cmocka_unit_test(export_runs_on_across_runs),
        cmocka_unit_test(export_closes_gaps),
        cmocka_unit_test(export_failures_are_told),
        cmocka_unit_test(poster_is_a_jpeg),
        cmocka_unit_test(poster_of_a_part),
        cmocka_unit_test(video_file_loops),
        cmocka_unit_test(bad_video_files_are_refused),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
