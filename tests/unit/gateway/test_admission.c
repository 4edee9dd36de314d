/* Who may hold a worker, and how long a client may take its time. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "gateway/admission.h"
#include "gateway/sending.h"

static void test_limits(void **state)
{
    static const struct {
        unsigned workers, staying, others, crowded, ops;
    } table[] = {
        { 4, 2, 2, 1, 1 },        { 16, 8, 8, 4, 2 },          { 64, 56, 32, 4, 2 },
        { 256, 224, 128, 16, 8 }, { 1280, 1120, 640, 80, 40 }, { 4096, 3584, 2048, 256, 128 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_limits l = bf_limits_of(table[i].workers);
        assert_int_equal(l.staying, table[i].staying);
        assert_int_equal(l.others, table[i].others);
        assert_int_equal(l.crowded, table[i].crowded);
        assert_int_equal(l.ops, table[i].ops);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    assert_int_equal(bf_conn_kind_of("/live/{camera}/index.m3u8"), BF_CONN_MEDIA);
    assert_int_equal(bf_conn_kind_of("/recordings/{recording}/download.mp4"), BF_CONN_MEDIA);
    assert_int_equal(bf_conn_kind_of("/api/v1/events"), BF_CONN_EVENTS);
    assert_int_equal(bf_conn_kind_of("/api/v1/recordings"), BF_CONN_OTHER);
    assert_int_equal(bf_conn_kind_of("/healthz"), BF_CONN_OPS);
    assert_int_equal(bf_conn_kind_of("/"), BF_CONN_OTHER);
}

static void test_a_reserve_is_left(void **state)
{
    struct bf_admission a;

    (void)state;
    bf_admission_init(&a, 16); /* 8 may stay, 2 are for health alone */
    for (int i = 0; i < 7; i++)
        assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_MEDIA, 10), BF_ADMITTED);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_EVENTS, 9), BF_ADMITTED);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_MEDIA, 8), BF_FULL_OF_VIEWERS);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_EVENTS, 8), BF_FULL_OF_VIEWERS);
    assert_int_equal(bf_admit(&a, BF_CONN_MEDIA, BF_CONN_MEDIA, 0), BF_ADMITTED); /* it has its place */
    assert_int_equal(bf_admit(&a, BF_CONN_MEDIA, BF_CONN_EVENTS, 0), BF_ADMITTED);

    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_OTHER, 5), BF_ADMITTED);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_OTHER, 2), BF_ADMITTED_ONCE);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_OTHER, 1), BF_FULL);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_OPS, 0), BF_ADMITTED_ONCE);
    for (int i = 0; i < 6; i++)
        assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_OTHER, 8), i < 2 ? BF_ADMITTED : BF_ADMITTED_ONCE);
    assert_int_equal(bf_admit(&a, BF_CONN_OTHER, BF_CONN_OTHER, 8), BF_ADMITTED_ONCE);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_OTHER, 8), BF_FULL);
    assert_int_equal(bf_admit(&a, BF_CONN_OTHER, BF_CONN_OPS, 8), BF_ADMITTED_ONCE);

    assert_int_equal(bf_admit(&a, BF_CONN_MEDIA, BF_CONN_OTHER, 8), BF_ADMITTED_ONCE); /* gives its place back */
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_MEDIA, 8), BF_ADMITTED);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_MEDIA, 8), BF_FULL_OF_VIEWERS);
    assert_int_equal(bf_admit(&a, BF_CONN_SILENT, BF_CONN_MEDIA, 1), BF_FULL);
    bf_admission_left(&a, BF_CONN_EVENTS);
    bf_admission_left(&a, BF_CONN_OTHER);
    assert_int_equal(bf_admit(&a, BF_CONN_OPS, BF_CONN_MEDIA, 8), BF_ADMITTED);
    assert_int_equal(bf_admit(&a, BF_CONN_OPS, BF_CONN_MEDIA, 8), BF_FULL_OF_VIEWERS);
}

static void test_pace(void **state)
{
    struct bf_pace p;

    (void)state;
    bf_pace_begin(&p, 5000);
    bf_pace_waited(&p, 3000);
    assert_int_equal(p.left_ms, 2000);
    bf_pace_taken(&p, BF_PACE_BYTES_PER_S); /* earns a second */
    assert_int_equal(p.left_ms, 3000);
    bf_pace_taken(&p, 1 << 30); /* and never more than there was */
    assert_int_equal(p.left_ms, 5000);
    for (int i = 0; i < 20; i++) { /* half of the least pace, for ten seconds */
        assert_true(p.left_ms > 0);
        bf_pace_waited(&p, 500);
        bf_pace_taken(&p, BF_PACE_BYTES_PER_S / 4);
    }
    bf_pace_waited(&p, 500);
    assert_int_equal(p.left_ms, 0);
}

static void pair(int fds[2])
{
    const int small = 4096;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
}

static int make_file(size_t size)
{
    int fd = memfd_create("part", MFD_CLOEXEC);

    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void test_pieces_arrive_in_order(void **state)
{
    struct iovec pieces[] = { { (void *)"", 0 }, { (void *)"one ", 4 }, { (void *)"", 0 }, { (void *)"two", 3 } };
    struct bf_pace pace;
    char text[16] = "";
    int fds[2];

    (void)state;
    pair(fds);
    bf_pace_begin(&pace, 1000);
    assert_int_equal(bf_send_pieces(fds[0], pieces, 4, false, &pace), 0);
    assert_int_equal(read(fds[1], text, sizeof text), 7);
    assert_string_equal(text, "one two");
    close(fds[0]);
    close(fds[1]);
}

static void test_who_does_not_read_is_cut_off(void **state)
{
    static char much[1 << 20];
    struct iovec piece = { much, sizeof much };
    _cleanup_(bf_closep) int file = make_file(sizeof much);
    struct bf_pace pace;
    int fds[2];

    (void)state;
    pair(fds);
    bf_pace_begin(&pace, 20);
    assert_int_equal(bf_send_pieces(fds[0], &piece, 1, false, &pace), -ETIMEDOUT);
    assert_int_equal(bf_send_range(fds[0], file, 0, sizeof much, &pace), -ETIMEDOUT); /* its time is used up */
    close(fds[1]);
    piece = (struct iovec){ much, sizeof much };
    assert_int_equal(bf_send_pieces(fds[0], &piece, 1, false, &pace), -EPIPE);
    close(fds[0]);
}

static void test_range_of_a_file(void **state)
{
    _cleanup_(bf_closep) int file = make_file(1000);
    struct bf_pace pace;
    char bytes[200];
    int fds[2];

    (void)state;
    assert_int_equal(pwrite(file, "part", 4, 900), 4);
    pair(fds);
    bf_pace_begin(&pace, 1000);
    assert_int_equal(bf_send_range(fds[0], file, 900, 100, &pace), 0);
    assert_int_equal(read(fds[1], bytes, sizeof bytes), 100);
    assert_memory_equal(bytes, "part", 4);
    assert_int_equal(bf_send_range(fds[0], file, 900, 101, &pace), -ENODATA);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_a_reserve_is_left),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_pieces_arrive_in_order),
        cmocka_unit_test(test_who_does_not_read_is_cut_off),
        cmocka_unit_test(test_range_of_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
