#include "service/tls_pair.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/cleanup.h"

#define HOW_TO_PAIR "copy both anew from one belfryctl node export, or make a new pair with belfryctl node rotate"

BF_DEFINE_CLEANUP(BIO, BIO_free_all)
BF_DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
BF_DEFINE_CLEANUP(X509, X509_free)

void bf_tls_begin(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

/* A service has nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *user)
{
    (void)buf, (void)size, (void)writing, (void)user;
    return -1;
}

static int read_pair(const char *cert_file, const char *key_file, X509 **ret_cert, EVP_PKEY **ret_key,
                     struct bf_error *e)
{
    _cleanup_(BIO_free_allp) BIO *cert = BIO_new_file(cert_file, "re"), *key = BIO_new_file(key_file, "re");

    *ret_cert = cert == NULL ? NULL : PEM_read_bio_X509(cert, NULL, no_passphrase, NULL);
    if (*ret_cert == NULL)
        return bf_fail(e, -EBADMSG, "%s: expected a certificate in PEM form; " HOW_TO_PAIR, cert_file);
    *ret_key = key == NULL ? NULL : PEM_read_bio_PrivateKey(key, NULL, no_passphrase, NULL);
    if (*ret_key == NULL)
        return bf_fail(e, -EBADMSG, "%s: expected a private key in PEM form, without a passphrase; " HOW_TO_PAIR,
                       key_file);
    return 0;
}

int bf_tls_pair_check(const char *cert_file, const char *key_file, struct bf_error *e)
{
    _cleanup_(X509_freep) X509 *cert = NULL;
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    int r = read_pair(cert_file, key_file, &cert, &key, e);

    if (r == 0 && X509_check_private_key(cert, key) != 1)
        r = bf_fail(e, -EKEYREJECTED, "%s: not the key of the certificate in %s; " HOW_TO_PAIR, key_file, cert_file);
    ERR_clear_error(); /* the TLS connection would report what is left there */
    return r;
}
