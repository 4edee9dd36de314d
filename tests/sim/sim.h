/* The four services in one process, on a virtual clock: their real code above libuv, paho, DSSE signatures, media
 * and HTTP; those five are stood in for here. Everything that happens is an event in one queue, ordered by virtual
 * time; everything that is left to chance comes from one seed. So a history can be run again, exactly.
 *
 * Files are real ones, in a directory of memory (/dev/shm), which is the working directory: a crash keeps what was
 * written, as kill -9 does. What a process does to files and to the bus is counted (effects.c), so that it can be
 * killed between any two of those steps, or within a write. One history at a time, one thread. */
#ifndef BELFRY_TESTS_SIM_H
#define BELFRY_TESTS_SIM_H

#include <limits.h>

#include "media/transport.h"
#include "service/private.h"

#define SIM_NODES_MAX 8
#define SIM_SESSIONS_MAX 256
#define SIM_CALLS_MAX 64
#define SIM_STEPS_MAX 64
#define SIM_LEASE_MS 3000
#define SIM_START_TIMEOUT_MS 5000
#define SIM_STOP_TIMEOUT_MS 5000
#define SIM_PART_US 400000
#define SIM_PART_SIZE 64    /* bytes; they say who sent it */
#define SIM_NO_END UINT_MAX /* effects: as many as it likes */

#define SEC ((uint64_t)1000000) /* virtual time is in microseconds */
#define MSEC ((uint64_t)1000)

/* What a camera or an ingest was last told by whoever may tell it, as an observer of its deliveries sees it. Some of
 * it outlives the process: the highest lease epoch does. */
struct sim_grant {
    uint64_t lease_epoch, generation;
    char holder[BF_ID_SIZE]; /* whose lease epoch that is: node, and process */
    uint64_t holder_epoch;
    char session[BF_ULID_SIZE]; /* of a camera; "" off */
    uint64_t until_us;          /* end of the lease */
    uint64_t seen[256];         /* message ids: what comes twice counts once */
    unsigned n_seen;
};

struct sim_node {
    enum bf_role role;
    char id[BF_ID_SIZE];
    unsigned host;
    struct bf_config config;
    char state_path[128];
    int state_dir;
    struct bf_service service; /* of the present process */
    void *made_state;          /* service.state, also after the way out has cleared it */
    bool alive;
    unsigned effects_left;    /* that it still has on files and on the bus before it is killed; SIM_NO_END */
    unsigned effects_at_boot; /* the same, of its next start */
    bool dead;                /* it has none left: nothing it does has any effect, and the reaper takes it */
    bool stands_by;           /* tries to start again and again: another gateway holds the lock */
    uint64_t frozen_until_us, thawed_us;
    uint64_t cut_until_us; /* no way to the broker */
    uint64_t media_cut_until_us, source_fails_until_us;
    struct bf_mqtt *mqtt;
    struct sim_grant grant;
    void *key; /* struct bf_key */
};

struct sim_host {
    int64_t wall_offset_ms;
    bool synced; /* believes so; it may be wrong */
    uint64_t asleep_until_us;
    uint64_t slept_us; /* suspended in all: CLOCK_MONOTONIC has stood still for so long */
};

/* What became of a session, as its writer knows it. */
struct sim_session {
    char id[BF_ULID_SIZE], camera[BF_ID_SIZE];
    bool record, told_live;
    bool delete_asked, delete_told; /* somebody wants the recording gone; has been told that it is */
    uint64_t since_us;              /* when it began to be written */
    unsigned parts, segments;       /* finalised ones */
    unsigned pictures_asked, pictures_taken;
};

struct sim_noise {
    unsigned duplicate, reorder, lose, delay; /* per cent */
    uint64_t until_us;
};

