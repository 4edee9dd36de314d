/* Which handler a request belongs to. A table of {method, pattern, handler} per group of routes; matching is pure.
 *
 * A pattern is literal segments and at most one parameter per segment: {camera} (an id), {session} and {recording} (a
 * ULID), {number} (a whole number), with literal text around it ("part-{number}.m4s"), or {path} as the last segment:
 * the rest of the path, at least one segment. A segment that is not of its parameter's form does not match. */
#ifndef BELFRY_GATEWAY_ROUTER_H
#define BELFRY_GATEWAY_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "gateway/http_parse.h"

enum bf_method { BF_GET = 1, BF_POST = 2, BF_PATCH = 4, BF_DELETE = 8, BF_HEAD = 16, BF_OPTIONS = 32 };

struct bf_request;

struct bf_http_route {
    enum bf_method method; /* GET answers HEAD as well */
    const char *pattern;
    int (*handle)(struct bf_request *r); /* answers; returns the status it sent */
};

struct bf_params {
    char camera[BF_ID_SIZE];
    char session[BF_ULID_SIZE]; /* {session} or {recording} */
    uint64_t number;
    size_t rest; /* {path}: index of its first segment */
};

const char *bf_method_name(enum bf_method method);
/* Method by name; 0 for one that no route knows. */
enum bf_method bf_method_parse(const char *word);
/* "GET, HEAD, POST" for an Allow header, from the bits of methods. Returns buf. */
const char *bf_methods_format(unsigned methods, char *buf, size_t size);

/* First route whose pattern fits and whose method is `method`. -ENOENT: no pattern fits. -EPERM: patterns fit, but not
 * with that method; *ret_methods is what they take (set on success too). */
int bf_route_find(const struct bf_http_route *const *routes, size_t n, enum bf_method method,
                  const struct bf_path *path, size_t *ret_index, struct bf_params *ret_params, unsigned *ret_methods);

#endif
