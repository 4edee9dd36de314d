/* One who receives: its replay windows under test, and beside them what they should hold, kept the plain way (every
 * sequence that was taken, RFC 4303 section 3.4.3 read off it). */
#ifndef BELFRY_TESTS_FORGERY_RECEIVER_H
#define BELFRY_TESTS_FORGERY_RECEIVER_H

#include "bus/replay.h"
#include "forgery/statement.h"

#define CHANNELS 7 /* the wire's, 1..6 */

enum taken_as { TAKEN_NOT, TAKEN_NEW, TAKEN_AGAIN };

struct sender_record {
    uint64_t epoch;
    struct {
        uint64_t highest;
        bool seen[SEQUENCE_MAX + 1];
    } channels[CHANNELS];
};

struct receiver {
    const char *site;
    enum site_node node; /* NOBODY: one who watches */
    struct bf_replay *replay;
    struct sender_record senders[SITE_NODES];
    const struct statement **taken; /* in order */
    size_t n_taken, capacity;
};

void receiver_init(struct receiver *r, const char *site, enum site_node node);
void receiver_done(struct receiver *r);

/* What the windows must say to this statement, everything else about it being fine. */
enum taken_as receiver_judges(const struct receiver *r, const struct statement *s);
/* Notes that the windows under test have taken it as new. */
void receiver_took(struct receiver *r, const struct statement *s);
/* Back to when `n` statements had been taken. */
void receiver_rewind(struct receiver *r, size_t n);

/* Are the windows under test what they should be? A look at each sender's epoch, or `thorough`: at every sequence. */
bool receiver_unmoved(const struct receiver *r, bool thorough);

#endif
