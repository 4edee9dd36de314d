/* What every user of libav* in this folder shares. Private to lib/media: libav types appear in no public header. */
#ifndef BELFRY_MEDIA_AV_H
#define BELFRY_MEDIA_AV_H

#include "base/cleanup.h"
#include "base/error.h"
#include "media/av_table.h"

/* What an AVIO write callback is given: const from libavformat 61 on. */
#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t bf_av_written;
#else
typedef uint8_t bf_av_written;
#endif

/* Opens libav*, and sends its own messages, warnings and worse, to the debug log. Every constructor calls it before
 * anything of libav*; it acts once. -ELIBACC. */
int bf_av_load(struct bf_error *e);

/* AVERROR to negative errno: system errors as they are, libav's own by meaning, the rest -EIO. */
int bf_av_error(int averror);

/* bf_fail with "<what>: <libav's words for averror>"; returns the translated error. */
int bf_av_fail(struct bf_error *e, int averror, const char *what);

/* An AVIOContext without a file behind it, its buffer included; seek may be NULL. */
AVIOContext *bf_av_io_new(size_t buffer_size, void *user, int (*read)(void *, uint8_t *, int),
                          int (*write)(void *, bf_av_written *, int), int64_t (*seek)(void *, int64_t, int));
void bf_av_io_free(AVIOContext *io);

static inline void bf_av_io_freep(AVIOContext **io)
{
    bf_av_io_free(*io);
}

static inline void bf_av_dict_freep(AVDictionary **d)
{
    av_dict_free(d);
}

/* Copies (or scales, when sizes or formats differ) `from` into `to`, whose buffers, size, format and color_range are
 * set. *scaler is kept for the next call; release it with sws_freeContext. */
int bf_av_scale(struct SwsContext **scaler, const AVFrame *from, AVFrame *to);

/* A picture with buffers of its own; NULL when out of memory. */
AVFrame *bf_av_picture(enum AVPixelFormat format, int width, int height);

#endif
