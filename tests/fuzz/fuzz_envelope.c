/* Bytes from the broker: opened and verified against a fixed site on every topic there is. Without a key nothing but a
 * refusal or one of the seeds comes out; the payload target looks behind the signature. */
#include <stdlib.h>

#include "bus/verify.h"
#include "fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bf_trust *trust;
    struct bf_verifier v = { .site = FX_SITE };

    if (trust == NULL)
        trust = fx_trust();
    v.trust = trust;
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++) {
        struct bf_incoming in = { 0 };
        struct bf_error e = { 0 };
        enum bf_refusal r = bf_verify(&v, fx_topic(type), data, size, FX_NOW, true, &in, &e);

        if (r == BF_OK)
            bf_incoming_done(&in);
        else if (e.text[0] == '\0' || in.message != NULL)
            abort();
    }
    return 0;
}
