/* Many viewers of one camera: each a Low-Latency HLS player on one connection (HTTP/1.1, kept open) that gets the multivariant
 * playlist, the media playlist, the init segment, and from then on asks for the playlist that has the next part
 * (_HLS_msn, _HLS_part) and gets every new part it lists.
 *
 *   viewers --url http://127.0.0.1:8080 --camera cam-1 [--viewers 100] [--seconds 20] [--ramp-ms 2000] [--hint] [--json]
 *
 * --hint: the part that the playlist hints at is asked for at once, on a second connection, as hls.js and Safari do.
 * For each part: how long after the first viewer the last one had it whole. Parts count from the end of the ramp and two
 * more seconds on. A viewer more than a hold-back behind jumps to the edge: that is late, not wrong. Ends with 1 if
 * anything went wrong, with 0 if 503 was the worst answer. */
#include "viewers.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, TICK_MS = 50, SETTLE_MS = 2000, VIEWERS_MAX = 100000, SECONDS_MAX = 86400 };

struct options {
    const char *url, *camera;
    unsigned long viewers, seconds, ramp_ms;
    bool hint, json;
};

static int usage(void)
{
    fprintf(stderr, "usage: viewers --url http://HOST:PORT --camera ID [--viewers N] [--seconds S] [--ramp-ms MS] "
                    "[--hint] [--json]\n");
    return 64;
}

