/* A camera that is not Belfry's: H.264 in MPEG-TS over plain UDP, as Picamera2's H264Encoder and PyavOutput send it. The
 * test pattern carries the time barcode; a film keeps the encoder at its full rate. Several receivers get the very same
 * datagrams, so that what they cost can be compared.
 *
 *   bench_sender --to PORT [--to PORT …] [--film FILE] [--bitrate-kbps 2000] [--gop-frames 60]
 *
 * 640x480 at 30 frames a second to 127.0.0.1, until SIGTERM or SIGINT. Nobody need listen yet: datagrams get lost then. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "camera/source.h"
#include "camera/stop.h"
#include "media/encoder.h"
#include "media/ts.h"

enum { WIDTH = 640, HEIGHT = 480, FPS = 30, RECEIVERS_MAX = 4 };

struct options {
    uint16_t ports[RECEIVERS_MAX];
    size_t n_ports;
    const char *film;
    uint32_t bitrate_kbps, gop_frames;
};

struct receiver {
    struct bf_transport *transport;
    struct bf_ts_writer *writer;
};

struct sender {
    const struct bf_source_ops *ops;
    void *source;
    struct bf_source_format format;
    struct bf_encoder *encoder;
    struct receiver receivers[RECEIVERS_MAX];
    size_t n_receivers;
    int64_t last_pts_90k;
};

static struct bf_stop stop;

static void on_signal(int number)
{
    (void)number;
    bf_stop_raise(&stop); /* an atomic and one write(2): may be called here */
}

/* A whole number from `low` to `high`. */
static int parse_number(uint32_t *ret, const char *text, unsigned long low, unsigned long high)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < low || value > high)
        return -EINVAL;

    *ret = (uint32_t)value;
    return 0;
}

static int add_port(struct options *o, const char *text)
{
    uint32_t port;

    if (o->n_ports == RECEIVERS_MAX || parse_number(&port, text, 1, UINT16_MAX) < 0)
        return -EINVAL;

    o->ports[o->n_ports++] = (uint16_t)port;
    return 0;
}

static int parse_option(struct options *o, int name, const char *text)
{
    switch (name) {
    case 't':
        return add_port(o, text);
    case 'f':
        o->film = text;
        return 0;
    case 'b':
        return parse_number(&o->bitrate_kbps, text, 100, 50000);
    case 'g':
        return parse_number(&o->gop_frames, text, 1, 600);
    default:
        return -EINVAL;
    }
}

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        { "to", required_argument, NULL, 't' },
        { "film", required_argument, NULL, 'f' },
        { "bitrate-kbps", required_argument, NULL, 'b' },
        { "gop-frames", required_argument, NULL, 'g' },
        { 0 },
    };
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) >= 0)
        if (parse_option(o, name, optarg) < 0)
            return -EINVAL;

    return optind == argc && o->n_ports > 0 ? 0 : -EINVAL;
}

static int open_source(struct sender *s, const struct options *o, struct bf_error *e)
{
    const struct bf_source_options wanted = {
        .width = WIDTH, .height = HEIGHT, .fps = FPS, .file = o->film, .stop = &stop
    };

    s->ops = o->film != NULL ? &bf_source_file : &bf_source_test_pattern;
    return s->ops->open(&s->source, &wanted, &s->format, e);
}

static int open_encoder(struct sender *s, const struct options *o, struct bf_error *e)
{
    const struct bf_encoder_options wanted = {
        .name = "libx264",
        .width = s->format.width,
        .height = s->format.height,
        .fps = FPS,
        .bitrate_kbps = o->bitrate_kbps,
        .gop_frames = o->gop_frames,
        .format = s->format.format,
    };

    return bf_encoder_new(&s->encoder, &wanted, e);
}

static int open_receiver(struct sender *s, uint16_t port, struct bf_error *e)
{
    const struct bf_transport_options to = { .kind = BF_TRANSPORT_UDP, .host = "127.0.0.1", .port = port };
    struct receiver *r = &s->receivers[s->n_receivers++];
    int code = bf_transport_dial(&r->transport, &to, e);

    return code < 0 ? code : bf_ts_writer_new(&r->writer, r->transport, e);
}

static int sender_open(struct sender *s, const struct options *o, struct bf_error *e)
{
    int r = open_source(s, o, e);

    if (r == 0)
        r = open_encoder(s, o, e);
    for (size_t i = 0; r == 0 && i < o->n_ports; i++)
        r = open_receiver(s, o->ports[i], e);
    return r;
}

static void sender_close(struct sender *s)
{
    for (size_t i = 0; i < s->n_receivers; i++) {
        bf_ts_writer_free(s->receivers[i].writer);
        bf_transport_free(s->receivers[i].transport);
    }
    bf_encoder_free(s->encoder);
    if (s->ops != NULL)
        s->ops->close(s->source);
}

/* Time stamps from the moment of capture, only ever up. */
static int64_t pts_90k(struct sender *s, uint64_t mono_us)
{
    int64_t pts = (int64_t)(mono_us * 9 / 100);

    s->last_pts_90k = pts > s->last_pts_90k ? pts : s->last_pts_90k + 1;
    return s->last_pts_90k;
}

static int send_one(struct sender *s, struct bf_error *e)
{
    struct bf_frame frame;
    struct bf_encoded unit;
    int r = s->ops->next(s->source, UINT64_MAX, &frame, e);

    if (r == 0)
        r = bf_encoder_encode(s->encoder, &frame, false, &unit);
    if (r < 0)
        return r == -EAGAIN ? 0 : r;

    int64_t pts = pts_90k(s, unit.mono_us);
    for (size_t i = 0; r == 0 && i < s->n_receivers; i++)
        r = bf_ts_write(s->receivers[i].writer, unit.data, unit.size, pts, unit.idr);
    return r;
}

static int run(const struct options *o, struct bf_error *e)
{
    struct sender s = { 0 };
    int r = sender_open(&s, o, e);

    while (r == 0 && !bf_stop_raised(&stop))
        r = send_one(&s, e);
    sender_close(&s);
    return r == -ECANCELED ? 0 : r;
}

int main(int argc, char **argv)
{
    struct options o = { .bitrate_kbps = 2000, .gop_frames = 60 };
    struct bf_error e = { "" };

    if (parse(&o, argc, argv) < 0) {
        fprintf(stderr,
                "usage: bench_sender --to PORT [--to PORT …] [--film FILE] [--bitrate-kbps N] [--gop-frames N]\n");
        return 64;
    }
    if (bf_stop_init(&stop) < 0)
        return 1;
    const struct sigaction act = { .sa_handler = on_signal };
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);

    int r = run(&o, &e);
    if (r < 0)
        fprintf(stderr, "bench_sender: %s (%s)\n", e.text, strerror(-r));
    bf_stop_done(&stop);
    return r < 0;
}
