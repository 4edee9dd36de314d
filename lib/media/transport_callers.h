/* Who may try a passphrase while somebody else sends. Each try costs the thread that receives the derivation of a key, so
 * they are counted a second; by address, so that a stranger does not keep the true successor out. Pure. */
#ifndef BELFRY_MEDIA_TRANSPORT_CALLERS_H
#define BELFRY_MEDIA_TRANSPORT_CALLERS_H

#include "media/transport_impl.h"

#define BF_CALLERS_MAX 8             /* addresses in one second; others have to wait */
#define BF_CALLER_TRIES_PER_SECOND 4 /* of one address */

struct bf_callers {
    struct bf_caller {
        struct bf_address from;
        uint64_t second_ms; /* since when ... */
        unsigned tries;     /* ... it has tried so often; 0: a free place */
    } list[BF_CALLERS_MAX];
};

bool bf_callers_may_try(struct bf_callers *c, const struct bf_address *from, uint64_t now_ms);

#endif
