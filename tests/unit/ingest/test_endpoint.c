#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ingest/endpoint.h"

static void addresses(void **state)
{
    static const struct {
        const char *text, *host; /* NULL: refused */
        uint16_t port;
    } table[] = {
        { "udp://127.0.0.1:5000", "127.0.0.1", 5000 },
        { "udp://0.0.0.0:1", "0.0.0.0", 1 },
        { "udp://[::1]:65535", "::1", 65535 },
        { "udp://pi-zero.local:5004", "pi-zero.local", 5004 },
        { "udp://127.0.0.1:0", NULL, 0 },
        { "udp://127.0.0.1:65536", NULL, 0 },
        { "udp://127.0.0.1:05000", NULL, 0 },
        { "udp://127.0.0.1:5000/", NULL, 0 },
        { "udp://127.0.0.1:", NULL, 0 },
        { "udp://127.0.0.1", NULL, 0 },
        { "udp://:5000", NULL, 0 },
        { "udp://::1:5000", NULL, 0 },
        { "udp://[]:5000", NULL, 0 },
        { "udp://[::1:5000", NULL, 0 },
        { "udp://a]b:5000", NULL, 0 },
        { "srt://127.0.0.1:5000", NULL, 0 },
        { "udp:/", NULL, 0 },
        { "", NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        char host[BF_HOST_SIZE] = "untouched";
        uint16_t port = 7;
        int r = bf_udp_address_parse(table[i].text, host, &port);

        if (r != (table[i].host != NULL ? 0 : -EINVAL))
            fail_msg("%s: %d", table[i].text, r);
        if (table[i].host == NULL)
            continue;
        assert_string_equal(host, table[i].host);
        assert_int_equal(port, table[i].port);
    }
}

static void long_hosts_are_refused(void **state)
{
    char text[400] = "udp://", host[BF_HOST_SIZE];
    uint16_t port;

    (void)state;
    memset(text + 6, 'a', 256);
    strcpy(text + 262, ":5000");
    assert_int_equal(bf_udp_address_parse(text, host, &port), -EINVAL);
    strcpy(text + 261, ":5000");
    assert_int_equal(bf_udp_address_parse(text, host, &port), 0);
}

static void passphrases(void **state)
{
    char one[BF_PASSPHRASE_SIZE], other[BF_PASSPHRASE_SIZE];

    (void)state;
    assert_int_equal(bf_passphrase_make(one), 0);
    assert_int_equal(bf_passphrase_make(other), 0);
    assert_int_equal(strlen(one), 32);
    assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 32);
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(long_hosts_are_refused),
        cmocka_unit_test(passphrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
