/* Trust bundles: as raw files, and as contents that the root has signed. */
#include <stdlib.h>

#include "bus/trust.h"
#include "fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_key(void *user, const struct bf_trusted_key *k)
{
    const struct bf_trust *t = user;

    if (k->roles == 0 || bf_trust_key_of(t, k->node, BF_ROLE_NONE, FX_NOW) == NULL)
        abort();
    return 0;
}

static void open_one(const uint8_t *envelope, size_t size)
{
    struct bf_trust *t = NULL;
    struct bf_error e = { 0 };

    if (bf_trust_open(&t, envelope, size, fx_root_public(), FX_SITE, 1, &e) == 0)
        bf_trust_each(t, NULL, BF_ROLE_NONE, FX_NOW, check_key, t);
    else if (e.text[0] == '\0')
        abort();
    bf_trust_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *envelope;
    size_t envelope_size;

    open_one(data, size);
    if (bf_dsse_seal(BF_TRUST_BUNDLE_TYPE, data, size, fx_root_secret(), &envelope, &envelope_size) == 0) {
        open_one(envelope, envelope_size);
        free(envelope);
    }
    return 0;
}
