#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "stream/chain.h"

static void start_is_the_hash_of_the_record(void **state)
{
    static const char expected[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* FIPS 180-2 */
    uint8_t link[32];
    char hex[65];

    (void)state;
    bf_chain_start(link, "abc", 3);
    assert_string_equal(sodium_bin2hex(hex, sizeof hex, link, sizeof link), expected);
}

/* The formula of proto/journal.proto, spelt out byte by byte. */
static void next_follows_the_formula(void **state)
{
    static const uint8_t numbers[24] = { 1, 2, 3,    4,    5, 6, 7, 8, 0, 0, 0,    0,
                                         0, 1, 0x5f, 0x90, 0, 0, 0, 0, 0, 0, 0x46, 0x50 };
    uint8_t prev[32], sha256[32], leaf[57], node[65], expected[32], link[32];

    (void)state;
    memset(prev, 0xaa, sizeof prev);
    memset(sha256, 0x55, sizeof sha256);
    leaf[0] = 0x00;
    memcpy(leaf + 1, numbers, 24);
    memcpy(leaf + 25, sha256, 32);
    node[0] = 0x02;
    memcpy(node + 1, prev, 32);
    crypto_hash_sha256(node + 33, leaf, sizeof leaf);
    crypto_hash_sha256(expected, node, sizeof node);

    bf_chain_next(link, prev, 0x0102030405060708, 90000, 18000, sha256);
    assert_memory_equal(link, expected, 32);
    bf_chain_next(prev, prev, 0x0102030405060708, 90000, 18000, sha256); /* in place */
    assert_memory_equal(prev, expected, 32);
}

static void every_input_counts(void **state)
{
    uint8_t zero[32] = { 0 }, one[32] = { 1 }, links[6][32];

    (void)state;
    bf_chain_next(links[0], zero, 0, 0, 0, zero);
    bf_chain_next(links[1], one, 0, 0, 0, zero);
    bf_chain_next(links[2], zero, 1, 0, 0, zero);
    bf_chain_next(links[3], zero, 0, 1, 0, zero);
    bf_chain_next(links[4], zero, 0, 0, 1, zero);
    bf_chain_next(links[5], zero, 0, 0, 0, one);
    for (int i = 0; i < 6; i++)
        for (int j = i + 1; j < 6; j++)
            assert_memory_not_equal(links[i], links[j], 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_is_the_hash_of_the_record),
        cmocka_unit_test(next_follows_the_formula),
        cmocka_unit_test(every_input_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
