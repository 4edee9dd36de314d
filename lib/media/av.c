#include "media/av.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"

static void to_debug_log(void *object, int level, const char *format, va_list args)
{
    if (level > AV_LOG_WARNING)
        return;
    char line[256], quoted[300];
    int prefix = 1;
    av_log_format_line2(object, level, format, args, line, sizeof(line), &prefix);
    line[strcspn(line, "\n")] = '\0';
    bf_debug("libav says", "text=%s", bf_log_quote(quoted, sizeof(quoted), line));
}

struct entry {
    const char *name;
    size_t offset;
};

#define ENTRY(name) { #name, offsetof(struct bf_av_table, name##_) },

static const struct library {
    const char *file;
    const struct entry *entries; /* up to one without a name */
} libraries[] = {
    { "libavutil.so." AV_STRINGIFY(LIBAVUTIL_VERSION_MAJOR), (const struct entry[]){ BF_AV_UTIL(ENTRY){ NULL, 0 } } },
    { "libavcodec.so." AV_STRINGIFY(LIBAVCODEC_VERSION_MAJOR),
      (const struct entry[]){ BF_AV_CODEC(ENTRY){ NULL, 0 } } },
    { "libavformat.so." AV_STRINGIFY(LIBAVFORMAT_VERSION_MAJOR),
      (const struct entry[]){ BF_AV_FORMAT(ENTRY){ NULL, 0 } } },
    { "libswscale.so." AV_STRINGIFY(LIBSWSCALE_VERSION_MAJOR),
      (const struct entry[]){ BF_AV_SCALE(ENTRY){ NULL, 0 } } },
};

struct bf_av_table bf_av;

/* What went wrong while loading, for every later call; empty: nothing. */
static struct bf_error load_error;

static int load_library(const struct library *l)
{
    void *handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return bf_fail(&load_error, -ELIBACC, "%s; is the package of libavformat installed?", dlerror());
    for (const struct entry *e = l->entries; e->name != NULL; e++) {
        void *found = dlsym(handle, e->name);
        if (found == NULL)
            return bf_fail(&load_error, -ELIBACC, "%s lacks %s", l->file, e->name);
        memcpy((char *)&bf_av + e->offset, &found, sizeof(found));
    }
    return 0;
}

static void load(void)
{
    for (size_t i = 0; i < BF_COUNT_OF(libraries); i++)
        if (load_library(&libraries[i]) < 0)
            return;
    av_log_set_callback(to_debug_log);
}

int bf_av_load(struct bf_error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return load_error.text[0] == '\0' ? 0 : bf_fail(e, -ELIBACC, "%s", load_error.text);
}

int bf_av_error(int averror)
{
    static const struct {
        int averror, code;
    } table[] = {
        { AVERROR_EOF, -ENODATA },
        { AVERROR_INVALIDDATA, -EBADMSG },
        { AVERROR_EXIT, -ECANCELED },
        { AVERROR_PATCHWELCOME, -ENOTSUP },
        { AVERROR_DECODER_NOT_FOUND, -ENOTSUP },
        { AVERROR_ENCODER_NOT_FOUND, -ENOTSUP },
        { AVERROR_DEMUXER_NOT_FOUND, -ENOTSUP },
        { AVERROR_MUXER_NOT_FOUND, -ENOTSUP },
        { AVERROR_STREAM_NOT_FOUND, -ENODATA },
    };
    if (averror >= 0)
        return 0;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++)
        if (table[i].averror == averror)
            return table[i].code;
    return averror > -4096 ? averror : -EIO; /* errno values are small; libav's are four letters */
}

int bf_av_fail(struct bf_error *e, int averror, const char *what)
{
    char why[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(averror, why, sizeof(why));
    return bf_fail(e, bf_av_error(averror), "%s: %s", what, why);
}

AVIOContext *bf_av_io_new(size_t buffer_size, void *user, int (*read)(void *, uint8_t *, int),
                          int (*write)(void *, bf_av_written *, int), int64_t (*seek)(void *, int64_t, int))
{
    uint8_t *buffer = av_malloc(buffer_size);
    if (buffer == NULL)
        return NULL;
    AVIOContext *io = avio_alloc_context(buffer, (int)buffer_size, write != NULL, user, read, write, seek);
    if (io == NULL)
        av_free(buffer);
    else if (seek == NULL)
        io->seekable = 0;
    return io;
}

void bf_av_io_free(AVIOContext *io)
{
    if (io != NULL)
        av_freep(&io->buffer); /* libav may have replaced the one it was given */
    avio_context_free(&io);
}

AVFrame *bf_av_picture(enum AVPixelFormat format, int width, int height)
{
    AVFrame *f = av_frame_alloc();
    if (f == NULL)
        return NULL;
    f->format = format;
    f->width = width;
    f->height = height;
    if (av_frame_get_buffer(f, 0) < 0)
        av_frame_free(&f);
    return f;
}

static bool full_range(const AVFrame *f)
{
    return f->color_range == AVCOL_RANGE_JPEG || f->format == AV_PIX_FMT_YUVJ420P || f->format == AV_PIX_FMT_YUVJ422P ||
           f->format == AV_PIX_FMT_YUVJ444P;
}

int bf_av_scale(struct SwsContext **scaler, const AVFrame *from, AVFrame *to)
{
    *scaler = sws_getCachedContext(*scaler, from->width, from->height, from->format, to->width, to->height, to->format,
                                   SWS_BILINEAR, NULL, NULL, NULL);
    if (*scaler == NULL)
        return -ENOTSUP;

    const int *matrix = sws_getCoefficients(SWS_CS_DEFAULT);
    sws_setColorspaceDetails(*scaler, matrix, full_range(from), matrix, full_range(to), 0, 1 << 16, 1 << 16);
    int done =
        sws_scale(*scaler, (const uint8_t *const *)from->data, from->linesize, 0, from->height, to->data, to->linesize);
    return done < 0 ? bf_av_error(done) : 0;
}
