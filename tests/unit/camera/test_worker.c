/* A worker from source to receiver, over real sockets on loopback. */
#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "camera/worker.h"
#include "fake_source.h"
#include "media/h264.h"
#include "media/ts.h"

#define ID "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define PASSPHRASE "abcdefghijklmnopqrstuvwxyz012345"
enum { PATIENCE_S = 20 };

static sem_t woken;

static void wake(void *user)
{
    (void)user;
    sem_post(&woken);
}

static int setup(void **state)
{
    (void)state;
    fake_source_reset();
    return sem_init(&woken, 0, 0);
}

static struct bf_transport *listen_with(enum bf_transport_kind kind, uint16_t port, const char *passphrase)
{
    const struct bf_transport_options o = { .kind = kind,
                                            .host = "127.0.0.1",
                                            .port = port,
                                            .latency_ms = 20,
                                            .passphrase = kind == BF_TRANSPORT_SRT ? passphrase : NULL,
                                            .timeout_ms = PATIENCE_S * 1000 };
    struct bf_transport *t = NULL;
    struct bf_error e = { 0 };

    if (bf_transport_listen(&t, &o, &e) < 0)
        fail_msg("%s", e.text);
    return t;
}

static struct bf_transport *listen_on(enum bf_transport_kind kind, uint16_t port)
{
    return listen_with(kind, port, PASSPHRASE);
}

static struct bf_camera_session session_to(enum bf_transport_kind kind, uint16_t port)
{
    struct bf_camera_session s = { .id = ID,
                                   .width = 64,
                                   .height = 64,
                                   .fps = 50,
                                   .bitrate_kbps = 500,
                                   .gop_ms = 1000,
                                   .endpoint = {
                                       .transport = kind, .host = "127.0.0.1", .port = port, .latency_ms = 20 } };

    if (kind == BF_TRANSPORT_SRT)
        memcpy(s.endpoint.passphrase, PASSPHRASE, sizeof(PASSPHRASE));
    return s;
}

static struct bf_worker *start_in_life(uint64_t epoch, const struct bf_source_ops *source,
                                       const struct bf_camera_session *session, const char *encoder,
                                       uint32_t no_frame_ms)
{
    const struct bf_worker_options o = { .session = session,
                                         .source = source,
                                         .encoder = encoder,
                                         .epoch = epoch,
                                         .barcode = true,
                                         .no_frame_ms = no_frame_ms,
                                         .wake = wake };
    struct bf_worker *w = NULL;
    struct bf_error e = { 0 };

    if (bf_worker_new(&w, &o, &e) < 0)
        fail_msg("%s", e.text);
    return w;
}

static struct bf_worker *start(const struct bf_source_ops *source, const struct bf_camera_session *session,
                               const char *encoder, uint32_t no_frame_ms)
{
    return start_in_life(1, source, session, encoder, no_frame_ms);
}

/* The next event of that kind; others in between only if they are progress. */
static struct bf_worker_event await(struct bf_worker *w, enum bf_worker_event_kind kind)
{
    struct timespec limit;
    struct bf_worker_event event;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    for (;;) {
        while (bf_worker_poll(w, &event) == 0) {
            if (event.kind == kind)
                return event;
            if (event.kind != BF_WORKER_PROGRESS)
                fail_msg("event %d (%s: %s) while waiting for %d", (int)event.kind, event.code ? event.code : "",
                         event.error.text, (int)kind);
        }
        if (sem_timedwait(&woken, &limit) != 0 && errno == ETIMEDOUT)
            fail_msg("event %d did not come", (int)kind);
    }
}

/* Stops, waits for the end, frees; how long until the end was told. */
static uint64_t stop(struct bf_worker *w)
{
    uint64_t before_us = bf_mono_us();

    bf_worker_stop(w);
    struct bf_worker_event ended = await(w, BF_WORKER_ENDED);
    uint64_t took_us = bf_mono_us() - before_us;
    assert_string_equal(ended.code, "");
    assert_int_equal(bf_worker_poll(w, &ended), -EAGAIN);
    bf_worker_free(w);
    return took_us;
}

