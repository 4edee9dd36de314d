/* The order in which a session comes up and goes away, as a pure state machine: no I/O, no clock, no threads.
 *
 * Inputs are calls (a request, a node's state, a fact from the journal, the passing of time); outputs are actions that
 * the caller takes one by one with bf_orch_next and carries out. Everything is judged by level: each input stores what
 * is known now, then every stream moves as far as that allows, so the order in which states arrive does not matter.
 *
 * Start: PERSIST → INGEST → CAMERA → MEDIA → PLAYLIST → live. Stop and undo: CAMERA_OFF → INGEST_END → JANITOR → idle.
 * Times are monotonic milliseconds. Strings given in are copied. Loop thread only. */
#ifndef BELFRY_GATEWAY_ORCHESTRATOR_H
#define BELFRY_GATEWAY_ORCHESTRATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "bus/message.h"

#include "camera.pb-c.h"
#include "ingest.pb-c.h"
#include "janitor.pb-c.h"

#define BF_ORCH_BOOT_ID_SIZE 16
#define BF_ORCH_SESSIONS_MAX 64  /* of one ingest node, and of the janitor's list: the limit of their messages */
#define BF_ORCH_WAITERS_MAX 128  /* requests that wait for one camera: as many as 256 workers take */
#define BF_ORCH_SILENCE_MS 15000 /* a node without an accepted state for so long is offline */
#define BF_ORCH_WILL_MS 1000     /* a node's last will; of a broker that ends, the loss of the bus follows sooner */
/* The part of a lease in which nodes are back after an outage: they pause for a sixth of it at most (bf_mqtt_set_lease),
 * the rest is for connecting. */
#define BF_ORCH_BACK_PARTS 3

enum bf_stream_phase { BF_STREAM_IDLE, BF_STREAM_STARTING, BF_STREAM_LIVE, BF_STREAM_STOPPING, BF_STREAM_FAILED };

enum bf_step {
    BF_STEP_NONE,
    BF_STEP_PERSIST,  /* the intent goes to disk */
    BF_STEP_ADOPT,    /* after a restart: does the ingest node still run the session? */
    BF_STEP_INGEST,   /* until ingest is LISTENING and says where */
    BF_STEP_CAMERA,   /* until the camera is STREAMING; not after ADOPT, nor without a camera service */
    BF_STEP_MEDIA,    /* until ingest is LIVE */
    BF_STEP_PLAYLIST, /* until the gateway itself has read the first independent part from the journal */
    BF_STEP_CAMERA_OFF,
    BF_STEP_INGEST_END,
    BF_STEP_JANITOR /* until the janitor has taken over the session's remains */
};

enum bf_outcome {
    BF_OUTCOME_STARTED, /* this request made the session */
    BF_OUTCOME_RUNNING, /* the session was there, or another request's start was joined */
    BF_OUTCOME_STOPPED,
    BF_OUTCOME_BUS_OFFLINE,
    BF_OUTCOME_CAMERA_OFFLINE,
    BF_OUTCOME_INGEST_OFFLINE,
    BF_OUTCOME_BUSY,      /* too many requests wait, or ingest has no room */
    BF_OUTCOME_CANCELLED, /* a stop came in between */
    BF_OUTCOME_STEP_FAILED,
    BF_OUTCOME_STEP_TIMEOUT,
    BF_OUTCOME_STORAGE,    /* the intent could not be stored */
    BF_OUTCOME_SUPERSEDED, /* another gateway orders a node that the stream needs */
    BF_OUTCOME_UNRECORDED  /* it was to be recorded, and viewers have begun it without */
};

/* What a start asks for; zero = the camera's default, but for record and profile: want.h fills those in. */
struct bf_want {
    bool record;
    bool on_demand; /* by a viewer's request: ends when nobody watches; a start by hand makes it stay, one that is to be
                     * recorded is refused */
    Belfry__V1__Profile profile;
    uint32_t width, height, fps, bitrate_kbps, gop_ms;
};

struct bf_endpoint {
    Belfry__V1__Transport transport;
    char host[256];
    uint32_t port, latency_ms;
    uint8_t sealed_key[128];
    size_t sealed_key_size;
};

struct bf_stream_error {
    enum bf_outcome outcome;
    enum bf_step step;
    char code[49];    /* for programs; empty: no error */
    char detail[384]; /* for people */
};

/* What is known of one camera's stream. */
struct bf_stream {
    char camera[BF_ID_SIZE];
    bool has_node; /* false: `input:` camera, nobody to order */
    enum bf_stream_phase phase;
    enum bf_step step;
    char session[BF_ULID_SIZE]; /* empty when idle */
    char ingest[BF_ID_SIZE];
    struct bf_want want;
    struct bf_endpoint endpoint;         /* port 0: not known yet */
    bool ingest_ordered, camera_ordered; /* listed in the node's desired */
    bool playable;                       /* the first independent part has been read */
    bool media_ended;                    /* SessionEnd has been read */
    char end_reason[49];
    uint64_t requested_ms, ready_ms; /* ready_ms: how long the start took; 0: not known */
    struct bf_stream_error error;    /* why it is being undone, or why the last start failed */
};

