#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "pem.h"

static void write_key(EVP_PKEY *key, const char *file, const char *passphrase)
{
    FILE *f = fopen(file, "we");
    const EVP_CIPHER *cipher = passphrase != NULL ? EVP_aes_128_cbc() : NULL;

    assert_non_null(f);
    assert_int_equal(PEM_write_PKCS8PrivateKey(f, key, cipher, passphrase,
                                               passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL),
                     1);
    assert_int_equal(fclose(f), 0);
}

void pem_pair(const char *cert_file, const char *key_file, const char *passphrase)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *f = fopen(cert_file, "we");

    assert_true(key != NULL && cert != NULL && f != NULL);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(f, cert), 1);
    assert_int_equal(fclose(f), 0);
    write_key(key, key_file, passphrase);
    X509_free(cert);
    EVP_PKEY_free(key);
}
