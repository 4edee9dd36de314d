#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include <sodium.h>

#include "stream/sha256.h"

/* FIPS 180-2, appendix B.1: "abc". */
static void a_known_value(void **state)
{
    static const uint8_t expected[32] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                          0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                          0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
    struct bf_sha256 *h = NULL;
    uint8_t value[32];

    (void)state;
    assert_int_equal(bf_sha256_new(&h), 0);
    bf_sha256_add(h, "abc", 3);
    assert_int_equal(bf_sha256_value(h, value), 0);
    assert_memory_equal(value, expected, sizeof value);
    assert_int_equal(bf_sha256_value(h, value), 0); /* asking changes nothing */
    assert_memory_equal(value, expected, sizeof value);
    bf_sha256_free(h);
    bf_sha256_free(NULL);
}

/* Whatever the pieces, and after every one of them, it is what the other library makes of the whole. */
static void pieces_add_up(void **state)
{
    uint8_t data[4096], value[32], expected[32];
    struct bf_sha256 *h = NULL;

    (void)state;
    srand(3);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)rand();
    assert_int_equal(bf_sha256_new(&h), 0);
    for (int round = 0; round < 20; round++) {
        size_t at = 0;
        bf_sha256_begin(h);
        while (at < sizeof data) {
            size_t n = (size_t)rand() % 700;
            n = n < sizeof data - at ? n : sizeof data - at;
            bf_sha256_add(h, data + at, n);
            at += n;
            assert_int_equal(bf_sha256_value(h, value), 0);
            crypto_hash_sha256(expected, data, at);
            assert_memory_equal(value, expected, sizeof value);
        }
    }
    bf_sha256_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_value),
        cmocka_unit_test(pieces_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
