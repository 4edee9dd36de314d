/* A directory of its own for a test, removed with everything in it. */
#ifndef BELFRY_TEST_TOOLS_SCRATCH_H
#define BELFRY_TEST_TOOLS_SCRATCH_H

struct scratch {
    char path[64];
};
int scratch_make(struct scratch *s);
void scratch_remove(struct scratch *s);

#endif