static unsigned entries(const char *path)
{
    DIR *d = opendir(path);
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void units_arrive_with_capture_times(void **state)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_UDP, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_UDP, bf_transport_port(t));
    struct bf_worker *w = start(&bf_source_test_pattern, &s, "libx264", 3000);
    struct bf_ts_reader *reader = NULL;
    struct bf_error e = { 0 };
    int64_t last = -1;

    (void)state;
    assert_int_equal(bf_ts_reader_new(&reader, t, &e), 0);
    for (unsigned i = 0; i < 50; i++) {
        struct bf_ts_packet p;
        struct bf_au au;
        assert_int_equal(bf_ts_read(reader, &p), 0);
        bf_au_scan(p.data, p.size, &au);
        assert_true(au.has_slice);
        assert_int_equal(au.idr, i == 0);
        assert_int_equal(au.sps.size > 0 && au.pps.size > 0, i == 0);
        assert_in_range(bf_unix_us() - au.capture_us, 0, 5000000);
        if (last >= 0)
            assert_int_equal((p.pts_90k - last) % 1800, 0); /* the ideal cadence of 50 fps, in whole pictures */
        last = p.pts_90k;
    }
    struct bf_worker_event event = await(w, BF_WORKER_STREAMING);
    assert_string_equal(event.encoder, "libx264");
    assert_int_equal(event.width, 64);
    assert_int_equal(event.height, 64);
    stop(w);
    bf_ts_reader_free(reader);
    bf_transport_free(t);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void cycles(enum bf_transport_kind kind, const struct bf_source_ops *source, unsigned count)
{
    struct bf_transport *t = kind == BF_TRANSPORT_UDP ? listen_on(kind, 0) : NULL;
    unsigned fds = 0, threads = 0;
    uint64_t took_us[64];

    for (unsigned i = 0; i < count; i++) {
        struct bf_transport *receiver = t != NULL ? t : listen_on(kind, 0);
        struct bf_camera_session s = session_to(kind, bf_transport_port(receiver));
        struct bf_worker *w = start(source, &s, "libx264", 3000);
        await(w, BF_WORKER_STREAMING);
        took_us[i] = stop(w);
        if (t == NULL)
            bf_transport_free(receiver);
        if (i == 4) {
            fds = entries("/proc/self/fd");
            threads = entries("/proc/self/task");
        }
    }
    assert_int_equal(entries("/proc/self/fd"), fds);
    assert_int_equal(entries("/proc/self/task"), threads);
    qsort(took_us, count, sizeof(took_us[0]), by_value);
    print_message("%u stops over %s: p50 %llu us, p95 %llu us, max %llu us\n", count, t != NULL ? "UDP" : "SRT",
                  (unsigned long long)took_us[count / 2], (unsigned long long)took_us[count * 95 / 100],
                  (unsigned long long)took_us[count - 1]);
    assert_in_range(took_us[count * 95 / 100], 0, 300000);
    bf_transport_free(t);
}

static void fifty_cycles_leave_nothing_behind(void **state)
{
    (void)state;
    cycles(BF_TRANSPORT_UDP, &fake_source, 50);
    assert_int_equal(fake_script.opens, 50);
    assert_int_equal(fake_script.closes, 50);
}

static void cycles_over_srt(void **state)
{
    (void)state;
    cycles(BF_TRANSPORT_SRT, &bf_source_test_pattern, 12);
}

