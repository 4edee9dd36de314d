/* How a history must end: everything is healed, then what is said to be live grows, what is asked for comes, what is
 * stopped ends, and nothing is left over. */
#include <string.h>

#include "gateway/gateway_internal.h"
#include "sim.h"

#define COMES_UP_US (20 * SEC) /* the longest wait before the broker is tried again, a node's next state, a lease */
#define GROWS_US (8 * SEC)     /* a camera tries again after a failure, its receiver after a silence */
#define ANSWERS_WITHIN_US (90 * SEC)
#define SETTLED_WITHIN_US (240 * SEC)

#define CAMERAS 2 /* the first nodes */

static void heal(void)
{
    sim_say("everything is healed");
    sim.noise.until_us = sim.broker_down_until_us = 0;
    for (size_t i = 0; i < sim.n_nodes; i++) {
        struct sim_node *n = &sim.nodes[i];
        n->cut_until_us = n->media_cut_until_us = n->source_fails_until_us = 0;
        if (!n->dead)
            n->effects_left = SIM_NO_END;
        n->effects_at_boot = SIM_NO_END;
        sim.hosts[n->host].wall_offset_ms = 0;
        sim.hosts[n->host].synced = true;
    }
    sim_run_until(sim.now_us + 9 * SEC, NULL); /* whoever is being restarted comes up */
    for (size_t i = 0; i < sim.n_nodes; i++)
        sim_boot(&sim.nodes[i]);
    sim_run_until(sim.now_us + COMES_UP_US, NULL);
}

/* The one that orders; NULL where two do, on hosts of their own: then the nodes obey either, and people must choose. */
static struct sim_node *only_gateway(void)
{
    struct sim_node *found = NULL;

    for (size_t i = 0; i < sim.n_nodes; i++)
        if (sim.nodes[i].role == BF_ROLE_GATEWAY && sim.nodes[i].alive) {
            if (found != NULL)
                return NULL;
            found = &sim.nodes[i];
        }
    return found;
}

static const struct bf_stream *stream_of(const struct sim_node *gateway, size_t camera)
{
    return bf_orch_stream_of(((const struct bf_gateway *)gateway->made_state)->orch, sim.nodes[camera].id);
}

/* A session that the gateway calls live gets pictures, whatever its nodes have been through. */
static void check_growth(const struct sim_node *gateway)
{
    char before[CAMERAS][BF_ULID_SIZE] = { "" };
    unsigned parts[CAMERAS] = { 0 };

    for (size_t i = 0; i < CAMERAS; i++) {
        const struct bf_stream *s = stream_of(gateway, i);
        const struct sim_session *known = s->phase == BF_STREAM_LIVE ? sim_session(s->session) : NULL;
        if (known == NULL)
            continue;
        memcpy(before[i], s->session, BF_ULID_SIZE);
        parts[i] = known->parts;
    }
    sim_run_until(sim.now_us + GROWS_US, NULL);
    for (size_t i = 0; i < CAMERAS && sim.violation[0] == '\0'; i++) {
        const struct bf_stream *s = stream_of(gateway, i);
        bool same = s->phase == BF_STREAM_LIVE && strcmp(s->session, before[i]) == 0;
        if (same && sim_session(s->session)->parts == parts[i])
            sim_violate("session %s of %s is called live, and has had no pictures for %llu s", s->session, s->camera,
                        (unsigned long long)(GROWS_US / SEC));
    }
}

static void ask_all(enum sim_ask ask, bool must_succeed)
{
    for (size_t i = 0; i < sim.n_nodes; i++)
        for (size_t camera = 0; camera < CAMERAS && sim.nodes[i].role == BF_ROLE_GATEWAY; camera++)
            sim_request(&sim.nodes[i], &(struct sim_asking){ .ask = ask,
                                                             .camera = sim.nodes[camera].id,
                                                             .record = ask == SIM_ASK_START && camera == 0,
                                                             .must_succeed = must_succeed,
                                                             .times = 1 });
}

static void wait_for_answers(void)
{
    if (!sim_run_until(sim.now_us + ANSWERS_WITHIN_US, sim_requests_answered))
        sim_violate("requests are left unanswered");
}

static bool is_quiet(void)
{
    char why[200];

    return sim_producers == NULL && sim_requests_answered() && sim_sessions_settled(why, sizeof why);
}

void sim_conclude(void)
{
    char why[200] = "a camera still produces";

    heal();
    wait_for_answers();
    const struct sim_node *gateway = only_gateway();
    if (gateway != NULL && sim.violation[0] == '\0')
        check_growth(gateway);
    ask_all(SIM_ASK_START, gateway != NULL);
    wait_for_answers();
    sim_run_until(sim.now_us + 3 * SEC, NULL);
    ask_all(SIM_ASK_STOP, false);
    if (!sim_run_until(sim.now_us + SETTLED_WITHIN_US, is_quiet)) {
        sim_sessions_settled(why, sizeof why);
        sim_violate("%llu s after the last stop: %s", (unsigned long long)(SETTLED_WITHIN_US / SEC), why);
    }
    sim_check_recordings();
}
