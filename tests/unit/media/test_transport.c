#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
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
#include "media/transport_callers.h"
#include "media/transport_stream_id.h"

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

/* The second of two equal ones means nothing, wherever it comes from; an equal one later on is another matter. */
static void udp_repetitions_are_left_out(void **state)
{
    static const uint8_t sent[] = { 1, 1, 2, 2, 2, 1, 3 }, wanted[] = { 1, 2, 1, 3 };
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_UDP, 1000, NULL);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_UDP, bf_transport_port(in), NULL);
    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++)
        send_number(out, sent[i]);
    for (size_t i = 0; i < sizeof(wanted); i++)
        assert_datagram(in, wanted[i]);
    assert_int_equal(bf_transport_counters(in).repeated, 3);
    assert_int_equal(bf_transport_counters(in).datagrams, 4);
    bf_transport_free(out);
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

static int dial_as(struct bf_transport **ret, uint16_t port, const char *passphrase, uint64_t fencing_token)
{
    const struct bf_transport_options options = { .kind = BF_TRANSPORT_SRT,
                                                  .host = "127.0.0.1",
                                                  .port = port,
                                                  .latency_ms = 20,
                                                  .passphrase = passphrase,
                                                  .fencing_token = fencing_token,
                                                  .timeout_ms = 5000 };
    struct bf_error e = { "" };
    return bf_transport_dial(ret, &options, &e);
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

/* A camera that was killed has come back: what its first life left behind must not keep it out. */
static void a_higher_token_takes_the_place(void **state)
{
    static const struct {
        uint64_t token;
        const char *passphrase;
        int code;
    } refused[] = { { 4, PASSPHRASE, -ECONNREFUSED },
                    { 5, PASSPHRASE, -ECONNREFUSED },
                    { 0, PASSPHRASE, -ECONNREFUSED },
                    { 6, NULL, -EACCES },
                    { UINT64_MAX, "not the passphrase", -EACCES } };
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 5000, PASSPHRASE), *first, *second, *third = NULL;
    uint16_t port = bf_transport_port(in);
    uint8_t got[2048];
    (void)state;
    assert_int_equal(dial_as(&first, port, PASSPHRASE, 5), 0);
    send_number(first, 1);
    assert_datagram(in, 1);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(dial_as(&third, port, refused[i].passphrase, refused[i].token), refused[i].code);
        send_number(first, 2);
        assert_datagram(in, 2);
    }

    assert_int_equal(dial_as(&second, port, PASSPHRASE, 6), 0);
    uint64_t before = bf_mono_ms();
    assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -EPIPE);
    assert_in_range(bf_mono_ms() - before, 0, 1500); /* far less than a peer may be idle */
    send_number(second, 3);
    assert_datagram(in, 3);
    assert_int_equal(dial_as(&third, port, PASSPHRASE, 5), -ECONNREFUSED); /* who lost the place does not get it back */
    send_number(second, 4);
    assert_datagram(in, 4);
    bf_transport_free(first);
    bf_transport_free(second);
    bf_transport_free(in);
}

/* Who reads stands still for longer than a caller takes to get into the listener's queue; the first one sends on. */
static void who_reads_late_still_sees_the_successor(void **state)
{
    enum { STALL_MS = 1200, EVERY_MS = 50 };
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 5000, PASSPHRASE), *first, *second;
    uint8_t got[2048];
    int r;
    (void)state;
    assert_int_equal(dial_as(&first, bf_transport_port(in), PASSPHRASE, 1), 0);
    send_number(first, 1);
    assert_datagram(in, 1);
    assert_int_equal(dial_as(&second, bf_transport_port(in), PASSPHRASE, 2), 0);
    for (uint64_t since = bf_mono_ms(); bf_mono_ms() - since < STALL_MS; poll(NULL, 0, EVERY_MS))
        send_number(first, 3);
    uint64_t before = bf_mono_ms();
    do
        r = bf_transport_recv(in, got, sizeof(got));
    while (r > 0);
    assert_int_equal(r, -EPIPE);
    assert_in_range(bf_mono_ms() - before, 0, 1500); /* far less than a peer may be idle */
    send_number(second, 4);
    assert_datagram(in, 4);
    bf_transport_free(first);
    bf_transport_free(second);
    bf_transport_free(in);
}

