/* One history: everything comes up, the script befalls it, and then it must come to a good end. */
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim.h"

static char directory[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

void sim_enter(void)
{
    snprintf(directory, sizeof directory, "%s/belfry-sim-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL || chdir(directory) < 0)
        fail(directory);
    /* What libraries do only once would make the first history differ from the same one later. */
    sim_run(&(struct sim_history){ .steps = 1 });
    sim.events = 0;
}

static void forget_files(void)
{
    DIR *d = opendir(".");

    for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;)
        if (entry->d_name[0] != '.')
            nftw(entry->d_name, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (d != NULL)
        closedir(d);
}

void sim_leave(void)
{
    forget_files();
    if (chdir("/") < 0 || rmdir(directory) < 0)
        fail(directory);
}

void sim_begin(uint64_t seed, bool trace, enum sim_gateways gateways)
{
    sim =
        (struct sim){ .seed = seed, .random = seed, .hash = 0xcbf29ce484222325U, .trace = trace, .events = sim.events };
    sim_broker_reset();
    sim_make_nodes(gateways);
    for (size_t i = 0; i < sim.n_nodes; i++)
        sim_boot(&sim.nodes[i]);
}

void sim_end(void)
{
    sim.noise.until_us = 0;
    for (size_t i = 0; i < sim.n_nodes; i++)
        sim_kill(&sim.nodes[i]);
    sim_requests_clear();
    sim_clear_queue();
    sim_broker_reset();
    forget_files();
}

bool sim_run_until(uint64_t until_us, bool (*done)(void))
{
    uint64_t look_us = sim.now_us;

    while (sim.violation[0] == '\0') {
        if (done != NULL && sim.now_us >= look_us) {
            if (done())
                return true;
            look_us = sim.now_us + SEC / 2;
        }
        if (!sim_run_next(until_us))
            return done != NULL && done();
        sim_reap();
        sim_check();
    }
    return false;
}

static void do_step(const struct sim_step *s, size_t number)
{
    char text[160];

    sim_describe(s, text, sizeof text);
    sim_say("step %zu: %s", number, text);
    sim_do(s);
    sim_reap();
    sim_check();
}

bool sim_run(const struct sim_history *h)
{
    struct sim_step steps[SIM_STEPS_MAX];
    enum sim_gateways gateways;
    size_t n = sim_script(steps, h->seed, h->steps, &gateways);

    sim_begin(h->seed, h->trace, gateways);
    for (size_t i = 0; i < n; i++) {
        if ((h->only >> i & 1) == 0)
            continue;
        sim_run_until(steps[i].at_us, NULL);
        if (sim.violation[0] != '\0')
            break;
        do_step(&steps[i], i);
    }
    sim_run_until(sim.now_us + 3 * SEC, NULL);
    if (sim.violation[0] == '\0')
        sim_conclude();
    /* Its being taken down is no part of it. */
    const uint64_t hash = sim.hash;
    char violation[sizeof sim.violation];
    memcpy(violation, sim.violation, sizeof violation);
    sim_end();
    sim.hash = hash;
    memcpy(sim.violation, violation, sizeof violation);
    return violation[0] == '\0';
}
