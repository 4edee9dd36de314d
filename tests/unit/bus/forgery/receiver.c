#include "forgery/receiver.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH 64
#define SENDERS_MAX 64

static void start(struct receiver *r)
{
    if (bf_replay_new(&r->replay, SENDERS_MAX) < 0)
        abort();
    memset(r->senders, 0, sizeof(r->senders));
    r->n_taken = 0;
}

void receiver_init(struct receiver *r, const char *site, enum site_node node)
{
    *r = (struct receiver){ .site = site, .node = node };
    start(r);
}

void receiver_done(struct receiver *r)
{
    bf_replay_free(r->replay);
    free(r->taken);
}

static enum taken_as look_up(const struct sender_record *sender, int channel, uint64_t epoch, uint64_t sequence)
{
    uint64_t highest = epoch > sender->epoch ? 0 : sender->channels[channel].highest;

    if (sequence == 0 || epoch < sender->epoch)
        return TAKEN_NOT;
    if (sequence > highest)
        return TAKEN_NEW;
    if (highest - sequence >= WIDTH)
        return TAKEN_NOT;
    return sender->channels[channel].seen[sequence] ? TAKEN_AGAIN : TAKEN_NEW;
}

enum taken_as receiver_judges(const struct receiver *r, const struct statement *s)
{
    const struct sender_record *sender = &r->senders[s->signer];

    if (s->will && sender->epoch != 0 && sender->epoch != s->epoch)
        return TAKEN_NOT;
    return look_up(sender, s->channel, s->epoch, s->sequence);
}

static void record(struct sender_record *sender, const struct statement *s)
{
    if (s->epoch > sender->epoch)
        *sender = (struct sender_record){ .epoch = s->epoch };
    sender->channels[s->channel].seen[s->sequence] = true;
    if (s->sequence > sender->channels[s->channel].highest)
        sender->channels[s->channel].highest = s->sequence;
}

void receiver_took(struct receiver *r, const struct statement *s)
{
    if (r->n_taken == r->capacity) {
        r->capacity = r->capacity == 0 ? 64 : 2 * r->capacity;
        r->taken = reallocarray(r->taken, r->capacity, sizeof(struct statement *));
        if (r->taken == NULL)
            abort();
    }
    r->taken[r->n_taken++] = s;
    record(&r->senders[s->signer], s);
}

void receiver_rewind(struct receiver *r, size_t n)
{
    bf_replay_free(r->replay);
    start(r);
    for (size_t i = 0; i < n; i++) {
        const struct statement *s = r->taken[i];

        bf_replay_accept(r->replay, site_node_name(s->signer), s->channel, s->epoch, s->sequence);
        receiver_took(r, s);
    }
}

static bool agrees(enum taken_as expected, enum bf_replay_verdict found)
{
    switch (expected) {
    case TAKEN_NEW:
        return found == BF_REPLAY_NEW;
    case TAKEN_AGAIN:
        return found == BF_REPLAY_DUPLICATE;
    default:
        return found == BF_REPLAY_TOO_OLD || found == BF_REPLAY_OLD_EPOCH;
    }
}

static bool channel_unmoved(const struct receiver *r, enum site_node node, int channel)
{
    const struct sender_record *sender = &r->senders[node];
    uint64_t epoch = sender->epoch > 0 ? sender->epoch : 1;

    for (uint64_t sequence = 1; sequence <= SEQUENCE_MAX; sequence++)
        if (!agrees(look_up(sender, channel, epoch, sequence),
                    bf_replay_check(r->replay, site_node_name(node), channel, epoch, sequence)))
            return false;
    return true;
}

bool receiver_unmoved(const struct receiver *r, bool thorough)
{
    for (enum site_node node = 0; node < SITE_NODES; node++) {
        if (bf_replay_epoch(r->replay, site_node_name(node)) != r->senders[node].epoch)
            return false;
        for (int channel = 1; thorough && channel < CHANNELS; channel++)
            if (!channel_unmoved(r, node, channel))
                return false;
    }
    return true;
}
