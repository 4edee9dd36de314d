/* Delivers one mutated statement to one receiver and says whether what came of it is right. */
#ifndef BELFRY_TESTS_FORGERY_JUDGE_H
#define BELFRY_TESTS_FORGERY_JUDGE_H

#include "bus/verify.h"
#include "forgery/mutation.h"
#include "forgery/receiver.h"

#define WORLD_STATEMENTS 400
#define WORLD_RECEIVERS 9

typedef enum bf_refusal judged_verify(const struct bf_verifier *v, const char *topic, const void *data, size_t size,
                                      uint64_t unix_ms, bool clock_synced, struct bf_incoming *ret, struct bf_error *e);

struct world {
    judged_verify *verify; /* bf_verify, or something wrong to try the judge on */
    struct bf_trust *home, *barn;
    struct statement statements[WORLD_STATEMENTS];
    struct receiver receivers[WORLD_RECEIVERS];
};

struct delivery {
    size_t statement, receiver;
    struct mutation mutation;
};

/* How often what came of it. */
struct tally {
    uint64_t refusals[BF_REFUSALS]; /* with BF_OK and BF_DUPLICATE */
    uint64_t delivered, mutated;
};

void world_init(struct world *w, uint64_t seed, judged_verify *verify);
void world_done(struct world *w);

/* NULL, or what is wrong. A statement that was rightly taken is noted at the receiver. `thorough`: looks through the
 * whole of the receiver's windows afterwards. */
const char *world_deliver(struct world *w, const struct delivery *d, bool thorough, struct tally *tally);

/* Prints the delivery, and the bytes that it comes to. */
void world_print(const struct world *w, const struct delivery *d, FILE *f);

#endif
