/* Where each value of the configuration came from: a line of the file or a variable of the environment. libcyaml forgets
 * the lines once it has loaded, so a pass over libyaml's events notes them first. */
#ifndef BELFRY_SERVICE_CONFIG_ORIGIN_H
#define BELFRY_SERVICE_CONFIG_ORIGIN_H

#include <stddef.h>

#include "base/error.h"

struct bf_origin {
    char *path;     /* "broker.port", "cameras[0]", "gateway.cors[1]" */
    char *value;    /* a scalar as it was written; NULL for mappings and lists */
    char *variable; /* BELFRY_BROKER_PORT; NULL: from the file */
    unsigned line;  /* from 1; 0 with a variable */
};

struct bf_origins {
    const char *file; /* as the user named it; borrowed */
    struct bf_origin *entries;
    size_t n, room;
};

/* Notes every path of the YAML text. -EBADMSG with the line for what is not YAML, or nests deeper than belfry.yml does. */
int bf_origins_scan(struct bf_origins *o, const void *text, size_t size, struct bf_error *e);
int bf_origins_add(struct bf_origins *o, const char *path, const char *value, const char *variable, unsigned line);
void bf_origins_done(struct bf_origins *o);

/* What holds for a path: a variable before the file. NULL when it was given nowhere. */
const struct bf_origin *bf_origin_of(const struct bf_origins *o, const char *path);

/* The one form of every error: `belfry.yml:12: gateway.listen: "0.0.0.0": <why>`, or with the variable's name in the
 * place of file and line. A path that was given nowhere borrows the line of what it would stand in, and says
 * "missing". Returns -EINVAL. */
int bf_config_refuse(const struct bf_origins *o, struct bf_error *e, const char *path, const char *why, ...)
    __attribute__((format(printf, 4, 5)));

#endif
