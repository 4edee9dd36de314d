/* How late a part is on disk: for each Part record, the clock at which it could be read, less the capture time of the
 * part's first frame that the record carries (one machine, one clock).
 *
 *   bench_part_delay SESSION_DIRECTORY SECONDS
 *
 * Follows the journal as the gateway does, by inotify. Records that were there at the start are passed over. Prints one
 * JSON line; `delays_us` holds every delay in order. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "stream/journal.h"
#include "stream/layout.h"

enum { DELAYS_MAX = 100000, SECONDS_MAX = 3600 };

struct follower {
    struct bf_journal_reader *reader;
    int inotify_fd;
    uint64_t *delays_us;
    size_t n;
    uint64_t frames, duration_90k; /* of the parts counted */
};

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void take_part(struct follower *f, const Belfry__V1__Part *part, uint64_t now_us)
{
    if (f->n == DELAYS_MAX)
        return;
    f->delays_us[f->n++] = now_us > part->capture_us ? now_us - part->capture_us : 0;
    f->frames += part->frames;
    f->duration_90k += part->duration_90k;
}

/* Every record that is there. 1: the session has ended. */
static int read_records(struct follower *f, bool count)
{
    for (;;) {
        Belfry__V1__Record *record;
        int r = bf_journal_next(f->reader, &record);
        if (r < 0)
            return r == -EAGAIN ? 0 : r;

        uint64_t now_us = bf_unix_us();
        Belfry__V1__Record__KindCase kind = record->kind_case;
        if (count && kind == BELFRY__V1__RECORD__KIND_PART)
            take_part(f, record->part, now_us);
        belfry__v1__record__free_unpacked(record, NULL);
        if (kind == BELFRY__V1__RECORD__KIND_END)
            return 1;
    }
}

static int wait_for_growth(const struct follower *f, uint64_t end_us)
{
    uint64_t now_us = bf_mono_us();
    struct pollfd p = { .fd = f->inotify_fd, .events = POLLIN };
    char events[4096];

    if (now_us < end_us && poll(&p, 1, (int)((end_us - now_us) / 1000) + 1) < 0 && errno != EINTR)
        return -errno;
    return p.revents != 0 && read(f->inotify_fd, events, sizeof events) < 0 ? -errno : 0;
}

static int follow(struct follower *f, const char *directory, unsigned seconds)
{
    _cleanup_(bf_closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char journal[4096];

    if (dirfd < 0)
        return -errno;
    snprintf(journal, sizeof journal, "%s/" BF_JOURNAL_NAME, directory);
    if (inotify_add_watch(f->inotify_fd, journal, IN_MODIFY) < 0)
        return -errno;

    int r = bf_journal_reader_open(&f->reader, dirfd);
    if (r == 0)
        r = read_records(f, false);
    for (uint64_t end_us = bf_mono_us() + seconds * 1000000ull; r == 0 && bf_mono_us() < end_us;) {
        r = wait_for_growth(f, end_us);
        if (r == 0)
            r = read_records(f, true);
    }
    return r;
}

static void print(const struct follower *f)
{
    uint64_t *sorted = malloc(f->n * sizeof(*sorted));

    if (sorted == NULL)
        return;
    memcpy(sorted, f->delays_us, f->n * sizeof(*sorted));
    qsort(sorted, f->n, sizeof(*sorted), by_value);
    printf("{\"parts\":%zu,\"frames_a_part\":%.2f,\"part_us\":%" PRIu64 ",\"p50_us\":%" PRIu64 ",\"p95_us\":%" PRIu64
           ",\"max_us\":%" PRIu64 ",\"delays_us\":[",
           f->n, (double)f->frames / (double)f->n, f->duration_90k * 100 / 9 / f->n, sorted[f->n / 2],
           sorted[f->n * 95 / 100], sorted[f->n - 1]);
    for (size_t i = 0; i < f->n; i++)
        printf("%s%" PRIu64, i > 0 ? "," : "", f->delays_us[i]);
    printf("]}\n");
    free(sorted);
}

int main(int argc, char **argv)
{
    unsigned long seconds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (seconds < 1 || seconds > SECONDS_MAX) {
        fprintf(stderr, "usage: bench_part_delay SESSION_DIRECTORY SECONDS (1 to %d)\n", SECONDS_MAX);
        return 64;
    }
    _cleanup_(bf_freep) uint64_t *delays_us = calloc(DELAYS_MAX, sizeof(*delays_us));
    _cleanup_(bf_closep) int inotify_fd = inotify_init1(IN_CLOEXEC);
    struct follower f = { .inotify_fd = inotify_fd, .delays_us = delays_us };
    int r = delays_us == NULL || inotify_fd < 0 ? -errno : follow(&f, argv[1], (unsigned)seconds);

    bf_journal_reader_free(f.reader);
    if (r < 0 || f.n == 0) {
        fprintf(stderr, "bench_part_delay: %s: %s\n", argv[1], r < 0 ? strerror(-r) : "no part came");
        return 1;
    }
    print(&f);
    return 0;
}
