#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "media/h264.h"
#include "media/ts.h"

enum { WIDTH = 320, HEIGHT = 240, FRAMES = 50, GOP = 25, FRAME_90K = 3600 };

/* Datagrams kept in memory: what a sender made, to be played to a reader in any shape. */
struct tape {
    uint8_t *data;
    size_t size, room, at;
    int end; /* what the source says when the tape is over */
};

static int play(void *user, void *ret, size_t size)
{
    struct tape *t = user;
    size_t n = t->size - t->at < BF_DATAGRAM_SIZE ? t->size - t->at : BF_DATAGRAM_SIZE;
    assert_true(size >= n);
    if (n == 0)
        return t->end;
    memcpy(ret, t->data + t->at, n);
    t->at += n;
    return (int)n;
}

static void record(struct tape *t, const void *data, size_t size)
{
    if (t->size + size > t->room) {
        t->room = (t->size + size) * 2;
        t->data = realloc(t->data, t->room);
        assert_non_null(t->data);
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
}

static struct bf_ts_writer *writer_new(struct bf_transport *t)
{
    struct bf_ts_writer *w = NULL;
    struct bf_error e = { "" };
    if (bf_ts_writer_new(&w, t, &e) < 0)
        fail_msg("%s", e.text);
    return w;
}

static struct bf_ts_reader *reader_on(struct bf_transport *t)
{
    struct bf_ts_reader *r = NULL;
    struct bf_error e = { "" };
    if (bf_ts_reader_new(&r, t, &e) < 0)
        fail_msg("%s", e.text);
    return r;
}

static struct bf_ts_reader *reader_of(struct tape *tape)
{
    struct bf_ts_reader *r = NULL;
    assert_int_equal(bf_ts_reader_new_from(&r, play, tape, NULL), 0);
    return r;
}

/* What the writer sends over UDP, whole. */
static struct tape tape_of(const struct access_unit *aus, unsigned count, int64_t start)
{
    struct tape tape = { .end = -ETIMEDOUT };
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_UDP, 50, NULL);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_UDP, bf_transport_port(in), NULL);
    struct bf_ts_writer *w = writer_new(out);
    uint64_t got = 0;
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(bf_ts_write(w, aus[i].data, aus[i].size, start + (int64_t)i * FRAME_90K, aus[i].idr), 0);
        while (got < bf_transport_counters(out).bytes) {
            uint8_t datagram[2048];
            int n = bf_transport_recv(in, datagram, sizeof(datagram));
            assert_true(n > 0 && n % 188 == 0 && n <= BF_DATAGRAM_SIZE);
            record(&tape, datagram, (size_t)n);
            got += (uint64_t)n;
        }
    }
    bf_ts_writer_free(w);
    bf_transport_free(out);
    bf_transport_free(in);
    return tape;
}

/* The muxer puts a delimiter in front; behind it the access unit is the one that was sent, byte for byte. */
static void assert_same(const struct bf_ts_packet *p, const struct access_unit *au)
{
    static const uint8_t delimiter[] = { 0, 0, 0, 1, 9, 0xf0 };
    assert_false(p->corrupt);
    assert_int_equal(p->size, au->size + sizeof(delimiter));
    assert_memory_equal(p->data, delimiter, sizeof(delimiter));
    assert_memory_equal(p->data + sizeof(delimiter), au->data, au->size);
}

/* Frame in, frame out, one at a time: a frame that waited for the next one would time out. */
static void round_trip(enum bf_transport_kind kind, const char *passphrase, int64_t start)
{
    struct access_unit *aus = access_units_new(WIDTH, HEIGHT, FRAMES, GOP);
    struct bf_transport *in = listen_on_loopback(kind, 2000, passphrase);
    struct bf_transport *out = dial_loopback(kind, bf_transport_port(in), passphrase);
    struct bf_ts_writer *w = writer_new(out);
    struct bf_ts_reader *r = reader_on(in);
    for (unsigned i = 0; i < FRAMES; i++) {
        struct bf_ts_packet p;
        struct bf_au au;
        int64_t pts = start + (int64_t)i * FRAME_90K;
        assert_int_equal(bf_ts_write(w, aus[i].data, aus[i].size, pts, aus[i].idr), 0);
        assert_int_equal(bf_ts_read(r, &p), 0);
        assert_same(&p, &aus[i]);
        assert_true(p.pts_90k == (pts & 0x1ffffffff) && p.dts_90k == p.pts_90k);
        bf_au_scan(p.data, p.size, &au);
        assert_int_equal(au.idr, aus[i].idr);
        assert_int_equal(au.capture_us, aus[i].capture_us);
    }
    assert_int_equal(bf_transport_counters(in).refused_form, 0);
    bf_ts_reader_free(r);
    bf_ts_writer_free(w);
    bf_transport_free(out);
    bf_transport_free(in);
    access_units_free(aus, FRAMES);
}