static void a_silent_source_is_opened_again(void **state)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_UDP, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_UDP, bf_transport_port(t));

    (void)state;
    fake_script.silent_after = 5;
    struct bf_worker *w = start(&fake_source, &s, "libx264", 60);
    await(w, BF_WORKER_STREAMING);
    struct bf_worker_event event = await(w, BF_WORKER_NO_FRAMES);
    assert_string_equal(event.code, "no_frames");
    assert_non_null(strstr(event.error.text, "silent"));
    event = await(w, BF_WORKER_FRAMES);
    assert_int_equal(event.counters.source_restarts, 1);
    assert_int_equal(fake_script.opens, 2);
    assert_int_equal(fake_script.closes, 1);
    stop(w);
    assert_int_equal(fake_script.closes, 2);
    bf_transport_free(t);
}

/* However often it is opened again, a person hears of it once. */
static void lasting_silence_is_told_once(void **state)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_UDP, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_UDP, bf_transport_port(t));

    (void)state;
    fake_script.silent_after = 1;
    fake_script.stays_silent = true;
    struct bf_worker *w = start(&fake_source, &s, "libx264", 30);
    await(w, BF_WORKER_STREAMING);
    await(w, BF_WORKER_NO_FRAMES);
    for (unsigned i = 0; i < 2; i++) { /* one picture comes after each opening, then silence again */
        await(w, BF_WORKER_FRAMES);
        await(w, BF_WORKER_NO_FRAMES);
    }
    bf_worker_free(w);
    assert_int_equal(fake_script.opens, fake_script.closes);
    bf_transport_free(t);
}

static void a_stop_ends_a_silent_wait(void **state)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_UDP, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_UDP, bf_transport_port(t));

    (void)state;
    fake_script.silent_after = 1;
    struct bf_worker *w = start(&fake_source, &s, "libx264", 60000);
    await(w, BF_WORKER_STREAMING);
    assert_in_range(stop(w), 0, 300000);
    bf_transport_free(t);
}

static void what_breaks_ends_it_with_a_reason(void **state)
{
    static const struct {
        int open_result;
        unsigned broken_after;
        const char *encoder, *code, *text;
    } rows[] = {
        { -ENODEV, 0, "libx264", "source_failed", "does not open" },
        { 0, 1, "libx264", "source_failed", "broken" },
        { 0, 0, "h264_imaginary", "encoder_failed", "h264_imaginary" },
    };
    struct bf_transport *t = listen_on(BF_TRANSPORT_UDP, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_UDP, bf_transport_port(t));

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        fake_source_reset();
        fake_script.open_result = rows[i].open_result;
        fake_script.broken_after = rows[i].broken_after;
        struct bf_worker *w = start(&fake_source, &s, rows[i].encoder, 3000);
        if (rows[i].broken_after > 0)
            await(w, BF_WORKER_STREAMING);
        struct bf_worker_event event = await(w, BF_WORKER_ENDED);
        assert_string_equal(event.code, rows[i].code);
        assert_non_null(strstr(event.error.text, rows[i].text));
        bf_worker_free(w);
        assert_int_equal(fake_script.opens, fake_script.closes);
    }
    bf_transport_free(t);
}

static uint16_t unused_port(void)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_SRT, 0);
    uint16_t port = bf_transport_port(t);

    bf_transport_free(t);
    return port;
}

static void a_receiver_that_is_not_there_is_awaited(void **state)
{
    uint16_t port = unused_port();
    struct bf_camera_session s = session_to(BF_TRANSPORT_SRT, port);
    struct bf_worker *w = start(&fake_source, &s, "libx264", 3000);

    (void)state;
    struct bf_worker_event event = await(w, BF_WORKER_UNREACHABLE);
    assert_string_equal(event.code, "receiver_unreachable");
    struct bf_transport *t = listen_on(BF_TRANSPORT_SRT, port);
    await(w, BF_WORKER_STREAMING);
    stop(w);
    bf_transport_free(t);
}

static void a_stop_ends_a_dial(void **state)
{
    struct bf_camera_session s = session_to(BF_TRANSPORT_SRT, unused_port());
    struct bf_worker *w = start(&fake_source, &s, "libx264", 3000);

    (void)state;
    await(w, BF_WORKER_UNREACHABLE); /* the next dial is under way or about to be */
    assert_in_range(stop(w), 0, 300000);
}

