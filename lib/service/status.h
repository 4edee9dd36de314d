/* The part of the state message that does not depend on the role: counters, last failure, what was observed. Pure. */
#ifndef BELFRY_SERVICE_STATUS_H
#define BELFRY_SERVICE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

#include "header.pb-c.h"

#define BF_STATUS_OWN_COUNTERS 40 /* of the service */
#define BF_STATUS_COUNTERS 64     /* in one message, those of the bus included */

struct bf_status_counter {
    const char *name; /* a constant */
    uint64_t value;
};

/* Whose lease it is: a gateway, and the process of it. */
struct bf_lease_holder {
    char node[BF_ID_SIZE]; /* "": not known */
    uint8_t boot_id[16];   /* zero: not known */
};

struct bf_status {
    struct bf_status_counter counters[BF_STATUS_OWN_COUNTERS];
    size_t n_counters;
    char code[49]; /* last failure; "" where there was none */
    char detail[513];
    uint64_t failed_at_ms;
    uint64_t observed_generation;
    uint64_t lease_epoch;          /* highest accepted */
    struct bf_lease_holder holder; /* of that one */
};

/* False when there is no room for another name. */
bool bf_status_count(struct bf_status *s, const char *name, uint64_t value);
/* False when this very failure was noted less than a minute ago: nothing new to log. */
bool bf_status_fail(struct bf_status *s, const char *code, const char *detail, uint64_t unix_ms);
/* Accepts a desired's lease: 1 when that changes the state, 0 when not, -ESTALE below the highest epoch seen, -EALREADY
 * for an older generation of that epoch than the last: a newer level has overtaken it. */
int bf_status_observe(struct bf_status *s, uint64_t lease_epoch, uint64_t generation);

/* Before that: may `holder` have this epoch? 1: yes, from now on; 0: it has it already; -ESTALE below the highest epoch
 * seen; -EEXIST: another one has it. */
int bf_status_claim(struct bf_status *s, uint64_t lease_epoch, const struct bf_lease_holder *holder);

/* A NodeStatus and everything that it points to; made on the stack, packed, forgotten. */
struct bf_status_message {
    Belfry__V1__NodeStatus node;
    Belfry__V1__Failure failure;
    Belfry__V1__Counter counters[BF_STATUS_COUNTERS];
    Belfry__V1__Counter *pointers[BF_STATUS_COUNTERS];
};

/* Fills m from s; `boot_id` (16 bytes) and `version` are borrowed for m's life. */
void bf_status_message_init(struct bf_status_message *m, struct bf_status *s, bool online, uint8_t *boot_id,
                            const char *version, uint64_t started_at_ms);
/* One more counter; without effect when the message is full. */
void bf_status_message_count(struct bf_status_message *m, const char *name, uint64_t value);

#endif
