#include "scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

int scratch_make(struct scratch *s)
{
    snprintf(s->path, sizeof s->path, "/tmp/belfryctl-XXXXXX");
    return mkdtemp(s->path) != NULL ? 0 : -errno;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void scratch_remove(struct scratch *s)
{
    nftw(s->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
