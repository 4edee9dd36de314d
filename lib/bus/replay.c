#include "bus/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

#define CHANNELS 8 /* the wire's Channel, 1..6 */
#define WIDTH 64

struct window {
    uint64_t highest; /* 0: nothing seen */
    uint64_t seen;    /* bit n: highest - n was seen */
};

struct sender {
    char node[BF_ID_SIZE];
    uint64_t epoch;
    struct window windows[CHANNELS];
};

struct bf_replay {
    struct sender *senders;
    unsigned n, capacity, max;
};

int bf_replay_new(struct bf_replay **ret, unsigned max_senders)
{
    struct bf_replay *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return -ENOMEM;
    r->max = max_senders;
    *ret = r;
    return 0;
}

void bf_replay_free(struct bf_replay *r)
{
    if (r == NULL)
        return;
    free(r->senders);
    free(r);
}

static struct sender *find(const struct bf_replay *r, const char *node)
{
    for (unsigned i = 0; i < r->n; i++)
        if (strcmp(r->senders[i].node, node) == 0)
            return &r->senders[i];
    return NULL;
}

static struct sender *add(struct bf_replay *r, const char *node)
{
    struct sender *s;

    if (r->n == r->max)
        return NULL;
    if (r->n == r->capacity) {
        unsigned capacity = r->capacity == 0 ? 16 : r->capacity * 2;
        struct sender *more = reallocarray(r->senders, capacity, sizeof(*more));

        if (more == NULL)
            return NULL;
        r->senders = more;
        r->capacity = capacity;
    }
    s = &r->senders[r->n++];
    *s = (struct sender){ 0 };
    strncpy(s->node, node, sizeof(s->node) - 1);
    return s;
}

static enum bf_replay_verdict judge(const struct window *w, uint64_t sequence)
{
    uint64_t behind;

    if (sequence == 0)
        return BF_REPLAY_TOO_OLD;
    if (sequence > w->highest)
        return BF_REPLAY_NEW;
    behind = w->highest - sequence;
    if (behind >= WIDTH)
        return BF_REPLAY_TOO_OLD;
    return (w->seen >> behind & 1) != 0 ? BF_REPLAY_DUPLICATE : BF_REPLAY_NEW;
}

static void mark(struct window *w, uint64_t sequence)
{
    uint64_t ahead;

    if (sequence <= w->highest) {
        w->seen |= UINT64_C(1) << (w->highest - sequence);
        return;
    }
    ahead = sequence - w->highest;
    w->seen = (ahead >= WIDTH ? 0 : w->seen << ahead) | 1;
    w->highest = sequence;
}

static int nameable(const char *node, int channel)
{
    return bf_id_valid(node) && channel > 0 && channel < CHANNELS;
}

enum bf_replay_verdict bf_replay_check(const struct bf_replay *r, const char *sender, int channel, uint64_t epoch,
                                       uint64_t sequence)
{
    static const struct window empty;
    const struct sender *s = find(r, sender);

    if (!nameable(sender, channel))
        return BF_REPLAY_FULL;
    if (s == NULL)
        return r->n < r->max ? judge(&empty, sequence) : BF_REPLAY_FULL;
    if (epoch < s->epoch)
        return BF_REPLAY_OLD_EPOCH;
    return judge(epoch > s->epoch ? &empty : &s->windows[channel], sequence);
}

enum bf_replay_verdict bf_replay_accept(struct bf_replay *r, const char *sender, int channel, uint64_t epoch,
                                        uint64_t sequence)
{
    enum bf_replay_verdict verdict = bf_replay_check(r, sender, channel, epoch, sequence);
    struct sender *s = find(r, sender);

    if (verdict != BF_REPLAY_NEW)
        return verdict;
    if (s == NULL)
        s = add(r, sender);
    if (s == NULL)
        return BF_REPLAY_FULL;

    if (epoch > s->epoch) {
        s->epoch = epoch;
        memset(s->windows, 0, sizeof(s->windows));
    }
    mark(&s->windows[channel], sequence);
    return BF_REPLAY_NEW;
}

uint64_t bf_replay_epoch(const struct bf_replay *r, const char *sender)
{
    const struct sender *s = find(r, sender);

    return s == NULL ? 0 : s->epoch;
}

uint64_t bf_replay_highest(const struct bf_replay *r, const char *sender, int channel)
{
    const struct sender *s = find(r, sender);

    return s == NULL || !nameable(sender, channel) ? 0 : s->windows[channel].highest;
}
