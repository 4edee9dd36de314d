/* From an HTTP thread to the loop thread and back: a request is put into a bounded mailbox, the thread waits on the
 * call's own condition with a deadline, the loop answers when it can. */
#ifndef BELFRY_GATEWAY_CALLS_H
#define BELFRY_GATEWAY_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "gateway/orchestrator.h"

enum bf_call_kind {
    BF_CALL_CAMERAS, /* body: all cameras */
    BF_CALL_CAMERA,  /* body: one */
    BF_CALL_STREAM,  /* body: its stream */
    BF_CALL_START,
    BF_CALL_STOP,
    BF_CALL_PRESENT, /* body: every camera as an event, for a new listener */
    BF_CALL_SNAPSHOT,
    BF_CALL_PROTECT, /* PATCH of a recording */
    BF_CALL_DELETE   /* of a recording */
};

/* Made by bf_call_new, asked with bf_calls_ask, released with bf_call_unref. Fields above the line are the question and
 * belong to the asker until it asks; those below are the answer and may be read once bf_calls_ask has returned 0. */
struct bf_call {
    enum bf_call_kind kind;
    char camera[BF_ID_SIZE];
    char recording[BF_ULID_SIZE];
    struct bf_want want;
    bool is_protected;
    char title[201];
    char instance[128]; /* address that was asked, for a problem */

    int status;         /* HTTP */
    char *body;         /* JSON, malloc'd; a problem when status is 400 or more */
    char location[128]; /* or "" */
    unsigned retry_after_s;
    char session[BF_ULID_SIZE];
    char code[49], detail[400]; /* of a problem */
};

struct bf_calls;
/* `handle` is called on the loop for each call; it answers now or later, once, with bf_call_answer. */
int bf_calls_new(struct bf_calls **ret, uv_loop_t *loop, void (*handle)(void *user, struct bf_call *c), void *user);
/* No more calls are taken: those in the mailbox and later ones fail with -ESHUTDOWN. */
void bf_calls_shut(struct bf_calls *c);
void bf_calls_free(struct bf_calls *c); /* its handle closes with the loop's next turns; NULL is fine */

struct bf_call *bf_call_new(enum bf_call_kind kind); /* NULL: no memory */
void bf_call_unref(struct bf_call *call);
/* On the loop: keep the call for an answer later; each ref is released by one bf_call_unref. */
struct bf_call *bf_call_ref(struct bf_call *call);

/* Any thread but the loop's. -ENOBUFS: too many calls wait; -ETIMEDOUT; -ESHUTDOWN. */
int bf_calls_ask(struct bf_calls *c, struct bf_call *call, uint64_t timeout_ms);
/* On the loop, once the answer's fields are set. Has no effect when nobody waits any more. */
void bf_call_answer(struct bf_call *call);
/* On the loop: is somebody still waiting? */
bool bf_call_wanted(struct bf_call *call);

#endif
