/* Making files for people out of a session's CMAF files, by libavformat: for the janitor. Blocking; a worker thread. */
#ifndef BELFRY_MEDIA_EXPORT_H
#define BELFRY_MEDIA_EXPORT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* One run of segments that share an init segment; names are relative to dirfd. */
struct bf_export_run {
    const char *init;
    const char *const *segments;
    size_t n_segments;
};

/* Remuxes (no transcoding) into one MP4 with the index in front, written to out_fd (a new regular file). Timestamps run
 * on across runs. `progress_percent` and `cancel` may be NULL; -ECANCELED. */
int bf_export_mp4(int dirfd, const struct bf_export_run *runs, size_t n_runs, int out_fd,
                  _Atomic unsigned *progress_percent, const atomic_bool *cancel, struct bf_error *e);

/* First decodable picture of init + `length` bytes at `offset` of a segment, as JPEG, at most `max_width` wide;
 * *ret malloc'd. */
int bf_export_jpeg(int dirfd, const char *init, const char *segment, uint64_t offset, uint64_t length,
                   uint32_t max_width, uint8_t **ret, size_t *ret_size, struct bf_error *e);

#endif
