#include "live_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct live_world t;

int live_world_begin(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    uv_loop_init(&t.loop);
    media_dir_make(&t.media);
    return 0;
}

int live_world_end(void **state)
{
    (void)state;
    bf_live_free(t.live);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    media_dir_remove(&t.media);
    return 0;
}

void live_world_open(unsigned max_waiting, const struct bf_live_events *events)
{
    static const char *const cameras[] = { "door", "yard" };
    const struct bf_live_options o = {
        .media = t.media.path, .cameras = cameras, .n_cameras = 2, .max_waiting = max_waiting, .events = events
    };
    struct bf_error e = { "" };

    assert_int_equal(bf_live_new(&t.live, &t.loop, &o, &e), 0);
    assert_int_equal(bf_live_start(t.live, &e), 0);
}

void begin_session(const char *camera)
{
    media_dir_begin(&t.media, camera);
    build_start(&t.media.builder, "door", 233333, 1, 4000);
    build_init(&t.media.builder);
}
