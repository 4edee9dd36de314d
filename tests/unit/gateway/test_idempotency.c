/* Answers by Idempotency-Key: once carried out, then as before, for a while and for so many. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/idempotency.h"

#define ROOM 3
#define LIFE_MS 1000
#define WAIT_MS 10000

static struct bf_idempotency *d;

static int setup(void **state)
{
    (void)state;
    return bf_idempotency_new(&d, ROOM, LIFE_MS);
}

static int teardown(void **state)
{
    (void)state;
    bf_idempotency_free(d);
    return 0;
}

static struct bf_idempotency_ask ask_of(const char *caller, const char *key, const char *method, const char *path,
                                        const char *body)
{
    struct bf_idempotency_ask ask;

    assert_int_equal(bf_idempotency_ask_make(&ask, caller, key, method, path, body, strlen(body)), 0);
    return ask;
}

static struct bf_idempotency_ask post(const char *key, const char *body)
{
    return ask_of("", key, "POST", "/x", body);
}

static enum bf_idempotency_verdict enter(const struct bf_idempotency_ask *ask, uint64_t now_ms, size_t *ret_place,
                                         struct bf_answer *ret)
{
    return bf_idempotency_enter(d, ask, now_ms, 1, ret_place, ret);
}

static void answer(size_t place, int status, const char *body, uint64_t now_ms)
{
    struct bf_answer a = { .status = status, .location = "/where", .body = strdup(body), .size = strlen(body) };

    bf_idempotency_leave(d, place, &a, now_ms);
}

/* A whole exchange, which must be the first with its key. */
static void carry_out(const char *key, int status, uint64_t now_ms)
{
    const struct bf_idempotency_ask ask = post(key, "");
    struct bf_answer a;
    size_t place;

    assert_int_equal(enter(&ask, now_ms, &place, &a), BF_IDEMPOTENCY_FIRST);
    answer(place, status, key, now_ms);
}

static enum bf_idempotency_verdict look(const char *key, uint64_t now_ms)
{
    const struct bf_idempotency_ask ask = post(key, "");
    struct bf_answer a = { 0 };
    size_t place;
    enum bf_idempotency_verdict verdict = enter(&ask, now_ms, &place, &a);

    bf_answer_done(&a);
    return verdict;
}

static void test_answered_as_before(void **state)
{
    const struct bf_idempotency_ask ask = post("a", "{}");
    struct bf_answer a;
    size_t place;

    (void)state;
    assert_int_equal(enter(&ask, 0, &place, &a), BF_IDEMPOTENCY_FIRST);
    answer(place, 201, "body", 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(enter(&ask, 5 + LIFE_MS - 1, &place, &a), BF_IDEMPOTENCY_REPLAYED);
        assert_int_equal(a.status, 201);
        assert_string_equal(a.location, "/where");
        assert_int_equal(a.size, 4);
        assert_string_equal(a.body, "body");
        bf_answer_done(&a);
    }
}

