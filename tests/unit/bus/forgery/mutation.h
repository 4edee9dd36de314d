/* What an attacker does to a message and its delivery, as a short list of steps. Every choice is in the steps, so that
 * a list can be carried out again, and shortened, without its generator. */
#ifndef BELFRY_TESTS_FORGERY_MUTATION_H
#define BELFRY_TESTS_FORGERY_MUTATION_H

#include <stddef.h>
#include <stdio.h>

#include "forgery/statement.h"

#define STEPS_MAX 5
#define FORGED_MAX 65536

enum step_kind {
    /* to the parts of the envelope; `from`: statement b of the world */
    STEP_TYPE_FROM,
    STEP_PAYLOAD_FROM,
    STEP_SIGNATURE_FROM,
    STEP_ANY_TYPE,         /* that of row a */
    STEP_ODD_TYPE,         /* not quite the type, in way a */
    STEP_HEADER_FROM,      /* header field a, from statement b */
    STEP_HEADER_NUMBER,    /* header field a becomes an extreme, b */
    STEP_KEYID,            /* names key a; c: which signature */
    STEP_MALLEATE,         /* S becomes S + L (RFC 8032, section 8.4) */
    STEP_MORE_SIGNATURES,  /* a more, of statements b and on; c: in front */
    STEP_REPEAT_SIGNATURE, /* a times */
    STEP_NO_SIGNATURE,
    STEP_UNKNOWN_INSIDE,  /* a field nobody knows, at the payload's end */
    STEP_UNKNOWN_OUTSIDE, /* the same in the envelope, in way a */
    STEP_REPEAT_TYPE,     /* another type in front (a even) or behind: the last one counts */
    STEP_REPEAT_PAYLOAD,
    STEP_PAD,  /* up to, or beyond, the largest envelope */
    STEP_SIGN, /* the attacker signs, with key a: another node's, or one that no longer counts */
    /* to the bytes, at a, for c, with b */
    STEP_FLIP,
    STEP_OVERWRITE,
    STEP_INSERT,
    STEP_DELETE,
    STEP_DUPLICATE,
    STEP_TRUNCATE,
    /* to the delivery */
    STEP_TOPIC_FROM, /* on the topic of statement b */
    STEP_TOPIC_OF,   /* on the same topic of node a */
    STEP_ODD_TOPIC,  /* on a topic that is not quite one, in way a */
    STEP_LATER,      /* by a ms */
    STEP_EARLIER,
    STEP_UNSYNCED,  /* the receiver does not trust its clock */
    STEP_RESTARTED, /* the receiver has another boot id */
    STEP_KINDS
};

struct step {
    enum step_kind kind;
    uint32_t a, b, c;
};

struct mutation {
    unsigned n;
    struct step steps[STEPS_MAX];
};

struct forged {
    uint8_t bytes[FORGED_MAX];
    size_t size;
};

void mutation_draw(struct mutation *ret, struct prng *p);
/* Carries the steps out on statement `base` of the `n` in `all`; `at` comes as an honest delivery. */
void mutation_apply(const struct mutation *m, const struct statement *all, size_t n, size_t base, struct forged *ret,
                    struct place *at);
void mutation_print(const struct mutation *m, FILE *f);

#endif
