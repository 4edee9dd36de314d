#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/framer.h"

enum { STREAM_PACKETS = 400, STREAM_BYTES = STREAM_PACKETS * BF_TS_PACKET_SIZE };

/* TS packets that carry their number, full of `fill` (0x47: every other byte could be mistaken for a sync byte). */
static uint8_t *stream_new(uint8_t fill)
{
    uint8_t *s = malloc(STREAM_BYTES);
    assert_non_null(s);
    for (unsigned i = 0; i < STREAM_PACKETS; i++) {
        uint8_t *p = s + i * BF_TS_PACKET_SIZE;
        for (unsigned k = 0; k < BF_TS_PACKET_SIZE; k++)
            p[k] = k % 2 != 0 ? (uint8_t)(i * 7 + k) : fill;
        p[0] = 0x47;
        p[1] = (uint8_t)(i >> 8);
        p[3] = (uint8_t)i;
    }
    return s;
}

static bool feed(struct bf_framer *f, const uint8_t *data, size_t size)
{
    memcpy(bf_framer_room(f), data, size);
    return bf_framer_accept(f, size);
}

/* Takes everything; checks that it is whole packets of the stream in rising order; returns how many. */
static unsigned drain(struct bf_framer *f, const uint8_t *stream, int *last)
{
    uint8_t out[1316];
    unsigned n = 0;
    for (size_t size; (size = bf_framer_take(f, out, sizeof(out))) > 0;) {
        assert_int_equal(size % BF_TS_PACKET_SIZE, 0);
        for (size_t at = 0; at < size; at += BF_TS_PACKET_SIZE, n++) {
            int number = out[at + 1] << 8 | out[at + 3];
            assert_true(number > *last && number < STREAM_PACKETS);
            assert_memory_equal(out + at, stream + (size_t)number * BF_TS_PACKET_SIZE, BF_TS_PACKET_SIZE);
            *last = number;
        }
    }
    return n;
}

static void any_cut_gives_every_packet(void **state)
{
    static const size_t cuts[] = { 188, 1316, 1472, 100, 47, 1, 189, 1400, 9216, 1456 };
    uint8_t *stream = stream_new(0x47);
    (void)state;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct bf_framer *f = calloc(1, sizeof(*f));
        unsigned n = 0;
        int last = -1;
        for (size_t at = 0; at < STREAM_BYTES; at += cuts[i]) {
            size_t size = STREAM_BYTES - at < cuts[i] ? STREAM_BYTES - at : cuts[i];
            assert_true(feed(f, stream + at, size));
            n += drain(f, stream, &last);
        }
        assert_int_equal(n, STREAM_PACKETS);
        free(f);
    }
    free(stream);
}

/* ffmpeg's default: 1472 bytes, then the rest of the flush; one datagram in 10 is lost, and we join in the middle. */
static void losses_cost_only_what_was_lost(void **state)
{
    uint8_t *stream = stream_new(0xff);
    struct bf_framer *f = calloc(1, sizeof(*f));
    unsigned n = 0, datagrams = 0, lost = 0;
    int last = -1;
    (void)state;
    for (size_t at = 1472; at + 1472 <= STREAM_BYTES; at += 1472) {
        if (++datagrams % 10 == 5) {
            lost++;
            continue;
        }
        feed(f, stream + at, 1472);
        n += drain(f, stream, &last);
    }
    /* A lost datagram of 7.8 packets touches at most 9. */
    assert_true(n >= STREAM_PACKETS - 8 - 9 - lost * 9);
    free(f);
    free(stream);
}

static void garbage_is_refused_and_costs_nothing(void **state)
{
    uint8_t *stream = stream_new(0xff), garbage[1500];
    struct bf_framer *f = calloc(1, sizeof(*f));
    unsigned n = 0;
    int last = -1;
    (void)state;
    srand(2);
    for (unsigned i = 0; i < STREAM_PACKETS; i += 4) {
        size_t size = 1 + (size_t)rand() % sizeof(garbage);
        for (size_t k = 0; k < size; k++)
            garbage[k] = (uint8_t)(rand() >> 5);
        garbage[0] = 0x46;
        assert_false(feed(f, garbage, size));
        assert_true(feed(f, stream + (size_t)i * BF_TS_PACKET_SIZE, 4 * BF_TS_PACKET_SIZE));
        n += drain(f, stream, &last);
    }
    assert_int_equal(n, STREAM_PACKETS);

    assert_false(feed(f, garbage, 0));
    assert_true(feed(f, (const uint8_t *)"G and no more", 13)); /* could be the start of a packet */
    assert_int_equal(drain(f, stream, &last), 0);
    last = -1;
    assert_true(feed(f, stream, 1316)); /* it was not */
    assert_int_equal(drain(f, stream, &last), 7);
    free(f);
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_every_packet),
        cmocka_unit_test(losses_cost_only_what_was_lost),
        cmocka_unit_test(garbage_is_refused_and_costs_nothing),
    };
    return cmocka_run_group_tests_name("framer", tests, NULL, NULL);
}