static void over_udp(void **state)
{
    (void)state;
    round_trip(BF_TRANSPORT_UDP, NULL, 1234567);
}

static void over_srt(void **state)
{
    (void)state;
    round_trip(BF_TRANSPORT_SRT, NULL, 0);
}

static void over_srt_encrypted_across_a_wrap(void **state)
{
    (void)state;
    round_trip(BF_TRANSPORT_SRT, "0123456789abcdef0123456789abcdef", (INT64_C(1) << 33) * 5 - 10 * FRAME_90K);
}

static void timestamps_must_rise(void **state)
{
    struct access_unit *aus = access_units_new(WIDTH, HEIGHT, 3, GOP);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_UDP, 9, NULL);
    struct bf_ts_writer *w = writer_new(out);
    (void)state;
    assert_int_equal(bf_ts_write(w, aus[0].data, aus[0].size, 5000, true), 0);
    assert_int_equal(bf_ts_write(w, aus[1].data, aus[1].size, 5000, false), -EINVAL);
    assert_int_equal(bf_ts_write(w, aus[1].data, 0, 9000, false), -EINVAL);
    assert_int_equal(bf_ts_write(w, aus[1].data, aus[1].size, 9000, false), 0);
    bf_ts_writer_free(w);
    bf_transport_free(out);
    access_units_free(aus, 3);
}

/* Even the first access unit of a few bytes comes out at once. */
static void tiny_access_units(void **state)
{
    struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_UDP, 1000, NULL);
    struct bf_transport *out = dial_loopback(BF_TRANSPORT_UDP, bf_transport_port(in), NULL);
    struct bf_ts_writer *w = writer_new(out);
    struct bf_ts_reader *r = reader_on(in);
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        const struct access_unit au = { .data = (uint8_t[]){ 0, 0, 0, 1, 0x65, 0x88, 0x84, (uint8_t)i }, .size = 8 };
        struct bf_ts_packet p;
        assert_int_equal(bf_ts_write(w, au.data, au.size, (int64_t)i * FRAME_90K, i == 0), 0);
        assert_int_equal(bf_ts_read(r, &p), 0);
        assert_same(&p, &au);
    }
    bf_ts_reader_free(r);
    bf_ts_writer_free(w);
    bf_transport_free(out);
    bf_transport_free(in);
}

/* The whole of a large IDR arrives in one piece, though PES cannot tell its length. */
static void large_access_units(void **state)
{
    enum { LARGE = 900000 };
    struct access_unit aus[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        aus[i] = (struct access_unit){ .data = malloc(LARGE), .size = i == 1 ? 2000 : LARGE, .idr = i != 1 };
        assert_non_null(aus[i].data);
        memset(aus[i].data, 0xb5, LARGE);
        memcpy(aus[i].data, "\0\0\0\1\x65", 5);
    }
    struct tape tape = tape_of(aus, 3, 0);
    struct bf_ts_reader *r = reader_of(&tape);
    for (unsigned i = 0; i < 3; i++) {
        struct bf_ts_packet p;
        assert_int_equal(bf_ts_read(r, &p), 0);
        assert_same(&p, &aus[i]);
        free(aus[i].data);
    }
    bf_ts_reader_free(r);
    free(tape.data);
}

/* Joining anywhere: nothing is made up, and from the next PAT and PMT on (at each IDR) all of it is there. */
static void joining_late(void **state)
{
    struct access_unit *aus = access_units_new(WIDTH, HEIGHT, FRAMES, GOP);
    struct tape tape = tape_of(aus, FRAMES, 0);
    (void)state;
    for (size_t packets = 1; packets < 200; packets += 13) {
        struct tape cut = { .data = tape.data, .size = tape.size, .at = packets * 188, .end = -EPIPE };
        struct bf_ts_reader *r = reader_of(&cut);
        struct bf_ts_packet p;
        bool idr_seen = false;
        int code, last = 0;
        while ((code = bf_ts_read(r, &p)) == 0) {
            struct bf_au au;
            int index = (int)(p.pts_90k / FRAME_90K);
            if (p.corrupt || p.pts_90k == INT64_MIN)
                continue;
            assert_same(&p, &aus[index]);
            bf_au_scan(p.data, p.size, &au);
            idr_seen |= au.idr;
            last = index;
        }
        assert_int_equal(code, -EPIPE);
        assert_true(idr_seen);
        assert_int_equal(last, FRAMES - 1);
        bf_ts_reader_free(r);
    }
    free(tape.data);
    access_units_free(aus, FRAMES);
}