/* With the right passphrase, but without anything to say, or with nothing that makes sense. */
static void who_sends_nothing_of_use_is_sent_away(void **state)
{
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 300, PASSPHRASE), *idle, *next;
    const uint8_t nonsense[BF_DATAGRAM_SIZE] = { 0 };
    uint8_t got[2048];
    (void)state;
    for (unsigned sends_nonsense = 0; sends_nonsense < 2; sends_nonsense++) {
        assert_int_equal(dial_as(&idle, bf_transport_port(in), PASSPHRASE, UINT64_MAX), 0);
        for (unsigned i = 0; i < 50 * sends_nonsense; i++)
            assert_int_equal(bf_transport_send(idle, nonsense, sizeof(nonsense)), 0);
        uint64_t before = bf_mono_ms();
        int code = bf_transport_recv(in, got, sizeof(got));
        if (code == -ETIMEDOUT) /* it was accepted within this call, so not silent for the whole of it */
            code = bf_transport_recv(in, got, sizeof(got));
        assert_int_equal(code, -EPIPE);
        assert_in_range(bf_mono_ms() - before, 290, 1500);
        assert_int_equal(bf_transport_counters(in).refused_form, 50 * sends_nonsense);

        assert_int_equal(dial_as(&next, bf_transport_port(in), PASSPHRASE, 1), 0);
        send_number(next, 1);
        assert_datagram(in, 1);
        bf_transport_free(next);
        bf_transport_free(idle);
        assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -EPIPE);
    }
    bf_transport_free(in);
}

struct intruder {
    pthread_t thread;
    uint16_t port;
    int code;
};

static void *intrude(void *user)
{
    struct intruder *i = user;
    struct bf_transport *t = NULL;
    i->code = dial_as(&t, i->port, "not the passphrase", UINT64_MAX);
    return NULL;
}

static struct bf_address from_host(unsigned last)
{
    struct bf_address a;
    struct bf_error e;
    char host[32];
    snprintf(host, sizeof(host), "192.0.2.%u", last);
    assert_int_equal(bf_address_resolve(&a, host, 5000, &e), 0);
    return a;
}

static unsigned tries_allowed(struct bf_callers *c, unsigned host, uint64_t now_ms)
{
    const struct bf_address from = from_host(host);
    unsigned n = 0;
    while (n < 100 && bf_callers_may_try(c, &from, now_ms))
        n++;
    return n;
}

static void tries_are_counted_by_address(void **state)
{
    struct bf_callers c = { 0 };
    (void)state;
    for (unsigned host = 1; host <= BF_CALLERS_MAX; host++)
        assert_int_equal(tries_allowed(&c, host, 50), BF_CALLER_TRIES_PER_SECOND);
    assert_int_equal(tries_allowed(&c, 1, 1049), 0);
    assert_int_equal(tries_allowed(&c, 99, 1049), 0); /* one address too many within the second */
    assert_int_equal(tries_allowed(&c, 99, 1050), BF_CALLER_TRIES_PER_SECOND);
    assert_int_equal(tries_allowed(&c, 1, 1050), BF_CALLER_TRIES_PER_SECOND);
    assert_int_equal(tries_allowed(&c, 1, 2049), 0);
}

/* Each has libsrt derive a key on the thread that receives: while somebody sends, a few a second may. */
static void a_crowd_without_the_passphrase_is_kept_out(void **state)
{
    enum { CROWD = 32 };
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 5000, PASSPHRASE), *out;
    struct intruder crowd[CROWD];
    unsigned looked_at = 0, sent_away = 0;
    (void)state;
    assert_int_equal(dial_as(&out, bf_transport_port(in), PASSPHRASE, 1), 0);
    send_number(out, 1);
    assert_datagram(in, 1);
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct intruder){ .port = bf_transport_port(in) };
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, intrude, &crowd[i]), 0);
    }
    for (size_t i = 0; i < CROWD; i++) {
        pthread_join(crowd[i].thread, NULL);
        looked_at += crowd[i].code == -EACCES;
        sent_away += crowd[i].code == -ECONNREFUSED;
    }
    assert_int_equal(looked_at + sent_away, CROWD);
    assert_true(looked_at > 0 && sent_away > 0);
    send_number(out, 2);
    assert_datagram(in, 2);
    bf_transport_free(out);
    bf_transport_free(in);
}

static void put_words(uint8_t *to, const uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word = htonl(words[i]);
        memcpy(to + i * 4, &word, 4);
    }
}

/* A handshake of SRT before 1.3 (version 4), as UDT defines it: header of four words, then version, type, first sequence
 * number, packet size, window, request, socket, cookie, address. Returns the cookie of the answer. */
static uint32_t old_handshake(int fd, uint16_t port, uint32_t request, uint32_t cookie)
{
    const uint32_t words[16] = { 0x80000000, 0, 0, 0, 4, 2, 1, 1500, 8192, request, 77, cookie };
    const struct timeval patience = { .tv_sec = 2 };
    uint8_t packet[64], answer[256] = { 0 };
    uint32_t word;
    put_words(packet, words, 16);
    raw_send(fd, port, packet, sizeof(packet));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_true(recv(fd, answer, sizeof(answer), 0) >= 16);
    memcpy(&word, answer + 11 * 4, 4);
    return ntohl(word);
}

