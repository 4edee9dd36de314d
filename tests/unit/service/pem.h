/* Certificates and keys as files, for tests. */
#ifndef BELFRY_TEST_PEM_H
#define BELFRY_TEST_PEM_H

/* A fresh key and a certificate that it has signed itself, as PEM; `passphrase` NULL: the key is not encrypted. */
void pem_pair(const char *cert_file, const char *key_file, const char *passphrase);

#endif