/* Silence in the middle of the stream is told, once each time, and then it goes on. */
static int play_with_silences(void *user, void *ret, size_t size)
{
    struct tape *t = user;
    if (++t->end % 5 == 0)
        return -ETIMEDOUT;
    int end = t->end;
    t->end = -EPIPE;
    int n = play(t, ret, size);
    t->end = end;
    return n;
}

static void silence_is_not_the_end(void **state)
{
    struct access_unit *aus = access_units_new(WIDTH, HEIGHT, FRAMES, GOP);
    struct tape tape = tape_of(aus, FRAMES, 0);
    struct bf_ts_reader *r = NULL;
    struct bf_ts_packet p;
    unsigned silences = 0, whole = 0;
    int code;
    (void)state;
    tape.end = 0;
    assert_int_equal(bf_ts_reader_new_from(&r, play_with_silences, &tape, NULL), 0);
    while ((code = bf_ts_read(r, &p)) == 0 || code == -ETIMEDOUT) {
        silences += code == -ETIMEDOUT;
        whole += code == 0 && !p.corrupt;
    }
    assert_int_equal(code, -EPIPE);
    assert_true(silences >= tape.size / BF_DATAGRAM_SIZE / 5);
    assert_true(whole > 0);
    bf_ts_reader_free(r);
    free(tape.data);
    access_units_free(aus, FRAMES);
}

/* Packets damaged, lost, doubled and made up: never an error but the source's own, and most frames come through. */
static void damage_is_survived(void **state)
{
    struct access_unit *aus = access_units_new(WIDTH, HEIGHT, FRAMES, GOP);
    struct tape tape = tape_of(aus, FRAMES, 0);
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct tape damaged = { .end = -EPIPE };
        unsigned whole = 0;
        int code;
        srand(seed);
        for (size_t at = 0; at < tape.size; at += 188) {
            uint8_t packet[188];
            memcpy(packet, tape.data + at, 188);
            int fate = rand() % 100;
            if (fate == 0)
                continue;
            if (fate < 3)
                packet[1 + rand() % 187] ^= (uint8_t)(1 + rand() % 255);
            if (fate == 3)
                for (unsigned k = 1; k < 188; k++)
                    packet[k] = (uint8_t)(rand() >> 4);
            record(&damaged, packet, 188);
            if (fate == 4)
                record(&damaged, packet, 188);
        }
        struct bf_ts_reader *r = reader_of(&damaged);
        struct bf_ts_packet p;
        while ((code = bf_ts_read(r, &p)) == 0)
            whole += !p.corrupt;
        assert_int_equal(code, -EPIPE);
        assert_true(whole > FRAMES / 4);
        bf_ts_reader_free(r);
        free(damaged.data);
    }
    free(tape.data);
    access_units_free(aus, FRAMES);
}

static void pure_garbage_ends_with_the_source(void **state)
{
    struct tape tape = { .end = -ECANCELED };
    struct bf_ts_packet p;
    int code;
    (void)state;
    srand(3);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t packet[188];
        for (unsigned k = 0; k < 188; k++)
            packet[k] = (uint8_t)(rand() >> 4);
        packet[0] = 0x47;
        record(&tape, packet, 188);
    }
    struct bf_ts_reader *r = reader_of(&tape);
    while ((code = bf_ts_read(r, &p)) == 0)
        ;
    assert_int_equal(code, -ECANCELED);
    bf_ts_reader_free(r);
    free(tape.data);
}

/* Noise of any size at the media port. */
static void spray(int fd, uint16_t port, unsigned datagrams)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    while (datagrams-- > 0) {
        uint8_t noise[1400];
        for (unsigned k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)(rand() >> 4);
        noise[0] = 0x46;
        sendto(fd, noise, (size_t)rand() % sizeof(noise), 0, (const struct sockaddr *)&to, sizeof(to));
    }
}

