/* Where a session listens, and the secret that its camera needs to send there. */
#ifndef BELFRY_INGEST_ENDPOINT_H
#define BELFRY_INGEST_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bus/trust.h"
#include "media/transport.h"

#define BF_HOST_SIZE 256
#define BF_SEALED_PASSPHRASE_SIZE 80 /* 32 characters and the sealed box's 48 bytes */

/* "udp://host:port", host an IPv6 address in brackets where it is one. -EINVAL for anything else. */
int bf_udp_address_parse(const char *text, char ret_host[static BF_HOST_SIZE], uint16_t *ret_port);

/* 32 random characters (192 bits). The caller wipes them. */
int bf_passphrase_make(char ret[static BF_PASSPHRASE_SIZE]);

/* Seals the 32 characters to the camera's oldest valid key, which it has before a rotation and after. -ENOKEY when the
 * trust bundle has none. */
int bf_passphrase_seal(const char passphrase[static BF_PASSPHRASE_SIZE], const struct bf_trust *trust,
                       const char *camera, uint64_t now_ms, uint8_t ret[static BF_SEALED_PASSPHRASE_SIZE],
                       struct bf_error *e);

#endif