static void a_receiver_that_left_is_dialled_again(void **state)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_SRT, 0);
    uint16_t port = bf_transport_port(t);
    struct bf_camera_session s = session_to(BF_TRANSPORT_SRT, port);
    struct bf_worker *w = start(&fake_source, &s, "libx264", 3000);
    struct bf_ts_reader *reader = NULL;
    struct bf_ts_packet p;
    struct bf_error e = { 0 };
    struct bf_au au;

    (void)state;
    assert_int_equal(bf_ts_reader_new(&reader, t, &e), 0);
    assert_int_equal(bf_ts_read(reader, &p), 0);
    await(w, BF_WORKER_STREAMING);
    bf_ts_reader_free(reader);
    bf_transport_free(t);
    struct bf_worker_event event = await(w, BF_WORKER_UNREACHABLE);
    assert_string_equal(event.code, "receiver_lost");

    t = listen_on(BF_TRANSPORT_SRT, port);
    assert_int_equal(bf_ts_reader_new(&reader, t, &e), 0);
    assert_int_equal(bf_ts_read(reader, &p), 0);
    bf_au_scan(p.data, p.size, &au);
    assert_true(au.idr); /* a new receiver need not wait for the next GOP */
    await(w, BF_WORKER_STREAMING);
    stop(w);
    bf_ts_reader_free(reader);
    bf_transport_free(t);
}

static struct bf_ts_reader *read_first_unit(struct bf_transport *t, struct bf_au *ret)
{
    struct bf_ts_reader *reader = NULL;
    struct bf_ts_packet p;
    struct bf_error e = { 0 };

    assert_int_equal(bf_ts_reader_new(&reader, t, &e), 0);
    assert_int_equal(bf_ts_read(reader, &p), 0);
    bf_au_scan(p.data, p.size, ret);
    return reader;
}

/* The receiver's process was killed and has come back elsewhere, with another key. */
static void a_receiver_that_moved_is_followed(void **state)
{
    struct bf_transport *a = listen_on(BF_TRANSPORT_SRT, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_SRT, bf_transport_port(a));
    struct bf_worker *w = start(&fake_source, &s, "libx264", 3000);
    struct bf_au au;

    (void)state;
    bf_ts_reader_free(read_first_unit(a, &au));
    await(w, BF_WORKER_STREAMING);
    bf_transport_free(a);
    await(w, BF_WORKER_UNREACHABLE);

    struct bf_transport *b = listen_with(BF_TRANSPORT_SRT, 0, "543210zyxwvutsrqponmlkjihgfedcba");
    s.endpoint.port = bf_transport_port(b);
    memcpy(s.endpoint.passphrase, "543210zyxwvutsrqponmlkjihgfedcba", BF_PASSPHRASE_SIZE);
    uint64_t before_us = bf_mono_us();
    bf_worker_redirect(w, &s.endpoint);
    struct bf_ts_reader *reader = read_first_unit(b, &au);
    assert_in_range(bf_mono_us() - before_us, 0, 900000); /* it did not wait for the dial that was under way */
    assert_true(au.idr);
    assert_true(au.sps.size > 0 && au.pps.size > 0);
    struct bf_worker_event event = await(w, BF_WORKER_STREAMING);
    assert_int_equal(event.counters.reconnects, 1);
    assert_int_equal(event.counters.source_restarts, 0);
    assert_int_equal(fake_script.opens, 1);
    stop(w);
    bf_ts_reader_free(reader);
    bf_transport_free(b);
}

