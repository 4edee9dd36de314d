#include "orch_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint8_t boots[BF_ROLE_OPERATOR + 1];
static uint32_t port;

void world_make(struct world *w)
{
    static const uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE] = { 5 };
    static const struct bf_orch_camera cameras[] = { { "door", true }, { "pole", false } };
    const struct bf_orch_options options = {
        .cameras = cameras,
        .n_cameras = 2,
        .janitor = "janitor-1",
        .lease_epoch = 3,
        .node = "gateway-1",
        .boot_id = boot_id,
        .lease_ms = 9000,
        .start_timeout_ms = 10000,
        .stop_timeout_ms = 9000,
    };

    *w = (struct world){ .now_ms = 1000000 };
    memset(boots, 1, sizeof boots);
    port = 20000;
    assert_int_equal(bf_orch_new(&w->o, &options), 0);
}

void world_done(struct world *w)
{
    bf_orch_free(w->o);
}

int world_setup(void **state)
{
    static struct world w;

    world_make(&w);
    *state = &w;
    return 0;
}

int world_teardown(void **state)
{
    world_done(*state);
    return 0;
}

const struct bf_stream *door(const struct world *w)
{
    return bf_orch_stream_of(w->o, "door");
}

static const char *outcome_name(enum bf_outcome o)
{
    static const char *const names[] = { "started",        "running",    "stopped",   "bus-offline", "camera-offline",
                                         "ingest-offline", "busy",       "cancelled", "failed",      "timeout",
                                         "storage",        "superseded", "unrecorded" };

    return names[o];
}

static void note(struct world *w, const char *format, ...)
{
    size_t at = strlen(w->seen);
    va_list args;

    if (at > 0)
        w->seen[at++] = ' ';
    va_start(args, format);
    vsnprintf(w->seen + at, sizeof w->seen - at, format, args);
    va_end(args);
}

static void note_answer(struct world *w, const struct bf_orch_answer *a)
{
    w->last = *a;
    w->answers++;
    if (a->result.outcome == BF_OUTCOME_STEP_FAILED || a->result.outcome == BF_OUTCOME_STEP_TIMEOUT)
        note(w, "%d:%s@%s", (int)a->ticket, outcome_name(a->result.outcome), bf_step_name(a->result.step));
    else
        note(w, "%d:%s", (int)a->ticket, outcome_name(a->result.outcome));
}

void world_run(struct world *w)
{
    struct bf_orch_action a;

    while (bf_orch_next(w->o, &a)) {
        switch (a.kind) {
        case BF_ORCH_PERSIST:
            note(w, "persist");
            bf_orch_persisted(w->o, !w->disk_broken, w->now_ms);
            break;
        case BF_ORCH_SEND:
            note(w, ">%s", a.node);
            break;
        case BF_ORCH_ANSWER:
            note_answer(w, &a.answer);
            break;
        case BF_ORCH_CHANGED:
            break;
        }
    }
}

void world_expect(struct world *w, const char *actions, const char *file, int line)
{
    world_run(w);
    if (strcmp(w->seen, actions) != 0) {
        print_error("%s:%d: expected \"%s\", got \"%s\"\n", file, line, actions, w->seen);
        fail();
    }
    w->seen[0] = '\0';
}

/* Each node has observed whatever it was last told, unless it is to be shown lagging. */
static struct bf_node_report report(struct world *w, enum bf_role role, const char *id, const char *phase,
                                    uint8_t boot_id[static BF_ORCH_BOOT_ID_SIZE])
{
    const struct bf_node *n = bf_orch_node(w->o, role, id);

    static const uint8_t ours[BF_ORCH_BOOT_ID_SIZE] = { 5 }, theirs[BF_ORCH_BOOT_ID_SIZE] = { 6 };
    bool lost = w->lost == role;
    bool will = strcmp(phase, "lost") == 0;

    memset(boot_id, boots[role], BF_ORCH_BOOT_ID_SIZE);
    return (struct bf_node_report){ .online = !will && strcmp(phase, "gone") != 0,
                                    .will = will,
                                    .lease_epoch = lost ? w->lost_to_epoch : 3,
                                    .lease_holder = lost && !w->lost_to_a_copy ? "gateway-2" : "gateway-1",
                                    .lease_boot_id = lost ? theirs : ours,
                                    .boot_id = boot_id,
                                    .error_code = w->error == NULL ? "source_failed" : w->error,
                                    .error_detail = "no such sensor",
                                    .observed_generation = n == NULL ? 0 : n->generation };
}

static Belfry__V1__CameraPhase camera_phase(const char *name)
{
    static const char *const names[] = { "?", "off", "starting", "streaming", "stopping", "failed" };

    for (int i = 1; i <= 5; i++)
        if (strcmp(names[i], name) == 0)
            return (Belfry__V1__CameraPhase)i;
    return BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_OFF;
}

void camera_is(struct world *w, const char *phase, const char *session)
{
    uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE];
    struct bf_node_report r = report(w, BF_ROLE_CAMERA, "door", phase, boot_id);

    bf_orch_camera_state(w->o, "door", &r, camera_phase(phase), session == NULL ? "" : session, w->now_ms);
    world_run(w);
}

void camera_boots(struct world *w, uint8_t boot, const char *phase, const char *session)
{
    boots[BF_ROLE_CAMERA] = boot;
    camera_is(w, phase, session);
}

