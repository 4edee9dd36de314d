/* libcamera behind C functions: the only way in and out of the one C++ file. No exception crosses. One thread uses a
 * handle; libcamera's own thread only hands completed pictures over. One handle at a time in a process (libcamera
 * allows one camera manager). Works with 0.0.3 and later. */
#ifndef BELFRY_CAMERA_SOURCE_LIBCAMERA_H
#define BELFRY_CAMERA_SOURCE_LIBCAMERA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/error.h"
#include "media/frame.h"

struct bf_libcamera;

struct bf_libcamera_options {
    const char *sensor;          /* index among the cameras ("0") or libcamera's id */
    uint32_t width, height, fps; /* what is asked for; the pipeline may adjust the size */
};

struct bf_libcamera_mode {
    enum bf_pixel_format format;
    uint32_t width, height; /* even */
};

/* Takes the camera, configures it for NV12 or else I420, maps its buffers. -ENODEV with the ids that are there;
 * -EBUSY when another process has it. Nothing is captured yet. */
int bf_libcamera_open(struct bf_libcamera **ret, const struct bf_libcamera_options *o, struct bf_error *e);
void bf_libcamera_mode_of(const struct bf_libcamera *c, struct bf_libcamera_mode *ret);
const char *bf_libcamera_id(const struct bf_libcamera *c);
const char *bf_libcamera_model(const struct bf_libcamera *c); /* "" when it has none */

int bf_libcamera_start(struct bf_libcamera *c, struct bf_error *e);
/* Readable while a completed picture, or the news that the camera is gone, waits for bf_libcamera_take. */
int bf_libcamera_fd(const struct bf_libcamera *c);
/* The newest completed picture; older ones go back to the camera unseen, and so does the one taken before. Fills
 * format, size, planes and strides of *ret, and its sensor time stamp (microseconds, 0: none). -EAGAIN: none yet;
 * -ENODEV: unplugged. */
int bf_libcamera_take(struct bf_libcamera *c, struct bf_frame *ret, uint64_t *ret_sensor_us, struct bf_error *e);
/* Gives the picture that was taken last back now instead of at the next take. */
void bf_libcamera_release(struct bf_libcamera *c);
uint64_t bf_libcamera_dropped(const struct bf_libcamera *c); /* pictures that gave way to newer ones */

void bf_libcamera_stop(struct bf_libcamera *c);
void bf_libcamera_close(struct bf_libcamera *c); /* stops first; NULL is fine */

const char *bf_libcamera_version(void);

#ifdef __cplusplus
}
#endif

#endif
