#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "janitor/session_load.h"
#include "janitor/vod.h"

static char *render(const struct bf_session_view *v, size_t first)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    bf_vod_print(f, v, first);
    fclose(f);
    return text;
}

static void load(struct bf_session_view *v, int dirfd)
{
    struct bf_error e;
    bf_session_view_init(v);
    assert_int_equal(bf_session_load(dirfd, v, &e), 0);
}

/* A change of parameters, a hole, a jump in time, and a last segment that was never finished. */
static void make_eventful(struct session *s, const struct media *m)
{
    session_begin(s, m, CAMERA, SESSION, true);
    session_init(s, 0);
    session_segments(s, 2);
    session_gap(s);
    session_segments(s, 1);
    session_discontinuity(s);
    session_init(s, 1);
    session_segments(s, 1);
    session_open_segment(s);
}

static void test_playlist(void **state)
{
    struct media *m = *state;
    struct session s;
    struct bf_session_view v;
    make_eventful(&s, m);
    load(&v, s.dirfd);

    _cleanup_(bf_freep) char *text = render(&v, 0);
    assert_string_equal(text, "#EXTM3U\n"
                              "#EXT-X-VERSION:7\n"
                              "#EXT-X-TARGETDURATION:1\n"
                              "#EXT-X-PLAYLIST-TYPE:VOD\n"
                              "#EXT-X-MEDIA-SEQUENCE:0\n"
                              "#EXT-X-INDEPENDENT-SEGMENTS\n"
                              "#EXT-X-MAP:URI=\"init.mp4\"\n"
                              "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n"
                              "#EXTINF:1.00000,\nseg-0.m4s\n"
                              "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:21.000Z\n"
                              "#EXTINF:1.00000,\nseg-1.m4s\n"
                              "#EXTINF:1.00000,\n#EXT-X-GAP\nseg-2.m4s\n"
                              "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:23.000Z\n"
                              "#EXTINF:1.00000,\nseg-3.m4s\n"
                              "#EXT-X-DISCONTINUITY\n"
                              "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:34.000Z\n"
                              "#EXTINF:1.00000,\nseg-4.m4s\n"
                              "#EXT-X-DISCONTINUITY\n"
                              "#EXT-X-MAP:URI=\"init-1.mp4\"\n"
                              "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:35.000Z\n"
                              "#EXTINF:1.00000,\nseg-5.m4s\n"
                              "#EXT-X-ENDLIST\n");
    bf_session_view_done(&v);
    session_close(&s);
}

static void test_first(void **state)
{
    struct media *m = *state;
    struct session s;
    struct bf_session_view v;
    make_eventful(&s, m);
    load(&v, s.dirfd);
    assert_int_equal(bf_vod_first(&v, 0), 0);
    assert_int_equal(bf_vod_first(&v, 2), 3); /* a recording does not begin with a hole */
    assert_int_equal(bf_vod_first(&v, 6), v.n_segments);

    _cleanup_(bf_freep) char *text = render(&v, 3);
    assert_non_null(strstr(text, "#EXT-X-MEDIA-SEQUENCE:3\n"));
    assert_null(strstr(text, "seg-1.m4s"));
    bf_session_view_done(&v);
    session_close(&s);
}

static void test_runs(void **state)
{
    struct media *m = *state;
    struct session s;
    struct bf_session_view v;
    struct bf_vod_runs runs;
    make_eventful(&s, m);
    load(&v, s.dirfd);
    assert_int_equal(bf_vod_runs_make(&runs, &v, 0), 0);

    static const struct {
        const char *init, *first;
        size_t n;
    } expected[] = { { "init.mp4", "seg-0.m4s", 2 },
                     { "init.mp4", "seg-3.m4s", 1 },
                     { "init.mp4", "seg-4.m4s", 1 },
                     { "init-1.mp4", "seg-5.m4s", 1 } };
    assert_int_equal(runs.n_runs, BF_COUNT_OF(expected));
    for (size_t i = 0; i < runs.n_runs; i++) {
        assert_string_equal(runs.runs[i].init, expected[i].init);
        assert_string_equal(runs.runs[i].segments[0], expected[i].first);
        assert_int_equal(runs.runs[i].n_segments, expected[i].n);
    }
    bf_vod_runs_done(&runs);
    bf_session_view_done(&v);
    session_close(&s);
}

static int setup(void **state)
{
    static struct media m;
    media_make(&m);
    *state = &m;
    return 0;
}

static int teardown(void **state)
{
    media_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_playlist, setup, teardown),
                                        cmocka_unit_test_setup_teardown(test_first, setup, teardown),
                                        cmocka_unit_test_setup_teardown(test_runs, setup, teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
