/* The site's small certificate authority: EC P-256 keys and X.509 certificates for mutual TLS with the broker. Texts
 * are PEM, malloc'd; free secret ones with ctl_secret_free. */
#ifndef BELFRY_CTL_PKI_H
#define BELFRY_CTL_PKI_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct ctl_certificate {
    char *cert_pem;
    char *key_pem; /* PKCS #8, not encrypted */
};
void ctl_certificate_done(struct ctl_certificate *c); /* wipes the key */

struct ctl_certificate_request {
    const char *common_name;  /* of a client: its node id */
    const char *const *names; /* host names and addresses for the broker's certificate; none: a client certificate */
    size_t n_names;
    unsigned valid_days;
};

/* A self-signed authority that may sign end certificates only. */
int ctl_ca_make(const char *site, unsigned valid_days, struct ctl_certificate *ret, struct bf_error *e);
/* A key and its certificate, signed by the authority. */
int ctl_ca_issue(const struct ctl_certificate *ca, const struct ctl_certificate_request *request,
                 struct ctl_certificate *ret, struct bf_error *e);

/* Is it a host name or an IP address that a certificate can name? 0 or -EINVAL. */
int ctl_host_check(const char *name);
/* The names and addresses that a certificate is for (subject alternative names), malloc'd. -EBADMSG when it has none.
 */
struct ctl_names {
    char **item;
    size_t n;
};
int ctl_certificate_names(const char *cert_pem, struct ctl_names *ret);
void ctl_names_done(struct ctl_names *names);
/* End of a certificate's validity. */
int ctl_certificate_not_after(const char *cert_pem, uint64_t *ret_unix_ms);

void ctl_secret_free(char *text); /* wipes; NULL is fine */
BF_DEFINE_CLEANUP(char, ctl_secret_free)

#endif
