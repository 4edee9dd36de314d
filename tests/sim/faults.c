/* What a step does: to the people who ask for something, to a node, to the broker, to the way of the pictures. */
#include "base/cleanup.h"
#include "sim.h"

static struct sim_node *node_of(const struct sim_step *s)
{
    return &sim.nodes[s->node % sim.n_nodes];
}

static struct sim_node *camera_of(const struct sim_step *s)
{
    return &sim.nodes[s->node % 2];
}

static struct sim_node *gateway_of(const struct sim_step *s)
{
    struct sim_node *first = sim_node_named("gateway-1"), *second = sim_node_named("gateway-2");

    if (second == NULL)
        return first;
    return s->a % 2 == 1 ? (second->alive ? second : first) : (first->alive ? first : second);
}

static void boot(void *arg)
{
    sim_boot(arg);
}

static void reboot(void *arg)
{
    struct sim_node *n = arg;

    if (n->alive) /* still on its way out: a second signal would end it */
        sim_kill(n);
    sim_boot(n);
}

static void make_noise(const struct sim_step *s)
{
    sim.noise = (struct sim_noise){ .duplicate = s->a % 3 == 0 ? 30 : 5,
                                    .reorder = s->a / 3 % 3 == 0 ? 30 : 0,
                                    .lose = s->a / 9 % 3 == 0 ? 20 : 0,
                                    .delay = s->a / 27 % 3 == 0 ? 30 : 0,
                                    .until_us = sim.now_us + SEC + s->b % (8 * SEC) };
}

/* Hours off or only seconds. Whoever is hours off mostly knows that it is: a clock that is wrong and says it is
 * right cuts its machine off. */
static void set_clock(const struct sim_step *s)
{
    static const int64_t offsets_ms[] = { 2000, -2000, 3600000, -3600000, -1700000000000, 9000 };
    size_t i = s->a % BF_COUNT_OF(offsets_ms);
    struct sim_host *h = &sim.hosts[node_of(s)->host];

    h->wall_offset_ms = offsets_ms[i];
    h->synced = (offsets_ms[i] > -9999 && offsets_ms[i] < 9999) || s->b % 4 == 0;
}

/* A picture can be taken of what is on. */
static const char *camera_to_ask(const struct sim_step *s)
{
    if (s->kind == SIM_SNAPSHOT && sim_producers != NULL)
        return sim_producers->node->id;
    return camera_of(s)->id;
}

static void ask(const struct sim_step *s)
{
    static const enum sim_ask asks[] = {
        [SIM_START] = SIM_ASK_START, [SIM_STOP] = SIM_ASK_STOP, [SIM_SNAPSHOT] = SIM_ASK_SNAPSHOT
    };
    bool start = s->kind == SIM_START;

    sim_request(gateway_of(s), &(struct sim_asking){ .ask = asks[s->kind],
                                                     .camera = camera_to_ask(s),
                                                     .record = start && s->b % 2 == 0,
                                                     .times = start && s->b % 8 == 1 ? 20 : 1 });
}

/* Of the recordings that are there, one. */
static void ask_to_delete(const struct sim_step *s)
{
    for (size_t i = 0; i < sim.n_sessions; i++) {
        const struct sim_session *found = &sim.sessions[(i + s->b) % sim.n_sessions];
        if (!sim_is_recording(found))
            continue;
        sim_request(
            gateway_of(s),
            &(struct sim_asking){ .ask = SIM_ASK_DELETE, .camera = found->camera, .session = found->id, .times = 1 });
        return;
    }
}

static uint64_t mostly_short_us(const struct sim_step *s, uint64_t seldom_us, uint64_t mostly_us)
{
    return s->b % (s->a % 3 == 0 ? seldom_us : mostly_us);
}

/* Dead after so many more steps on files and on the bus, in the middle of whatever it does then; some also while they
 * come up again. */
static void crash(struct sim_node *n, const struct sim_step *s)
{
    n->effects_left = (unsigned)(s->a % 12);
    if (s->b % 4 == 0)
        n->effects_at_boot = (unsigned)(s->b / 4 % 24);
}

static void trouble_node(struct sim_node *n, const struct sim_step *s)
{
    switch ((enum sim_kind)s->kind) {
    case SIM_KILL:
        sim_kill(n);
        sim_after(NULL, mostly_short_us(s, 12 * SEC, SEC), boot, NULL, n);
        break;
    case SIM_CRASH:
        crash(n, s);
        break;
    case SIM_TERMINATE:
        sim_terminate(n);
        sim_after(NULL, 7 * SEC + s->b % SEC, reboot, NULL, n);
        break;
    case SIM_FREEZE:
        sim_freeze(n, s->a % (2 * SIM_LEASE_MS) * MSEC);
        break;
    case SIM_SUSPEND:
        sim_suspend(n->host, s->a % (3 * SIM_LEASE_MS) * MSEC);
        break;
    case SIM_CUT:
        sim_cut(n, mostly_short_us(s, 15 * SEC, 2 * SEC), s->a / 3 % 3 == 0);
        break;
    default:
        set_clock(s);
        break;
    }
}

void sim_do(const struct sim_step *s)
{
    switch ((enum sim_kind)s->kind) {
    case SIM_START:
    case SIM_STOP:
    case SIM_SNAPSHOT:
        ask(s);
        break;
    case SIM_DELETE:
        ask_to_delete(s);
        break;
    case SIM_BROKER:
        sim_broker_restart(s->b % (6 * SEC), (enum sim_retained)(s->a % 3));
        break;
    case SIM_NOISE:
        make_noise(s);
        break;
    case SIM_MEDIA_CUT:
        camera_of(s)->media_cut_until_us = sim.now_us + s->b % (8 * SEC);
        break;
    case SIM_SOURCE_FAILS:
        camera_of(s)->source_fails_until_us = sim.now_us + s->b % (4 * SEC);
        break;
    case SIM_REPLAY:
        sim_replay((unsigned)(s->a % 24) + 1);
        break;
    default:
        trouble_node(node_of(s), s);
        break;
    }
}
