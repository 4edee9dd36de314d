/* A live store over a real media directory, for the cameras "door" and "yard". */
#ifndef BELFRY_TESTS_LIVE_WORLD_H
#define BELFRY_TESTS_LIVE_WORLD_H

#include "gateway/live.h"
#include "media_dir.h"

struct live_world {
    uv_loop_t loop;
    struct media_dir media;
    struct bf_live *live; /* NULL until it is opened */
};
extern struct live_world t;

int live_world_begin(void **state);
int live_world_end(void **state);
/* Finds what is in the directory by then, and follows it. */
void live_world_open(unsigned max_waiting, const struct bf_live_events *events);

/* A session with no media yet. Its journal says "door" wherever it lies, so that only the place tells a stranger. */
void begin_session(const char *camera);

#endif