static void test_another_request(void **state)
{
    const struct bf_idempotency_ask first = post("a", "{}"), others[] = {
        post("a", "{ }"),
        ask_of("", "a", "POST", "/y", "{}"),
        ask_of("", "a", "DELETE", "/x", "{}"),
    };
    struct bf_answer a;
    size_t place;

    (void)state;
    assert_int_equal(enter(&first, 0, &place, &a), BF_IDEMPOTENCY_FIRST);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(enter(&others[i], 0, &place, &a), BF_IDEMPOTENCY_OTHER);
    answer(place, 200, "", 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(enter(&others[i], 0, &place, &a), BF_IDEMPOTENCY_OTHER);
}

static void test_keys_belong_to_their_caller(void **state)
{
    const struct bf_idempotency_ask one = ask_of("https://one.example", "a", "POST", "/x", ""),
                                    two = ask_of("https://two.example", "a", "POST", "/x", ""),
                                    cut = ask_of("https://one.example"
                                                 "a",
                                                 "", "POST", "/x", "");
    struct bf_answer a;
    size_t place;

    (void)state;
    assert_int_equal(enter(&one, 0, &place, &a), BF_IDEMPOTENCY_FIRST);
    assert_int_equal(enter(&two, 0, &place, &a), BF_IDEMPOTENCY_FIRST);
    assert_int_equal(enter(&cut, 0, &place, &a), BF_IDEMPOTENCY_FIRST);
}

static void test_unavailable_is_not_kept(void **state)
{
    (void)state;
    carry_out("a", 503, 0);
    carry_out("a", 504, 1);
    assert_int_equal(look("a", 2), BF_IDEMPOTENCY_REPLAYED);
}

static void test_long_answers_are_not_kept(void **state)
{
    const struct bf_idempotency_ask ask = post("a", "");
    struct bf_answer a = { .status = 200,
                           .body = calloc(1, BF_IDEMPOTENCY_BODY_MAX + 2),
                           .size = BF_IDEMPOTENCY_BODY_MAX + 1 };
    size_t place;

    (void)state;
    assert_int_equal(enter(&ask, 0, &place, NULL), BF_IDEMPOTENCY_FIRST);
    bf_idempotency_leave(d, place, &a, 0);
    assert_null(a.body);
    assert_int_equal(look("a", 0), BF_IDEMPOTENCY_FIRST);
}

static void test_time_is_bounded(void **state)
{
    (void)state;
    carry_out("a", 200, 100);
    assert_int_equal(look("a", 100 + LIFE_MS - 1), BF_IDEMPOTENCY_REPLAYED);
    assert_int_equal(look("a", 100 + LIFE_MS), BF_IDEMPOTENCY_FIRST);
}

static void test_an_answer_from_a_later_moment(void **state)
{
    (void)state;
    carry_out("a", 200, 100);
    assert_int_equal(look("a", 99), BF_IDEMPOTENCY_REPLAYED); /* another thread was quicker */
}

static void test_number_is_bounded(void **state)
{
    (void)state;
    carry_out("a", 200, 0);
    carry_out("b", 200, 1);
    carry_out("c", 200, 2);
    carry_out("d", 200, 3);
    assert_int_equal(look("b", 4), BF_IDEMPOTENCY_REPLAYED);
    assert_int_equal(look("c", 4), BF_IDEMPOTENCY_REPLAYED);
    assert_int_equal(look("d", 4), BF_IDEMPOTENCY_REPLAYED);
    assert_int_equal(look("a", 4), BF_IDEMPOTENCY_FIRST); /* and takes the place of the oldest, b */
    assert_int_equal(look("c", 4), BF_IDEMPOTENCY_REPLAYED);
    assert_int_equal(look("b", 4), BF_IDEMPOTENCY_FIRST);
}

static void test_what_runs_is_never_dropped(void **state)
{
    struct bf_idempotency_ask asks[ROOM + 1] = { post("a", ""), post("b", ""), post("c", ""), post("d", "") };
    size_t places[ROOM + 1];
    struct bf_answer a;

    (void)state;
    for (size_t i = 0; i < ROOM; i++)
        assert_int_equal(enter(&asks[i], 0, &places[i], &a), BF_IDEMPOTENCY_FIRST);
    assert_int_equal(enter(&asks[ROOM], LIFE_MS * 9, &places[ROOM], &a), BF_IDEMPOTENCY_FULL);
    assert_int_equal(enter(&asks[0], LIFE_MS * 9, &places[ROOM], &a), BF_IDEMPOTENCY_LATE);
    answer(places[1], 200, "", LIFE_MS * 9);
    assert_int_equal(enter(&asks[ROOM], LIFE_MS * 9, &places[ROOM], &a), BF_IDEMPOTENCY_FIRST);
    assert_int_equal(places[ROOM], places[1]);
}

/* --- those who come while it runs --- */

#define JOINERS 8

struct joiner {
    pthread_t thread;
    struct bf_idempotency_ask ask;
    enum bf_idempotency_verdict verdict;
    struct bf_answer answer;
};
static pthread_barrier_t ready;

static void *join(void *user)
{
    struct joiner *j = user;
    size_t place;

    pthread_barrier_wait(&ready);
    j->verdict = bf_idempotency_enter(d, &j->ask, 0, WAIT_MS, &place, &j->answer);
    return NULL;
}

static void all_get(int status, const char *body)
{
    const struct bf_idempotency_ask ask = post("a", "");
    struct joiner joiners[JOINERS];
    struct bf_answer a;
    size_t place;

    assert_int_equal(enter(&ask, 0, &place, &a), BF_IDEMPOTENCY_FIRST);
    pthread_barrier_init(&ready, NULL, JOINERS + 1);
    for (size_t i = 0; i < JOINERS; i++) {
        joiners[i] = (struct joiner){ .ask = ask };
        assert_int_equal(pthread_create(&joiners[i].thread, NULL, join, &joiners[i]), 0);
    }
    pthread_barrier_wait(&ready);
    answer(place, status, body, 0);
    for (size_t i = 0; i < JOINERS; i++) {
        pthread_join(joiners[i].thread, NULL);
        assert_true(joiners[i].verdict == BF_IDEMPOTENCY_JOINED || joiners[i].verdict == BF_IDEMPOTENCY_REPLAYED);
        assert_int_equal(joiners[i].answer.status, status);
        assert_string_equal(joiners[i].answer.body, body);
        bf_answer_done(&joiners[i].answer);
    }
    pthread_barrier_destroy(&ready);
}

static void test_those_who_come_meanwhile(void **state)
{
    (void)state;
    all_get(201, "made");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answered_as_before),          TEST(test_another_request),
        TEST(test_keys_belong_to_their_caller), TEST(test_unavailable_is_not_kept),
        TEST(test_long_answers_are_not_kept),   TEST(test_time_is_bounded),
        TEST(test_number_is_bounded),           TEST(test_what_runs_is_never_dropped),
        TEST(test_those_who_come_meanwhile),    TEST(test_an_answer_from_a_later_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
