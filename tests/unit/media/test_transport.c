#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fixture.h"

#define PASSPHRASE "0123456789abcdef0123456789abcdef"

static void fill(uint8_t ts[static BF_DATAGRAM_SIZE], uint8_t number)
{
    memset(ts, number, BF_DATAGRAM_SIZE);
    for (unsigned i = 0; i < BF_DATAGRAM_SIZE; i += 188)
        ts[i] = 0x47;
}

static void assert_datagram(struct bf_transport *in, uint8_t number)
{
    uint8_t expected[BF_DATAGRAM_SIZE], got[2048];
    fill(expected, number);
    assert_int_equal(bf_transport_recv(in, got, sizeof(got)), BF_DATAGRAM_SIZE);
    assert_memory_equal(got, expected, BF_DATAGRAM_SIZE);
}

static void send_number(struct bf_transport *out, uint8_t number)
{
    uint8_t ts[BF_DATAGRAM_SIZE];
    fill(ts, number);
    assert_int_equal(bf_transport_send(out, ts, sizeof(ts)), 0);
}

static void datagrams_arrive(enum bf_transport_kind kind, const char *passphrase)
{
    enum { COUNT = 40 };
    struct bf_transport *in = listen_on_loopback(kind, 2000, passphrase);
    struct bf_transport *out = dial_loopback(kind, bf_transport_port(in), passphrase);
    for (unsigned i = 0; i < COUNT; i++) {
        send_number(out, (uint8_t)i);
        assert_datagram(in, (uint8_t)i);
    }
    struct bf_transport_counters sent = bf_transport_counters(out), got = bf_transport_counters(in);
    assert_int_equal(sent.datagrams, COUNT);
    assert_int_equal(got.datagrams, COUNT);
    assert_int_equal(got.bytes, COUNT * BF_DATAGRAM_SIZE);
    assert_int_equal(got.refused_form + got.refused_source + got.lost, 0);
    uint8_t large[BF_DATAGRAM_SIZE + 1] = { 0 };
    assert_int_equal(bf_transport_send(out, large, sizeof(large)), -EMSGSIZE);
    bf_transport_free(out);
    bf_transport_free(in);
}

static void udp_datagrams_arrive(void **state)
{
    (void)state;
    datagrams_arrive(BF_TRANSPORT_UDP, NULL);
}

static void srt_datagrams_arrive(void **state)
{
    (void)state;
    datagrams_arrive(BF_TRANSPORT_SRT, NULL);
    datagrams_arrive(BF_TRANSPORT_SRT, PASSPHRASE);
}

static int raw_udp(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static void raw_send(int fd, uint16_t port, const void *data, size_t size)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    assert_int_equal(sendto(fd, data, size, 0, (struct sockaddr *)&to, sizeof(to)), (ssize_t)size);
}

static void udp_takes_only_transport_streams(void **state)
{
    static const struct {
        size_t size;
        uint8_t first, second; /* bytes where sync bytes belong */
    } refused[] = { { 0, 0, 0 },         { 1, 0x46, 0 },    { 188, 0x46, 0 },
                    { 376, 0x47, 0x46 }, { 1316, 0, 0x47 }, { 1400, 0x46, 0x46 } };
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_UDP, 1000, NULL);
    int fd = raw_udp();
    uint8_t ts[BF_DATAGRAM_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        uint8_t data[1400] = { 0 };
        data[0] = refused[i].first;
        data[188] = refused[i].second;
        raw_send(fd, bf_transport_port(in), data, refused[i].size);
    }
    fill(ts, 9);
    raw_send(fd, bf_transport_port(in), ts, sizeof(ts));
    assert_datagram(in, 9);
    assert_int_equal(bf_transport_counters(in).refused_form, 6);
    assert_int_equal(bf_transport_counters(in).datagrams, 1);
    close(fd);
    bf_transport_free(in);
}

static struct bf_transport *listen_for(const char *host, const char *source)
{
    const struct bf_transport_options options = {
        .kind = BF_TRANSPORT_UDP, .host = host, .source = source, .timeout_ms = 200
    };
    struct bf_transport *t = NULL;
    struct bf_error e = { "" };
    if (bf_transport_listen(&t, &options, &e) < 0)
        fail_msg("%s", e.text);
    return t;
}