/* A session whose end the janitor sees to, or is trimming meanwhile. */
struct bf_fate {
    char camera[BF_ID_SIZE];
    char session[BF_ULID_SIZE];
    Belfry__V1__SessionFate fate;
    uint64_t ended_ms;
};

struct bf_node {
    enum bf_role role;
    char id[BF_ID_SIZE];
    bool online;          /* and takes orders from here */
    bool superseded;      /* obeys another gateway: a higher lease epoch than ours, or ours of another holder */
    bool contested;       /* obeys one, and has refused another with the same lease epoch */
    bool cloned;          /* has met another process with its own id and key, and says so last */
    uint64_t lease_epoch; /* highest that it has accepted */
    char lease_holder[BF_ID_SIZE]; /* whose that is; "": not known */
    uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE];
    uint64_t observed_generation;
    uint64_t generation;    /* of its desired */
    int64_t clock_ahead_ms; /* of ours, when its last state was refused for that; 0: none was since one was accepted */
};

/* What a request waits for and how it ended. */
struct bf_orch_answer {
    uint64_t ticket;
    char camera[BF_ID_SIZE];
    char session[BF_ULID_SIZE]; /* that was started, found or stopped; may be empty */
    bool joined;                /* others wait for the same: one of them is told with this false */
    bool recorded;              /* of a stop: media of the session has been seen, and becomes a recording */
    uint64_t took_ms;           /* of BF_OUTCOME_STARTED */
    struct bf_stream_error result;
};

enum bf_orch_action_kind {
    BF_ORCH_PERSIST, /* store bf_orch_intents durably, then call bf_orch_persisted */
    BF_ORCH_SEND,    /* send `node`'s desired, as bf_orch_node and bf_orch_streams have it now */
    BF_ORCH_ANSWER,
    BF_ORCH_CHANGED /* something that a viewer of `camera` would want to know */
};

struct bf_orch_action {
    enum bf_orch_action_kind kind;
    enum bf_role role;            /* SEND */
    char node[BF_ID_SIZE];        /* SEND */
    char camera[BF_ID_SIZE];      /* CHANGED */
    struct bf_orch_answer answer; /* ANSWER */
};

struct bf_orch_camera {
    const char *id;
    bool has_node;
};

struct bf_orch_options {
    const struct bf_orch_camera *cameras;
    size_t n_cameras;
    const char *ingest; /* the only ingest node to use, or NULL: the least loaded that is online */
    const char *janitor;
    uint64_t lease_epoch;   /* also orders generations across restarts */
    const char *node;       /* this gateway's own id; NULL: not told */
    const uint8_t *boot_id; /* BF_ORCH_BOOT_ID_SIZE bytes, of this process: holds that epoch; NULL: zeros */
    uint32_t lease_ms, start_timeout_ms, stop_timeout_ms;
};

struct bf_orch;
int bf_orch_new(struct bf_orch **ret, const struct bf_orch_options *o);
void bf_orch_free(struct bf_orch *o);

/* Takes the oldest action; false when there is none. */
bool bf_orch_next(struct bf_orch *o, struct bf_orch_action *ret);

/* --- requests. Every ticket gets exactly one BF_ORCH_ANSWER, unless it is forgotten. Ticket 0: nobody waits; the
 * answer comes all the same. --- */

/* `session` is a fresh ULID, used if a new session begins. -ENOENT: no such camera (no answer follows). */
int bf_orch_start(struct bf_orch *o, const char *camera, const struct bf_want *want, const char *session,
                  uint64_t ticket, uint64_t now_ms);
int bf_orch_stop(struct bf_orch *o, const char *camera, uint64_t ticket, uint64_t now_ms);
/* Whoever asked is gone, and leaves room for others; what was asked goes on. Of the request that began it the answer
 * comes with ticket 0. */
void bf_orch_forget(struct bf_orch *o, uint64_t ticket);

/* --- facts --- */

struct bf_node_report {
    bool online;
    bool will;              /* not by the node itself but by the broker, which lost it; then `online` is false */
    const uint8_t *boot_id; /* BF_ORCH_BOOT_ID_SIZE bytes */
    uint64_t observed_generation;
    const char *error_code, *error_detail; /* last error of the node; "" when there is none */
    uint64_t lease_epoch;                  /* highest that it has accepted; 0: none */
    const char *lease_holder;              /* whose that is; NULL: not known */
    const uint8_t *lease_boot_id;          /* which process of it, BF_ORCH_BOOT_ID_SIZE bytes; NULL: not known */
};
void bf_orch_camera_state(struct bf_orch *o, const char *camera, const struct bf_node_report *node,
                          Belfry__V1__CameraPhase phase, const char *session, uint64_t now_ms);