static bool take_number(const char *text, unsigned long most, unsigned long *ret)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n > most)
        return false;
    *ret = n;
    return true;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        { "url", required_argument, NULL, 'u' },     { "camera", required_argument, NULL, 'c' },
        { "viewers", required_argument, NULL, 'n' }, { "seconds", required_argument, NULL, 's' },
        { "ramp-ms", required_argument, NULL, 'r' }, { "hint", no_argument, NULL, 'h' },
        { "json", no_argument, NULL, 'j' },          { NULL, 0, NULL, 0 },
    };
    bool ok = true;

    for (int c; ok && (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
        switch (c) {
        case 'u':
            o->url = optarg;
            break;
        case 'c':
            o->camera = optarg;
            break;
        case 'n':
            ok = take_number(optarg, VIEWERS_MAX, &o->viewers);
            break;
        case 's':
            ok = take_number(optarg, SECONDS_MAX, &o->seconds);
            break;
        case 'r':
            ok = take_number(optarg, SECONDS_MAX, &o->ramp_ms);
            break;
        case 'h':
            o->hint = true;
            break;
        case 'j':
            o->json = true;
            break;
        default:
            ok = false;
        }
    return ok && optind == argc && o->url != NULL && o->camera != NULL && o->viewers > 0;
}

/* "http://host:port" and nothing behind it. */
static bool find_server(const char *url, struct sockaddr_in *ret, char *host, size_t host_size)
{
    static const char scheme[] = "http://";
    const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char name[200];

    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return false;
    snprintf(host, host_size, "%s", url + sizeof scheme - 1);
    host[strcspn(host, "/")] = '\0';
    snprintf(name, sizeof name, "%s", host);
    char *colon = strrchr(name, ':');
    if (colon != NULL)
        *colon = '\0';
    if (getaddrinfo(name, colon == NULL ? "80" : colon + 1, &hints, &found) != 0)
        return false;
    memcpy(ret, found->ai_addr, sizeof *ret);
    freeaddrinfo(found);
    return true;
}

static bool raise_descriptors(unsigned long needed)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < needed) {
        fprintf(stderr, "viewers: %lu descriptors are needed; the hard limit is %lu\n", needed,
                (unsigned long)limit.rlim_max);
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void tick_all(struct load *l, struct viewer *viewers, size_t n)
{
    uint64_t ms = now_us() / 1000;

    for (size_t i = 0; i < n; i++)
        viewer_tick(l, &viewers[i], ms);
}

static void run(struct load *l, struct viewer *viewers, size_t n, uint64_t end_ms)
{
    struct epoll_event events[EVENTS];
    uint64_t next_tick_ms = 0;

    for (uint64_t ms = now_us() / 1000; ms < end_ms; ms = now_us() / 1000) {
        if (ms >= next_tick_ms) {
            tick_all(l, viewers, n);
            next_tick_ms = ms + TICK_MS;
        }
        int found = epoll_wait(l->epoll_fd, events, EVENTS, TICK_MS);
        for (int i = 0; i < found; i++)
            link_event(l, events[i].data.ptr, events[i].events);
    }
}

/* --- report --- */

static uint64_t cpu_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static uint64_t errors_of(const struct counts *c)
{
    return c->errors_connect + c->errors_status + c->errors_truncated + c->errors_closed + c->errors_timeout +
           c->errors_answer;
}

struct watched {
    uint64_t watching, with_missed, most_missed;
};

static struct watched look_at(const struct viewer *viewers, size_t n)
{
    struct watched w = { 0 };

    for (size_t i = 0; i < n; i++) {
        w.watching += viewers[i].started && viewers[i].link.state != LINK_CLOSED;
        w.with_missed += viewers[i].missed > 0;
        if (viewers[i].missed > w.most_missed)
            w.most_missed = viewers[i].missed;
    }
    return w;
}

static void print_text(const struct options *o, const struct counts *c, const struct watched *w,
                       const struct spread_summary *s)
{
    printf("viewers %lu, watching at the end %" PRIu64 ", seconds %lu, requests %" PRIu64 ", MB %" PRIu64
           ", own CPU %" PRIu64 " ms\n",
           o->viewers, w->watching, o->seconds, c->requests, c->bytes / 1000000, cpu_ms());
    printf("errors: connect %" PRIu64 ", status %" PRIu64 " (last %d), truncated %" PRIu64 ", closed %" PRIu64
           ", timeout %" PRIu64 ", answer %" PRIu64 "; 503: %" PRIu64 "\n",
           c->errors_connect, c->errors_status, c->last_bad_status, c->errors_truncated, c->errors_closed,
           c->errors_timeout, c->errors_answer, c->busy_503);
    printf("connections %" PRIu64 ", closed by the gateway's wish %" PRIu64 "; playlists %" PRIu64 ", parts %" PRIu64
           "\n",
           c->connects, c->reconnects, c->playlists, c->parts);
    printf("late %" PRIu64 ", parts missed %" PRIu64 ", by %" PRIu64 " viewers, at most %" PRIu64 "\n", c->late,
           c->missed, w->with_missed, w->most_missed);
    printf("from the first viewer to the last, %zu parts: p50 %" PRIu64 " us, p99 %" PRIu64 " us, max %" PRIu64
           " us; viewers a part: %u to %u\n",
           s->parts, s->p50_us, s->p99_us, s->max_us, s->least_viewers, s->most_viewers);
    printf("after the first viewer, all deliveries: p50 %u ms, p99 %u ms, p99.9 %u ms\n", s->delay_p50_ms,
           s->delay_p99_ms, s->delay_p999_ms);
}

static void print_json(const struct options *o, const struct counts *c, const struct watched *w,
                       const struct spread_summary *s)
{
    printf("{\"viewers\":%lu,\"watching\":%" PRIu64 ",\"seconds\":%lu,\"requests\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"cpu_ms\":%" PRIu64 ",",
           o->viewers, w->watching, o->seconds, c->requests, c->bytes, cpu_ms());
    printf("\"errors\":%" PRIu64 ",\"errors_by_kind\":{\"connect\":%" PRIu64 ",\"status\":%" PRIu64
           ",\"truncated\":%" PRIu64 ",\"closed\":%" PRIu64 ",\"timeout\":%" PRIu64 ",\"answer\":%" PRIu64
           "},\"last_bad_status\":%d,\"busy_503\":%" PRIu64 ",",
           errors_of(c), c->errors_connect, c->errors_status, c->errors_truncated, c->errors_closed, c->errors_timeout,
           c->errors_answer, c->last_bad_status, c->busy_503);
    printf("\"connects\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"playlists\":%" PRIu64 ",\"parts\":%" PRIu64
           ",\"late\":%" PRIu64 ",\"missed\":%" PRIu64 ",\"viewers_with_missed\":%" PRIu64 ",\"most_missed\":%" PRIu64
           ",",
           c->connects, c->reconnects, c->playlists, c->parts, c->late, c->missed, w->with_missed, w->most_missed);
    printf("\"spread\":{\"parts\":%zu,\"p50_us\":%" PRIu64 ",\"p99_us\":%" PRIu64 ",\"max_us\":%" PRIu64
           ",\"viewers_least\":%u,\"viewers_most\":%u},",
           s->parts, s->p50_us, s->p99_us, s->max_us, s->least_viewers, s->most_viewers);
    printf("\"delay\":{\"p50_ms\":%u,\"p99_ms\":%u,\"p999_ms\":%u}}\n", s->delay_p50_ms, s->delay_p99_ms,
           s->delay_p999_ms);
}

int main(int argc, char **argv)
{
    struct options o = { .viewers = 100, .seconds = 20, .ramp_ms = 2000 };
    char host[200];

    if (!read_options(argc, argv, &o))
        return usage();
    struct load *l = calloc(1, sizeof *l);
    struct viewer *viewers = calloc(o.viewers, sizeof *viewers);
    if (l == NULL || viewers == NULL || !raise_descriptors(o.viewers * (o.hint ? 2 : 1) + 16))
        return 1;
    if (!find_server(o.url, &l->server, host, sizeof host))
        return usage();
    l->host = host;
    l->camera = o.camera;
    l->hint = o.hint;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    uint64_t begin_us = now_us(), settled_us = begin_us + (o.ramp_ms + SETTLE_MS) * 1000;
    uint64_t end_us = settled_us + o.seconds * 1000000;
    l->spread.from_us = settled_us;
    for (size_t i = 0; i < o.viewers; i++)
        viewer_init(&viewers[i], begin_us / 1000 + i * o.ramp_ms / o.viewers);
    run(l, viewers, o.viewers, end_us / 1000);

    /* The last half second is left out: not everybody has got those parts. */
    struct spread_summary s = spread_summary(&l->spread, settled_us, end_us - 500000);
    struct watched w = look_at(viewers, o.viewers);
    (o.json ? print_json : print_text)(&o, &l->counts, &w, &s);
    int failed = errors_of(&l->counts) > 0;
    for (size_t i = 0; i < o.viewers; i++)
        viewer_done(&viewers[i]);
    close(l->epoll_fd);
    free(viewers);
    free(l);
    return failed;
}
