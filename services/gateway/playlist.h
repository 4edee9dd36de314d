/* HLS playlists of a live session (draft-pantos-hls-rfc8216bis-22), out of what its journal says. Pure.
 *
 * Profiles whose parts players are told of get Low-Latency HLS. The others get plain HLS, which any cache may hold: no
 * parts, no hint, no blocking reload. */
#ifndef BELFRY_GATEWAY_PLAYLIST_H
#define BELFRY_GATEWAY_PLAYLIST_H

#include "gateway/blob.h"
#include "gateway/http_parse.h"
#include "stream/session_view.h"

/* --- what there is to play (reload.c) --- */

/* Are players told of this session's parts? */
bool bf_playlist_lists_parts(const struct bf_session_view *v);

/* Is there something that a player can begin with: an independent part, or a whole segment where parts are not told
 * of? */
bool bf_playlist_has_media(const struct bf_session_view *v);

/* Can a playlist be made at all: is there media, or a session that has ended? */
bool bf_playlist_playable(const struct bf_session_view *v);

/* What to do with a request for the media playlist, now (6.2.5.2). */
enum bf_reload {
    BF_RELOAD_READY,
    BF_RELOAD_WAIT,     /* hold it until the session has moved on */
    BF_RELOAD_REFUSE,   /* 400: wrong for ever */
    BF_RELOAD_TOO_EARLY /* 400: further ahead than a client that follows the playlist asks; right in a while */
};
enum bf_reload bf_playlist_reload(const struct bf_session_view *v, const struct bf_hls_query *q, struct bf_error *e);

/* Would the directives in `q` be acted on, were they right? Not without blocking reload, and not after the end. */
bool bf_playlist_heeds(const struct bf_session_view *v, const struct bf_hls_query *q);

/* --- the playlists --- */

/* How many segments a delta update leaves out (4.4.5.2); 0: none, send the whole. */
uint64_t bf_playlist_skippable(const struct bf_session_view *v);

/* media.m3u8. `gone_discontinuities`: of segments that the view has forgotten. `delta` leaves out what
 * bf_playlist_skippable says. Out of memory shows in t->failed. */
void bf_playlist_media(struct bf_text *t, const struct bf_session_view *v, uint64_t gone_discontinuities, bool delta);

/* index.m3u8 of the camera whose current session this is. */
void bf_playlist_index(struct bf_text *t, const struct bf_session_view *v);

/* Peak bits per second of the segments that are known, for BANDWIDTH; of the open one while there is no other. */
uint64_t bf_playlist_bandwidth(const struct bf_session_view *v);

/* How much longer a complete segment can be downloaded if the session goes on, in seconds: what keeps it is
 * bf_session_view_keep_start. 0 when it may go any time, or is not there. */
uint32_t bf_playlist_segment_ttl_s(const struct bf_session_view *v, uint64_t msn);

#endif
