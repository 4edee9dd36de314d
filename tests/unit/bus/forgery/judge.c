#include "forgery/judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define PAYLOAD_ROOM 2048 /* no statement is longer */
#include "fixture.h"

#define PAYLOAD_ROOM 2048 /* no statement is longer */

static const struct {
    const char *site;
    enum site_node node;
} receivers[WORLD_RECEIVERS] = {
    { SITE_HOME, SITE_CAM_1 },     { SITE_HOME, SITE_CAM_2 },   { SITE_HOME, SITE_INGEST },
    { SITE_HOME, SITE_GATEWAY_1 }, { SITE_HOME, SITE_JANITOR }, { SITE_HOME, SITE_OPERATOR },
    { SITE_HOME, SITE_EDGE },      { SITE_HOME, NOBODY },       { SITE_BARN, SITE_CAM_1 },
};

void world_init(struct world *w, uint64_t seed, judged_verify *verify)
{
    struct prng p = { .state = seed };

    w->verify = verify;
    w->home = site_trust(SITE_HOME, false);
    w->barn = site_trust(SITE_BARN, false);
    for (uint32_t i = 0; i < WORLD_STATEMENTS; i++)
        statement_make(&w->statements[i], &p, i);
    for (size_t i = 0; i < WORLD_RECEIVERS; i++)
        receiver_init(&w->receivers[i], receivers[i].site, receivers[i].node);
}

void world_done(struct world *w)
{
    for (size_t i = 0; i < WORLD_STATEMENTS; i++)
        statement_done(&w->statements[i]);
    for (size_t i = 0; i < WORLD_RECEIVERS; i++)
        receiver_done(&w->receivers[i]);
    bf_trust_free(w->home);
    bf_trust_free(w->barn);
}

static void forge(const struct world *w, const struct delivery *d, struct forged *ret, struct place *at)
{
    const struct receiver *r = &w->receivers[d->receiver];
    const struct statement *s = &w->statements[d->statement];

    *at = (struct place){
        .site = r->site, .node = r->node, .starts = PRESENT_START, .now_ms = FX_NOW, .clock_synced = true
    };
    memcpy(at->topic, s->topic, sizeof(s->topic));
    mutation_apply(&d->mutation, w->statements, WORLD_STATEMENTS, d->statement, ret, at);
}

static enum taken_as expected(const struct receiver *r, const struct statement *s, const struct place *at)
{
    return statement_counts(s, at) ? receiver_judges(r, s) : TAKEN_NOT;
}

/* Which statement was taken: by its id, and then byte for byte, by the type it is handed on as, by the payload of the
 * envelope, and by what has been made of that. */
static const struct statement *recognise(const struct world *w, const struct forged *f, const struct bf_incoming *in)
{
    uint8_t again[PAYLOAD_ROOM];
    const struct statement *s;
    struct bf_dsse *envelope;
    const uint8_t *payload;
    size_t size;
    bool same;

    if (in->header == NULL || statement_id(in->header) >= WORLD_STATEMENTS)
        return NULL;
    s = &w->statements[statement_id(in->header)];
    if (in->row != bf_message_row(s->type) || bf_dsse_open(&envelope, f->bytes, f->size) < 0)
        return NULL;
    payload = bf_dsse_payload(envelope, &size);
    same = strcmp(bf_dsse_type(envelope), in->row->payload_type) == 0 && size == s->payload_size &&
           memcmp(payload, s->payload, size) == 0;
    bf_dsse_free(envelope);
    if (!same || protobuf_c_message_get_packed_size(in->message) != s->payload_size || s->payload_size > sizeof(again))
        return NULL;
    protobuf_c_message_pack(in->message, again);
    return memcmp(again, s->payload, s->payload_size) == 0 ? s : NULL;
}

static const char *judge_taken(const struct world *w, struct receiver *r, const struct forged *f,
                               const struct place *at, const struct bf_incoming *in, enum taken_as as)
{
    const struct statement *s = recognise(w, f, in);

    if (s == NULL)
        return "took what nobody has signed";
    switch (expected(r, s, at)) {
    case TAKEN_NOT:
        return "took what was not said here, to this node, or at this time, or by whom it may be believed";
    case TAKEN_AGAIN:
        return as == TAKEN_AGAIN ? NULL : "took for new what it has seen";
    default:
        if (as == TAKEN_AGAIN)
            return "took for seen what is new";
        receiver_took(r, s);
        return NULL;
    }
}

