/* Receivers that are wrong on purpose: bf_verify with one of its checks undone. */
#ifndef BELFRY_TESTS_FORGERY_FAULTS_H
#define BELFRY_TESTS_FORGERY_FAULTS_H

#include "forgery/judge.h"

struct fault {
    const char *what;
    judged_verify *verify;
    unsigned steps; /* with so many steps, or fewer, a mutation can show it */
};
extern const struct fault faults[];
extern const size_t faults_n;

#endif
