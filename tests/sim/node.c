/* Processes: how a node's service comes up (as lib/service/service.c does it), ends in order, is killed, is stopped. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "sim.h"

#define BEAT_S 5
#define STANDBY_US (2 * SEC) /* until it is started again */

struct sim_node *sim_node_of_loop(const uv_loop_t *loop)
{
    return (struct sim_node *)((uintptr_t)loop - offsetof(struct sim_node, service) -
                               offsetof(struct bf_service, loop));
}

/* --- coming up --- */

static void on_beat(uv_timer_t *timer)
{
    struct bf_service *s = timer->data;

    s->beats += BEAT_S;
    if (s->phase <= BF_PHASE_RUNNING)
        bf_service_report(s);
}

static void make_timers(struct bf_service *s)
{
    uv_timer_t *timers[] = { &s->beat, &s->report, &s->next, &s->stuck };

    for (size_t i = 0; i < BF_COUNT_OF(timers); i++) {
        uv_timer_init(&s->loop, timers[i]);
        timers[i]->data = s;
    }
}

static int make_identity(struct sim_node *n)
{
    struct bf_identity *id = &n->service.identity;
    char name[64];

    snprintf(name, sizeof name, "%s.epoch", n->id);
    snprintf(id->node, sizeof id->node, "%s", n->id);
    n->state_dir = bf_open_dir(AT_FDCWD, n->state_path, 1, 0700);
    id->role = n->role;
    id->config = &n->config;
    id->state_dir = n->state_dir;
    id->lock = -1;
    id->started_at_ms = bf_unix_ms();
    id->key = n->key;
    id->trust = (struct bf_trust *)&sim; /* never looked into */
    bf_random(id->boot_id, sizeof id->boot_id);
    return bf_counter_next(id->state_dir, name, &id->epoch);
}

static int start(struct sim_node *n, struct bf_error *e)
{
    struct bf_service *s = &n->service;
    int r = make_identity(n);

    if (r == 0)
        r = bf_service_load_lease_epoch(s, e);
    if (r == 0)
        r = bf_service_make_bus(s, e);
    if (r == 0)
        r = s->def->start(s, &s->state, e);
    n->made_state = s->state;
    if (r == 0 && n->role == BF_ROLE_JANITOR)
        sim_janitor_files(s->state);
    return r == 0 ? bf_bus_start(s->bus) : r;
}

static void released(struct sim_node *n);

static void on_standby(void *arg)
{
    struct sim_node *n = arg;

    n->stands_by = false;
    sim_boot(n);
}

/* The only reason not to start that there is here. */
static bool is_locked_out(const struct sim_node *n, int r)
{
    for (size_t i = 0; i < sim.n_nodes; i++) {
        const struct sim_node *other = &sim.nodes[i];
        if (other != n && other->alive && other->role == BF_ROLE_GATEWAY && other->host == n->host)
            return n->role == BF_ROLE_GATEWAY && r == -EBUSY;
    }
    return false;
}

static void gives_up(struct sim_node *n, int r, const struct bf_error *e)
{
    if (!is_locked_out(n, r))
        sim_violate("%s does not start: %s", n->id, e->text);
    sim_say("does not start: %s", e->text);
    n->dead = true;
    n->effects_left = 0;
    released(n);
    if (!n->stands_by)
        sim_after(NULL, STANDBY_US, on_standby, NULL, n);
    n->stands_by = true;
}

void sim_boot(struct sim_node *n)
{
    struct bf_error e = { "" };

    if (n->alive)
        return;
    sim.current = n;
    sim_say("starts");
    n->service = (struct bf_service){ .def = sim_defs[n->role], .config = &n->config, .health.fd = -1 };
    n->made_state = NULL;
    n->alive = true;
    n->dead = false;
    n->effects_left = n->effects_at_boot;
    n->effects_at_boot = SIM_NO_END;
    n->frozen_until_us = n->thawed_us = 0;
    make_timers(&n->service);
    int r = start(n, &e);
    n->service.phase = BF_PHASE_RUNNING;
    if (r < 0 && !n->dead)
        gives_up(n, r, &e);
    else if (r == 0)
        uv_timer_start(&n->service.beat, on_beat, sim_random(1000), BEAT_S * 1000);
    sim.current = NULL;
}

/* --- going down --- */

static void released(struct sim_node *n)
{
    sim_requests_forget(n);
    sim_finish_handles(n);
    bf_bus_free(BF_TAKE(n->service.bus));
    sim_finish_handles(n);
    free(n->service.routes);
    bf_closep(&n->state_dir);
    n->state_dir = -1;
    n->alive = false;
    n->mqtt = NULL;
    n->grant.session[0] = '\0';
}

void sim_kill(struct sim_node *n)
{
    if (!n->alive)
        return;
    sim.current = n;
    sim_say("is killed");
    if (!n->dead)
        sim_requests_check();
    n->dead = true;
    n->effects_left = 0;
    if (n->service.state != NULL)
        n->service.def->free(BF_TAKE(n->service.state));
    released(n);
    sim.current = NULL;
    sim_media_touched();
}

/* Until its loop has come round to it, it may still take a desired that no observer counts any more. */
static void on_signal(void *arg)
{
    struct sim_node *n = arg;

    sim_say("is told to end");
    n->thawed_us = sim.now_us + MSEC;
    bf_service_begin_end(&n->service);
}

void sim_terminate(struct sim_node *n)
{
    if (n->alive)
        sim_after(n, 0, on_signal, NULL, n); /* one that is stopped hears of it later */
}

void sim_freeze(struct sim_node *n, uint64_t duration_us)
{
    if (sim.now_us + duration_us > n->frozen_until_us) /* what is due is put off till then already */
        n->frozen_until_us = n->thawed_us = sim.now_us + duration_us;
}

void sim_suspend(unsigned host, uint64_t duration_us)
{
    struct sim_host *h = &sim.hosts[host];
    uint64_t wakes_us = sim.now_us + duration_us;
    uint64_t sleeps_us = wakes_us - (h->asleep_until_us > sim.now_us ? h->asleep_until_us : sim.now_us);

    if (wakes_us <= h->asleep_until_us)
        return;
    h->asleep_until_us = wakes_us;
    h->slept_us += sleeps_us;
    for (size_t i = 0; i < sim.n_nodes; i++)
        if (sim.nodes[i].host == host) {
            sim_freeze(&sim.nodes[i], duration_us);
            sim_timers_stand_still(&sim.nodes[i], sleeps_us);
        }
}

static void on_restart(void *arg)
{
    sim_boot(arg);
}

/* Whoever has taken the last step of the way out has nothing left but handles that close. */
void sim_reap(void)
{
    for (size_t i = 0; i < sim.n_nodes; i++) {
        struct sim_node *n = &sim.nodes[i];

        if (n->alive && n->dead) {
            sim_kill(n);
            sim_after(NULL, sim_between_us(0, 2 * SEC), on_restart, NULL, n);
        } else if (n->alive && n->service.phase == BF_PHASE_ENDING) {
            sim.current = n;
            sim_say("has ended");
            released(n);
            sim.current = NULL;
        }
    }
}
