/* The queue of everything that is going to happen: a binary heap by virtual time, and by order of arrival within one
 * microsecond. */
#include <stdlib.h>

#include "sim.h"

struct sim_event {
    uint64_t at_us, order;
    uint64_t due_us; /* at_us may be later: its process is stopped */
    size_t index;
    struct sim_node *owner;
    void (*run)(void *arg);
    void (*drop)(void *arg);
    void *arg;
};

static struct sim_event **heap;
static size_t n_heap, room;
static uint64_t next_order;

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(size_t at, struct sim_event *e)
{
    heap[at] = e;
    e->index = at;
}

static void rise(size_t at)
{
    struct sim_event *e = heap[at];

    for (; at > 0 && before(e, heap[(at - 1) / 2]); at = (at - 1) / 2)
        put(at, heap[(at - 1) / 2]);
    put(at, e);
}

static void sink(size_t at)
{
    struct sim_event *e = heap[at];

    for (size_t child; (child = 2 * at + 1) < n_heap; at = child) {
        if (child + 1 < n_heap && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], e))
            break;
        put(at, heap[child]);
    }
    put(at, e);
}

static void take_out(struct sim_event *e)
{
    size_t at = e->index;
    struct sim_event *last = heap[--n_heap];

    if (last == e)
        return;
    put(at, last);
    rise(at);
    sink(last->index);
}

static void insert(struct sim_event *e)
{
    if (n_heap == room) {
        room = room == 0 ? 256 : room * 2;
        heap = reallocarray(heap, room, sizeof(*heap));
        if (heap == NULL)
            abort();
    }
    put(n_heap, e);
    rise(n_heap++);
}

struct sim_event *sim_after(struct sim_node *owner, uint64_t delay_us, void (*run)(void *arg), void (*drop)(void *arg),
                            void *arg)
{
    struct sim_event *e = malloc(sizeof *e);

    if (e == NULL)
        abort();
    *e = (struct sim_event){
        .at_us = sim.now_us + delay_us, .order = next_order++, .owner = owner, .run = run, .drop = drop, .arg = arg
    };
    e->due_us = e->at_us;
    insert(e);
    return e;
}

void sim_cancel(struct sim_event *e)
{
    if (e == NULL)
        return;
    take_out(e);
    free(e);
}

static struct sim_event *find(const struct sim_node *owner, void (*run)(void *arg))
{
    struct sim_event *found = NULL;

    for (size_t i = 0; i < n_heap; i++)
        if (heap[i]->owner == owner && (run == NULL || heap[i]->run == run) &&
            (found == NULL || before(heap[i], found)))
            found = heap[i];
    return found;
}

void sim_drop_events(struct sim_node *owner)
{
    struct sim_event *e;

    while ((e = find(owner, NULL)) != NULL) {
        struct sim_event copy = *e;
        sim_cancel(e);
        if (copy.drop != NULL)
            copy.drop(copy.arg);
    }
}

void sim_run_all_of(struct sim_node *owner, void (*run)(void *arg))
{
    struct sim_event *e;

    while ((e = find(owner, run)) != NULL) {
        void *arg = e->arg;
        sim_cancel(e);
        run(arg);
    }
}

void sim_postpone_all_of(const struct sim_node *owner, void (*run)(void *arg), uint64_t by_us)
{
    for (size_t i = 0; i < n_heap; i++)
        if (heap[i]->owner == owner && heap[i]->run == run && heap[i]->due_us > sim.now_us)
            heap[i]->at_us = heap[i]->due_us += by_us;
    for (size_t at = n_heap / 2; at-- > 0;)
        sink(at);
}

/* A stopped process does later what was due meanwhile, in the same order. */
static bool postponed(struct sim_event *e)
{
    if (e->owner == NULL || e->owner->frozen_until_us <= sim.now_us)
        return false;
    take_out(e);
    e->at_us = e->owner->frozen_until_us;
    insert(e);
    return true;
}

bool sim_run_next(uint64_t until_us)
{
    if (n_heap == 0 || heap[0]->at_us > until_us) {
        sim.now_us = until_us > sim.now_us ? until_us : sim.now_us;
        return false;
    }
    struct sim_event *e = heap[0];
    if (e->at_us > sim.now_us)
        sim.now_us = e->at_us;
    if (postponed(e))
        return true;

    struct sim_event copy = *e;
    sim_cancel(e);
    const uint64_t state[] = { sim.now_us, copy.order, sim.random,
                               copy.owner != NULL ? (uint64_t)(copy.owner - sim.nodes) : SIM_NODES_MAX };
    sim_hash(state, sizeof state);
    sim.current = copy.owner;
    copy.run(copy.arg);
    sim.current = NULL;
    sim.events++;
    return true;
}

void sim_clear_queue(void)
{
    while (n_heap > 0) {
        struct sim_event copy = *heap[0];
        sim_cancel(heap[0]);
        if (copy.drop != NULL)
            copy.drop(copy.arg);
    }
    next_order = 0;
}
