/* Sliding replay windows, one per (sender, channel), 64 sequences wide (RFC 4303 section 3.4.3), ordered by epoch first.
 * Pure. Entries are made for nodes of the trust bundle only and never evicted. */
#ifndef BELFRY_BUS_REPLAY_H
#define BELFRY_BUS_REPLAY_H

#include <stdint.h>

struct bf_replay;

enum bf_replay_verdict {
    BF_REPLAY_NEW,
    BF_REPLAY_DUPLICATE, /* seen: answer as before, do not act again */
    BF_REPLAY_TOO_OLD,   /* left of the window */
    BF_REPLAY_OLD_EPOCH, /* from an earlier start of the sender */
    BF_REPLAY_FULL       /* no room for another sender: refused */
};

int bf_replay_new(struct bf_replay **ret, unsigned max_senders);
void bf_replay_free(struct bf_replay *r);

/* Looks without changing anything. `channel` is the wire's Channel (WILL apart from STATE). */
enum bf_replay_verdict bf_replay_check(const struct bf_replay *r, const char *sender, int channel, uint64_t epoch,
                                       uint64_t sequence);
/* Marks as seen; call once everything else about the message held. A higher epoch on any channel forgets the windows
 * of the lower one on all of them. */
enum bf_replay_verdict bf_replay_accept(struct bf_replay *r, const char *sender, int channel, uint64_t epoch,
                                        uint64_t sequence);
uint64_t bf_replay_epoch(const struct bf_replay *r, const char *sender); /* highest accepted; 0 = none */
/* Highest sequence accepted of that channel in the current epoch; 0 = none. */
uint64_t bf_replay_highest(const struct bf_replay *r, const char *sender, int channel);

#endif
