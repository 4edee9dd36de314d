#include "forgery/mutation.h"

#include <string.h>

#include "base/cleanup.h"
#include "forgery/draft.h"

/* What a step is applied to, and what there is to take from. */
struct work {
    const struct statement *all, *base;
    size_t n;
    struct draft *draft;
    struct forged *forged;
    struct place *at;
};

static const struct statement *other(const struct work *w, uint32_t b)
{
    return &w->all[b % w->n];
}

/* ---- to the parts ---- */

static void type_from(struct work *w, const struct step *s)
{
    const char *type = bf_message_row(other(w, s->b)->type)->payload_type;

    draft_set_type(w->draft, type, strlen(type));
}

static void payload_from(struct work *w, const struct step *s)
{
    const struct statement *from = other(w, s->b);

    w->draft->row = from->type;
    draft_set_payload(w->draft, from->payload, from->payload_size);
}

static void signature_from(struct work *w, const struct step *s)
{
    w->draft->signatures[0] = draft_signature_of(other(w, s->b));
}

static void any_type(struct work *w, const struct step *s)
{
    const char *type = bf_message_row((enum bf_message_type)(s->a % BF_MSG_TYPES))->payload_type;

    draft_set_type(w->draft, type, strlen(type));
}

static void odd_type(struct work *w, const struct step *s)
{
    static const char junk[160] = "\0junk";
    struct draft *d = w->draft;
    size_t room = sizeof(d->type) - d->type_size;

    switch (s->a % 5) {
    case 0:
        d->type_size = 0;
        break;
    case 1: /* what stands behind a zero byte is not seen by everybody */
        memcpy(d->type + d->type_size, junk, room < 5 ? room : 5);
        d->type_size += room < 5 ? room : 5;
        break;
    case 2: /* longer than any */
        memset(d->type + d->type_size, 'x', room < sizeof(junk) ? room : sizeof(junk));
        d->type_size += room < sizeof(junk) ? room : sizeof(junk);
        break;
    case 3:
        d->type[0] ^= 0x20;
        break;
    default:
        d->type_size -= d->type_size > 0;
    }
}

static void header_from(struct work *w, const struct step *s)
{
    draft_change_header(w->draft, s->a, other(w, s->b), 0);
}

static void header_number(struct work *w, const struct step *s)
{
    const uint64_t extremes[] = { 0,          1,        63,     64,         UINT64_MAX, UINT64_MAX - 1,
                                  UINT32_MAX, 86400000, 100000, INT64_MAX,  s->c,       s->c % 512,
                                  5,          86400001, 6,      1000000000, 4,          w->at->now_ms };

    draft_change_header(w->draft, s->a, NULL, extremes[s->b % BF_COUNT_OF(extremes)]);
}

static void keyid(struct work *w, const struct step *s)
{
    struct draft_signature *to = &w->draft->signatures[s->c % DRAFT_SIGNATURES];

    bf_keyid(to->keyid, site_public((enum site_node)(s->a % SITE_NODES), (enum site_key)(s->b % SITE_KEYS)));
}

/* The order of the base point, little-endian: RFC 8032, section 5.1. */
static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                   0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10 };

