/* A client certificate and its key: those that belong together, and every way in which two files do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "base/cleanup.h"
#include "pem.h"
#include "scratch.h"
#include "service/tls_pair.h"

#define NEXT_STEP "; copy both anew from one belfryctl node export, or make a new pair with belfryctl node rotate"

static void test_pairs(void **state)
{
    static const struct {
        const char *cert, *key;
        int result;
        const char *text;
    } rows[] = {
        { "a.crt", "a.key", 0, "" },
        { "b.crt", "b.key", 0, "" },
        { "a.crt", "b.key", -EKEYREJECTED, "b.key: not the key of the certificate in a.crt" NEXT_STEP },
        { "b.crt", "a.key", -EKEYREJECTED, "a.key: not the key of the certificate in b.crt" NEXT_STEP },
        { "a.key", "a.crt", -EBADMSG, "a.key: expected a certificate in PEM form" NEXT_STEP },
        { "a.crt", "a.crt", -EBADMSG, "a.crt: expected a private key in PEM form, without a passphrase" NEXT_STEP },
        { "a.crt", "locked.key", -EBADMSG,
          "locked.key: expected a private key in PEM form, without a passphrase" NEXT_STEP },
        { "empty", "a.key", -EBADMSG, "empty: expected a certificate in PEM form" NEXT_STEP },
        { "half", "a.key", -EBADMSG, "half: expected a certificate in PEM form" NEXT_STEP },
        { "gone", "a.key", -EBADMSG, "gone: expected a certificate in PEM form" NEXT_STEP },
        { "a.crt", "gone", -EBADMSG, "gone: expected a private key in PEM form, without a passphrase" NEXT_STEP },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_error e = { "" };

        assert_int_equal(bf_tls_pair_check(rows[i].cert, rows[i].key, &e), rows[i].result);
        assert_string_equal(e.text, rows[i].text);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static int make(void **state)
{
    if (scratch_enter(state) != 0)
        return -1;
    pem_pair("a.crt", "a.key", NULL);
    pem_pair("b.crt", "b.key", NULL);
    pem_pair("locked.crt", "locked.key", "secret");
    scratch_write("empty", "");
    scratch_write("half", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pairs) };

    return cmocka_run_group_tests_name("tls_pair", tests, make, scratch_leave);
}
