#include "gateway/idempotency.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/cond.h"
#include "stream/sha256.h"

enum place_state { PLACE_EMPTY, PLACE_RUNS, PLACE_ANSWERED };

struct place {
    struct bf_idempotency_ask ask;
    enum place_state state;
    bool passing; /* answered, but for those only who wait for it already */
    unsigned waiting;
    uint64_t since_ms;
    struct bf_answer answer;
};

struct bf_idempotency {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct place *places;
    size_t room;
    uint64_t life_ms;
};

/* --- answers and asks --- */

int bf_answer_copy(struct bf_answer *ret, const struct bf_answer *a)
{
    char *body = NULL;

    if (a->body != NULL) {
        body = malloc(a->size + 1);
        if (body == NULL)
            return -ENOMEM;
        memcpy(body, a->body, a->size);
        body[a->size] = '\0';
    }
    *ret = *a;
    ret->body = body;
    return 0;
}

void bf_answer_done(struct bf_answer *a)
{
    free(a->body);
    *a = (struct bf_answer){ 0 };
}

/* A text with its end, so that two of them cannot be cut differently. */
static void add_text(struct bf_sha256 *h, const char *text)
{
    bf_sha256_add(h, text, strlen(text) + 1);
}

int bf_idempotency_ask_make(struct bf_idempotency_ask *ret, const char *caller, const char *key, const char *method,
                            const char *path, const void *body, size_t size)
{
    _cleanup_(bf_sha256_freep) struct bf_sha256 *h = NULL;
    int r = bf_sha256_new(&h);

    if (r < 0)
        return r;
    add_text(h, caller);
    add_text(h, key);
    r = bf_sha256_value(h, ret->key);
    if (r < 0)
        return r;
    bf_sha256_begin(h);
    add_text(h, method);
    add_text(h, path);
    bf_sha256_add(h, body, size);
    return bf_sha256_value(h, ret->request);
}

/* --- places; all with the lock held. They are taken in order and none becomes empty again. --- */

/* Whoever took its time before the lock comes with a time that is earlier than that of the answer. */
static bool is_over(const struct bf_idempotency *d, const struct place *p, uint64_t now_ms)
{
    uint64_t age_ms = now_ms > p->since_ms ? now_ms - p->since_ms : 0;

    return p->state == PLACE_ANSWERED && (p->passing || age_ms >= d->life_ms);
}

static struct place *find(struct bf_idempotency *d, const struct bf_idempotency_ask *ask, uint64_t now_ms)
{
    for (size_t i = 0; i < d->room && d->places[i].state != PLACE_EMPTY; i++) {
        struct place *p = &d->places[i];

        if (!is_over(d, p, now_ms) && memcmp(p->ask.key, ask->key, sizeof ask->key) == 0)
            return p;
    }
    return NULL;
}

/* An empty place, else one whose time is over, else the one that was answered longest ago. NULL: all are needed. */
static struct place *make_room(struct bf_idempotency *d, uint64_t now_ms)
{
    struct place *oldest = NULL;

    for (size_t i = 0; i < d->room; i++) {
        struct place *p = &d->places[i];

        if (p->state == PLACE_EMPTY)
            return p;
        if (p->state != PLACE_ANSWERED || p->waiting > 0)
            continue;
        if (oldest == NULL || is_over(d, p, now_ms) || p->since_ms < oldest->since_ms)
            oldest = p;
        if (is_over(d, oldest, now_ms))
            break;
    }
    return oldest;
}

static enum bf_idempotency_verdict begin(struct bf_idempotency *d, const struct bf_idempotency_ask *ask,
                                         uint64_t now_ms, size_t *ret_place)
{
    struct place *p = make_room(d, now_ms);

    if (p == NULL)
        return BF_IDEMPOTENCY_FULL;
    bf_answer_done(&p->answer);
    *p = (struct place){ .ask = *ask, .state = PLACE_RUNS, .since_ms = now_ms };
    *ret_place = (size_t)(p - d->places);
    return BF_IDEMPOTENCY_FIRST;
}

static enum bf_idempotency_verdict repeat(struct bf_idempotency *d, struct place *p, uint64_t wait_ms,
                                          struct bf_answer *ret)
{
    bool joined = p->state == PLACE_RUNS;
    uint64_t until_us = bf_mono_us() + wait_ms * 1000;
    int r = 0;

    p->waiting++;
    while (p->state == PLACE_RUNS && r != ETIMEDOUT)
        r = bf_cond_wait_until(&d->answered, &d->lock, until_us);
    p->waiting--;
    if (p->state == PLACE_RUNS || p->answer.status == 0 || bf_answer_copy(ret, &p->answer) < 0)
        return BF_IDEMPOTENCY_LATE;
    return joined ? BF_IDEMPOTENCY_JOINED : BF_IDEMPOTENCY_REPLAYED;
}

/* --- in and out --- */

enum bf_idempotency_verdict bf_idempotency_enter(struct bf_idempotency *d, const struct bf_idempotency_ask *ask,
                                                 uint64_t now_ms, uint64_t wait_ms, size_t *ret_place,
                                                 struct bf_answer *ret)
{
    enum bf_idempotency_verdict verdict;

    pthread_mutex_lock(&d->lock);
    struct place *p = find(d, ask, now_ms);
    if (p == NULL)
        verdict = begin(d, ask, now_ms, ret_place);
    else if (memcmp(p->ask.request, ask->request, sizeof ask->request) != 0)
        verdict = BF_IDEMPOTENCY_OTHER;
    else
        verdict = repeat(d, p, wait_ms, ret);
    pthread_mutex_unlock(&d->lock);
    return verdict;
}

void bf_idempotency_leave(struct bf_idempotency *d, size_t place, struct bf_answer *answer, uint64_t now_ms)
{
    pthread_mutex_lock(&d->lock);
    struct place *p = &d->places[place];
    p->state = PLACE_ANSWERED;
    p->since_ms = now_ms;
    p->passing = answer->status == 0 || answer->status == 503 || answer->size > BF_IDEMPOTENCY_BODY_MAX;
    p->answer = *answer;
    *answer = (struct bf_answer){ 0 };
    pthread_cond_broadcast(&d->answered);
    pthread_mutex_unlock(&d->lock);
}

int bf_idempotency_new(struct bf_idempotency **ret, size_t room, uint64_t life_ms)
{
    struct bf_idempotency *d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;

    d->room = room;
    d->life_ms = life_ms;
    pthread_mutex_init(&d->lock, NULL);
    bf_cond_init(&d->answered);
    d->places = calloc(room, sizeof *d->places);
    if (d->places == NULL) {
        bf_idempotency_free(d);
        return -ENOMEM;
    }
    *ret = d;
    return 0;
}

void bf_idempotency_free(struct bf_idempotency *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; d->places != NULL && i < d->room; i++)
        bf_answer_done(&d->places[i].answer);
    pthread_cond_destroy(&d->answered);
    pthread_mutex_destroy(&d->lock);
    free(d->places);
    free(d);
}
