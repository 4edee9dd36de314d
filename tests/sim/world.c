/* Chance, violations, the trace, and what is known of sessions. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

struct sim sim;

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t sim_random(uint64_t below)
{
    uint64_t z = sim.random += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % below;
}

/* FNV-1a, 64 bits */
void sim_hash(const void *data, size_t size)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < size; i++)
        sim.hash = (sim.hash ^ at[i]) * 0x100000001b3U;
}

bool sim_chance(unsigned percent)
{
    return sim_random(100) < percent;
}

uint64_t sim_between_us(uint64_t least, uint64_t most)
{
    return least + sim_random(most - least + 1);
}

/* The first one counts: what follows may be its consequence. */
void sim_violate(const char *format, ...)
{
    va_list args;

    if (sim.violation[0] != '\0')
        return;
    int n = snprintf(sim.violation, sizeof sim.violation, "at %llu.%03llu s: ", (unsigned long long)(sim.now_us / SEC),
                     (unsigned long long)(sim.now_us % SEC / MSEC));
    va_start(args, format);
    vsnprintf(sim.violation + n, sizeof sim.violation - (size_t)n, format, args);
    va_end(args);
    sim_say("VIOLATION %s", sim.violation);
}

void sim_say(const char *format, ...)
{
    va_list args;

    if (!sim.trace)
        return;
    printf("%4llu.%06llu %-10s ", (unsigned long long)(sim.now_us / SEC), (unsigned long long)(sim.now_us % SEC),
           sim.current != NULL ? sim.current->id : "-");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

struct sim_node *sim_node_named(const char *id)
{
    for (size_t i = 0; i < sim.n_nodes; i++)
        if (strcmp(sim.nodes[i].id, id) == 0)
            return &sim.nodes[i];
    return NULL;
}

struct sim_session *sim_session(const char *id)
{
    for (size_t i = sim.n_sessions; i-- > 0;)
        if (strcmp(sim.sessions[i].id, id) == 0)
            return &sim.sessions[i];
    return NULL;
}

struct sim_session *sim_session_make(const char *id, const char *camera, bool record)
{
    static struct sim_session overflow;
    struct sim_session *s = sim_session(id);

    if (s != NULL)
        return s;
    if (sim.n_sessions == SIM_SESSIONS_MAX) {
        sim_violate("more than %d sessions", SIM_SESSIONS_MAX);
        return &overflow;
    }
    s = &sim.sessions[sim.n_sessions++];
    *s = (struct sim_session){ .record = record, .since_us = sim.now_us };
    snprintf(s->id, sizeof s->id, "%s", id);
    snprintf(s->camera, sizeof s->camera, "%s", camera);
    return s;
}
