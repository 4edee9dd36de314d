/* The golden files: envelopes of fixed seeds and times, one of every message, a last will and a trust bundle. */
#ifndef BELFRY_TESTS_GOLDEN_H
#define BELFRY_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include "bus/message.h"

struct golden {
    const char *file;
    enum bf_message_type type; /* BF_MSG_TYPES: the trust bundle */
    int will;
};

extern const struct golden golden_files[];
extern const size_t golden_n;

/* What the file must hold; malloc'd. */
uint8_t *golden_make(const struct golden *g, size_t *ret_size);

#endif
