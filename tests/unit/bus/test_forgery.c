/* Nothing forged is believed: statements of a whole site, mutated at random, delivered to every kind of receiver.
 *
 *   test-forgery [--count N] [--seed S]
 *
 * N mutated deliveries; without a seed the clock gives one. Whatever fails is printed as the shortest list of steps that
 * still fails, with what brings it back. The judge itself is tried on receivers that are wrong on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "forgery/faults.h"
#include "forgery/judge.h"

#define A_ROUND 2000        /* deliveries to one world */
#define THOROUGH_EVERY 1000 /* deliveries */
#define EVERY_REASON 50000  /* deliveries in which each kind of refusal must have been seen */

#ifndef FORGERY_COUNT
#define FORGERY_COUNT 150000
#endif

static uint64_t count = FORGERY_COUNT, seed;

struct round {
    struct world world;
    struct prng prng;
    struct delivery last[THOROUGH_EVERY]; /* since the windows were last looked through */
    unsigned n_last;
};

/* Half of the time where it may be taken: most statements are for one node, and few for any other. */
static size_t draw_receiver(struct round *r, const struct statement *s)
{
    size_t first = prng_below(&r->prng, WORLD_RECEIVERS);

    if (prng_chance(&r->prng, 50))
        return first;
    for (size_t i = 0; i < WORLD_RECEIVERS; i++)
        if (r->world.receivers[(first + i) % WORLD_RECEIVERS].node == s->owner)
            return (first + i) % WORLD_RECEIVERS;
    return first; /* of a node that is none of the receivers */
}

static void draw(struct round *r, struct delivery *ret)
{
    ret->statement = prng_below(&r->prng, WORLD_STATEMENTS);
    ret->receiver = draw_receiver(r, &r->world.statements[ret->statement]);
    ret->mutation.n = 0;
    if (!prng_chance(&r->prng, 15))
        mutation_draw(&ret->mutation, &r->prng);
}

static const char *deliver_again(struct world *w, const struct delivery *d)
{
    struct receiver *r = &w->receivers[d->receiver];
    size_t taken = r->n_taken;
    const char *wrong = world_deliver(w, d, true, NULL);

    receiver_rewind(r, taken);
    return wrong;
}

/* Takes away every step that it fails without. */
static const char *shrink(struct world *w, struct delivery *d, const char *wrong)
{
    for (unsigned i = 0; i < d->mutation.n;) {
        struct delivery shorter = *d;
        const char *still;

        shorter.mutation.n--;
        memmove(&shorter.mutation.steps[i], &shorter.mutation.steps[i + 1],
                (d->mutation.n - i - 1) * sizeof(struct step));
        still = deliver_again(w, &shorter);
        if (still == NULL) {
            i++;
            continue;
        }
        *d = shorter;
        wrong = still;
        i = 0;
    }
    return wrong;
}

/* A delivery moved the windows of a receiver: one of the last. */
static const char *blame(struct round *r, struct delivery *ret)
{
    for (size_t i = 0; i < WORLD_RECEIVERS; i++)
        receiver_rewind(&r->world.receivers[i], r->world.receivers[i].n_taken);
    for (unsigned i = 0; i < r->n_last; i++) {
        const char *found = deliver_again(&r->world, &r->last[i]);

        if (found != NULL) {
            *ret = r->last[i];
            return found;
        }
    }
    return "moved its replay windows by something that does not do so again";
}

static bool all_unmoved(const struct world *w)
{
    for (size_t i = 0; i < WORLD_RECEIVERS; i++)
        if (!receiver_unmoved(&w->receivers[i], true))
            return false;
    return true;
}

/* One round; NULL, or what went wrong, with the delivery as short as it gets. */
static const char *play(struct round *r, uint64_t round_seed, judged_verify *verify, struct tally *tally,
                        struct delivery *ret)
{
    const char *wrong = NULL;

    world_init(&r->world, round_seed, verify);
    r->prng.state = ~round_seed;
    for (unsigned i = 0; i < A_ROUND && wrong == NULL; i++) {
        r->n_last = i % THOROUGH_EVERY;
        draw(r, ret);
        r->last[r->n_last++] = *ret;
        wrong = world_deliver(&r->world, ret, false, tally);
        if (wrong == NULL && r->n_last == THOROUGH_EVERY && !all_unmoved(&r->world))
            wrong = blame(r, ret);
    }
    if (wrong == NULL)
        return NULL;
    receiver_rewind(&r->world.receivers[ret->receiver], r->world.receivers[ret->receiver].n_taken);
    return shrink(&r->world, ret, wrong);
}

static void print_tally(const struct tally *t, uint64_t took_ms)
{
    print_message("%" PRIu64 " mutated of %" PRIu64 " delivered in %" PRIu64 " ms: %" PRIu64 " a second\n", t->mutated,
                  t->delivered, took_ms, t->delivered * 1000 / (took_ms + 1));
    for (unsigned why = 0; why < BF_REFUSALS; why++)
        if (t->refusals[why] > 0)
            print_message("  %-18s %" PRIu64 "\n", bf_refusal_name((enum bf_refusal)why), t->refusals[why]);
}

static void test_nothing_forged_is_taken(void **state)
{
    static struct round round;
    struct tally tally = { .mutated = 0 };
    uint64_t begin_ms = bf_mono_ms(), round_seed = seed;

    (void)state;
    print_message("seed %" PRIu64 "\n", seed);
    for (; tally.mutated < count; round_seed++) {
        struct delivery d;
        const char *wrong = play(&round, round_seed, bf_verify, &tally, &d);

        if (wrong != NULL) {
            fprintf(stderr, "a receiver %s; again: test-forgery --count 1 --seed %" PRIu64 "\n", wrong, round_seed);
            world_print(&round.world, &d, stderr);
        }
        world_done(&round.world);
        assert_null(wrong);
    }
    print_tally(&tally, bf_mono_ms() - begin_ms);
    if (tally.delivered < EVERY_REASON)
        return;
    for (unsigned why = 0; why < BF_REFUSALS; why++) /* leases are the services' own */
        if (why != BF_REFUSED_LEASE_EPOCH && tally.refusals[why] == 0)
            fail_msg("not one delivery came to %s: the mutations do not reach it",
                     bf_refusal_name((enum bf_refusal)why));
}

/* Each fault is found, and shortened to what makes it show. */
static void test_every_fault_is_found(void **state)
{
    static struct round round;

    (void)state;
    for (size_t i = 0; i < faults_n; i++) {
        const char *wrong = NULL;
        struct delivery d;
        unsigned rounds = 0;

        for (; rounds < 10 && wrong == NULL; rounds++) {
            wrong = play(&round, seed + rounds, faults[i].verify, NULL, &d);
            world_done(&round.world);
        }
        if (wrong == NULL)
            fail_msg("%s: not found in %u rounds", faults[i].what, rounds);
        if (d.mutation.n > faults[i].steps)
            fail_msg("%s: %u steps left; %u would show it", faults[i].what, d.mutation.n, faults[i].steps);
    }
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "test-forgery: %s: expected a number\n", text);
        exit(64);
    }
    return value;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "count", required_argument, NULL, 'n' },
                                           { "seed", required_argument, NULL, 's' },
                                           { NULL, 0, NULL, 0 } };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_fault_is_found),
        cmocka_unit_test(test_nothing_forged_is_taken),
    };

    seed = bf_unix_ms();
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'n')
            count = number(optarg);
        else if (c == 's')
            seed = number(optarg);
        else
            return 64;
    }
    return cmocka_run_group_tests_name("forgery", tests, NULL, NULL);
}
