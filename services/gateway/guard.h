/* Who may ask from where: the same-origin rule for what changes state, and CORS by an exact allow-list. Pure. */
#ifndef BELFRY_GATEWAY_GUARD_H
#define BELFRY_GATEWAY_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct bf_guard_request {
    const char *origin;     /* Origin header, or NULL */
    const char *host;       /* Host header, or NULL */
    const char *fetch_site; /* Sec-Fetch-Site header, or NULL */
    bool changes_state;
};

/* Is the origin on the list, byte for byte? */
bool bf_guard_listed(const char *origin, char *const *allowed, size_t n_allowed);

/* May it go on? What only reads always may: a foreign page that is not listed cannot see the answer. What changes state
 * must come from our own pages, from a listed origin, or from no browser at all. */
bool bf_guard_allows(const struct bf_guard_request *r, char *const *allowed, size_t n_allowed);

#endif
