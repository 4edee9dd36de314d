/* The client certificate and its private key, looked at before the broker is asked: a pair that does not match fails in the
 * handshake only, in the TLS library's words. */
#ifndef BELFRY_SERVICE_TLS_PAIR_H
#define BELFRY_SERVICE_TLS_PAIR_H

#include "base/error.h"

/* First of all in main, before anything uses libcrypto: it is not to tidy up when the process exits. Paho says that its
 * threads have ended a moment before they have, and what such a thread frees on its way out would be freed twice
 * (OPENSSL_init_crypto(3), OPENSSL_INIT_NO_ATEXIT). */
void bf_tls_begin(void);

/* Both files hold PEM, and the key is the certificate's (the first in the file). 0; -EBADMSG when one of them cannot be read
 * as that, or is encrypted; -EKEYREJECTED when they do not belong together. `e` names the files and what to do. */
int bf_tls_pair_check(const char *cert_file, const char *key_file, struct bf_error *e);

#endif
