#include "playlist_world.h"

struct bf_session_view view;
struct builder b;

int playlist_world_begin(void **state)
{
    (void)state;
    bf_session_view_init(&view);
    b = (struct builder){ .put = builder_into_view, .user = &view };
    return 0;
}

int playlist_world_end(void **state)
{
    (void)state;
    bf_session_view_done(&view);
    return 0;
}

void begin(uint32_t window_ms)
{
    build_start(&b, "door", 233333, 1, window_ms);
    build_init(&b);
}

void begin_economy(uint32_t window_ms)
{
    b.profile = BELFRY__V1__PROFILE__PROFILE_ECONOMY;
    b.segment_us = 2000000;
    build_start(&b, "door", 540541, 3, window_ms);
    build_init(&b);
}