struct sim {
    uint64_t now_us, events, seed, random;
    uint64_t hash; /* of everything that has happened so far */
    bool trace;
    struct sim_node nodes[SIM_NODES_MAX];
    size_t n_nodes;
    struct sim_host hosts[SIM_NODES_MAX];
    struct sim_node *current; /* whose code runs; NULL: the world */
    struct sim_session sessions[SIM_SESSIONS_MAX];
    size_t n_sessions;
    struct sim_noise noise;
    uint64_t broker_down_until_us;
    char violation[512]; /* "": none */
};
extern struct sim sim;

/* --- queue.c --- */
struct sim_event;
/* `drop` (or NULL) is called instead of `run` when the owner is killed. `owner` NULL: of the world. */
struct sim_event *sim_after(struct sim_node *owner, uint64_t delay_us, void (*run)(void *arg), void (*drop)(void *arg),
                            void *arg);
void sim_cancel(struct sim_event *e); /* neither run nor dropped; NULL is fine */
void sim_drop_events(struct sim_node *owner);
/* Runs the events of `owner` that are of kind `run`, whenever they are due. */
void sim_run_all_of(struct sim_node *owner, void (*run)(void *arg));
void sim_postpone_all_of(const struct sim_node *owner, void (*run)(void *arg), uint64_t by_us);
bool sim_run_next(uint64_t until_us); /* false: nothing before then; the clock stands at until_us */
void sim_clear_queue(void);

/* --- world.c --- */
uint64_t sim_random(uint64_t below); /* 0 … below - 1 */
bool sim_chance(unsigned percent);
uint64_t sim_between_us(uint64_t least, uint64_t most);
void sim_violate(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2))); /* with --trace */
void sim_hash(const void *data, size_t size);
struct sim_node *sim_node_named(const char *id);
struct sim_session *sim_session(const char *id); /* or NULL */
struct sim_session *sim_session_make(const char *id, const char *camera, bool record);

/* --- nodes.c --- */
enum sim_gateways { SIM_ONE_GATEWAY, SIM_GATEWAY_AND_STANDBY, SIM_TWO_GATEWAYS, SIM_GATEWAYS };
/* The standby is on the same host, with the same state directory; the second of two is on a host of its own. */
void sim_make_nodes(enum sim_gateways gateways);
extern const struct bf_service_def *sim_defs[BF_ROLE_OPERATOR]; /* by role */

/* --- node.c --- */
void sim_boot(struct sim_node *n);
void sim_kill(struct sim_node *n);
void sim_terminate(struct sim_node *n);                    /* SIGTERM */
void sim_freeze(struct sim_node *n, uint64_t duration_us); /* SIGSTOP */
void sim_suspend(unsigned host, uint64_t duration_us);     /* the machine sleeps */
void sim_reap(void);                                       /* processes that have ended, and those that are dead */
struct sim_node *sim_node_of_loop(const uv_loop_t *loop);

/* --- effects.c --- */
/* Counts one effect of the process that runs; true when it is dead, and nothing may come of it. */
bool sim_effect_lost(void);

/* --- uv.c --- */
void sim_media_touched(void); /* files under the media directory have changed: inotify has something to say */
void sim_finish_handles(struct sim_node *n);
void sim_timers_stand_still(const struct sim_node *n, uint64_t duration_us);

/* --- broker.c --- */
void sim_broker_reset(void);
enum sim_retained { SIM_RETAINED_KEPT, SIM_RETAINED_LOST, SIM_RETAINED_OLD };
void sim_broker_restart(uint64_t down_us, enum sim_retained retained);
void sim_cut(struct sim_node *n, uint64_t duration_us, bool half_open);
void sim_replay(unsigned messages); /* what was recorded earlier is published again */

/* --- media: camera_worker.c, ingest_worker.c --- */
struct sim_picture {
    const char *camera, *session; /* of the sender */
    bool idr;
};
struct sim_listener {
    struct sim_node *node;
    const char *session;
    bool stopping;
    char host[64];
    uint16_t port;
    char passphrase[BF_PASSPHRASE_SIZE];
    uint64_t caller; /* id of the producer that is connected; 0: none */
    uint64_t heard_us;
    void (*take)(void *worker, const struct sim_picture *p);
    void *worker;
    struct sim_listener *next;
};
extern struct sim_listener *sim_listeners;
struct sim_producer {
    struct sim_node *node;
    char session[BF_ULID_SIZE];
    bool stopping;
    struct sim_producer *next;
};
extern struct sim_producer *sim_producers;

