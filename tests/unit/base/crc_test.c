#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/crc.h"

/* RFC 3720, appendix B.4. */
static void crc32c_gives_the_published_values(void **state)
{
    (void)state;
    uint8_t block[32];

    assert_int_equal(bf_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(bf_crc32c("", 0), 0);
    memset(block, 0x00, sizeof block);
    assert_int_equal(bf_crc32c(block, sizeof block), 0x8a9136aa);
    memset(block, 0xff, sizeof block);
    assert_int_equal(bf_crc32c(block, sizeof block), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        block[i] = i;
    assert_int_equal(bf_crc32c(block, sizeof block), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        block[i] = (uint8_t)(31 - i);
    assert_int_equal(bf_crc32c(block, sizeof block), 0x113fdb5c);
}

static void crc8_gives_the_published_value(void **state)
{
    (void)state;
    assert_int_equal(bf_crc8("123456789", 9), 0xf4);
    assert_int_equal(bf_crc8("", 0), 0);
}

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    uint8_t data[48];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37);
    uint32_t whole = bf_crc32c(data, sizeof data);
    uint8_t short_one = bf_crc8(data, 6);

    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(bf_crc32c(data, sizeof data), whole);
        if (bit < 48)
            assert_int_not_equal(bf_crc8(data, 6), short_one);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_published_values),
        cmocka_unit_test(crc8_gives_the_published_value),
        cmocka_unit_test(every_flipped_bit_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
