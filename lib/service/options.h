/* The command line that every service shares. Pure. */
#ifndef BELFRY_SERVICE_OPTIONS_H
#define BELFRY_SERVICE_OPTIONS_H

#include <stdio.h>

#include "base/error.h"

enum bf_mode { BF_MODE_RUN, BF_MODE_CHECK, BF_MODE_HEALTH, BF_MODE_VERSION, BF_MODE_HELP };

struct bf_options {
    enum bf_mode mode;
    const char *config; /* borrowed from argv; NULL: look in the usual places */
    const char *node;   /* borrowed from argv; NULL: as configured */
};

/* -EINVAL for anything that is not in bf_options_usage. */
int bf_options_parse(struct bf_options *ret, int argc, char **argv, struct bf_error *e);
void bf_options_usage(FILE *f, const char *program, const char *summary);

#endif
