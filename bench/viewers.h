/* A load generator: many Low-Latency HLS players in one thread. Shared by its own files only; libc and nothing else, since
 * it takes its share of the cores that the gateway runs on. */
#ifndef BELFRY_BENCH_VIEWERS_H
#define BELFRY_BENCH_VIEWERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- viewers_read.c: what a gateway says, taken in pieces of any size. Pure. --- */

enum { LINE_MAX_BYTES = 256 };

/* The part of a line that has come so far. Zero-initialise. */
struct lines {
    size_t n;
    char kept[LINE_MAX_BYTES];
};
/* The next whole line of [*at, end), without its end; moves *at on. False: the rest has been kept for the next piece. What
 * is longer than LINE_MAX_BYTES loses its tail where it comes in pieces. The text is valid until the next call. */
bool lines_next(struct lines *l, const char **at, const char *end, const char **ret, size_t *ret_size);

struct answer {
    int status;
    bool has_length, close, head_done;
    uint64_t left; /* bytes of the body still to come */
    unsigned retry_after_s;
};
/* One line of the head. False: it is not HTTP/1.1 with a length. */
bool answer_line(struct answer *a, const char *line, size_t size);

enum { NAME_MAX_BYTES = 96 };

struct playlist {
    bool is_playlist, has_parts, has_hint, ended;
    uint64_t media_sequence;
    uint64_t segments;              /* complete ones that it lists */
    uint64_t open_parts;            /* parts of the segment that is being written */
    uint64_t first_part, last_part; /* counters, of what it lists */
    uint64_t hint;                  /* counter */
    uint64_t last_independent;      /* counter; first_part where none is */
    uint32_t part_target_ms;
    char map[NAME_MAX_BYTES];       /* of the last segment */
    char first_uri[NAME_MAX_BYTES]; /* first line that is no tag: in a multivariant playlist, the media playlist */
};
void playlist_line(struct playlist *p, const char *line, size_t size);

/* --- viewers_spread.c: when whom reached what. Pure. --- */

enum { SPREAD_PARTS = 8192, DELAY_BINS = 20000 };

struct part_times {
    uint64_t counter, first_us, last_us;
    uint32_t viewers;
};

struct spread {
    uint64_t from_us;                      /* what came before is not counted among the delays */
    struct part_times parts[SPREAD_PARTS]; /* part n is in place n % SPREAD_PARTS */
    uint32_t delays_ms[DELAY_BINS];        /* of each delivery, from the first viewer's; the last one takes the rest */
    uint64_t deliveries;
};
void spread_add(struct spread *s, uint64_t counter, uint64_t now_us);

struct spread_summary {
    size_t parts; /* that were first had within the window, by at least half as many viewers as the one with the most */
    uint64_t p50_us, p99_us, max_us;
    uint32_t most_viewers, least_viewers;
    uint32_t delay_p50_ms, delay_p99_ms, delay_p999_ms; /* of all deliveries */
};
struct spread_summary spread_summary(const struct spread *s, uint64_t from_us, uint64_t until_us);

/* --- viewers_player.c: one viewer --- */

struct counts {
    uint64_t requests, playlists, parts, bytes;
    uint64_t connects, reconnects; /* reconnects: the gateway had said that it would close */
    uint64_t errors_connect, errors_status, errors_truncated, errors_closed, errors_timeout, errors_answer, busy_503;
    uint64_t late, missed; /* jumps to the edge, and the parts passed over */
    uint64_t ended;
    int last_bad_status;
};

struct load {
    struct sockaddr_in server;
    const char *host, *camera; /* host: for the Host header */
    bool hint;
    int epoll_fd;
    unsigned
        source; /* 127.0.0.x that connections come from once the ports of the first have run out; 0: the usual one */
    struct counts counts;
    struct spread spread;
    char piece[65536]; /* what is being read */
};

enum link_state { LINK_CLOSED, LINK_CONNECTING, LINK_WAITING, LINK_READING, LINK_IDLE };
enum wanted { WANT_INDEX, WANT_PLAYLIST, WANT_INIT, WANT_PART };

struct viewer;

struct link {
    struct viewer *viewer;
    int fd;
    enum link_state state;
    enum wanted wanted;
    uint64_t part; /* of WANT_PART */
    uint64_t deadline_ms;
    struct answer answer;
    struct lines lines;
};

struct viewer {
    struct link link, hint_link;
    bool started, has_init, ended;
    uint64_t begin_ms;  /* not before */
    uint64_t next_part; /* the one to get next; hinted parts are got by the second connection */
    uint64_t missed;
    struct playlist playlist, read; /* the last whole one, and the one that is being read */
    char directory[NAME_MAX_BYTES]; /* of the session, with a slash at its end */
};

void viewer_init(struct viewer *v, uint64_t begin_ms);
/* What is due by the clock: the first connection, another one after an error, time-outs. */
void viewer_tick(struct load *l, struct viewer *v, uint64_t now_ms);
void link_event(struct load *l, struct link *k, uint32_t events);
void viewer_done(struct viewer *v);

uint64_t now_us(void);

#endif
