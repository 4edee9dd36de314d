/* Access units in, CMAF parts in the stream directory out. Owns the session's timeline and its cuts; when the storage
 * refuses, it drops media until an IDR for which there is room, and puts Gap records in the place of what is missing.
 * One thread. */
#ifndef BELFRY_INGEST_PACKAGER_H
#define BELFRY_INGEST_PACKAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ingest/intake.h"
#include "ingest/session_dir.h"
#include "ingest/shape.h"

struct bf_packager;

struct bf_packager_counters {
    uint64_t discontinuities;
    uint64_t gaps;        /* Gap records */
    uint64_t dropped;     /* access units dropped while waiting for an IDR, without a slice, or overtaken */
    uint64_t corrupt;     /* access units dropped because bytes were missing */
    uint64_t damaged;     /* access units passed on although one that they refer to is missing */
    uint64_t lost;        /* access units dropped because the storage refused */
    uint64_t forced_cuts; /* segments that do not begin with an IDR */
};

/* Called on the packager's thread. */
struct bf_packager_events {
    void (*part)(void *user);                          /* one more is on disk and journalled */
    void (*segment)(void *user, struct bf_sync *sync); /* one has ended; takes over what sync holds */
    void (*storage)(void *user, int code);             /* first refusal: negative errno; 0: it works again */
};

struct bf_packager_options {
    struct bf_session_dir *dir; /* borrowed */
    struct bf_shape shape;
    uint32_t frame_90k; /* nominal, 0: not known */
    const struct bf_packager_events *events;
    void *user;
};

int bf_packager_new(struct bf_packager **ret, const struct bf_packager_options *o);
void bf_packager_free(struct bf_packager *p);
BF_DEFINE_CLEANUP(struct bf_packager, bf_packager_free)

/* One access unit. Fails for want of memory only: what cannot be used is dropped and counted. */
int bf_packager_add(struct bf_packager *p, const struct bf_access_unit *au);

/* The source is silent or has left: what is there goes out now, and whatever comes next is a discontinuity. */
int bf_packager_pause(struct bf_packager *p);

struct bf_packager_counters bf_packager_counters(const struct bf_packager *p);

#endif