static bool untouched(const struct bf_incoming *in, const struct bf_incoming *before)
{
    return memcmp(in, before, sizeof(*in)) == 0;
}

static const char *judge_refused(const struct bf_incoming *in, const struct bf_incoming *before, enum bf_refusal why,
                                 const struct bf_error *e)
{
    if (why >= BF_DUPLICATE || why == BF_REFUSED_LEASE_EPOCH || strncmp(bf_refusal_name(why), "refused_", 8) != 0)
        return "refused without a counter of its own";
    if (e->text[0] == '\0' || strchr(e->text, '\n') != NULL)
        return "refused without one line of why";
    return untouched(in, before) ? NULL : "refused, and gave something out";
}

static bool is_as_signed(const struct forged *f, const struct statement *s)
{
    return f->size == s->envelope_size && memcmp(f->bytes, s->envelope, f->size) == 0;
}

const char *world_deliver(struct world *w, const struct delivery *d, bool thorough, struct tally *tally)
{
    static struct forged f;
    const struct statement *s = &w->statements[d->statement];
    struct receiver *r = &w->receivers[d->receiver];
    struct bf_incoming in, before;
    struct bf_error e = { 0 };
    struct place at;
    uint8_t boot_id[16];
    const char *wrong;

    forge(w, d, &f, &at);
    site_boot_id(boot_id, r->node, at.starts);
    struct bf_verifier v = { .site = r->site,
                             .node = r->node == NOBODY ? NULL : site_node_name(r->node),
                             .boot_id = r->node == NOBODY ? NULL : boot_id,
                             .trust = strcmp(r->site, SITE_HOME) == 0 ? w->home : w->barn,
                             .replay = r->replay };
    /* What must happen to bytes as they were signed is known before; of others only that nothing may. */
    bool as_signed = is_as_signed(&f, s);
    enum taken_as must = expected(r, s, &at);

    memset(&in, 0xa5, sizeof(in));
    memset(&before, 0xa5, sizeof(before));
    enum bf_refusal why = w->verify(&v, at.topic, f.bytes, f.size, at.now_ms, at.clock_synced, &in, &e);
    bool taken = why == BF_OK || why == BF_DUPLICATE;

    if (taken) {
        wrong = judge_taken(w, r, &f, &at, &in, why == BF_OK ? TAKEN_NEW : TAKEN_AGAIN);
        bf_incoming_done(&in);
    } else
        wrong = judge_refused(&in, &before, why, &e);
    if (wrong == NULL && as_signed && taken != (must != TAKEN_NOT))
        wrong = "refused what it should take";
    if (wrong == NULL && !receiver_unmoved(r, thorough))
        wrong = "moved its replay windows by what it did not take";
    if (tally != NULL && why < BF_REFUSALS) {
        tally->refusals[why]++;
        tally->delivered++;
        tally->mutated += d->mutation.n > 0;
    }
    return wrong;
}

void world_print(const struct world *w, const struct delivery *d, FILE *f)
{
    static struct forged forged;
    const struct statement *s = &w->statements[d->statement];
    const struct receiver *r = &w->receivers[d->receiver];
    struct place at;

    forge(w, d, &forged, &at);
    fprintf(f, "  signed: %s by %s (key: %s%s) for %s\n", bf_message_row(s->type)->payload_type,
            site_node_name(s->signer), site_key_word(s->key), s->lie ? ", lying" : "", s->topic);
    fprintf(f, "  delivered: to %s/%s on %s, now %+" PRId64 " ms%s\n", r->site,
            r->node == NOBODY ? "(watching)" : site_node_name(r->node), at.topic, (int64_t)(at.now_ms - FX_NOW),
            at.clock_synced ? "" : ", clock not synchronised");
    mutation_print(&d->mutation, f);
    fprintf(f, "  envelope:");
    for (size_t i = 0; i < forged.size; i++)
        fprintf(f, "%s%02x", i % 60 == 0 ? "\n    " : "", forged.bytes[i]);
    fputc('\n', f);
}
