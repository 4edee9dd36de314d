/* CMAF (ISO/IEC 23000-19) by libavformat: an initialisation segment, then one moof+mdat per part. No I/O of its own. */
#ifndef BELFRY_MEDIA_CMAF_H
#define BELFRY_MEDIA_CMAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "media/h264.h"

struct bf_cmaf;

/* SPS and PPS as NAL units without start codes. Timescale is 90000. The init segment is ready at once. */
int bf_cmaf_new(struct bf_cmaf **ret, const struct bf_nal *sps, const struct bf_nal *pps, uint32_t width,
                uint32_t height, struct bf_error *e);
void bf_cmaf_free(struct bf_cmaf *c);

void bf_cmaf_init_segment(const struct bf_cmaf *c, const uint8_t **ret, size_t *ret_size); /* borrowed */

/* One Annex B access unit; dts strictly above the one before, pts >= dts. */
int bf_cmaf_add(struct bf_cmaf *c, const uint8_t *au, size_t size, int64_t dts_90k, int64_t pts_90k,
                uint32_t duration_90k, bool idr);
/* What was added since the last flush, as exactly one moof+mdat; borrowed until the next call. -ENODATA: nothing. */
int bf_cmaf_flush(struct bf_cmaf *c, const uint8_t **ret, size_t *ret_size);

#endif
