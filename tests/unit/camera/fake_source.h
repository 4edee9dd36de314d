/* A source that does what a test tells it to: 64 by 64 grey pictures, silence, or an end. One at a time. */
#ifndef BELFRY_TESTS_FAKE_SOURCE_H
#define BELFRY_TESTS_FAKE_SOURCE_H

#include <stdatomic.h>

#include "camera/source.h"

struct fake_source_script {
    atomic_int open_result;   /* 0, or what every open fails with */
    atomic_uint silent_after; /* pictures of an open until nothing comes any more; 0: never */
    atomic_uint broken_after; /* the same, until it breaks */
    atomic_bool stays_silent; /* opening again does not help */
    /* What happened. */
    atomic_uint opens, closes;
    atomic_uint barcodes_seen; /* pictures that came back with a barcode on them */
};
extern struct fake_source_script fake_script;
extern const struct bf_source_ops fake_source;

void fake_source_reset(void);

#endif