/* Both listen: the connection with the one that is not meant any more is given up, and the last word counts. */
static void a_connection_is_left_for_another_receiver(void **state)
{
    struct bf_transport *a = listen_on(BF_TRANSPORT_SRT, 0), *b = listen_on(BF_TRANSPORT_SRT, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_SRT, bf_transport_port(a));
    struct bf_worker *w = start(&fake_source, &s, "libx264", 3000);
    struct bf_ts_packet p;
    struct bf_au au;
    int r;

    (void)state;
    struct bf_ts_reader *from_a = read_first_unit(a, &au);
    await(w, BF_WORKER_STREAMING);
    s.endpoint.port = 9;
    bf_worker_redirect(w, &s.endpoint);
    s.endpoint.port = bf_transport_port(b);
    bf_worker_redirect(w, &s.endpoint);
    struct bf_ts_reader *from_b = read_first_unit(b, &au);
    assert_true(au.idr);
    while ((r = bf_ts_read(from_a, &p)) == 0)
        ;
    assert_int_equal(r, -EPIPE);
    await(w, BF_WORKER_STREAMING);
    stop(w);
    bf_ts_reader_free(from_a);
    bf_ts_reader_free(from_b);
    bf_transport_free(a);
    bf_transport_free(b);
}

/* The process was killed and started again; to the receiver its first life is still connected. Of two that live, the
 * earlier one stays out. */
static void the_next_life_takes_the_place(void **state)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_SRT, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_SRT, bf_transport_port(t));
    struct bf_worker *before = start_in_life(7, &fake_source, &s, "libx264", 3000);
    struct bf_ts_packet p;
    struct bf_au au;
    int r;

    (void)state;
    struct bf_ts_reader *reader = read_first_unit(t, &au);
    await(before, BF_WORKER_STREAMING);
    struct bf_worker *after = start_in_life(8, &bf_source_test_pattern, &s, "libx264", 3000);
    while ((r = bf_ts_read(reader, &p)) == 0)
        ;
    assert_int_equal(r, -EPIPE);
    bf_ts_reader_free(reader);
    reader = read_first_unit(t, &au);
    assert_true(au.idr);
    await(after, BF_WORKER_STREAMING);
    assert_string_equal(await(before, BF_WORKER_UNREACHABLE).code, "receiver_lost");
    struct bf_worker_event refused = await(before, BF_WORKER_UNREACHABLE);
    assert_string_equal(refused.code, "receiver_unreachable");
    assert_non_null(strstr(refused.error.text, "another sender is connected"));
    assert_int_equal(bf_ts_read(reader, &p), 0);
    stop(before);
    stop(after);
    bf_ts_reader_free(reader);
    bf_transport_free(t);
}

static void the_overlay_is_painted(void **state)
{
    struct bf_transport *t = listen_on(BF_TRANSPORT_UDP, 0);
    struct bf_camera_session s = session_to(BF_TRANSPORT_UDP, bf_transport_port(t));
    struct bf_worker *w = start(&fake_source, &s, "libx264", 3000);

    (void)state;
    await(w, BF_WORKER_STREAMING);
    await(w, BF_WORKER_PROGRESS);
    stop(w);
    assert_in_range(fake_script.barcodes_seen, 10, 1000);
    bf_transport_free(t);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(units_arrive_with_capture_times),
        TEST(fifty_cycles_leave_nothing_behind),
        TEST(cycles_over_srt),
        TEST(a_silent_source_is_opened_again),
        TEST(lasting_silence_is_told_once),
        TEST(a_stop_ends_a_silent_wait),
        TEST(what_breaks_ends_it_with_a_reason),
        TEST(a_receiver_that_is_not_there_is_awaited),
        TEST(a_stop_ends_a_dial),
        TEST(a_receiver_that_left_is_dialled_again),
        TEST(a_receiver_that_moved_is_followed),
        TEST(a_connection_is_left_for_another_receiver),
        TEST(the_next_life_takes_the_place),
        TEST(the_overlay_is_painted),
    };

    return cmocka_run_group_tests_name("camera.worker", tests, NULL, NULL);
}
