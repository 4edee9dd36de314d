/* The view of one session of camera "door", for tests of what playlists say of it, and the builder that fills it. */
#ifndef BELFRY_TESTS_PLAYLIST_WORLD_H
#define BELFRY_TESTS_PLAYLIST_WORLD_H

#include "view_builder.h"

extern struct bf_session_view view;
extern struct builder b;

int playlist_world_begin(void **state);
int playlist_world_end(void **state);

/* Either starts the session and gives its first map; segments are the test's. */
void begin(uint32_t window_ms);         /* balanced: parts of 7/30 s, a target duration of 1 s */
void begin_economy(uint32_t window_ms); /* segments of 2 s, a target duration of 3 s */

#endif
