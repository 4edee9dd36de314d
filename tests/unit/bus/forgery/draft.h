/* An envelope taken apart, to be put together wrongly. */
#ifndef BELFRY_TESTS_FORGERY_DRAFT_H
#define BELFRY_TESTS_FORGERY_DRAFT_H

#include "forgery/mutation.h"

#define DRAFT_PAYLOAD_MAX 20000
#define DRAFT_SIGNATURES 8

struct draft_signature {
    uint8_t keyid[BF_KEYID_SIZE], sig[BF_SIGNATURE_SIZE];
};

struct draft {
    enum bf_message_type row; /* whose form the payload has */
    uint8_t type[256], payload[DRAFT_PAYLOAD_MAX];
    size_t type_size, payload_size;
    struct draft_signature signatures[DRAFT_SIGNATURES];
    unsigned n_signatures;
    uint8_t front[4096], back[4096]; /* more fields of the envelope, as they travel */
    size_t front_size, back_size;
    size_t pad; /* bytes of one more unknown field */
};

void draft_of(struct draft *ret, const struct statement *s);
void draft_set_type(struct draft *d, const void *type, size_t size);
void draft_set_payload(struct draft *d, const uint8_t *payload, size_t size);
struct draft_signature draft_signature_of(const struct statement *s);
void draft_add_signature(struct draft *d, const struct draft_signature *s, bool in_front);

/* Header field `field` becomes that of `from`'s header, or `number` where from is NULL. Leaves a payload that does not
 * parse as it is. */
void draft_change_header(struct draft *d, unsigned field, const struct statement *from, uint64_t number);
/* Signs what the draft says by now, in place of its signatures. Not where that would be the node's own word. */
void draft_sign(struct draft *d, enum site_node node, enum site_key key);

/* A length-delimited field, appended at *size. */
void draft_put(uint8_t *to, size_t max, size_t *size, unsigned field, const void *data, size_t data_size);
void draft_pack(const struct draft *d, struct forged *ret);

#endif
