/* /recordings: the files of a finished recording, with ranges. */
#include "gateway/request.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "gateway/media_types.h"
#include "stream/layout.h"

#define FOR_A_DAY "private, max-age=86400"

/* The recording's directory, reached camera by camera without following a link; a negative number when it is gone. */
static int open_directory(const struct bf_request *r, const struct bf_recording *found)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_(bf_closep) int camera = openat(r->app->media_dirfd, found->camera, flags);

    return camera < 0 ? -1 : openat(camera, found->id, flags);
}

static int send_from(struct bf_request *r, const char *name, const char *type, const char *cache)
{
    struct bf_recording found;

    if (bf_recordings_find(r->app->recordings, r->params.session, &found) < 0)
        return bf_problem(r, 404, "no_such_recording", "There is no recording of that id (any more).");
    _cleanup_(bf_closep) int dirfd = open_directory(r, &found);
    if (dirfd < 0)
        return bf_problem(r, 404, "no_such_recording", "The recording's files are gone.");
    return bf_send_whole_file(r, dirfd, name, &(struct bf_response){ .type = type, .cache = cache });
}

static int get_playlist(struct bf_request *r)
{
    return send_from(r, BF_VOD_PLAYLIST_NAME, BF_TYPE_PLAYLIST, "no-cache");
}

static int get_download(struct bf_request *r)
{
    return send_from(r, BF_DOWNLOAD_NAME, BF_TYPE_MEDIA, FOR_A_DAY);
}

static int get_poster(struct bf_request *r)
{
    return send_from(r, BF_POSTER_NAME, BF_TYPE_JPEG, FOR_A_DAY);
}

static int get_segment(struct bf_request *r)
{
    char name[BF_NAME_SIZE];

    bf_segment_name(name, r->params.number);
    return send_from(r, name, BF_TYPE_MEDIA, FOR_A_DAY);
}

static int get_first_init(struct bf_request *r)
{
    return send_from(r, "init.mp4", BF_TYPE_MEDIA, FOR_A_DAY);
}

static int get_init(struct bf_request *r)
{
    char name[BF_NAME_SIZE];

    if (r->params.number == 0 || r->params.number > UINT32_MAX)
        return bf_problem(r, 404, "not_found", "There is no such file in the recording.");
    bf_init_name(name, (unsigned)r->params.number);
    return send_from(r, name, BF_TYPE_MEDIA, FOR_A_DAY);
}

const struct bf_http_route bf_routes_recordings_media[] = {
    { BF_GET, "/recordings/{recording}/vod.m3u8", get_playlist },
    { BF_GET, "/recordings/{recording}/download.mp4", get_download },
    { BF_GET, "/recordings/{recording}/poster.jpg", get_poster },
    { BF_GET, "/recordings/{recording}/seg-{number}.m4s", get_segment },
    { BF_GET, "/recordings/{recording}/init.mp4", get_first_init },
    { BF_GET, "/recordings/{recording}/init-{number}.mp4", get_init },
    { 0 },
};
