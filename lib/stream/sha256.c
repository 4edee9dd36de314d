#include "stream/sha256.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <openssl/evp.h>

struct bf_sha256 {
    EVP_MD_CTX *so_far, *end;
    bool failed; /* since it was begun */
};

int bf_sha256_new(struct bf_sha256 **ret)
{
    _cleanup_(bf_sha256_freep) struct bf_sha256 *h = calloc(1, sizeof *h);

    if (h == NULL)
        return -ENOMEM;
    h->so_far = EVP_MD_CTX_new();
    h->end = EVP_MD_CTX_new();
    if (h->so_far == NULL || h->end == NULL)
        return -ENOMEM;
    bf_sha256_begin(h);
    *ret = BF_TAKE(h);
    return 0;
}

void bf_sha256_free(struct bf_sha256 *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->so_far);
    EVP_MD_CTX_free(h->end);
    free(h);
}

void bf_sha256_begin(struct bf_sha256 *h)
{
    h->failed = EVP_DigestInit_ex(h->so_far, EVP_sha256(), NULL) != 1;
}

void bf_sha256_add(struct bf_sha256 *h, const void *data, size_t size)
{
    h->failed |= EVP_DigestUpdate(h->so_far, data, size) != 1;
}

int bf_sha256_value(struct bf_sha256 *h, uint8_t ret[static 32])
{
    if (h->failed || EVP_MD_CTX_copy_ex(h->end, h->so_far) != 1 || EVP_DigestFinal_ex(h->end, ret, NULL) != 1)
        return -EIO;
    return 0;
}