static void malleate(struct work *w, const struct step *s)
{
    uint8_t *half = w->draft->signatures[0].sig + 32;
    unsigned carry = 0;

    (void)s;
    for (unsigned i = 0; i < sizeof(order); i++) {
        carry += (unsigned)half[i] + order[i];
        half[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void more_signatures(struct work *w, const struct step *s)
{
    for (uint32_t i = 0; i <= s->a % 5; i++) {
        struct draft_signature more = draft_signature_of(other(w, s->b + i));

        draft_add_signature(w->draft, &more, s->c % 2 != 0);
    }
}

static void repeat_signature(struct work *w, const struct step *s)
{
    struct draft_signature own = w->draft->signatures[0];

    for (uint32_t i = 0; i <= s->a % 5; i++)
        draft_add_signature(w->draft, &own, false);
}

static void no_signature(struct work *w, const struct step *s)
{
    (void)s;
    w->draft->n_signatures = 0;
}

static void unknown_inside(struct work *w, const struct step *s)
{
    draft_put(w->draft->payload, DRAFT_PAYLOAD_MAX, &w->draft->payload_size, 9 + s->a % 7, &s->b, sizeof(s->b));
}

static void unknown_outside(struct work *w, const struct step *s)
{
    static const struct {
        uint8_t bytes[12];
        size_t size;
    } ways[] = {
        { { 0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }, 11 }, /* field 15, longest varint */
        { { 0x79, 1, 2, 3, 4, 5, 6, 7, 8 }, 9 },                                      /* fixed64 */
        { { 0x7d, 1, 2, 3, 4 }, 5 },                                                  /* fixed32 */
        { { 0x7b, 0x7c }, 2 },                                                        /* a group */
        { { 0x08, 1 }, 2 },                                                           /* the type as a number */
        { { 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f }, 6 },                                /* a payload of 4 GiB */
        { { 0x1a, 0 }, 2 },                                                           /* an empty signature */
        { { 0x00 }, 1 },                                                              /* field 0 */
    };
    struct draft *d = w->draft;
    size_t way = s->a % BF_COUNT_OF(ways);

    if (d->back_size + ways[way].size > sizeof(d->back))
        return;
    memcpy(d->back + d->back_size, ways[way].bytes, ways[way].size);
    d->back_size += ways[way].size;
}

static void repeat(struct work *w, const struct step *s, unsigned field, const void *data, size_t size)
{
    struct draft *d = w->draft;

    if (s->a % 2 == 0)
        draft_put(d->front, sizeof(d->front), &d->front_size, field, data, size);
    else
        draft_put(d->back, sizeof(d->back), &d->back_size, field, data, size);
}

static void repeat_type(struct work *w, const struct step *s)
{
    const char *type = bf_message_row(other(w, s->b)->type)->payload_type;

    repeat(w, s, 1, type, strlen(type));
}

static void repeat_payload(struct work *w, const struct step *s)
{
    repeat(w, s, 2, other(w, s->b)->payload, other(w, s->b)->payload_size);
}

static void pad(struct work *w, const struct step *s)
{
    static const size_t sizes[] = { 1, 15000, BF_ENVELOPE_MAX, BF_ENVELOPE_MAX + 4000, 32000 };
    /* With field and length, and nothing else added, exactly the largest that is taken, or one more. */
    size_t rest = BF_ENVELOPE_MAX - w->base->envelope_size - 3;

    w->draft->pad = s->a % 7 < BF_COUNT_OF(sizes) ? sizes[s->a % 7] : rest + s->a % 7 - BF_COUNT_OF(sizes);
}

static void sign(struct work *w, const struct step *s)
{
    draft_sign(w->draft, (enum site_node)(s->a % SITE_NODES), (enum site_key)(s->b % SITE_KEYS));
}

/* ---- to the bytes ---- */

static void flip(struct work *w, const struct step *s)
{
    if (w->forged->size > 0)
        w->forged->bytes[s->a % w->forged->size] ^= (uint8_t)(1u << s->b % 8);
}

static void overwrite(struct work *w, const struct step *s)
{
    for (uint32_t i = 0; i <= s->c % 16 && w->forged->size > 0; i++)
        w->forged->bytes[(s->a + i) % w->forged->size] = (uint8_t)(s->b >> i % 4 * 8);
}

/* Moves what stands from `at` on by `by` bytes to the right. */
static bool make_room(struct forged *f, size_t at, size_t by)
{
    if (f->size + by > FORGED_MAX)
        return false;
    memmove(f->bytes + at + by, f->bytes + at, f->size - at);
    f->size += by;
    return true;
}

static void insert(struct work *w, const struct step *s)
{
    size_t at = s->a % (w->forged->size + 1), by = 1 + s->c % 8;

    if (make_room(w->forged, at, by))
        memset(w->forged->bytes + at, (int)(s->b & 0xff), by);
}

static void delete_bytes(struct work *w, const struct step *s)
{
    struct forged *f = w->forged;
    size_t at = s->a % (f->size + 1), by = 1 + s->c % 32;

    if (by > f->size - at)
        by = f->size - at;
    memmove(f->bytes + at, f->bytes + at + by, f->size - at - by);
    f->size -= by;
}

static void duplicate(struct work *w, const struct step *s)
{
    struct forged *f = w->forged;
    size_t at = s->a % (f->size + 1), by = 1 + s->c % 128;

    if (by > f->size - at)
        by = f->size - at;
    if (make_room(f, at + by, by))
        memcpy(f->bytes + at + by, f->bytes + at, by);
}

static void truncate_bytes(struct work *w, const struct step *s)
{
    w->forged->size = s->a % (w->forged->size + 1);
}

/* ---- to the delivery ---- */

static void topic_from(struct work *w, const struct step *s)
{
    memcpy(w->at->topic, other(w, s->b)->topic, BF_TOPIC_SIZE);
}

static void topic_of(struct work *w, const struct step *s)
{
    struct bf_topic topic;

    if (bf_topic_parse(&topic, w->at->topic) == 0)
        bf_topic_format(w->at->topic, topic.site, topic.role, site_node_name((enum site_node)(s->a % SITE_NODES)),
                        topic.channel);
}

static void odd_topic(struct work *w, const struct step *s)
{
    static const char *const tails[] = { "/", "/state", "x", "/../desired", "#", "\n" };
    static const char *const whole[] = { "", "belfry/v1/home", "belfry/v1/home/camera/+/desired",
                                         "$SYS/broker/uptime" };
    size_t way = s->a % (BF_COUNT_OF(tails) + BF_COUNT_OF(whole));
    char *topic = w->at->topic;

    if (way < BF_COUNT_OF(tails))
        strncat(topic, tails[way], sizeof(w->at->topic) - strlen(topic) - 1);
    else
        snprintf(topic, sizeof(w->at->topic), "%s", whole[way - BF_COUNT_OF(tails)]);
}

static void later(struct work *w, const struct step *s)
{
    w->at->now_ms += s->a;
}

static void earlier(struct work *w, const struct step *s)
{
    w->at->now_ms -= s->a;
}

static void unsynced(struct work *w, const struct step *s)
{
    (void)s;
    w->at->clock_synced = false;
}

static void restarted(struct work *w, const struct step *s)
{
    w->at->starts = PRESENT_START + 1 + s->a % 2;
}

/* ---- all of them ---- */

enum phase { ON_PARTS, ON_PARTS_LAST, ON_BYTES, ON_DELIVERY };

static const struct {
    const char *word;
    enum phase phase;
    void (*apply)(struct work *w, const struct step *s);
} kinds[STEP_KINDS] = {
    [STEP_TYPE_FROM] = { "payload type of another", ON_PARTS, type_from },
    [STEP_PAYLOAD_FROM] = { "payload of another", ON_PARTS, payload_from },
    [STEP_SIGNATURE_FROM] = { "signature of another", ON_PARTS, signature_from },
    [STEP_ANY_TYPE] = { "another payload type", ON_PARTS, any_type },
    [STEP_ODD_TYPE] = { "odd payload type", ON_PARTS, odd_type },
    [STEP_HEADER_FROM] = { "header field of another", ON_PARTS, header_from },
    [STEP_HEADER_NUMBER] = { "header field set", ON_PARTS, header_number },
    [STEP_KEYID] = { "another key id", ON_PARTS, keyid },
    [STEP_MALLEATE] = { "S + L", ON_PARTS, malleate },
    [STEP_MORE_SIGNATURES] = { "more signatures", ON_PARTS, more_signatures },
    [STEP_REPEAT_SIGNATURE] = { "signature repeated", ON_PARTS, repeat_signature },
    [STEP_NO_SIGNATURE] = { "no signature", ON_PARTS, no_signature },
    [STEP_UNKNOWN_INSIDE] = { "unknown field inside", ON_PARTS, unknown_inside },
    [STEP_UNKNOWN_OUTSIDE] = { "unknown field outside", ON_PARTS, unknown_outside },
    [STEP_REPEAT_TYPE] = { "payload type repeated", ON_PARTS, repeat_type },
    [STEP_REPEAT_PAYLOAD] = { "payload repeated", ON_PARTS, repeat_payload },
    [STEP_PAD] = { "padded", ON_PARTS, pad },
    [STEP_SIGN] = { "signed by the attacker", ON_PARTS_LAST, sign },
    [STEP_FLIP] = { "bit flipped", ON_BYTES, flip },
    [STEP_OVERWRITE] = { "bytes overwritten", ON_BYTES, overwrite },
    [STEP_INSERT] = { "bytes inserted", ON_BYTES, insert },
    [STEP_DELETE] = { "bytes deleted", ON_BYTES, delete_bytes },
    [STEP_DUPLICATE] = { "bytes duplicated", ON_BYTES, duplicate },
    [STEP_TRUNCATE] = { "truncated", ON_BYTES, truncate_bytes },
    [STEP_TOPIC_FROM] = { "on the topic of another", ON_DELIVERY, topic_from },
    [STEP_TOPIC_OF] = { "on the topic of another node", ON_DELIVERY, topic_of },
    [STEP_ODD_TOPIC] = { "on an odd topic", ON_DELIVERY, odd_topic },
    [STEP_LATER] = { "later", ON_DELIVERY, later },
    [STEP_EARLIER] = { "earlier", ON_DELIVERY, earlier },
    [STEP_UNSYNCED] = { "receiver without a clock", ON_DELIVERY, unsynced },
    [STEP_RESTARTED] = { "receiver restarted", ON_DELIVERY, restarted },
};

void mutation_draw(struct mutation *ret, struct prng *p)
{
    ret->n = 1;
    while (ret->n < STEPS_MAX && prng_chance(p, 35))
        ret->n++;
    for (unsigned i = 0; i < ret->n; i++) {
        struct step *s = &ret->steps[i];

        *s = (struct step){ .kind = (enum step_kind)prng_below(p, STEP_KINDS),
                            .a = (uint32_t)prng_next(p),
                            .b = (uint32_t)prng_next(p),
                            .c = (uint32_t)prng_next(p) };
        if (s->kind == STEP_LATER || s->kind == STEP_EARLIER)
            s->a %= prng_chance(p, 50) ? 100000 : 36000000; /* ten hours: keys count for a day */
    }
}

static void carry_out(const struct mutation *m, enum phase phase, struct work *w)
{
    for (unsigned i = 0; i < m->n; i++)
        if (kinds[m->steps[i].kind].phase == phase)
            kinds[m->steps[i].kind].apply(w, &m->steps[i]);
}

void mutation_apply(const struct mutation *m, const struct statement *all, size_t n, size_t base, struct forged *ret,
                    struct place *at)
{
    static struct draft draft;
    struct work w = { .all = all, .base = &all[base], .n = n, .draft = &draft, .forged = ret, .at = at };

    draft_of(&draft, &all[base]);
    carry_out(m, ON_PARTS, &w);
    carry_out(m, ON_PARTS_LAST, &w);
    draft_pack(&draft, ret);
    carry_out(m, ON_BYTES, &w);
    carry_out(m, ON_DELIVERY, &w);
}

void mutation_print(const struct mutation *m, FILE *f)
{
    for (unsigned i = 0; i < m->n; i++)
        fprintf(f, "    %s (a=%u b=%u c=%u)\n", kinds[m->steps[i].kind].word, m->steps[i].a, m->steps[i].b,
                m->steps[i].c);
}
