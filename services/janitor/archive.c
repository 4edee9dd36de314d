#include "janitor/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "janitor/names.h"
#include "janitor/purge.h"
#include "janitor/recording.h"
#include "janitor/session_load.h"
#include "janitor/vod.h"
#include "stream/layout.h"

#define POSTER_WIDTH 640
#define PLAYLIST_TEMPORARY ".tmp-0000000000000001"
#define POSTER_TEMPORARY ".tmp-0000000000000002"
#define TICKS_PER_MS 90

struct archiving {
    const struct bf_archive *a;
    int dirfd;
    struct bf_session_view view;
    size_t first; /* segment that the recording begins with */
    struct bf_vod_runs runs;
    struct bf_error *e;
};

static void archiving_done(struct archiving *w)
{
    bf_vod_runs_done(&w->runs);
    bf_session_view_done(&w->view);
}

static int failed(struct archiving *w, int r, const char *what)
{
    return r < 0 ? bf_fail(w->e, r, "%s: %s", what, strerror(-r)) : 0;
}

/* Segments of a session that was not meant to be kept may have been trimmed already. */
static uint64_t first_msn_on_disk(const struct archiving *w)
{
    for (size_t i = 0; i < w->view.n_segments; i++) {
        char name[BF_NAME_SIZE];
        bf_segment_name(name, w->view.segments[i].msn);
        if (w->view.segments[i].complete && !w->view.segments[i].gap &&
            faccessat(w->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return w->view.segments[i].msn;
    }
    return w->view.next_msn;
}

static int load(struct archiving *w)
{
    int r = bf_session_load(w->dirfd, &w->view, w->e);
    if (r < 0)
        return r;
    w->first = bf_vod_first(&w->view, first_msn_on_disk(w));
    if (w->first == w->view.n_segments)
        return bf_fail(w->e, -ENODATA, "no complete segment");
    return failed(w, bf_vod_runs_make(&w->runs, &w->view, w->first), "out of memory");
}

static uint64_t media_bytes(const struct archiving *w)
{
    uint64_t bytes = 0;
    for (size_t i = w->first; i < w->view.n_segments; i++)
        if (w->view.segments[i].complete)
            bytes += w->view.segments[i].bytes;
    return bytes;
}

static int check_room(struct archiving *w)
{
    uint64_t available, needed = media_bytes(w);
    struct stat st;
    int r = bf_free_bytes(w->dirfd, &available);
    if (r < 0)
        return failed(w, r, "free space");
    if (fstatat(w->dirfd, BF_DOWNLOAD_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (available < w->a->reserve_bytes || available - w->a->reserve_bytes < needed)
        return bf_fail(w->e, -ENOSPC, "the download needs %llu bytes; %llu are free, %llu of them reserved",
                       (unsigned long long)needed, (unsigned long long)available,
                       (unsigned long long)w->a->reserve_bytes);
    return 0;
}

static int sync_file(struct archiving *w, const char *name)
{
    _cleanup_(bf_closep) int fd = openat(w->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return failed(w, -errno, name);
    return failed(w, w->a->ops->sync(w->a->ops->user, fd), name);
}

/* What the recording vouches for must survive the power cut that comes right after it. */
static int sync_media(struct archiving *w)
{
    int r = sync_file(w, BF_JOURNAL_NAME);
    for (size_t i = 0; r == 0 && i < w->view.n_inits; i++)
        r = sync_file(w, w->view.inits[i].file);
    for (size_t i = 0; r == 0 && i < w->runs.n_runs; i++)
        for (size_t j = 0; r == 0 && j < w->runs.runs[i].n_segments; j++)
            r = sync_file(w, w->runs.runs[i].segments[j]);
    return r;
}

static int write_playlist(struct archiving *w)
{
    _cleanup_(bf_freep) char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (f == NULL)
        return failed(w, -ENOMEM, BF_VOD_PLAYLIST_NAME);
    bf_vod_print(f, &w->view, w->first);
    if (fclose(f) != 0)
        return failed(w, -ENOMEM, BF_VOD_PLAYLIST_NAME);
    return failed(w, bf_ops_replace(w->a->ops, w->dirfd, PLAYLIST_TEMPORARY, BF_VOD_PLAYLIST_NAME, text, size),
                  BF_VOD_PLAYLIST_NAME);
}

static int write_download(struct archiving *w)
{
    const struct bf_file_ops *ops = w->a->ops;
    _cleanup_(bf_closep) int fd = ops->create(ops->user, w->dirfd, BF_DOWNLOAD_TEMPORARY);
    if (fd < 0)
        return failed(w, fd, BF_DOWNLOAD_NAME);

    int r = ops->export_mp4(ops->user, w->dirfd, w->runs.runs, w->runs.n_runs, fd, w->a->progress_percent, w->a->cancel,
                            w->e);
    if (r < 0) {
        ops->remove(ops->user, w->dirfd, BF_DOWNLOAD_TEMPORARY);
        return bf_fail_in(w->e, r, BF_DOWNLOAD_NAME);
    }
    r = ops->sync(ops->user, fd);
    if (r == 0)
        r = ops->rename(ops->user, w->dirfd, BF_DOWNLOAD_TEMPORARY, BF_DOWNLOAD_NAME);
    if (r == 0)
        r = ops->sync_dir(ops->user, w->dirfd);
    else
        ops->remove(ops->user, w->dirfd, BF_DOWNLOAD_TEMPORARY);
    return failed(w, r, BF_DOWNLOAD_NAME);
}

static const struct bf_part_view *first_independent_part(const struct archiving *w)
{
    for (size_t i = w->view.segments[w->first].first_part; i < w->view.n_parts; i++)
        if (w->view.parts[i].independent)
            return &w->view.parts[i];
    return NULL;
}

/* A recording without a picture for its list is worth keeping: only the disk can make this step fail. */
static int write_poster(struct archiving *w)
{
    const struct bf_file_ops *ops = w->a->ops;
    const struct bf_part_view *part = first_independent_part(w);
    const struct bf_segment_view *segment = part != NULL ? bf_session_view_segment(&w->view, part->msn) : NULL;
    if (segment == NULL || !segment->complete)
        return 0;

    char name[BF_NAME_SIZE];
    _cleanup_(bf_freep) uint8_t *jpeg = NULL;
    size_t size;
    bf_segment_name(name, part->msn);
    int r = ops->export_jpeg(ops->user, w->dirfd, w->view.inits[segment->init_index].file, name, part->offset,
                             part->length, POSTER_WIDTH, &jpeg, &size, w->e);
    if (r == -EIO || r == -ENOSPC || r == -ENOMEM)
        return bf_fail_in(w->e, r, BF_POSTER_NAME);
    if (r < 0)
        return 0;
    return failed(w, bf_ops_replace(ops, w->dirfd, POSTER_TEMPORARY, BF_POSTER_NAME, jpeg, size), BF_POSTER_NAME);
}

/* Sums over what the playlist lists. */
static void add_segments(const struct archiving *w, Belfry__V1__Recording *r)
{
    uint64_t duration_90k = 0, last_us = 0;
    for (size_t i = w->first; i < w->view.n_segments; i++) {
        const struct bf_segment_view *s = &w->view.segments[i];
        if (!s->complete)
            continue;
        duration_90k += s->duration_90k;
        r->gaps += s->gap;
        if (s->gap)
            continue;
        r->segments++;
        r->bytes += s->bytes;
        last_us = s->capture_us + s->duration_90k * 1000 / TICKS_PER_MS;
    }
    r->duration_ms = duration_90k / TICKS_PER_MS;
    r->started_at_ms = w->view.segments[w->first].capture_us / 1000;
    r->ended_at_ms = last_us / 1000;
}

/* Times are those of the pictures; a source without a clock leaves those of the session. */
static void fill_times(const struct archiving *w, Belfry__V1__Recording *r)
{
    if (w->view.segments[w->first].capture_us == 0) {
        r->started_at_ms = w->view.started_at_ms;
        r->ended_at_ms = w->view.ended ? w->view.ended_at_ms : w->a->now_ms;
    }
}

static int commit(struct archiving *w, Belfry__V1__Recording **ret)
{
    const struct bf_init_view *init = &w->view.inits[w->view.segments[w->first].init_index];
    Belfry__V1__Recording r = BELFRY__V1__RECORDING__INIT;
    r.site = (char *)w->a->site;
    r.camera = w->view.camera;
    r.session_id = w->view.session_id;
    r.width = init->width;
    r.height = init->height;
    r.codecs = (char *)init->codecs;
    r.chain_head = (ProtobufCBinaryData){ .len = sizeof w->view.chain_head, .data = w->view.chain_head };
    add_segments(w, &r);
    fill_times(w, &r);

    int failed_r = bf_recording_write(w->a->ops, w->dirfd, w->a->key, &r, w->e);
    if (failed_r < 0)
        return failed_r;
    /* A copy that owns its texts. */
    uint8_t packed[1024];
    if (belfry__v1__recording__get_packed_size(&r) > sizeof packed)
        return bf_fail(w->e, -EMSGSIZE, "recording too long");
    size_t size = belfry__v1__recording__pack(&r, packed);
    *ret = belfry__v1__recording__unpack(NULL, size, packed);
    return *ret != NULL ? 0 : bf_fail(w->e, -ENOMEM, "out of memory");
}

int bf_archive_session(const struct bf_archive *a, int dirfd, Belfry__V1__Recording **ret, struct bf_error *e)
{
    _cleanup_(archiving_done) struct archiving w = { .a = a, .dirfd = dirfd, .e = e };
    bf_session_view_init(&w.view);
    int r = failed(&w, bf_purge_temporaries(a->ops, dirfd), "leftovers");
    if (r == 0)
        r = load(&w);
    if (r == 0)
        r = check_room(&w);
    if (r == 0)
        r = sync_media(&w);
    if (r == 0)
        r = write_playlist(&w);
    if (r == 0)
        r = write_download(&w);
    if (r == 0)
        r = write_poster(&w);
    return r < 0 ? r : commit(&w, ret);
}