/* --- janitor_files.c --- */
void sim_janitor_files(void *janitor); /* its steps on files go through here */

/* --- trust.c --- */
void sim_make_keys(void);

/* --- requests.c --- */
struct bf_call;
enum sim_ask { SIM_ASK_START, SIM_ASK_STOP, SIM_ASK_SNAPSHOT, SIM_ASK_DELETE };
struct sim_asking {
    enum sim_ask ask;
    const char *camera, *session; /* session: of a delete */
    bool record;                  /* of a start */
    bool must_succeed;            /* everything is well: there is no reason to refuse it */
    unsigned times;               /* at once */
};
void sim_request(struct sim_node *gateway, const struct sim_asking *a);
bool sim_requests_answered(void);
void sim_requests_check(void);
void sim_requests_forget(struct sim_node *gateway);
void sim_requests_clear(void);
/* What sim_request does once the gateway has taken the call. */
void sim_request_note(struct sim_node *gateway, struct bf_call *call, bool must_succeed, unsigned group);

/* --- checks.c --- */
void sim_observe_desired(struct sim_node *n, const uint8_t *envelope, size_t size); /* delivered to it */
void sim_check(void);                                                               /* after each event */

/* --- order_checks.c --- */
/* The message of an envelope, if it is of that type, else NULL; the caller frees it. */
ProtobufCMessage *sim_unpack(enum bf_message_type type, const uint8_t *envelope, size_t size);
void sim_check_order(const struct sim_node *gateway, const uint8_t *envelope, size_t size); /* it sends that */

/* --- media_checks.c --- */
bool sim_sessions_settled(char *why, size_t size); /* every session's directory is gone, or a recording */
bool sim_is_recording(const struct sim_session *s);
void sim_check_recordings(void);                          /* at the end */
void sim_check_removal(const char *id, const char *name); /* the janitor is about to delete a file of that session */

/* --- script.c --- */
enum sim_kind {
    SIM_START,
    SIM_STOP,
    SIM_SNAPSHOT,
    SIM_DELETE,
    SIM_KILL,
    SIM_CRASH,
    SIM_TERMINATE,
    SIM_FREEZE,
    SIM_SUSPEND,
    SIM_CUT,
    SIM_BROKER,
    SIM_NOISE,
    SIM_CLOCK,
    SIM_MEDIA_CUT,
    SIM_SOURCE_FAILS,
    SIM_REPLAY,
    SIM_KINDS
};

struct sim_step {
    uint64_t at_us;
    enum sim_kind kind;
    unsigned node;
    uint64_t a, b;
};
size_t sim_script(struct sim_step *ret, uint64_t seed, size_t n, enum sim_gateways *ret_gateways);
void sim_describe(const struct sim_step *s, char *buf, size_t size);

/* --- faults.c --- */
void sim_do(const struct sim_step *s);

/* --- history.c --- */
struct sim_history {
    uint64_t seed;
    size_t steps;
    uint64_t only; /* bit per step */
    bool trace;
};
void sim_enter(void); /* makes the working directory */
void sim_leave(void);
/* True when it held; else sim.violation says what did not. sim.hash is that of the history. */
bool sim_run(const struct sim_history *h);
void sim_begin(uint64_t seed, bool trace, enum sim_gateways gateways);
void sim_end(void);
bool sim_run_until(uint64_t until_us, bool (*done)(void));

/* --- ending.c --- */
void sim_conclude(void); /* heals everything, and sees that nothing has been left undone */

/* --- shrink.c --- */
void sim_shrink(struct sim_history *h); /* leaves out steps as long as it fails without them */
void sim_print_failure(const struct sim_history *h);
void sim_print_steps(const struct sim_history *h);

#endif