static void udp_takes_only_the_named_source(void **state)
{
    static const struct {
        const char *host, *source;
        bool taken;
    } table[] = {
        { "127.0.0.1", "127.0.0.1", true }, { "127.0.0.1", "127.0.0.2", false }, { "0.0.0.0", "127.0.0.1", true },
        { "0.0.0.0", "192.0.2.7", false },  { "127.0.0.1", NULL, true },
    };
    uint8_t ts[BF_DATAGRAM_SIZE], got[2048];
    (void)state;
    fill(ts, 1);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct bf_transport *in = listen_for(table[i].host, table[i].source);
        int fd = raw_udp();
        raw_send(fd, bf_transport_port(in), ts, sizeof(ts));
        assert_int_equal(bf_transport_recv(in, got, sizeof(got)), table[i].taken ? BF_DATAGRAM_SIZE : -ETIMEDOUT);
        assert_int_equal(bf_transport_counters(in).refused_source, table[i].taken ? 0 : 1);
        close(fd);
        bf_transport_free(in);
    }
}

static void bad_options_are_refused(void **state)
{
    static const struct {
        struct bf_transport_options options;
        bool dial;
        int code;
    } table[] = {
        { { .kind = BF_TRANSPORT_UDP, .host = "0.0.0.0", .timeout_ms = 100 }, false, -EINVAL }, /* anyone could send */
        { { .kind = BF_TRANSPORT_UDP, .host = "no host", .timeout_ms = 100 }, false, -EINVAL },
        { { .kind = BF_TRANSPORT_UDP, .host = "127.0.0.1", .source = "256.1.1.1" }, false, -EINVAL },
        { { .kind = BF_TRANSPORT_UDP, .host = "192.0.2.1", .source = "127.0.0.1" }, false, -EADDRNOTAVAIL },
        { { .kind = BF_TRANSPORT_SRT, .host = "127.0.0.1", .passphrase = "too short" }, false, -EINVAL },
        { { .kind = BF_TRANSPORT_SRT, .host = "127.0.0.1", .port = 9, .passphrase = "short" }, true, -EINVAL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct bf_transport *t = NULL;
        struct bf_error e = { "" };
        int code = table[i].dial ? bf_transport_dial(&t, &table[i].options, &e)
                                 : bf_transport_listen(&t, &table[i].options, &e);
        assert_int_equal(code, table[i].code);
        assert_null(t);
        assert_string_not_equal(e.text, "");
        assert_null(strstr(e.text, "short")); /* a refused secret is not printed */
    }
}

static void a_taken_port_is_told(void **state)
{
    (void)state;
    for (int kind = BF_TRANSPORT_SRT; kind <= BF_TRANSPORT_UDP; kind++)
        for (int other = BF_TRANSPORT_SRT; other <= BF_TRANSPORT_UDP; other++) {
            struct bf_transport *first = listen_on_loopback((enum bf_transport_kind)kind, 100, NULL), *second = NULL;
            const struct bf_transport_options options = { .kind = (enum bf_transport_kind)other,
                                                          .host = "127.0.0.1",
                                                          .port = bf_transport_port(first),
                                                          .timeout_ms = 100 };
            struct bf_error e = { "" };
            assert_int_equal(bf_transport_listen(&second, &options, &e), -EADDRINUSE);
            assert_null(second);
            bf_transport_free(first);
        }
}

/* A session's port can be used again at once, also while another session runs in the same process. */
static void a_port_can_be_used_again(void **state)
{
    struct bf_transport *other = listen_on_loopback(BF_TRANSPORT_SRT, 100, NULL);
    uint16_t port = 0;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        const struct bf_transport_options options = { .kind = BF_TRANSPORT_SRT,
                                                      .host = "127.0.0.1",
                                                      .port = port,
                                                      .latency_ms = 20,
                                                      .passphrase = i == 1 ? PASSPHRASE : NULL,
                                                      .timeout_ms = 2000 };
        struct bf_transport *in = NULL;
        struct bf_error e = { "" };
        if (bf_transport_listen(&in, &options, &e) < 0)
            fail_msg("%s", e.text);
        port = bf_transport_port(in);
        struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, port, options.passphrase);
        send_number(out, 5);
        assert_datagram(in, 5);
        bf_transport_free(out);
        bf_transport_free(in);
    }
    bf_transport_free(other);
}

