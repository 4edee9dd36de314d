/* Payloads behind a good signature: what a node that went mad could send. First byte: which message; the rest is signed
 * by its rightful sender and delivered twice, so that parsing, ranges, addresses, age and windows all see it. */
#include <stdlib.h>

#include "bus/verify.h"
#include "fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum bf_refusal deliver(const struct bf_verifier *v, enum bf_message_type type, const uint8_t *envelope,
                               size_t size)
{
    struct bf_incoming in = { 0 };
    struct bf_error e = { 0 };
    enum bf_refusal r = bf_verify(v, fx_topic(type), envelope, size, FX_NOW, true, &in, &e);

    if (r == BF_OK || r == BF_DUPLICATE) {
        /* Whatever is accepted can be sent on. */
        if (protobuf_c_message_get_packed_size(in.message) == 0 || in.header == NULL)
            abort();
        bf_incoming_done(&in);
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bf_trust *trust;
    struct bf_verifier v = { .site = FX_SITE, .boot_id = fx_boot_id };
    enum bf_message_type type;
    struct bf_topic topic;
    uint8_t *envelope;
    size_t envelope_size;
    enum bf_refusal first;

    if (size == 0)
        return 0;
    if (trust == NULL)
        trust = fx_trust();
    type = (enum bf_message_type)(data[0] % BF_MSG_TYPES);
    if (bf_dsse_seal(bf_message_row(type)->payload_type, data + 1, size - 1, fx_secret(fx_sender(type)), &envelope,
                     &envelope_size) < 0)
        return 0;
    if (bf_topic_parse(&topic, fx_topic(type)) < 0 || bf_replay_new(&v.replay, 4) < 0)
        abort();
    v.trust = trust;
    v.node = bf_message_row(type)->own_topic ? fx_names[FX_GATEWAY] : topic.id;

    first = deliver(&v, type, envelope, envelope_size);
    if (first > BF_OK && first < BF_REFUSED_PAYLOAD)
        abort(); /* it was signed by the right key for the right topic */
    if (first == BF_OK && deliver(&v, type, envelope, envelope_size) != BF_DUPLICATE)
        abort();
    bf_replay_free(v.replay);
    free(envelope);
    return 0;
}
