/* People who start and stop streams, take pictures and delete recordings: what stands in for HTTP between them and the
 * gateway's loop, and what they may expect of the answers. */
#include <stdio.h>
#include <string.h>

#include "gateway/gateway_internal.h"
#include "gateway/live.h"
#include "gateway/want.h"
#include "sim.h"

#define GROUPS 16 /* of requests that were made at once; older ones have been answered */

struct request {
    struct bf_call *call;
    struct sim_node *gateway;
    uint64_t asked_us;
    unsigned group;
    bool must_succeed;
};
static struct request requests[SIM_CALLS_MAX];
static size_t n_requests;
static unsigned last_group;
static char sessions_of[GROUPS][BF_ULID_SIZE]; /* that the first of a group was told */

/* --- asking --- */

static void refuse(struct bf_call *call, const char *why)
{
    call->status = 503;
    snprintf(call->detail, sizeof call->detail, "%s", why);
}

static void on_asked(void *arg)
{
    struct bf_call *call = arg;
    struct sim_node *gateway = sim.current;
    struct sim_session *s = sim_session(call->recording);

    if (gateway->service.phase != BF_PHASE_RUNNING) {
        refuse(call, "it is being stopped");
    } else {
        if (call->kind == BF_CALL_DELETE && s != NULL)
            s->delete_asked = true;
        bf_gateway_on_call(gateway->made_state, call);
        const struct bf_stream *stream =
            bf_orch_stream_of(((struct bf_gateway *)gateway->made_state)->orch, call->camera);
        s = sim_session(stream->session);
        if (call->kind == BF_CALL_SNAPSHOT && call->status == 0 && s != NULL)
            s->pictures_asked++;
    }
    bf_call_unref(call);
}

static void drop_asked(void *arg)
{
    bf_call_unref(arg);
}

static struct bf_call *make_call(const struct sim_asking *a)
{
    static const enum bf_call_kind kinds[] = { [SIM_ASK_START] = BF_CALL_START,
                                               [SIM_ASK_STOP] = BF_CALL_STOP,
                                               [SIM_ASK_SNAPSHOT] = BF_CALL_SNAPSHOT,
                                               [SIM_ASK_DELETE] = BF_CALL_DELETE };
    struct bf_call *call = bf_call_new(kinds[a->ask]);

    snprintf(call->camera, sizeof call->camera, "%s", a->camera);
    snprintf(call->recording, sizeof call->recording, "%s", a->session != NULL ? a->session : "");
    call->want = (struct bf_want){ .record = a->record, .profile = BELFRY__V1__PROFILE__PROFILE_BALANCED };
    return call;
}

void sim_request_note(struct sim_node *gateway, struct bf_call *call, bool must_succeed, unsigned group)
{
    requests[n_requests++] = (struct request){ call, gateway, sim.now_us, group, must_succeed };
}

void sim_request(struct sim_node *gateway, const struct sim_asking *a)
{
    if (!gateway->alive || gateway->dead || gateway->service.phase != BF_PHASE_RUNNING)
        return; /* nobody listens */
    last_group++;
    sessions_of[last_group % GROUPS][0] = '\0';
    for (unsigned i = 0; i < a->times && n_requests < SIM_CALLS_MAX; i++) {
        struct bf_call *call = make_call(a);
        sim_say("%s is asked: %s %s%s", gateway->id, (const char *[]){ "start", "stop", "snapshot", "delete" }[a->ask],
                a->camera, a->record ? ", recorded" : "");
        sim_request_note(gateway, call, a->must_succeed, last_group);
        sim_after(gateway, sim_between_us(50, 2 * MSEC), on_asked, drop_asked, bf_call_ref(call));
    }
}

/* --- answers --- */

/* Those that came before the one that was there has ended are told of that one; the others wait for one new one. */
static void check_group(const struct request *r, const struct sim_session *s)
{
    char *session = sessions_of[r->group % GROUPS];

    if (s == NULL || s->since_us <= r->asked_us)
        return;
    if (session[0] == '\0')
        memcpy(session, r->call->session, BF_ULID_SIZE);
    else if (strcmp(session, r->call->session) != 0)
        sim_violate("starts of %s that came at once made two sessions, %s and %s", r->call->camera, session,
                    r->call->session);
}

/* The camera's own address leads to the session that the answer names. */
static void check_address(const struct request *r)
{
    const struct bf_gateway *g = r->gateway->made_state;
    struct bf_live_session *found = NULL;

    if (g == NULL || bf_live_acquire_current(g->app.live, r->call->camera, &found) < 0)
        sim_violate("a start of %s was answered %d, but its address leads nowhere", r->call->camera, r->call->status);
    else if (strcmp(bf_live_id(found), r->call->session) != 0)
        sim_violate("a start of %s was answered with session %s, but its address leads to %s", r->call->camera,
                    r->call->session, bf_live_id(found));
    bf_live_unref(found);
}

/* A start that was answered with success is live: its session has something to play on disk. */
static void check_started(const struct request *r)
{
    struct sim_session *s = sim_session(r->call->session);

    if (s == NULL || s->parts == 0)
        sim_violate("a start of %s was answered %d, but session %s has no media", r->call->camera, r->call->status,
                    r->call->session);
    else
        s->told_live = true;
    check_group(r, s);
    check_address(r);
}

static void on_answer(const struct request *r)
{
    const struct bf_call *c = r->call;
    struct sim_session *s = sim_session(c->recording);

    sim_say("answer %d %s %s %s", c->status, c->camera, c->session, c->detail);
    if (c->status >= 400 && c->detail[0] == '\0')
        sim_violate("a request for %s was answered %d without a reason", c->camera, c->status);
    if (c->status >= 400 && r->must_succeed)
        sim_violate("everything is well, and a start of %s was answered %d: %s", c->camera, c->status, c->detail);
    if (c->kind == BF_CALL_START && c->status < 400)
        check_started(r);
    if (c->kind == BF_CALL_DELETE && c->status < 400 && s != NULL)
        s->delete_told = true;
}

static void remove_request(size_t at)
{
    bf_call_unref(requests[at].call);
    requests[at] = requests[--n_requests];
}

/* A start waits for itself and, behind a session that is being undone, for that one's stop. */
#define ANSWER_WITHIN_US ((uint64_t)(3 * SIM_START_TIMEOUT_MS + 3 * SIM_STOP_TIMEOUT_MS) * MSEC)

/* What a process did after it was dead nobody has seen. */
void sim_requests_check(void)
{
    for (size_t i = n_requests; i-- > 0;) {
        const struct request *r = &requests[i];

        if (r->gateway->dead)
            continue;
        if (r->call->status != 0) {
            on_answer(r);
            remove_request(i);
        } else if (sim.now_us > r->asked_us + ANSWER_WITHIN_US && sim.now_us > r->gateway->thawed_us + 15 * SEC) {
            sim_violate("a request for %s has not been answered for %llu s", r->call->camera,
                        (unsigned long long)((sim.now_us - r->asked_us) / SEC));
        }
    }
}

bool sim_requests_answered(void)
{
    return n_requests == 0;
}

/* Whoever waited sees the connection break, and that is an answer. */
void sim_requests_forget(struct sim_node *gateway)
{
    sim_requests_check();
    for (size_t i = n_requests; i-- > 0;)
        if (requests[i].gateway == gateway)
            remove_request(i);
}

void sim_requests_clear(void)
{
    while (n_requests > 0)
        remove_request(n_requests - 1);
    last_group = 0;
    memset(sessions_of, 0, sizeof sessions_of);
}