static int dial_with(uint16_t port, const char *passphrase, unsigned timeout_ms)
{
    const struct bf_transport_options options = { .kind = BF_TRANSPORT_SRT,
                                                  .host = "127.0.0.1",
                                                  .port = port,
                                                  .latency_ms = 20,
                                                  .passphrase = passphrase,
                                                  .timeout_ms = timeout_ms };
    struct bf_transport *t = NULL;
    struct bf_error e = { "" };
    int code = bf_transport_dial(&t, &options, &e);
    assert_int_equal(code == 0, t != NULL);
    assert_int_equal(code < 0, e.text[0] != '\0');
    bf_transport_free(t);
    return code;
}

static void wrong_passphrases_are_refused(void **state)
{
    struct bf_transport *secret = listen_on_loopback(BF_TRANSPORT_SRT, 2000, PASSPHRASE);
    struct bf_transport *open = listen_on_loopback(BF_TRANSPORT_SRT, 2000, NULL);
    (void)state;
    assert_int_equal(dial_with(bf_transport_port(secret), "not the passphrase", 2000), -EACCES);
    assert_int_equal(dial_with(bf_transport_port(secret), NULL, 2000), -EACCES);
    assert_int_equal(dial_with(bf_transport_port(open), PASSPHRASE, 2000), -EACCES);

    struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(secret), PASSPHRASE);
    send_number(out, 3);
    assert_datagram(secret, 3);
    bf_transport_free(out);
    bf_transport_free(open);
    bf_transport_free(secret);
}

static void nobody_there(void **state)
{
    (void)state;
    assert_int_equal(dial_with(9, NULL, 150), -ETIMEDOUT);
}

static void a_second_caller_is_refused(void **state)
{
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 2000, PASSPHRASE);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), PASSPHRASE);
    (void)state;
    send_number(out, 1);
    assert_datagram(in, 1);
    assert_int_equal(dial_with(bf_transport_port(in), PASSPHRASE, 2000), -ECONNREFUSED);
    assert_int_equal(bf_transport_counters(in).refused_source, 1);
    send_number(out, 2);
    assert_datagram(in, 2);

    bf_transport_free(out);
    uint8_t got[2048];
    assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -EPIPE);
    out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), PASSPHRASE);
    send_number(out, 3);
    assert_datagram(in, 3);
    bf_transport_free(out);
    bf_transport_free(in);
}

/* What was sent before the end arrives before the end is told. */
static void deliver_tail(unsigned tail)
{
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 2000, PASSPHRASE);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), PASSPHRASE);
    uint8_t got[2048];
    for (unsigned i = 0; i < tail; i++)
        send_number(out, (uint8_t)i);
    bf_transport_free(out);
    for (unsigned i = 0; i < tail; i++)
        assert_datagram(in, (uint8_t)i);
    assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -EPIPE);
    assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -ETIMEDOUT);
    bf_transport_free(in);
}

/* Who reads meets the end before the first packet, between two, or after the last: so more than once. */
static void the_tail_is_delivered(void **state)
{
    static const unsigned tails[] = { 100, 1, 7, 100, 30, 100, 2, 100 };
    (void)state;
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
        deliver_tail(tails[i]);
}

/* Both are let in before the receiver has looked. One is taken, whichever; the other learns that it is not the one. */
static void callers_at_the_same_moment(void **state)
{
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 2000, NULL), *out[2];
    uint8_t ts[BF_DATAGRAM_SIZE];
    int codes[2] = { 0 };
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        out[i] = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), NULL);
    fill(ts, 1);
    for (unsigned n = 0; n < 1000 && codes[0] == 0 && codes[1] == 0; n++) {
        for (unsigned i = 0; i < 2; i++)
            codes[i] = bf_transport_send(out[i], ts, sizeof(ts));
        assert_datagram(in, 1);
    }
    assert_int_equal(codes[0] + codes[1], -EPIPE);
    assert_int_equal(bf_transport_counters(in).refused_source, 1);
    bf_transport_free(out[0]);
    bf_transport_free(out[1]);
    bf_transport_free(in);
}

static void a_sender_sees_its_receiver_leave(void **state)
{
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 2000, NULL);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), NULL);
    uint8_t ts[BF_DATAGRAM_SIZE];
    int code = 0;
    (void)state;
    send_number(out, 1);
    assert_datagram(in, 1);
    bf_transport_free(in);
    fill(ts, 2);
    for (uint64_t until = bf_mono_ms() + 3000; code == 0 && bf_mono_ms() < until; sched_yield())
        code = bf_transport_send(out, ts, sizeof(ts));
    assert_int_equal(code, -EPIPE);
    bf_transport_free(out);
}

static void udp_needs_no_receiver(void **state)
{
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_UDP, 9, NULL);
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        send_number(out, (uint8_t)i);
    bf_transport_free(out);
}

