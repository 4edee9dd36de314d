/* The skeleton of every service: options, config, keys, loop, bus, state report, ordered shutdown. A main.c is a table
 * and one call. Everything here runs on the loop thread. */
#ifndef BELFRY_SERVICE_SERVICE_H
#define BELFRY_SERVICE_SERVICE_H

#include <uv.h>

#include "bus/bus.h"
#include "service/config.h"

#include "header.pb-c.h"

struct bf_service;

struct bf_service_def {
    const char *program; /* "belfry-camera" */
    const char *summary; /* one line for --help */
    enum bf_role role;
    const struct bf_route *routes;
    size_t n_routes;
    /* Makes the service's own state; config, keys and loop are ready, the bus is not connected yet. *ret_state is the
     * `user` of every handler. A failure ends the process with the text of e. */
    int (*start)(struct bf_service *s, void **ret_state, struct bf_error *e);
    /* Begins the ordered shutdown (SIGTERM, SIGINT); call bf_service_drained when done. The bus is still connected. A
     * second signal, or `drain_ms`, ends it early. */
    void (*drain)(void *state);
    void (*free)(void *state);
    /* Builds this service's state message around `node` (its fields are filled, counters too) and calls pack once. */
    int (*with_state)(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                      void *pack_user);
    /* Optional. */
    void (*connected)(void *state);
    void (*disconnected)(void *state);
    /* Beside what the skeleton says of it itself; at most once a second and node. */
    void (*clock_gap)(void *state, const struct bf_clock_gap *gap);
    /* SIGHUP, when something in the service's section or in `cameras` has changed: takes over what it can; a negative
     * errno with a text says what it cannot. new_config lives as long as the process, as bf_service_config does, which
     * stays the one of the start. */
    int (*reload)(void *state, const struct bf_config *new_config, struct bf_error *e);
    unsigned drain_ms;
    /* Optional: does this configuration make it a process that works alone? Then there is no broker, no key of its own
     * and nothing is written: bf_service_bus and bf_service_key give NULL, bf_service_state_dir -1, and
     * bf_service_trust NULL where keys.dir has no bundle. Routes and with_state are not used. */
    bool (*alone)(const struct bf_config *c);
    /* --health of a process that works alone, which leaves no file behind: 0, or a negative errno with the reason. */
    int (*probe)(const struct bf_config *c, struct bf_error *e);
};

/* Options: --config FILE (default ./belfry.yml, then /etc/belfry/belfry.yml), --node ID, --check, --health, --version,
 * --help. Exits 0, 1 (run time), 64 (usage), 78 (config or keys). --health exits 0 when the running process of this node
 * says that it is well (a file under state/ that it touches every second), for container health checks. */
int bf_service_main(int argc, char **argv, const struct bf_service_def *def);

/* For def->start and handlers. */
uv_loop_t *bf_service_loop(struct bf_service *s);
struct bf_bus *bf_service_bus(struct bf_service *s);
const struct bf_config *bf_service_config(const struct bf_service *s);
const char *bf_service_node(const struct bf_service *s);
const struct bf_key *bf_service_key(const struct bf_service *s);
const struct bf_trust *bf_service_trust(const struct bf_service *s); /* may change between calls (SIGHUP) */
int bf_service_state_dir(const struct bf_service *s);                /* directory descriptor of storage.state, 0700 */
uint64_t bf_service_epoch(const struct bf_service *s);
const uint8_t *bf_service_boot_id(const struct bf_service *s); /* 16 bytes, of this process */

/* The state has changed: publish it soon (changes within one loop turn make one message). */
void bf_service_report(struct bf_service *s);
/* For the state's last_error; also logs it, once. */
void bf_service_failed(struct bf_service *s, const char *code, const struct bf_error *e);
/* For the state's observed_generation, lease_epoch and lease_holder. Refuses, and counts, a lease epoch below the highest
 * seen (-ESTALE), and that one from another gateway, or another process of it, than has had it first (-EEXIST): the
 * state's last_error is then "lease_conflict". A level that a newer one has overtaken is passed over (-EALREADY). */
int bf_service_observe(struct bf_service *s, const struct bf_incoming *m, const Belfry__V1__Lease *lease);
/* Named counters that every state message carries; `name` is a constant. */
void bf_service_count(struct bf_service *s, const char *name, uint64_t value);

void bf_service_drained(struct bf_service *s);
/* Ends the process with `status` after an ordered shutdown, for failures that a restart may heal. */
void bf_service_quit(struct bf_service *s, int status);

/* A lease on the boot-time clock: `expired` is called on the loop when it runs out. Embedded. */
struct bf_lease_timer {
    uv_timer_t timer;
    uint64_t deadline_boot_ms;
    void (*expired)(void *user);
    void *user;
};
void bf_lease_timer_init(struct bf_lease_timer *t, uv_loop_t *loop, void (*expired)(void *user), void *user);
void bf_lease_timer_renew(struct bf_lease_timer *t, uint32_t lease_ms);
void bf_lease_timer_stop(struct bf_lease_timer *t); /* nothing runs out any more, until the next renewal */
void bf_lease_timer_close(struct bf_lease_timer *t, uv_close_cb closed); /* t->timer.data is left to the closer */

#endif
