#include "belfryctl/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

BF_DEFINE_CLEANUP(BIO, BIO_free_all)
BF_DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
BF_DEFINE_CLEANUP(X509, X509_free)
BF_DEFINE_CLEANUP(X509_EXTENSION, X509_EXTENSION_free)
BF_DEFINE_CLEANUP(GENERAL_NAMES, GENERAL_NAMES_free)

/* Certificates begin on 2020-01-01: a robot without a battery-backed clock and without a time server boots years
 * behind. */
#define NOT_BEFORE_UNIX_S 1577836800
#define SAN_SIZE 4096

struct authority {
    X509 *cert;
    EVP_PKEY *key;
};

static void authority_done(struct authority *a)
{
    X509_free(a->cert);
    EVP_PKEY_free(a->key);
}

void ctl_secret_free(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void ctl_certificate_done(struct ctl_certificate *c)
{
    free(c->cert_pem);
    ctl_secret_free(c->key_pem);
    *c = (struct ctl_certificate){ 0 };
}

static int crypto_failed(struct bf_error *e, const char *what)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return bf_fail(e, -EIO, "%s: %s", what, text);
}

int ctl_host_check(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return 0;

    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t length = strlen(name);
    if (length == 0 || length > 253 || strspn(name, allowed) != length || name[0] == '-' || name[0] == '.')
        return -EINVAL;
    return 0;
}

/* "IP:127.0.0.1,DNS:broker"; the names have passed ctl_host_check, so that none of them can add an entry of its own. */
static int format_names(char ret[static SAN_SIZE], const struct ctl_certificate_request *request)
{
    size_t used = 0;
    for (size_t i = 0; i < request->n_names; i++) {
        const char *name = request->names[i];
        unsigned char address[sizeof(struct in6_addr)];
        int ip = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
        if (ctl_host_check(name) < 0)
            return -EINVAL;
        int n = snprintf(ret + used, SAN_SIZE - used, "%s%s:%s", i > 0 ? "," : "", ip ? "IP" : "DNS", name);
        if (n < 0 || (size_t)n >= SAN_SIZE - used)
            return -E2BIG;
        used += (size_t)n;
    }
    return 0;
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    _cleanup_(X509_EXTENSION_freep) X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    return extension != NULL && X509_add_ext(cert, extension, -1) == 1 ? 0 : -EIO;
}

static int set_random_serial(X509 *cert)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return -EIO;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and always 16 bytes */

    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    ASN1_INTEGER *serial = number != NULL ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    int r = serial != NULL && X509_set_serialNumber(cert, serial) == 1 ? 0 : -EIO;
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return r;
}

static int add_name(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1 ? 0
                                                                                                               : -EIO;
}

/* Subject, serial, validity and key; extensions and signature are the caller's. */
static X509 *begin_certificate(EVP_PKEY *key, const char *common_name, unsigned valid_days)
{
    _cleanup_(X509_freep) X509 *cert = X509_new();
    if (cert == NULL || X509_set_version(cert, X509_VERSION_3) != 1 || set_random_serial(cert) < 0)
        return NULL;

    time_t now = time(NULL), begin = NOT_BEFORE_UNIX_S;
    if (X509_time_adj_ex(X509_getm_notBefore(cert), 0, 0, &begin) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(cert), (int)valid_days, 0, &now) == NULL)
        return NULL;

    X509_NAME *name = X509_get_subject_name(cert);
    if (add_name(name, "O", "Belfry") < 0 || add_name(name, "CN", common_name) < 0 || X509_set_pubkey(cert, key) != 1)
        return NULL;
    return BF_TAKE(cert);
}

static char *bio_text(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? strndup(data, (size_t)size) : NULL;
}

