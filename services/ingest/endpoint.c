#include "ingest/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "bus/keys.h"

static int parse_port(const char *text, uint16_t *ret)
{
    uint32_t port = 0;
    size_t n = strspn(text, "0123456789");

    if (n == 0 || n > 5 || text[n] != '\0' || *text == '0')
        return -EINVAL;
    for (const char *p = text; *p != '\0'; p++)
        port = port * 10 + (uint32_t)(*p - '0');
    if (port > UINT16_MAX)
        return -EINVAL;
    *ret = (uint16_t)port;
    return 0;
}

int bf_udp_address_parse(const char *text, char ret_host[static BF_HOST_SIZE], uint16_t *ret_port)
{
    const char *host = text + strlen("udp://"), *colon = strrchr(text, ':');

    if (strncmp(text, "udp://", strlen("udp://")) != 0 || colon <= host)
        return -EINVAL;
    size_t size = (size_t)(colon - host);
    if (host[0] == '[') {
        if (size < 3 || host[size - 1] != ']')
            return -EINVAL;
        host++;
        size -= 2;
    } else if (memchr(host, ':', size) != NULL) {
        return -EINVAL;
    }
    if (size >= BF_HOST_SIZE || memchr(host, '[', size) != NULL || memchr(host, ']', size) != NULL)
        return -EINVAL;
    int r = parse_port(colon + 1, ret_port);
    if (r != 0)
        return r;

    memcpy(ret_host, host, size);
    ret_host[size] = '\0';
    return 0;
}

int bf_passphrase_make(char ret[static BF_PASSPHRASE_SIZE])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t *random = (uint8_t *)ret;

    int r = bf_random(random, BF_PASSPHRASE_SIZE - 1);
    if (r != 0)
        return r;
    for (size_t i = 0; i < BF_PASSPHRASE_SIZE - 1; i++)
        ret[i] = alphabet[random[i] % 64];
    ret[BF_PASSPHRASE_SIZE - 1] = '\0';
    return 0;
}

int bf_passphrase_seal(const char passphrase[static BF_PASSPHRASE_SIZE], const struct bf_trust *trust,
                       const char *camera, uint64_t now_ms, uint8_t ret[static BF_SEALED_PASSPHRASE_SIZE],
                       struct bf_error *e)
{
    const struct bf_trusted_key *key = bf_trust_key_of(trust, camera, BF_ROLE_CAMERA, now_ms);
    _cleanup_(bf_freep) uint8_t *sealed = NULL;
    size_t size;

    if (key == NULL)
        return bf_fail(e, -ENOKEY, "the trust bundle has no valid key for camera %s: add it with belfryctl", camera);
    int r = bf_seal_to(key->public_key, passphrase, BF_PASSPHRASE_SIZE - 1, &sealed, &size);
    if (r == 0 && size != BF_SEALED_PASSPHRASE_SIZE)
        r = -EMSGSIZE;
    if (r != 0)
        return bf_fail(e, r, "sealing the media key to camera %s: %s", camera, strerror(-r));

    memcpy(ret, sealed, size);
    return 0;
}