struct bf_ingest_report {
    char session[BF_ULID_SIZE];
    Belfry__V1__IngestPhase phase;
    struct bf_endpoint endpoint;
    char error_code[49], error_detail[384];
};
void bf_orch_ingest_state(struct bf_orch *o, const char *id, const struct bf_node_report *node,
                          const struct bf_ingest_report *sessions, size_t n_sessions, uint64_t now_ms);

struct bf_janitor_report {
    char session[BF_ULID_SIZE];
    Belfry__V1__JanitorPhase phase;
};
void bf_orch_janitor_state(struct bf_orch *o, const char *id, const struct bf_node_report *node,
                           const struct bf_janitor_report *sessions, size_t n_sessions, uint64_t now_ms);

/* A state of the node was refused since its clock is so far from ours; negative: behind. */
void bf_orch_clock_gap(struct bf_orch *o, enum bf_role role, const char *id, int64_t ahead_ms, uint64_t now_ms);

void bf_orch_playable(struct bf_orch *o, const char *camera, const char *session, uint64_t now_ms);
void bf_orch_media_ended(struct bf_orch *o, const char *camera, const char *session, const char *reason,
                         uint64_t now_ms);
/* A good-bye ends a start under way at once, a last will after BF_ORCH_WILL_MS if the node is not heard by then. While
 * the bus is away, and for lease_ms / BF_ORCH_BACK_PARTS after it is back, none does, nor silence: wills of all nodes
 * come with the outage, and the nodes themselves only later. A stream that is live waits for its nodes in any case. */
void bf_orch_bus(struct bf_orch *o, bool connected, uint64_t now_ms);
void bf_orch_persisted(struct bf_orch *o, bool stored, uint64_t now_ms);
void bf_orch_tick(struct bf_orch *o, uint64_t now_ms); /* at least every 250 ms */

/* For a gateway that orders nothing and asks nobody: what can be watched on `camera` as the media directory shows it;
 * session "" for nothing. The only input there is then; it makes BF_ORCH_CHANGED and no other action. */
void bf_orch_mirror(struct bf_orch *o, const char *camera, const char *session, const char *ingest,
                    const struct bf_want *want);

/* --- what is so now --- */

size_t bf_orch_count(const struct bf_orch *o);
const struct bf_stream *bf_orch_stream(const struct bf_orch *o, size_t index);
const struct bf_stream *bf_orch_stream_of(const struct bf_orch *o, const char *camera);         /* or NULL */
const struct bf_node *bf_orch_node(const struct bf_orch *o, enum bf_role role, const char *id); /* or NULL */
const struct bf_fate *bf_orch_fates(const struct bf_orch *o, size_t *ret_n);
size_t bf_orch_nodes_online(const struct bf_orch *o, enum bf_role role);
size_t bf_orch_nodes_superseded(const struct bf_orch *o, enum bf_role role);
bool bf_orch_bus_connected(const struct bf_orch *o);
/* The node whose obeying another gateway keeps `s` from running here; NULL: there is none. */
const struct bf_node *bf_orch_superseded(const struct bf_orch *o, const struct bf_stream *s);
/* One sentence on who orders that node, and since when it is not this gateway. Returns buf. */
const char *bf_orch_superseded_detail(const struct bf_orch *o, const struct bf_node *n, char *buf, size_t size);
/* One sentence on whose clock is wrong and what to do, "" where clocks are no reason. Returns buf. */
const char *bf_orch_clock_detail(const struct bf_orch *o, const struct bf_node *n, char *buf, size_t size);
/* One sentence on what the stream is doing, waits for, or failed at. Returns buf. */
const char *bf_orch_detail(const struct bf_orch *o, const struct bf_stream *s, char *buf, size_t size);

/* --- intents: what must survive a restart --- */

struct bf_intent {
    char camera[BF_ID_SIZE];
    char session[BF_ULID_SIZE];
    char ingest[BF_ID_SIZE];
    struct bf_want want;
    bool stopping;
    struct bf_stream_error error; /* why, of a stopping one; code empty: somebody asked for it */
};
size_t bf_orch_intents(const struct bf_orch *o, struct bf_intent *ret, size_t room);
/* After a restart, before any other input: goes on with the session if its ingest node still runs it, else undoes it; a
 * stopping one is undone to its end, and has failed then if it has a reason. The start's time-out counts from when the
 * nodes should be back on the bus; while the bus is away none passes, and only who waits is told. -ENOENT: the camera
 * is no longer configured. -EBUSY: the camera has a session already. */
int bf_orch_adopt(struct bf_orch *o, const struct bf_intent *intent, uint64_t now_ms);

const char *bf_stream_phase_name(enum bf_stream_phase p); /* "idle" … */
const char *bf_step_name(enum bf_step s);                 /* "ingest", "camera", … */
const char *bf_outcome_name(enum bf_outcome o);           /* "started", "step_failed", … */

#endif
