/* The DASH manifest (ISO/IEC 23009-1, and DASH-IF's low-latency guidelines) of a live session: the same segments as in
 * its HLS playlists, addressed by number. Pure. */
#ifndef BELFRY_GATEWAY_DASH_H
#define BELFRY_GATEWAY_DASH_H

#include "gateway/blob.h"
#include "gateway/periods.h"
#include "stream/session_view.h"

/* manifest.mpd. `p` must have a period. Out of memory shows in t->failed. */
void bf_dash_mpd(struct bf_text *t, const struct bf_session_view *v, const struct bf_periods *p);

#endif
