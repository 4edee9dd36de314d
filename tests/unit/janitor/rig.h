/* The real janitor, a real broker over mutual TLS, and the test as the gateway. */
#ifndef BELFRY_TEST_JANITOR_RIG_H
#define BELFRY_TEST_JANITOR_RIG_H

#include <sys/types.h>
#include <uv.h>

#include "fixture.h"

#include "base/id.h"
#include "bus/bus.h"

#include "event.pb-c.h"
#include "janitor.pb-c.h"

#define EVENTS_MAX 32

struct rig {
    struct media root; /* the site's directory; the site's media directory is `media` */
    struct media media;
    uint16_t port;
    pid_t broker, janitor;
    struct bf_key *key;
    struct bf_trust *trust;
    char ca_file[96], cert_file[96], key_file[96];

    uv_loop_t loop;
    uv_timer_t deadline;
    bool late, stopped;
    struct bf_bus *bus;
    uint64_t generation;
    Belfry__V1__JanitorState *state; /* the last one */
    Belfry__V1__JanitorReply *reply; /* the last one */
    struct {
        Belfry__V1__EventKind kind;
        char id[BF_ULID_SIZE];
        char code[49];
    } events[EVENTS_MAX];
    size_t n_events;
};

void rig_up(struct rig *r);
void rig_down(struct rig *r);
void rig_start_janitor(struct rig *r);
int rig_stop_janitor(struct rig *r, int signal); /* its wait status */

/* Runs the loop until it is so; fails the test after 20 s. */
void rig_wait(struct rig *r, const char *what, bool (*is_so)(const struct rig *r, const void *arg), const void *arg);
bool rig_online(const struct rig *r, const void *arg);

struct listed {
    const char *id;
    Belfry__V1__SessionFate fate;
};
void rig_desire(struct rig *r, const struct listed *listed, size_t n);
/* Sends and waits for the answer: its code, or NULL when it was done. */
const char *rig_command(struct rig *r, Belfry__V1__JanitorCommand *command);

/* Phase of a session in the last state; UNSPECIFIED when it is not in it. */
Belfry__V1__JanitorPhase rig_phase(const struct rig *r, const char *id);
const char *rig_event_code(const struct rig *r, Belfry__V1__EventKind kind, const char *id); /* NULL: no such event */

/* Two seconds of real video in two segments, by the project's own encoder and muxer. */
void session_real_segments(struct session *s);

#endif
