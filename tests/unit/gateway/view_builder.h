/* Journals for tests, record by record. */
#ifndef BELFRY_TESTS_VIEW_BUILDER_H
#define BELFRY_TESTS_VIEW_BUILDER_H

#include "journal.pb-c.h"
#include "stream/session_view.h"

#define BUILDER_SESSION "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define BUILDER_CAPTURE_US 1767225600000000u /* 2026-01-01T00:00:00Z; each part is captured as long after as it lies */

/* Where the records go: into a view, a journal file, or both. */
struct builder {
    int (*put)(void *user, const Belfry__V1__Record *r);
    void *user;
    uint64_t msn, counter, offset, segment_90k, total_90k;
    unsigned inits;
    bool open;
    Belfry__V1__Profile profile; /* of the next start; 0: balanced */
    uint32_t segment_us;         /* of the next start; 0: the target duration */
    int64_t capture_off_us;      /* what the sender's clock is ahead */
    bool says_written;           /* parts say when they were written: when their last frame was captured … */
    int64_t written_off_us;      /* … and so much later */
    uint64_t media_off_90k;      /* what decode times are ahead of the sum of durations */
};

/* The usual `put`: user is a struct bf_session_view. */
int builder_into_view(void *user, const Belfry__V1__Record *r);

void build_start(struct builder *b, const char *camera, uint32_t part_target_us, uint32_t target_s, uint32_t window_ms);
void build_init(struct builder *b);
/* One part of `ticks` (90 kHz); `bytes` long. */
void build_part(struct builder *b, uint32_t ticks, bool independent, uint64_t bytes);
void build_part_after_break(struct builder *b, uint32_t ticks, uint64_t bytes); /* with a discontinuity in front */
void build_segment_end(struct builder *b);
void build_gap(struct builder *b, uint64_t ticks);
void build_end(struct builder *b, const char *reason);
/* A whole segment of `parts` parts of 200 ms, 1000 bytes each, the first one independent. */
void build_segment(struct builder *b, unsigned parts);

#endif
