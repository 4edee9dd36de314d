/* Several stretches of files read as one stream by libavformat: an init segment and what follows it. Private to
 * lib/media. */
#ifndef BELFRY_MEDIA_PIECES_H
#define BELFRY_MEDIA_PIECES_H

#include <stdatomic.h>

#include "media/av.h"

struct bf_piece {
    const char *name;        /* relative to dirfd */
    uint64_t offset, length; /* length UINT64_MAX: to the end of the file */
};

struct bf_pieces {
    int dirfd;
    const struct bf_piece *list;
    size_t n;
    const atomic_bool *cancel; /* may be NULL */
    uint64_t read_bytes;       /* so far */

    size_t at; /* the piece that fd belongs to, or the next to open */
    int fd;
    uint64_t left;
    int error;          /* AVERROR of the read that failed, which libavformat may report as something else */
    const char *failed; /* name of the file it was; NULL: none */
    AVIOContext *io;
};

/* Opens as fragmented MP4. *ret is closed by bf_pieces_close, whether this succeeded or not. Returns AVERROR. */
int bf_pieces_open(struct bf_pieces *p, AVFormatContext **ret);
void bf_pieces_close(struct bf_pieces *p, AVFormatContext **demux);

#endif
