/* What the load generator (bench/viewers.c) understands of what it gets, and how it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "viewers.h"

static const char playlist_text[] = "#EXTM3U\r\n"
                                    "#EXT-X-TARGETDURATION:1\n"
                                    "#EXT-X-PART-INF:PART-TARGET=0.2334\n"
                                    "#EXT-X-MEDIA-SEQUENCE:37\n"
                                    "#EXT-X-MAP:URI=\"init-2.mp4\"\n"
                                    "#EXTINF:1.000,\n"
                                    "seg-37.m4s\n"
                                    "#EXT-X-PART:DURATION=0.2,URI=\"part-190.m4s\",INDEPENDENT=YES\n"
                                    "#EXT-X-PART:DURATION=0.2,URI=\"part-191.m4s\"\n"
                                    "#EXTINF:1.000,\n"
                                    "seg-38.m4s\n"
                                    "#EXT-X-PART:DURATION=0.2,INDEPENDENT=YES,URI=\"part-192.m4s\"\n"
                                    "#EXT-X-PART:DURATION=0.2,URI=\"part-193.m4s\"\n"
                                    "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-194.m4s\"\n";

static struct playlist read_in_pieces(const char *text, size_t piece)
{
    struct playlist p = { 0 };
    struct lines l = { 0 };
    size_t left = strlen(text);

    while (left > 0) {
        size_t n = piece < left ? piece : left, size;
        char *copy = malloc(n); /* of its own size, so that reading beyond it is seen */
        const char *at = copy, *line;

        memcpy(copy, text, n);
        while (lines_next(&l, &at, copy + n, &line, &size))
            playlist_line(&p, line, size);
        free(copy);
        text += n;
        left -= n;
    }
    return p;
}

static void test_playlist_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= sizeof playlist_text; piece++) {
        struct playlist p = read_in_pieces(playlist_text, piece);

        assert_true(p.is_playlist && p.has_parts && p.has_hint && !p.ended);
        assert_int_equal(p.media_sequence, 37);
        assert_int_equal(p.segments, 2);
        assert_int_equal(p.open_parts, 2);
        assert_int_equal(p.first_part, 190);
        assert_int_equal(p.last_part, 193);
        assert_int_equal(p.last_independent, 192);
        assert_int_equal(p.hint, 194);
        assert_int_equal(p.part_target_ms, 234);
        assert_string_equal(p.map, "init-2.mp4");
        assert_string_equal(p.first_uri, "seg-37.m4s");
    }
}

static void test_multivariant_playlist(void **state)
{
    (void)state;
    struct playlist p = read_in_pieces("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n01HZ/media.m3u8\n", 7);
    assert_true(p.is_playlist && !p.has_parts);
    assert_string_equal(p.first_uri, "01HZ/media.m3u8");
}

static void test_endless_line(void **state)
{
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "#EXTM3U", 7);
    text[sizeof text - 2] = '\n';
    text[sizeof text - 1] = '\0';
    assert_true(read_in_pieces(text, 10).is_playlist);
}

static bool read_answer(struct answer *a, const char *text)
{
    const char *end = text + strlen(text), *line;
    struct lines l = { 0 };
    size_t size;

    *a = (struct answer){ 0 };
    while (!a->head_done && lines_next(&l, &text, end, &line, &size))
        if (!answer_line(a, line, size))
            return false;
    return a->head_done;
}

static void test_heads(void **state)
{
    struct answer a;

    (void)state;
    assert_true(read_answer(&a, "HTTP/1.1 200 OK\r\ncontent-length: 17\r\nConnection: keep-alive\r\n\r\n"));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.left, 17);
    assert_false(a.close);
    assert_true(read_answer(&a, "HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: 3\r\nConnection: close\r\n\r\n"));
    assert_true(a.close);
    assert_int_equal(a.retry_after_s, 3);
    assert_false(read_answer(&a, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert_false(read_answer(&a, "HTTP/1.1 999 OK\r\n\r\n"));
    assert_false(read_answer(&a, "SSH-2.0\r\n\r\n"));
}

static void test_spread(void **state)
{
    struct spread *s = calloc(1, sizeof *s);

    (void)state;
    s->from_us = 1500000;
    for (uint64_t part = 1; part <= 100; part++)
        for (uint64_t viewer = 0; viewer < 4; viewer++)
            spread_add(s, part, part * 1000000 + viewer * part * 1000); /* part n takes 3n ms to reach all */
    spread_add(s, 101, 101000000);                                      /* one viewer only: too few to say anything */
    struct spread_summary r = spread_summary(s, 2000000, 200000000);
    assert_int_equal(r.parts, 99);
    assert_int_equal(r.p50_us, 51 * 3000);
    assert_int_equal(r.p99_us, 100 * 3000);
    assert_int_equal(r.max_us, 100 * 3000);
    assert_int_equal(r.most_viewers, 4);
    assert_int_equal(r.least_viewers, 1);
    assert_int_equal(s->deliveries, 99 * 4 + 1);
    assert_int_equal(r.delay_p99_ms, 291);
    spread_add(s, 5 + SPREAD_PARTS, 300000000); /* takes the place of part 5 … */
    spread_add(s, 5, 300000001);                /* … which is too late by now */
    assert_int_equal(s->parts[5].counter, 5 + SPREAD_PARTS);
    assert_int_equal(s->parts[5].viewers, 1);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_playlist_in_pieces_of_any_size),
        cmocka_unit_test(test_multivariant_playlist),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
