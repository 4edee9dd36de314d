#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "belfryctl/pki.h"

static X509 *parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

/* As a TLS peer would: by the authority alone, for one purpose. */
static int verify(const char *cert_pem, const char *ca_pem, int purpose)
{
    X509 *cert = parse(cert_pem), *ca = parse(ca_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(context, store, cert, NULL);
    X509_STORE_CTX_set_purpose(context, purpose);
    int good = X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(cert);
    return good;
}

static void issue(const struct ctl_certificate *ca, const char *name, const char *const *hosts, size_t n,
                  struct ctl_certificate *ret)
{
    struct ctl_certificate_request request = { .common_name = name, .names = hosts, .n_names = n, .valid_days = 10 };
    struct bf_error e = { 0 };
    if (ctl_ca_issue(ca, &request, ret, &e) < 0)
        fail_msg("%s", e.text);
}

static void test_client(void **state)
{
    struct ctl_certificate client = { 0 };
    char name[64];
    issue(*state, "front", NULL, 0, &client);
    assert_true(verify(client.cert_pem, ((struct ctl_certificate *)*state)->cert_pem, X509_PURPOSE_SSL_CLIENT));
    assert_false(verify(client.cert_pem, ((struct ctl_certificate *)*state)->cert_pem, X509_PURPOSE_SSL_SERVER));
    X509 *cert = parse(client.cert_pem);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    assert_string_equal(name, "front");
    X509_free(cert);
    ctl_certificate_done(&client);
}

static void test_broker(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "::1", "localhost", "robot.local" };
    struct ctl_certificate broker = { 0 };
    issue(*state, "broker", hosts, 4, &broker);
    assert_true(verify(broker.cert_pem, ((struct ctl_certificate *)*state)->cert_pem, X509_PURPOSE_SSL_SERVER));
    assert_false(verify(broker.cert_pem, ((struct ctl_certificate *)*state)->cert_pem, X509_PURPOSE_SSL_CLIENT));

    X509 *cert = parse(broker.cert_pem);
    assert_int_equal(X509_check_host(cert, "robot.local", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(cert, "other.local", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
    X509_free(cert);
    ctl_certificate_done(&broker);
}

static void test_leaf_cannot_issue(void **state)
{
    struct ctl_certificate client = { 0 }, forged = { 0 };
    issue(*state, "front", NULL, 0, &client);
    issue(&client, "gateway-1", NULL, 0, &forged);
    assert_false(verify(forged.cert_pem, client.cert_pem, X509_PURPOSE_SSL_CLIENT));
    assert_false(verify(forged.cert_pem, ((struct ctl_certificate *)*state)->cert_pem, X509_PURPOSE_SSL_CLIENT));
    ctl_certificate_done(&client);
    ctl_certificate_done(&forged);
}

static void test_another_authority(void **state)
{
    struct ctl_certificate other = { 0 }, client = { 0 };
    struct bf_error e;
    assert_int_equal(ctl_ca_make("home", 10, &other, &e), 0);
    issue(&other, "front", NULL, 0, &client);
    assert_false(verify(client.cert_pem, ((struct ctl_certificate *)*state)->cert_pem, X509_PURPOSE_SSL_CLIENT));
    ctl_certificate_done(&client);
    ctl_certificate_done(&other);
}

static void test_validity(void **state)
{
    struct ctl_certificate client = { 0 };
    uint64_t end_ms, expected_ms = bf_unix_ms() + 10ull * 86400000;
    issue(*state, "front", NULL, 0, &client);
    assert_int_equal(ctl_certificate_not_after(client.cert_pem, &end_ms), 0);
    assert_in_range(end_ms, expected_ms - 60000, expected_ms + 1000);
    assert_int_equal(ctl_certificate_not_after("no certificate", &end_ms), -EBADMSG);
    ctl_certificate_done(&client);
}

static void test_host_names(void **state)
{
    (void)state;
    static const char *const good[] = {
        "broker", "robot.local", "10.0.0.7", "::1", "fe80::1", "xn--bcher-kva.example"
    };
    static const char *const bad[] = { "", "a b", "broker,DNS:evil", "broker\n", "-x", ".x", "ümlaut", "a_b", "*" };
    for (size_t i = 0; i < BF_COUNT_OF(good); i++)
        if (ctl_host_check(good[i]) < 0)
            fail_msg("%s refused", good[i]);
    for (size_t i = 0; i < BF_COUNT_OF(bad); i++)
        if (ctl_host_check(bad[i]) == 0)
            fail_msg("%s accepted", bad[i]);
}

static int setup(void **state)
{
    static struct ctl_certificate ca;
    struct bf_error e;
    *state = &ca;
    return ctl_ca_make("home", 10, &ca, &e);
}

static int teardown(void **state)
{
    ctl_certificate_done(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_client),
                                        cmocka_unit_test(test_broker),
                                        cmocka_unit_test(test_leaf_cannot_issue),
                                        cmocka_unit_test(test_another_authority),
                                        cmocka_unit_test(test_validity),
                                        cmocka_unit_test(test_host_names) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
