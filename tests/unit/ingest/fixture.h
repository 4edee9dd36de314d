/* A media directory, a key, real access units, and a judge that holds a session's files against its journal. */
#ifndef BELFRY_TESTS_INGEST_FIXTURE_H
#define BELFRY_TESTS_INGEST_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/keys.h"
#include "ingest/intake.h"
#include "ingest/session_dir.h"
#include "stream/session_view.h"

#define TEST_CAMERA "cam-1"
#define TEST_SESSION "01JD9Z5K3M8Q2W4E6R7T9Y0ABC"
#define TEST_NODE "ingest-1"
#define FRAME_90K 3000
#define PATH_SIZE 192

struct place {
    char path[64];
    int media_fd;
    struct bf_key *key;
};
int place_make(void **state); /* cmocka set-up and tear-down */
int place_drop(void **state);
int session_fd(const struct place *p); /* of TEST_SESSION; the caller closes */
void session_path(const struct place *p, char ret[static PATH_SIZE], const char *file);
void write_over(const struct place *p, const char *file, off_t at, const void *data, size_t size);
off_t size_of(const struct place *p, const char *file); /* -1: not there */

/* TEST_SESSION with parts of 200 ms, TARGETDURATION 2 s. */
int session_open(const struct place *p, bool record, uint64_t reserve_bytes, struct bf_session_dir **ret);

/* Frames by libx264 at 30 a second, an IDR every `gop`; capture time 1700000000 s + 33333 us * index. */
struct frames {
    struct bf_access_unit *units; /* dts = pts = FRAME_90K * index */
    bool *idr;
    size_t n;
};
struct frames frames_make(uint32_t width, uint32_t height, size_t n, unsigned gop);
void frames_free(struct frames *f);

/* Reads the journal of TEST_SESSION into a view and fails the test unless: every link and signature is right, complete
 * segments have their hash and length, each part is one moof and one mdat with the decode time, the duration, the
 * number of samples and the independence that its record says, and no part or segment is longer than the constants
 * allow. bf_session_view_done the result. */
struct bf_session_view judge(const struct place *p);

/* Video frames that ffprobe decodes out of init file and segments first..last. */
unsigned decoded_frames(const struct place *p, const char *init, uint64_t first, uint64_t last);

#endif
