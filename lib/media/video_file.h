/* A video file decoded in an endless loop, scaled to the wanted size: the camera's `file` source. One thread. */
#ifndef BELFRY_MEDIA_VIDEO_FILE_H
#define BELFRY_MEDIA_VIDEO_FILE_H

#include "base/error.h"
#include "media/frame.h"

struct bf_video_file;
int bf_video_file_open(struct bf_video_file **ret, const char *path, uint32_t width, uint32_t height,
                       struct bf_error *e);
/* Next picture, I420, borrowed until the next call; from the start again after the last. The caller paces. */
int bf_video_file_next(struct bf_video_file *v, struct bf_frame *ret, struct bf_error *e);
void bf_video_file_free(struct bf_video_file *v);

#endif
