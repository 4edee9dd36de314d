/* Answers kept by Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07), so that a request that is sent again,
 * since nobody knows what became of the first, is answered as before and carried out once. Any thread.
 *
 * A key belongs to its caller and to one request: the same key with another request is refused. Who comes while the
 * first is being carried out waits for its answer. An answer of 503 is not kept: it says that nothing came of the
 * request, and the next with its key tries anew. Nothing outlives the process. */
#ifndef BELFRY_GATEWAY_IDEMPOTENCY_H
#define BELFRY_GATEWAY_IDEMPOTENCY_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define BF_IDEMPOTENCY_KEYS 1024       /* answers of about 1 KB each; beyond them the oldest goes */
#define BF_IDEMPOTENCY_LIFE_MS 600000U /* clients give up within minutes; an older answer tells of a stream long gone */
#define BF_IDEMPOTENCY_BODY_MAX 4096   /* a longer answer reaches those who wait for it and is not kept */

/* What a client was told. Zero-initialise. */
struct bf_answer {
    int status; /* HTTP; 0: none */
    unsigned retry_after_s;
    char type[40], location[128], allow[64], cache[48]; /* "" where there was none */
    char *body;                                         /* malloc'd; NULL: none */
    size_t size;                                        /* of the body, bytes */
};
int bf_answer_copy(struct bf_answer *ret, const struct bf_answer *a); /* 0 or -ENOMEM */
void bf_answer_done(struct bf_answer *a);

/* Who asks by which key for what: SHA-256 of caller and key, and of the request. */
struct bf_idempotency_ask {
    uint8_t key[32], request[32];
};
int bf_idempotency_ask_make(struct bf_idempotency_ask *ret, const char *caller, const char *key, const char *method,
                            const char *path, const void *body, size_t size); /* 0, -ENOMEM or -EIO */

enum bf_idempotency_verdict {
    BF_IDEMPOTENCY_FIRST,    /* carry it out, then call bf_idempotency_leave */
    BF_IDEMPOTENCY_REPLAYED, /* *ret is the answer; release it with bf_answer_done */
    BF_IDEMPOTENCY_JOINED,   /* the same, after waiting for it */
    BF_IDEMPOTENCY_OTHER,    /* the key stands for another request */
    BF_IDEMPOTENCY_LATE,     /* the first is still being carried out after wait_ms, or left no answer */
    BF_IDEMPOTENCY_FULL      /* as many are being carried out as there is room for */
};

struct bf_idempotency;
int bf_idempotency_new(struct bf_idempotency **ret, size_t room, uint64_t life_ms);
void bf_idempotency_free(struct bf_idempotency *d); /* nobody may be inside; NULL is fine */

/* *ret_place is for bf_idempotency_leave and set with BF_IDEMPOTENCY_FIRST only. Times are monotonic ms. */
enum bf_idempotency_verdict bf_idempotency_enter(struct bf_idempotency *d, const struct bf_idempotency_ask *ask,
                                                 uint64_t now_ms, uint64_t wait_ms, size_t *ret_place,
                                                 struct bf_answer *ret);
/* Takes what `answer` holds. */
void bf_idempotency_leave(struct bf_idempotency *d, size_t place, struct bf_answer *answer, uint64_t now_ms);

BF_DEFINE_CLEANUP(struct bf_idempotency, bf_idempotency_free)

#endif
