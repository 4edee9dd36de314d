/* The playlist of a finished session over the files that are there already (rfc8216bis): one line in, one line out.
 * Pure. */
#ifndef BELFRY_JANITOR_VOD_H
#define BELFRY_JANITOR_VOD_H

#include <stdio.h>

#include "media/export.h"
#include "stream/session_view.h"

/* The first segment of the view that is complete, from `first_msn` on: what an archive begins with. Its index, or
 * n_segments. */
size_t bf_vod_first(const struct bf_session_view *v, uint64_t first_msn);

/* EXT-X-PLAYLIST-TYPE:VOD over the complete segments from index `first` on, gaps marked, names relative. */
void bf_vod_print(FILE *f, const struct bf_session_view *v, size_t first);

/* The same segments as runs for bf_export_mp4: cut where the init segment changes, media is missing or time jumps. */
struct bf_vod_runs {
    struct bf_export_run *runs;
    size_t n_runs;
    const char **names; /* what the runs point into */
    char (*texts)[40];
};
int bf_vod_runs_make(struct bf_vod_runs *ret, const struct bf_session_view *v, size_t first); /* -ENOMEM */
void bf_vod_runs_done(struct bf_vod_runs *r);

#endif