static Belfry__V1__IngestPhase ingest_phase(const char *name)
{
    static const char *const names[] = {
        "?", "starting", "listening", "live", "stalled", "draining", "ended", "failed"
    };

    for (int i = 1; i <= 7; i++)
        if (strcmp(names[i], name) == 0)
            return (Belfry__V1__IngestPhase)i;
    return BELFRY__V1__INGEST_PHASE__INGEST_PHASE_UNSPECIFIED;
}

void ingest_is(struct world *w, const char *phase, const char *session)
{
    uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE];
    struct bf_node_report r = report(w, BF_ROLE_INGEST, "ingest-1", phase, boot_id);
    struct bf_ingest_report s = { .phase = ingest_phase(phase), .error_code = "no_port", .error_detail = "all taken" };

    if (s.phase >= BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LISTENING)
        s.endpoint =
            (struct bf_endpoint){ .transport = BELFRY__V1__TRANSPORT__TRANSPORT_SRT, .host = "10.0.0.1", .port = port };
    if (session != NULL)
        memcpy(s.session, session, sizeof s.session);
    bf_orch_ingest_state(w->o, "ingest-1", &r, &s, session == NULL ? 0 : 1, w->now_ms);
    world_run(w);
}

void ingest_boots(struct world *w, uint8_t boot, const char *phase, const char *session)
{
    boots[BF_ROLE_INGEST] = boot;
    ingest_is(w, phase, session);
}

void ingest_listens_on(struct world *w, uint32_t at, const char *phase, const char *session)
{
    port = at;
    ingest_is(w, phase, session);
}

static Belfry__V1__JanitorPhase janitor_phase(const char *name)
{
    static const char *const names[] = { "?", "trimming", "archiving", "archived", "purging", "purged", "failed" };

    for (int i = 1; i <= 6; i++)
        if (strcmp(names[i], name) == 0)
            return (Belfry__V1__JanitorPhase)i;
    return BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_UNSPECIFIED;
}

void janitor_is(struct world *w, const char *phase, const char *session)
{
    uint8_t boot_id[BF_ORCH_BOOT_ID_SIZE];
    struct bf_node_report r = report(w, BF_ROLE_JANITOR, "janitor-1", phase, boot_id);
    struct bf_janitor_report s = { .phase = janitor_phase(phase) };

    if (session != NULL)
        memcpy(s.session, session, sizeof s.session);
    bf_orch_janitor_state(w->o, "janitor-1", &r, &s, session == NULL ? 0 : 1, w->now_ms);
    world_run(w);
}

static void ask(struct world *w, const char *camera, const char *session, uint64_t ticket, bool record)
{
    const struct bf_want want = { .record = record };

    assert_int_equal(bf_orch_start(w->o, camera, &want, session, ticket, w->now_ms), 0);
    world_run(w);
}

void start(struct world *w, const char *camera, const char *session, uint64_t ticket)
{
    ask(w, camera, session, ticket, false);
}

void start_on_demand(struct world *w, const char *camera, const char *session, uint64_t ticket)
{
    const struct bf_want want = { .on_demand = true };

    assert_int_equal(bf_orch_start(w->o, camera, &want, session, ticket, w->now_ms), 0);
    world_run(w);
}

void start_recorded(struct world *w, const char *camera, const char *session, uint64_t ticket)
{
    ask(w, camera, session, ticket, true);
}

void stop(struct world *w, const char *camera, uint64_t ticket)
{
    assert_int_equal(bf_orch_stop(w->o, camera, ticket, w->now_ms), 0);
    world_run(w);
}

void playable(struct world *w, const char *camera, const char *session)
{
    bf_orch_playable(w->o, camera, session, w->now_ms);
    world_run(w);
}

void media_ended(struct world *w, const char *camera, const char *session, const char *reason)
{
    bf_orch_media_ended(w->o, camera, session, reason, w->now_ms);
    world_run(w);
}

void passes(struct world *w, uint64_t ms)
{
    w->now_ms += ms;
    bf_orch_tick(w->o, w->now_ms);
    world_run(w);
}

void all_online(struct world *w)
{
    bf_orch_bus(w->o, true, w->now_ms);
    for (int i = 0; i < 2; i++) { /* the second time they have observed what they were told the first time */
        camera_is(w, "off", NULL);
        ingest_is(w, "", NULL);
        janitor_is(w, "", NULL);
    }
    w->seen[0] = '\0';
}

void go_live(struct world *w, bool record)
{
    all_online(w);
    ask(w, "door", SESSION_A, 1, record);
    ingest_is(w, "listening", SESSION_A);
    camera_is(w, "streaming", SESSION_A);
    ingest_is(w, "live", SESSION_A);
    playable(w, "door", SESSION_A);
    assert_int_equal(bf_orch_stream_of(w->o, "door")->phase, BF_STREAM_LIVE);
    assert_int_equal(w->last.result.outcome, BF_OUTCOME_STARTED);
    w->seen[0] = '\0';
}

void climb(struct world *w, enum bf_step to)
{
    all_online(w);
    passes(w, 3100); /* the connection to the broker is no longer new */
    start(w, "door", SESSION_A, 1);
    if (to > BF_STEP_INGEST)
        ingest_is(w, "listening", SESSION_A);
    if (to > BF_STEP_CAMERA)
        camera_is(w, "streaming", SESSION_A);
    if (to > BF_STEP_MEDIA)
        ingest_is(w, "live", SESSION_A);
    assert_int_equal(bf_orch_stream_of(w->o, "door")->step, to);
    w->seen[0] = '\0';
}