static void noise_on_the_port(enum bf_transport_kind kind)
{
    struct access_unit *aus = access_units_new(WIDTH, HEIGHT, FRAMES, GOP);
    struct bf_transport *in = listen_on_loopback(kind, 2000, NULL);
    struct bf_transport *out = dial_loopback(kind, bf_transport_port(in), NULL);
    struct bf_ts_writer *w = writer_new(out);
    struct bf_ts_reader *r = reader_on(in);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    srand(4);
    for (unsigned i = 0; i < FRAMES; i++) {
        struct bf_ts_packet p;
        spray(fd, bf_transport_port(in), 10);
        assert_int_equal(bf_ts_write(w, aus[i].data, aus[i].size, (int64_t)i * FRAME_90K, aus[i].idr), 0);
        assert_int_equal(bf_ts_read(r, &p), 0);
        assert_same(&p, &aus[i]);
    }
    if (kind == BF_TRANSPORT_UDP)
        assert_int_equal(bf_transport_counters(in).refused_form, 10 * FRAMES);
    close(fd);
    bf_ts_reader_free(r);
    bf_ts_writer_free(w);
    bf_transport_free(out);
    bf_transport_free(in);
    access_units_free(aus, FRAMES);
}

static void noise_on_the_udp_port(void **state)
{
    (void)state;
    noise_on_the_port(BF_TRANSPORT_UDP);
}

static void noise_on_the_srt_port(void **state)
{
    (void)state;
    noise_on_the_port(BF_TRANSPORT_SRT);
}

/* Reads until `wanted` frames came or the sender is silent; checks what every foreign stream must give. */
static void read_foreign(struct bf_transport *in, unsigned wanted)
{
    struct bf_ts_reader *r = reader_on(in);
    struct bf_ts_packet p;
    unsigned frames = 0, idrs = 0;
    int64_t last = INT64_MIN;
    while (frames < wanted && bf_ts_read(r, &p) == 0) {
        struct bf_au au;
        bf_au_scan(p.data, p.size, &au);
        assert_true(au.has_slice);
        assert_false(p.corrupt);
        if (frames == 0) {
            struct bf_sps sps;
            assert_true(au.idr); /* the first frame out is the first frame sent */
            assert_int_equal(bf_sps_parse(au.sps.data, au.sps.size, &sps), 0);
            assert_int_equal(sps.width, 320);
        }
        assert_true(p.dts_90k > last);
        last = p.dts_90k;
        idrs += au.idr;
        frames++;
    }
    assert_int_equal(frames, wanted);
    assert_true(idrs >= 2);
    bf_ts_reader_free(r);
}

/* Senders that are not ours: PES without a length, audio beside the video, datagrams cut anywhere, other PIDs. */
static void foreign_streams(void **state)
{
    static const char *const senders[] = {
        "ffmpeg -nostdin -v error -re -f lavfi -i testsrc=size=320x240:rate=25 -f lavfi -i sine -t 2 -c:v libx264 "
        "-preset ultrafast -tune zerolatency -g 20 -c:a aac -f mpegts 'udp://127.0.0.1:%u?pkt_size=1316'",
        "ffmpeg -nostdin -v error -re -f lavfi -i testsrc=size=320x240:rate=25 -t 2 -c:v libx264 -preset veryfast "
        "-bf 2 -g 20 -x264-params aud=1 -mpegts_start_pid 0x321 -f mpegts udp://127.0.0.1:%u",
        "ffmpeg -nostdin -v error -re -f lavfi -i sine -f lavfi -i testsrc=size=320x240:rate=25 -t 2 -map 0 -map 1 "
        "-c:v libx264 -preset ultrafast -g 10 -c:a mp2 -flush_packets 1 -f mpegts udp://127.0.0.1:%u",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
        struct bf_transport *in = listen_on_loopback(BF_TRANSPORT_UDP, 5000, NULL);
        char command[512];
        snprintf(command, sizeof(command), senders[i], bf_transport_port(in));
        FILE *sender = popen(command, "r");
        assert_non_null(sender);
        read_foreign(in, 45);
        assert_int_equal(pclose(sender), 0);
        bf_transport_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_udp),
        cmocka_unit_test(over_srt),
        cmocka_unit_test(over_srt_encrypted_across_a_wrap),
        cmocka_unit_test(timestamps_must_rise),
        cmocka_unit_test(tiny_access_units),
        cmocka_unit_test(large_access_units),
        cmocka_unit_test(joining_late),
        cmocka_unit_test(silence_is_not_the_end),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(pure_garbage_ends_with_the_source),
        cmocka_unit_test(noise_on_the_udp_port),
        cmocka_unit_test(noise_on_the_srt_port),
        cmocka_unit_test(foreign_streams),
    };
    return cmocka_run_group_tests_name("ts", tests, NULL, NULL);
}
