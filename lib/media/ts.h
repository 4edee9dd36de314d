/* One H.264 elementary stream in MPEG-TS (ISO/IEC 13818-1) by libavformat, over a bf_transport.
 * Flags follow measurements of hop latency: PES length always written, every access unit flushed, no probing, no parser. */
#ifndef BELFRY_MEDIA_TS_H
#define BELFRY_MEDIA_TS_H

#include <stdbool.h>

#include "base/error.h"
#include "media/transport.h"

struct bf_ts_writer;
int bf_ts_writer_new(struct bf_ts_writer **ret, struct bf_transport *t, struct bf_error *e); /* borrows t */
/* One Annex B access unit, pts = dts, 90 kHz (the low 33 bits travel), above the one before (-EINVAL). Sent before the
 * call returns. -EPIPE, -ECANCELED. One above 64 KiB has no PES length: a receiver knows its end when the next begins. */
int bf_ts_write(struct bf_ts_writer *w, const uint8_t *au, size_t size, int64_t pts_90k, bool idr);
void bf_ts_writer_free(struct bf_ts_writer *w);

struct bf_ts_packet {
    const uint8_t *data; /* one PES = one Annex B access unit; zeroed padding follows; borrowed until the next read */
    size_t size;
    int64_t pts_90k; /* 33 bits as received; INT64_MIN where there was none */
    int64_t dts_90k;
    bool corrupt; /* bytes are missing */
};
struct bf_ts_reader;
/* Starts at the next PAT/PMT; takes the first H.264 stream, ignores the rest. Borrows t. */
int bf_ts_reader_new(struct bf_ts_reader **ret, struct bf_transport *t, struct bf_error *e);
/* The same over anything that gives whole TS packets as bf_transport_recv does. */
typedef int bf_ts_source(void *user, void *ret, size_t size);
int bf_ts_reader_new_from(struct bf_ts_reader **ret, bf_ts_source *source, void *user, struct bf_error *e);
/* Blocks for one access unit. -EPIPE: the sender left (make a new reader for the next), -ETIMEDOUT: silence,
 * -ECANCELED. Garbage is skipped and counted, never an error. */
int bf_ts_read(struct bf_ts_reader *r, struct bf_ts_packet *ret);
void bf_ts_reader_free(struct bf_ts_reader *r);

#endif
