/* File operations that fail at a chosen step: the real ones for files, made-up exports. */
#ifndef BELFRY_TEST_JANITOR_FAULTS_H
#define BELFRY_TEST_JANITOR_FAULTS_H

#include <stdbool.h>

#include "janitor/file_ops.h"

struct faults {
    int step;        /* operations so far */
    int fail_at;     /* this one fails; 0: none */
    int error;       /* with this, negative */
    bool dead;       /* a crash: from fail_at on nothing is done any more, as by a process that is gone */
    bool crash;      /* fail_at is a crash, not an error */
    bool half_write; /* the write that fails leaves half of its bytes */
};
struct bf_file_ops faults_ops(struct faults *f);

#endif
