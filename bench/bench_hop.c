/* Hop latency: a picture through libx264, MPEG-TS and UDP or SRT on loopback, until it is an access unit again.
 * Prints p50, p95 and the first, for the hop alone (packet in to access unit out) and with the encoder in front. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "media/encoder.h"
#include "media/h264.h"
#include "media/ts.h"

enum { WIDTH = 640, HEIGHT = 480, FPS = 30, FRAMES = 180 };

struct setup {
    const char *name;
    enum bf_transport_kind kind;
    unsigned latency_ms;
    const char *passphrase;
};

struct moment {
    uint64_t painted_us, encoded_us, received_us; /* monotonic; 0: never */
};

struct run {
    struct bf_transport *in, *out;
    struct moment frames[FRAMES]; /* by capture time, which is index + 1 */
};

static void *receive(void *user)
{
    struct run *run = user;
    struct bf_ts_reader *reader = NULL;
    struct bf_ts_packet packet;
    if (bf_ts_reader_new(&reader, run->in, NULL) < 0)
        return NULL;
    while (bf_ts_read(reader, &packet) == 0) {
        uint64_t now_us = bf_mono_us();
        struct bf_au au;
        bf_au_scan(packet.data, packet.size, &au);
        if (au.capture_us >= 1 && au.capture_us <= FRAMES)
            run->frames[au.capture_us - 1].received_us = now_us;
    }
    bf_ts_reader_free(reader);
    return NULL;
}

static void paint(struct bf_frame *f, unsigned index)
{
    for (uint32_t y = 0; y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++)
            f->planes[0][y * f->strides[0] + x] = (uint8_t)(16 + (x + y + index * 3) % 220);
    f->capture_us = index + 1;
}

static int send_frames(struct run *run, struct bf_encoder *encoder, struct bf_ts_writer *writer, struct bf_frame *f)
{
    _cleanup_(bf_closep) int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const struct itimerspec every = { .it_value = { .tv_nsec = 1 }, .it_interval = { .tv_nsec = 1000000000 / FPS } };
    if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0)
        return -errno;
    for (unsigned i = 0; i < FRAMES; i++) {
        struct bf_encoded out;
        uint64_t ticks;
        if (read(timer, &ticks, sizeof(ticks)) < 0)
            return -errno;
        paint(f, i);
        run->frames[i].painted_us = bf_mono_us();
        int r = bf_encoder_encode(encoder, f, false, &out);
        run->frames[i].encoded_us = bf_mono_us();
        if (r == 0)
            r = bf_ts_write(writer, out.data, out.size, (int64_t)i * 90000 / FPS, out.idr);
        if (r < 0)
            return r;
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void print(const char *name, const char *what, uint64_t *us, size_t n)
{
    uint64_t first = n > 0 ? us[0] : 0;
    qsort(us, n, sizeof(*us), by_value);
    if (n > 0)
        printf("%-22s %-16s p50 %6.1f ms  p95 %6.1f ms  max %6.1f ms  first %6.1f ms  (%zu of %d)\n", name, what,
               (double)us[n / 2] / 1000, (double)us[n * 95 / 100] / 1000, (double)us[n - 1] / 1000,
               (double)first / 1000, n, FRAMES);
}

static void report(const struct run *run, const char *name)
{
    uint64_t hop[FRAMES], all[FRAMES];
    size_t n = 0;
    for (size_t i = 0; i < FRAMES; i++) {
        const struct moment *m = &run->frames[i];
        if (m->received_us == 0)
            continue;
        hop[n] = m->received_us - m->encoded_us;
        all[n++] = m->received_us - m->painted_us;
    }
    print(name, "hop", hop, n);
    print(name, "encoder + hop", all, n);
}

static int connect_both(struct run *run, const struct setup *s, struct bf_error *e)
{
    struct bf_transport_options o = { .kind = s->kind,
                                      .host = "127.0.0.1",
                                      .latency_ms = s->latency_ms,
                                      .passphrase = s->passphrase,
                                      .timeout_ms = 3000 };
    int r = bf_transport_listen(&run->in, &o, e);
    if (r < 0)
        return r;
    o.port = bf_transport_port(run->in);
    return bf_transport_dial(&run->out, &o, e);
}

static int measure(const struct setup *s, struct bf_error *e)
{
    const struct bf_encoder_options options = { .name = "libx264",
                                                .width = WIDTH,
                                                .height = HEIGHT,
                                                .fps = FPS,
                                                .bitrate_kbps = 2000,
                                                .gop_frames = FPS,
                                                .format = BF_I420 };
    static uint8_t samples[WIDTH * HEIGHT * 3 / 2];
    struct bf_frame frame = { .format = BF_I420,
                              .width = WIDTH,
                              .height = HEIGHT,
                              .planes = { samples, samples + WIDTH * HEIGHT, samples + WIDTH * HEIGHT * 5 / 4 },
                              .strides = { WIDTH, WIDTH / 2, WIDTH / 2 } };
    struct run run = { 0 };
    struct bf_encoder *encoder = NULL;
    struct bf_ts_writer *writer = NULL;
    pthread_t receiver;
    int r = connect_both(&run, s, e);
    if (r == 0)
        r = bf_encoder_new(&encoder, &options, e);
    if (r == 0)
        r = bf_ts_writer_new(&writer, run.out, e);
    if (r == 0)
        r = -pthread_create(&receiver, NULL, receive, &run);
    if (r == 0) {
        r = send_frames(&run, encoder, writer, &frame);
        bf_ts_writer_free(writer);
        bf_transport_free(BF_TAKE(run.out)); /* an SRT sender waits until all of it has arrived */
        if (s->kind == BF_TRANSPORT_UDP)
            bf_transport_cancel(run.in);
        pthread_join(receiver, NULL);
        report(&run, s->name);
    }
    bf_encoder_free(encoder);
    bf_transport_free(run.out);
    bf_transport_free(run.in);
    return r;
}

int main(void)
{
    static const struct setup setups[] = {
        { "udp", BF_TRANSPORT_UDP, 0, NULL },
        { "srt 20 ms", BF_TRANSPORT_SRT, 20, NULL },
        { "srt 20 ms, AES-256", BF_TRANSPORT_SRT, 20, "0123456789abcdef0123456789abcdef" },
        { "srt 60 ms, AES-256", BF_TRANSPORT_SRT, 60, "0123456789abcdef0123456789abcdef" },
    };
    for (size_t i = 0; i < BF_COUNT_OF(setups); i++) {
        struct bf_error e = { "" };
        int r = measure(&setups[i], &e);
        if (r < 0) {
            fprintf(stderr, "%s: %s %s\n", setups[i].name, e.text, strerror(-r));
            return 1;
        }
    }
    return 0;
}
