/* Where pictures come from. One const table per kind; a worker thread opens, reads and closes, nothing else does. */
#ifndef BELFRY_CAMERA_SOURCE_H
#define BELFRY_CAMERA_SOURCE_H

#include "base/error.h"
#include "camera/stop.h"
#include "media/frame.h"

struct bf_source_options {
    uint32_t width, height, fps; /* wanted; a source may give another size, see `format` */
    const char *file;            /* file */
    const char *sensor;          /* libcamera: index or id */
    const struct bf_stop *stop;  /* ends every wait inside the source */
};

struct bf_source_format {
    enum bf_pixel_format format;
    uint32_t width, height; /* even */
};

struct bf_source_ops {
    const char *name;    /* as in the configuration */
    bool paints_barcode; /* its pictures carry the time barcode already */
    /* `options` and what it points to outlive the source. */
    int (*open)(void **ret, const struct bf_source_options *options, struct bf_source_format *ret_format,
                struct bf_error *e);
    /* Waits for the next picture, at most until `deadline_us` (CLOCK_MONOTONIC). The planes are borrowed, and may be
     * painted on, until the next call. -ETIMEDOUT: none came; -ECANCELED: the stop flag is up; else the source is
     * broken and `e` says why. */
    int (*next)(void *source, uint64_t deadline_us, struct bf_frame *ret, struct bf_error *e);
    void (*close)(void *source); /* NULL is fine */
};

extern const struct bf_source_ops bf_source_test_pattern;
extern const struct bf_source_ops bf_source_file;
extern const struct bf_source_ops bf_source_libcamera; /* in builds with BELFRY_LIBCAMERA */

/* The table of that name; -EINVAL with what is there in this build. */
int bf_source_find(const struct bf_source_ops **ret, const char *name, struct bf_error *e);

#endif
