#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/cleanup.h"
#include "service/config_values.h"

struct row {
    bool (*valid)(const char *s);
    const char *text;
    bool expected;
};

static void texts_are_judged(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { bf_value_host, "broker.lan", true },
        { bf_value_host, "127.0.0.1", true },
        { bf_value_host, "::1", true },
        { bf_value_host, "a1b2.iot.eu-central-1.amazonaws.com", true },
        { bf_value_host, "localhost", true },
        { bf_value_host, "", false },
        { bf_value_host, "-a", false },
        { bf_value_host, "a-", false },
        { bf_value_host, "a..b", false },
        { bf_value_host, "a.", false },
        { bf_value_host, "a_b", false },
        { bf_value_host, "a b", false },
        { bf_value_host, "tcp://a", false },
        { bf_value_host, "127.0.0.256", false },
        { bf_value_host, "1.2.3", false },
        { bf_value_host, "[::1]", false },
        { bf_value_address, "0.0.0.0", true },
        { bf_value_address, "fe80::1", true },
        { bf_value_address, "localhost", false },
        { bf_value_address, "1.2.3.4:5", false },
        { bf_value_listen, "127.0.0.1:8080", true },
        { bf_value_listen, "[::]:1", true },
        { bf_value_listen, "0.0.0.0:65535", true },
        { bf_value_listen, "0.0.0.0", false },
        { bf_value_listen, "0.0.0.0:0", false },
        { bf_value_listen, "0.0.0.0:65536", false },
        { bf_value_listen, "0.0.0.0:+1", false },
        { bf_value_listen, ":8080", false },
        { bf_value_listen, "8080", false },
        { bf_value_listen, "::1:8080", false },
        { bf_value_listen, "[127.0.0.1]:8080", false },
        { bf_value_listen, "localhost:8080", false },
        { bf_value_udp_url, "udp://0.0.0.0:5004", true },
        { bf_value_udp_url, "udp://[::]:5004", true },
        { bf_value_udp_url, "udp://0.0.0.0", false },
        { bf_value_udp_url, "udp://0.0.0.0:5004/x", false },
        { bf_value_udp_url, "rtp://0.0.0.0:5004", false },
        { bf_value_origin, "https://console.example", true },
        { bf_value_origin, "http://127.0.0.1:8080", true },
        { bf_value_origin, "http://[::1]:8080", true },
        { bf_value_origin, "*", false },
        { bf_value_origin, "null", false },
        { bf_value_origin, "https://", false },
        { bf_value_origin, "https://Console.example", false },
        { bf_value_origin, "https://console.example/", false },
        { bf_value_origin, "https://a@b", false },
        { bf_value_origin, "ftp://a", false },
        { bf_value_origin, "https://a:0", false },
        { bf_value_name,
          "K\xc3\xbc"
          "che",
          true },
        { bf_value_name, "", false },
        { bf_value_name, "a\tb", false },
        { bf_value_name, "0123456789012345678901234567890123456789012345678901234567890123", true },
        { bf_value_name, "01234567890123456789012345678901234567890123456789012345678901234", false },
        { bf_value_path, "/srv/media", true },
        { bf_value_path, "", false },
        { bf_value_path, "a\nb", false },
        { bf_value_alpn, "x-amzn-mqtt-ca", true },
        { bf_value_alpn, "a b", false },
        { bf_value_alpn, "", false },
        { bf_value_loopback, "127.9.9.9", true },
        { bf_value_loopback, "::1", true },
        { bf_value_loopback, "localhost", true },
        { bf_value_loopback, "128.0.0.1", false },
        { bf_value_loopback, "broker", false },
        { bf_value_id, "cam-1", true },
        { bf_value_id, "Cam", false },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        if (rows[i].valid(rows[i].text) != rows[i].expected)
            fail_msg("row %zu: \"%s\" should%s be accepted", i, rows[i].text, rows[i].expected ? "" : " not");
}

static void numbers_are_plain_decimals(void **state)
{
    (void)state;
    static const char *const bad[] = { "",     " 1", "1 ",  "+1",  "-1",  "01",
                                       "0x10", "5k", "1.0", "1e3", "one", "18446744073709551616",
                                       "4",    "11" };
    uint64_t n = 77;

    assert_int_equal(bf_value_number(&n, "5", 5, 10), 0);
    assert_int_equal(n, 5);
    assert_int_equal(bf_value_number(&n, "10", 5, 10), 0);
    assert_int_equal(n, 10);
    assert_int_equal(bf_value_number(&n, "0", 0, 0), 0);
    assert_int_equal(bf_value_number(&n, "18446744073709551615", 0, UINT64_MAX), 0);
    assert_true(n == UINT64_MAX);
    for (size_t i = 0; i < BF_COUNT_OF(bad); i++)
        assert_int_equal(bf_value_number(&n, bad[i], 5, 10), -EINVAL);
    assert_true(n == UINT64_MAX);
}

static void words_are_matched_whole(void **state)
{
    (void)state;
    assert_true(bf_value_word("srt", "srt|udp"));
    assert_true(bf_value_word("udp", "srt|udp"));
    assert_true(bf_value_word("one", "one"));
    assert_false(bf_value_word("sr", "srt|udp"));
    assert_false(bf_value_word("udpx", "srt|udp"));
    assert_false(bf_value_word("srt|udp", "srt|udp"));
    assert_false(bf_value_word("", "srt|udp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_judged),
        cmocka_unit_test(numbers_are_plain_decimals),
        cmocka_unit_test(words_are_matched_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
