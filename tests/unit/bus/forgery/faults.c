#include "forgery/faults.h"

#include <string.h>

#include "base/cleanup.h"

#define VERIFY(name)                                                                                                   \
    static enum bf_refusal name(const struct bf_verifier *v, const char *topic, const void *data, size_t size,         \
                                uint64_t unix_ms, bool clock_synced, struct bf_incoming *ret, struct bf_error *e)
#define ARGUMENTS topic, data, size, unix_ms, clock_synced, ret, e

VERIFY(any_recipient)
{
    struct bf_verifier lax = *v;

    lax.node = NULL;
    return bf_verify(&lax, ARGUMENTS);
}

VERIFY(any_start)
{
    struct bf_verifier lax = *v;
    enum bf_refusal r = bf_verify(v, ARGUMENTS);

    lax.node = NULL;
    return r == BF_REFUSED_BOOT_ID ? bf_verify(&lax, ARGUMENTS) : r;
}

VERIFY(any_age)
{
    (void)clock_synced;
    return bf_verify(v, topic, data, size, unix_ms, false, ret, e);
}

VERIFY(no_window)
{
    struct bf_verifier lax = *v;

    lax.replay = NULL;
    return bf_verify(&lax, ARGUMENTS);
}

VERIFY(any_key)
{
    static struct bf_trust *home, *barn;
    struct bf_verifier lax = *v;

    if (home == NULL) {
        home = site_trust(SITE_HOME, true);
        barn = site_trust(SITE_BARN, true);
    }
    lax.trust = strcmp(v->site, SITE_HOME) == 0 ? home : barn;
    return bf_verify(&lax, ARGUMENTS);
}

/* Parses what the envelope holds as its type says, without asking who signed. */
static bool believe(const void *data, size_t size, struct bf_incoming *ret)
{
    const struct bf_message_row *row;
    struct bf_dsse *envelope;
    const uint8_t *payload;
    size_t payload_size;

    if (bf_dsse_open(&envelope, data, size) < 0)
        return false;
    *ret = (struct bf_incoming){ 0 };
    row = bf_message_by_payload_type(bf_dsse_type(envelope));
    payload = bf_dsse_payload(envelope, &payload_size);
    if (row != NULL)
        ret->message = protobuf_c_message_unpack(row->descriptor, NULL, payload_size, payload);
    ret->row = row;
    ret->header = ret->message != NULL ? *bf_message_header(ret->message) : NULL;
    bf_dsse_free(envelope);
    if (ret->header != NULL)
        return true;
    bf_incoming_done(ret);
    return false;
}

VERIFY(any_signature)
{
    enum bf_refusal r = bf_verify(v, ARGUMENTS);
    struct bf_incoming in;

    if (r != BF_REFUSED_SIGNATURE || !believe(data, size, &in))
        return r;
    *ret = in;
    return BF_OK;
}

VERIFY(any_topic)
{
    enum bf_refusal r = bf_verify(v, ARGUMENTS);
    char signed_for[BF_TOPIC_SIZE];
    struct bf_incoming in;

    if (r != BF_REFUSED_TOPIC || !believe(data, size, &in))
        return r;
    snprintf(signed_for, sizeof(signed_for), "%s", in.header->topic);
    bf_incoming_done(&in);
    return bf_verify(v, signed_for, data, size, unix_ms, clock_synced, ret, e);
}

/* Marks the windows before it knows who speaks: a forged sequence locks the real sender out. */
VERIFY(hasty)
{
    enum bf_refusal r = bf_verify(v, ARGUMENTS);
    struct bf_incoming in;

    if (r != BF_REFUSED_SIGNATURE || !believe(data, size, &in))
        return r;
    bf_replay_accept(v->replay, in.header->sender, (int)in.header->channel, in.header->sender_epoch,
                     in.header->sequence);
    bf_incoming_done(&in);
    return r;
}

VERIFY(nameless)
{
    enum bf_refusal r = bf_verify(v, ARGUMENTS);

    return r == BF_REFUSED_TYPE ? BF_REFUSALS : r;
}

/* Refuses with every second good message. */
VERIFY(deaf)
{
    static unsigned n;
    enum bf_refusal r = bf_verify(v, ARGUMENTS);

    if (r != BF_OK || ++n % 2 != 0)
        return r;
    bf_incoming_done(ret);
    memset(ret, 0xa5, sizeof(*ret));
    snprintf(e->text, sizeof(e->text), "not now");
    return BF_REFUSED_AGE;
}

const struct fault faults[] = {
    { "takes what is for others", any_recipient, 2 },
    { "takes what is for an earlier start", any_start, 2 },
    { "takes what is too old", any_age, 2 },
    { "takes everything again", no_window, 2 },
    { "takes revoked keys and such as have ended", any_key, 2 },
    { "takes any signature", any_signature, 2 },
    { "takes what is for another topic", any_topic, 2 },
    { "moves its windows too early", hasty, 2 },
    { "refuses without a name", nameless, 2 },
    { "does not hear every message", deaf, 5 },
};
const size_t faults_n = BF_COUNT_OF(faults);
