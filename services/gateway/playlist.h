/* Low-Latency HLS playlists of a live session (rfc8216bis-22), out of what its journal says. Pure. */
#ifndef BELFRY_GATEWAY_PLAYLIST_H
#define BELFRY_GATEWAY_PLAYLIST_H

#include "gateway/blob.h"
#include "gateway/http_parse.h"
#include "stream/session_view.h"

/* What to do with a request for the media playlist, now. */
enum bf_reload {
    BF_RELOAD_READY,
    BF_RELOAD_WAIT,  /* blocking reload: hold it until the session has moved on */
    BF_RELOAD_REFUSE /* 400: no client that follows the playlist asks so */
};
enum bf_reload bf_playlist_reload(const struct bf_session_view *v, const struct bf_hls_query *q, struct bf_error *e);

/* Can a playlist be made at all: is there a part or a finished session? */
bool bf_playlist_playable(const struct bf_session_view *v);

/* How many segments a delta update leaves out (4.4.5.2); 0: none, send the whole. */
uint64_t bf_playlist_skippable(const struct bf_session_view *v);

/* media.m3u8. `gone_discontinuities`: of segments that the view has forgotten. `delta` leaves out what
 * bf_playlist_skippable says. Out of memory shows in t->failed. */
void bf_playlist_media(struct bf_text *t, const struct bf_session_view *v, uint64_t gone_discontinuities, bool delta);

/* index.m3u8 of the camera whose current session this is. */
void bf_playlist_index(struct bf_text *t, const struct bf_session_view *v);

/* Peak bits per second of the segments that are known, for BANDWIDTH. */
uint64_t bf_playlist_bandwidth(const struct bf_session_view *v);

#endif