static int to_pem(struct ctl_certificate *ret, X509 *cert, EVP_PKEY *key)
{
    _cleanup_(BIO_free_allp) BIO *cert_bio = BIO_new(BIO_s_mem());
    _cleanup_(BIO_free_allp) BIO *key_bio = BIO_new(BIO_s_secmem());
    if (cert_bio == NULL || key_bio == NULL || PEM_write_bio_X509(cert_bio, cert) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return -EIO;

    struct ctl_certificate made = { .cert_pem = bio_text(cert_bio), .key_pem = bio_text(key_bio) };
    if (made.cert_pem == NULL || made.key_pem == NULL) {
        ctl_certificate_done(&made);
        return -ENOMEM;
    }
    *ret = made;
    return 0;
}

int ctl_ca_make(const char *site, unsigned valid_days, struct ctl_certificate *ret, struct bf_error *e)
{
    char name[64];
    snprintf(name, sizeof name, "Belfry %s broker CA", site);
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(X509_freep) X509 *cert = key != NULL ? begin_certificate(key, name, valid_days) : NULL;
    if (cert == NULL || X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") < 0 ||
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") < 0 ||
        add_extension(cert, cert, NID_subject_key_identifier, "hash") < 0 || X509_sign(cert, key, EVP_sha256()) == 0 ||
        to_pem(ret, cert, key) < 0)
        return crypto_failed(e, "making the broker's certificate authority");
    return 0;
}

static int authority_open(struct authority *ret, const struct ctl_certificate *ca)
{
    _cleanup_(BIO_free_allp) BIO *cert_bio = BIO_new_mem_buf(ca->cert_pem, -1);
    _cleanup_(BIO_free_allp) BIO *key_bio = BIO_new_mem_buf(ca->key_pem, -1);
    if (cert_bio == NULL || key_bio == NULL)
        return -ENOMEM;
    ret->cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    ret->key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    return ret->cert != NULL && ret->key != NULL && X509_check_private_key(ret->cert, ret->key) == 1 ? 0 : -EBADMSG;
}

static int add_leaf_extensions(X509 *cert, X509 *issuer, const struct ctl_certificate_request *request)
{
    char names[SAN_SIZE] = "";
    const char *purpose = request->n_names > 0 ? "serverAuth" : "clientAuth";
    if (format_names(names, request) < 0 ||
        add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
        add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") < 0 ||
        add_extension(cert, issuer, NID_ext_key_usage, purpose) < 0 ||
        add_extension(cert, issuer, NID_subject_key_identifier, "hash") < 0 ||
        add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") < 0)
        return -EIO;
    return names[0] == '\0' ? 0 : add_extension(cert, issuer, NID_subject_alt_name, names);
}

int ctl_ca_issue(const struct ctl_certificate *ca, const struct ctl_certificate_request *request,
                 struct ctl_certificate *ret, struct bf_error *e)
{
    _cleanup_(authority_done) struct authority authority = { 0 };
    if (authority_open(&authority, ca) < 0)
        return crypto_failed(e, "reading the broker's certificate authority");

    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(X509_freep) X509 *cert =
        key != NULL ? begin_certificate(key, request->common_name, request->valid_days) : NULL;
    if (cert == NULL || X509_set_issuer_name(cert, X509_get_subject_name(authority.cert)) != 1 ||
        add_leaf_extensions(cert, authority.cert, request) < 0 || X509_sign(cert, authority.key, EVP_sha256()) == 0 ||
        to_pem(ret, cert, key) < 0)
        return crypto_failed(e, "making a certificate");
    return 0;
}

void ctl_names_done(struct ctl_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->item[i]);
    free(names->item);
    *names = (struct ctl_names){ 0 };
}

/* malloc'd; NULL for another kind of name than DNS and IP, or without memory. */
static char *name_text(const GENERAL_NAME *name)
{
    char address[INET6_ADDRSTRLEN];
    if (name->type == GEN_DNS)
        return strndup((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                       (size_t)ASN1_STRING_length(name->d.dNSName));
    if (name->type != GEN_IPADD)
        return NULL;
    int family = ASN1_STRING_length(name->d.iPAddress) == sizeof(struct in_addr) ? AF_INET : AF_INET6;
    return inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address) != NULL
               ? strdup(address)
               : NULL;
}

int ctl_certificate_names(const char *cert_pem, struct ctl_names *ret)
{
    _cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(cert_pem, -1);
    _cleanup_(X509_freep) X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    _cleanup_(GENERAL_NAMES_freep) GENERAL_NAMES *found =
        cert != NULL ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
    int n = found != NULL ? sk_GENERAL_NAME_num(found) : 0;
    struct ctl_names names = { .item = n > 0 ? calloc((size_t)n, sizeof(char *)) : NULL };
    if (names.item == NULL)
        return -EBADMSG;

    for (int i = 0; i < n; i++) {
        names.item[names.n] = name_text(sk_GENERAL_NAME_value(found, i));
        names.n += names.item[names.n] != NULL;
    }
    *ret = names;
    return 0;
}

int ctl_certificate_not_after(const char *cert_pem, uint64_t *ret_unix_ms)
{
    _cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(cert_pem, -1);
    _cleanup_(X509_freep) X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    struct tm tm;
    if (cert == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
        return -EBADMSG;

    time_t end = timegm(&tm);
    if (end < 0)
        return -ERANGE;
    *ret_unix_ms = (uint64_t)end * 1000;
    return 0;
}
