/* A media directory with sessions in it: real files, a real journal, made-up media. */
#ifndef BELFRY_TEST_JANITOR_FIXTURE_H
#define BELFRY_TEST_JANITOR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/keys.h"
#include "bus/trust.h"
#include "stream/journal.h"
#include "stream/session_view.h"

#define SITE "home"
#define CAMERA "front"
#define SESSION "01JD8V5T7MZX3K9QW4R2N6P0AB"
#define OTHER_SESSION "01JD8V5T7MZX3K9QW4R2N6P0AC"
#define STARTED_MS 1700000000000u
#define SEGMENT_90K 90000u
#define SEGMENT_BYTES 64u

struct media {
    char path[64]; /* of the media directory */
    int mediafd;
};
void media_make(struct media *m);
void media_remove(struct media *m); /* with everything in it */

/* A session that is being written. */
struct session {
    int dirfd;
    struct bf_journal_writer *journal;
    uint64_t msn, counter, decode_time_90k;
};
void session_begin(struct session *s, const struct media *m, const char *camera, const char *id, bool record);
void session_init(struct session *s, unsigned index); /* another init segment */
void session_segments(struct session *s, unsigned n); /* n complete segments of one second */
void session_discontinuity(struct session *s);        /* the same, one, after a jump in time */
void session_open_segment(struct session *s);         /* one that is not complete */
void session_gap(struct session *s);
void session_end(struct session *s);
void session_close(struct session *s); /* of the writer's descriptors; NULL fields are fine */

/* camera/front/…: begin, init, n segments, end. Returns the session's descriptor, which the caller closes. */
int make_ended_session(const struct media *m, const char *id, bool record, unsigned n);

bool exists(int dirfd, const char *name);
size_t count_entries(int dirfd);
void write_file(int dirfd, const char *name, const char *text);
char *read_text(int dirfd, const char *name); /* malloc'd */

/* A janitor's key and a trust bundle that knows it as janitor-1. */
void make_trust(struct bf_key **ret_key, struct bf_trust **ret_trust);

#endif