static void silence_is_told_in_time(void **state)
{
    (void)state;
    for (int kind = BF_TRANSPORT_SRT; kind <= BF_TRANSPORT_UDP; kind++) {
        struct bf_transport *in = listen_on_loopback((enum bf_transport_kind)kind, 120, NULL);
        uint8_t got[2048];
        uint64_t before = bf_mono_ms();
        assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -ETIMEDOUT);
        assert_in_range(bf_mono_ms() - before, 115, 400);
        bf_transport_free(in);
    }
}

struct blocked {
    struct bf_transport *transport; /* recv on it; NULL: dial */
    atomic_bool stop;
    pthread_barrier_t ready;
    int code;
    uint64_t returned_ms;
};

static void *block(void *user)
{
    struct blocked *b = user;
    const struct bf_transport_options options = {
        .kind = BF_TRANSPORT_SRT, .host = "127.0.0.1", .port = 9, .timeout_ms = 30000, .stop = &b->stop
    };
    uint8_t got[2048];
    pthread_barrier_wait(&b->ready);
    b->code = b->transport != NULL ? bf_transport_recv(b->transport, got, sizeof(got))
                                   : bf_transport_dial(&b->transport, &options, NULL);
    b->returned_ms = bf_mono_ms();
    return NULL;
}

static void assert_cancelled(struct bf_transport *t)
{
    struct blocked b = { .transport = t };
    pthread_t thread;
    assert_int_equal(pthread_barrier_init(&b.ready, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, block, &b), 0);
    pthread_barrier_wait(&b.ready);
    uint64_t before = bf_mono_ms();
    if (t != NULL)
        bf_transport_cancel(t);
    else
        atomic_store(&b.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(b.code, -ECANCELED);
    assert_in_range(b.returned_ms - before, 0, 150);
    pthread_barrier_destroy(&b.ready);
}

static void cancel_ends_a_wait(void **state)
{
    uint8_t ts[BF_DATAGRAM_SIZE];
    (void)state;
    assert_cancelled(NULL); /* a dial */
    for (int kind = BF_TRANSPORT_SRT; kind <= BF_TRANSPORT_UDP; kind++) {
        struct bf_transport *in = listen_on_loopback((enum bf_transport_kind)kind, 30000, NULL);
        struct bf_transport *out = dial_loopback((enum bf_transport_kind)kind, bf_transport_port(in), NULL);
        send_number(out, 1);
        assert_datagram(in, 1);
        assert_cancelled(in);
        assert_int_equal(bf_transport_recv(in, ts, sizeof(ts)), -ECANCELED); /* from then on */
        bf_transport_cancel(out);
        fill(ts, 1);
        assert_int_equal(bf_transport_send(out, ts, sizeof(ts)), -ECANCELED);
        bf_transport_free(out);
        bf_transport_free(in);
        in = listen_on_loopback((enum bf_transport_kind)kind, 30000, NULL); /* nobody connected yet */
        assert_cancelled(in);
        bf_transport_free(in);
    }
}

static unsigned entries(const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    unsigned descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    uint64_t before = bf_mono_ms();
    for (unsigned i = 0; i < 20; i++) {
        struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 2000, PASSPHRASE);
        struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), PASSPHRASE);
        send_number(out, 1);
        assert_datagram(in, 1);
        bf_transport_free(out);
        bf_transport_free(in);
    }
    assert_true(bf_mono_ms() - before < 20000);
    assert_int_equal(entries("/proc/self/fd"), descriptors);
    assert_int_equal(entries("/proc/self/task"), threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_datagrams_arrive),
        cmocka_unit_test(srt_datagrams_arrive),
        cmocka_unit_test(udp_takes_only_transport_streams),
        cmocka_unit_test(udp_takes_only_the_named_source),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_taken_port_is_told),
        cmocka_unit_test(a_port_can_be_used_again),
        cmocka_unit_test(wrong_passphrases_are_refused),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_second_caller_is_refused),
        cmocka_unit_test(callers_at_the_same_moment),
        cmocka_unit_test(the_tail_is_delivered),
        cmocka_unit_test(a_sender_sees_its_receiver_leave),
        cmocka_unit_test(udp_needs_no_receiver),
        cmocka_unit_test(silence_is_told_in_time),
        cmocka_unit_test(cancel_ends_a_wait),
        cmocka_unit_test(nothing_is_left_behind),
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