/* Such a caller would be let in first and asked for the passphrase later, or never. */
static void handshakes_that_prove_nothing_are_refused(void **state)
{
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_SRT, 300, PASSPHRASE);
    uint8_t got[2048];
    int fd = raw_udp();
    (void)state;
    uint32_t cookie = old_handshake(fd, bf_transport_port(in), 1, 0);
    assert_int_not_equal(cookie, 0);
    old_handshake(fd, bf_transport_port(in), UINT32_MAX, cookie);
    assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -ETIMEDOUT);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), PASSPHRASE);
    send_number(out, 1);
    assert_datagram(in, 1);
    close(fd);
    bf_transport_free(out);
    bf_transport_free(in);
}

static void stream_ids_are_read_strictly(void **state)
{
    static const struct {
        const char *stream_id;
        uint64_t token;
    } table[] = {
        { "#!::m=publish,belfry_token=00000001000000ff", 0x1000000ff },
        { "#!::belfry_token=ffffffffffffffff,m=publish", UINT64_MAX },
        { "#!::belfry_token=00000001000000ff0", 0 },
        { "#!::belfry_token=00000001000000f", 0 },
        { "#!::belfry_token=00000001000000fF", 0 },
        { "#!::belfry_token=-000000100000000", 0 },
        { "#!::belfry_token=,,=0000000000000", 0 },
        { "#!::xbelfry_token=00000001000000ff", 0 },
        { "belfry_token=00000001000000ff", 0 },
        { "#!::", 0 },
        { "", 0 },
        { NULL, 0 },
    };
    char made[BF_STREAM_ID_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(bf_stream_id_token(table[i].stream_id), table[i].token);
    bf_stream_id_make(made, 0xfedcba9876543210);
    assert_int_equal(bf_stream_id_token(made), 0xfedcba9876543210);
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

/* Also to who is told to stop only then. The latency is long beside the time that a goodbye takes to be heard, if the
 * network does not lose it. */
static void tail_after_cancel(bool goodbye_is_heard)
{
    enum { TAIL = 20 };
    const struct bf_transport_options options = {
        .kind = BF_TRANSPORT_SRT, .host = "127.0.0.1", .latency_ms = 400, .passphrase = PASSPHRASE, .timeout_ms = 5000
    };
    struct bf_transport *in = NULL;
    uint8_t got[2048];
    assert_int_equal(bf_transport_listen(&in, &options, NULL), 0);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_SRT, bf_transport_port(in), PASSPHRASE);
    for (unsigned i = 0; i < TAIL; i++)
        send_number(out, (uint8_t)i);
    if (goodbye_is_heard) {
        bf_transport_free(out); /* returns when the receiver's libsrt has acknowledged it all */
        out = NULL;
    }
    assert_datagram(in, 0);
    bf_transport_cancel(in);
    for (unsigned i = 1; i < TAIL; i++)
        assert_datagram(in, (uint8_t)i);
    assert_int_equal(bf_transport_recv(in, got, sizeof(got)), -ECANCELED);
    bf_transport_free(out);
    bf_transport_free(in);
}

static void the_tail_outlives_a_cancel(void **state)
{
    (void)state;
    tail_after_cancel(true);
    tail_after_cancel(false);
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
        cmocka_unit_test(udp_repetitions_are_left_out),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_taken_port_is_told),
        cmocka_unit_test(a_port_can_be_used_again),
        cmocka_unit_test(wrong_passphrases_are_refused),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_second_caller_is_refused),
        cmocka_unit_test(callers_at_the_same_moment),
        cmocka_unit_test(a_higher_token_takes_the_place),
        cmocka_unit_test(who_reads_late_still_sees_the_successor),
        cmocka_unit_test(who_sends_nothing_of_use_is_sent_away),
        cmocka_unit_test(tries_are_counted_by_address),
        cmocka_unit_test(a_crowd_without_the_passphrase_is_kept_out),
        cmocka_unit_test(handshakes_that_prove_nothing_are_refused),
        cmocka_unit_test(stream_ids_are_read_strictly),
        cmocka_unit_test(the_tail_is_delivered),
        cmocka_unit_test(the_tail_outlives_a_cancel),
        cmocka_unit_test(a_sender_sees_its_receiver_leave),
        cmocka_unit_test(udp_needs_no_receiver),
        cmocka_unit_test(silence_is_told_in_time),
        cmocka_unit_test(cancel_ends_a_wait),
        cmocka_unit_test(nothing_is_left_behind),
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
