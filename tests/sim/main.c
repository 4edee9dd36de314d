/* sim: runs histories of the four services from seeds, and makes a failing one smaller. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

static const char usage[] =
    "sim [options]: the four services in one process, on a virtual clock, with everything that may befall them.\n"
    "After each event it is checked that each camera has one producer at most and none beyond its lease, that nothing\n"
    "lies under another session's address, that one gateway orders from a state directory, and nothing that it has not\n"
    "written down, that no two sessions have one passphrase, that starts end in live or in a reason; at the end, once all\n"
    "is healed, that streams come and go, and every session is purged or archived.\n"
    "  --histories H  how many (1); sim --histories 10000 takes some minutes\n"
    "  --seed S       first seed (1); each history has the next one\n"
    "  --fresh H      H histories more, from a seed that is drawn and printed\n"
    "  --kept FILE    the histories of a file as well, one \"seed steps mask\" a line\n"
    "  --steps N      what befalls the nodes, per history, 1..64 (20)\n"
    "  --only MASK    only those steps, a hexadecimal bit mask as a failure prints it\n"
    "  --twice        run each history a second time: it must go the same way, event by event\n"
    "  --shrink       leave out steps of a failing history while it still fails\n"
    "  --keep FILE    append what fails to that file, shrunk\n"
    "  --trace        print everything that happens, the services' logs included\n"
    "Prints the events a minute and a hash of all that has happened. 0: all held; 1: some did not; 64: usage.\n";

struct options {
    struct sim_history h;
    unsigned long histories, fresh;
    bool twice, shrinks;
    FILE *kept, *keep;
};

struct totals {
    unsigned run, failed;
    uint64_t hash;
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- running --- */

/* A history that does not repeat itself could not be looked into. */
static bool repeats(const struct sim_history *h)
{
    uint64_t hash = sim.hash;

    if (sim_run(h) && sim.hash == hash)
        return true;
    printf("FAILED seed %llu: the same history went another way the second time\n", (unsigned long long)h->seed);
    return false;
}

static void report(struct sim_history *h, const struct options *o)
{
    sim_print_failure(h);
    if (o->shrinks || o->keep != NULL) {
        sim_shrink(h);
        sim_print_failure(h);
    }
    sim_print_steps(h);
    fflush(stdout);
    if (o->keep != NULL) {
        fprintf(o->keep, "# %s\n%llu %zu %llx\n", sim.violation, (unsigned long long)h->seed, h->steps,
                (unsigned long long)h->only);
        fflush(o->keep);
    }
}

static void run(struct sim_history h, const struct options *o, struct totals *t)
{
    bool held = sim_run(&h);

    t->run++;
    t->hash = t->hash * 31 + sim.hash;
    if (!held)
        report(&h, o);
    if (!held || (o->twice && !repeats(&h)))
        t->failed++;
}

static void run_kept(const struct options *o, struct totals *t)
{
    char line[200];

    while (fgets(line, sizeof line, o->kept) != NULL) {
        unsigned long long seed, only;
        struct sim_history h = { 0 };
        if (line[0] == '#' || sscanf(line, "%llu %zu %llx", &seed, &h.steps, &only) != 3)
            continue;
        h.seed = seed;
        h.only = only;
        run(h, o, t);
    }
}

static void run_from(uint64_t seed, unsigned long n, const struct options *o, struct totals *t)
{
    struct sim_history h = o->h;

    for (unsigned long i = 0; i < n; i++) {
        h.seed = seed + i;
        run(h, o, t);
    }
}

/* Not getrandom(): what that gives here comes from the seed (platform.c). */
static void run_fresh(const struct options *o, struct totals *t)
{
    uint32_t seed = 0;

    if (syscall(SYS_getrandom, &seed, sizeof seed, 0) != sizeof seed)
        abort();
    printf("fresh: --seed %u --histories %lu\n", seed, o->fresh);
    run_from(seed, o->fresh, o, t);
}

static int run_all(const struct options *o)
{
    struct totals t = { 0 };

    uint64_t began_ms = now_ms();
    if (o->kept != NULL)
        run_kept(o, &t);
    run_from(o->h.seed, o->histories, o, &t);
    uint64_t hash = t.hash;
    if (o->fresh > 0)
        run_fresh(o, &t);
    uint64_t took_ms = now_ms() - began_ms;
    printf("%u histories, %u failed, %llu events in %llu ms: %llu events a minute\n", t.run, t.failed,
           (unsigned long long)sim.events, (unsigned long long)took_ms,
           (unsigned long long)(sim.events * 60000 / (took_ms > 0 ? took_ms : 1)));
    printf("hash of what was not drawn afresh: %016llx\n", (unsigned long long)hash);
    return t.failed == 0 ? 0 : 1;
}

/* --- options --- */

static FILE *open_or_end(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);

    if (f == NULL) {
        perror(path);
        exit(2);
    }
    return f;
}

static bool take_number(int c, const char *text, struct options *o)
{
    char *end;
    unsigned long long n = strtoull(text, &end, c == 'o' ? 16 : 10);

    if (*text == '\0' || *end != '\0')
        return false;
    if (c == 's')
        o->h.seed = n;
    else if (c == 'n')
        o->h.steps = n;
    else if (c == 'h')
        o->histories = n;
    else if (c == 'r')
        o->fresh = n;
    else
        o->h.only = n;
    return o->h.steps > 0 && o->h.steps <= SIM_STEPS_MAX;
}

static bool take_option(int c, struct options *o)
{
    switch (c) {
    case 'f':
        o->kept = open_or_end(optarg, "re");
        return true;
    case 'p':
        o->keep = open_or_end(optarg, "ae");
        return true;
    case 'w':
        return o->twice = true;
    case 'k':
        return o->shrinks = true;
    case 't':
        return o->h.trace = true;
    case '?':
        return false;
    default:
        return take_number(c, optarg, o);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", 1, NULL, 's' },   { "steps", 1, NULL, 'n' }, { "histories", 1, NULL, 'h' }, { "only", 1, NULL, 'o' },
        { "fresh", 1, NULL, 'r' },  { "kept", 1, NULL, 'f' },  { "keep", 1, NULL, 'p' },      { "twice", 0, NULL, 'w' },
        { "shrink", 0, NULL, 'k' }, { "trace", 0, NULL, 't' }, { "help", 0, NULL, 'H' },      { NULL, 0, NULL, 0 },
    };
    struct options o = { .h = { .seed = 1, .steps = 20, .only = UINT64_MAX }, .histories = 1 };

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'H')
            return fputs(usage, stdout) < 0;
        if (!take_option(c, &o)) {
            fputs(usage, stderr);
            return 64;
        }
    }
    sim_enter();
    int r = run_all(&o);
    sim_leave();
    return r;
}
