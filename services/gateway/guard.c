#include "gateway/guard.h"

#include <string.h>
#include <strings.h>

bool bf_guard_listed(const char *origin, char *const *allowed, size_t n_allowed)
{
    for (size_t i = 0; origin != NULL && i < n_allowed; i++)
        if (strcmp(origin, allowed[i]) == 0)
            return true;
    return false;
}

/* Is it this server, by either scheme? Behind a proxy that ends TLS we only ever see http. */
static bool is_own(const char *origin, const char *host)
{
    if (host == NULL || host[0] == '\0')
        return false;
    if (strncmp(origin, "http://", 7) == 0)
        return strcasecmp(origin + 7, host) == 0;
    return strncmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0;
}

bool bf_guard_allows(const struct bf_guard_request *r, char *const *allowed, size_t n_allowed)
{
    if (!r->changes_state || bf_guard_listed(r->origin, allowed, n_allowed))
        return true;
    if (r->fetch_site != NULL) /* the browser's own word, which a page cannot set */
        return strcmp(r->fetch_site, "same-origin") == 0 || (r->origin == NULL && strcmp(r->fetch_site, "none") == 0);
    return r->origin == NULL || is_own(r->origin, r->host);
}
