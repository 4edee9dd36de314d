/* The replay windows, as a table of messages in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "bus/replay.h"

enum { STATE = 1, CMD = 3, WILL = 6 };

struct step {
    const char *sender;
    int channel;
    uint64_t epoch, sequence;
    enum bf_replay_verdict expected;
};

static void play(const struct step *steps, size_t n, unsigned max_senders)
{
    struct bf_replay *r;

    assert_int_equal(bf_replay_new(&r, max_senders), 0);
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        enum bf_replay_verdict looked = bf_replay_check(r, s->sender, s->channel, s->epoch, s->sequence);
        enum bf_replay_verdict accepted = bf_replay_accept(r, s->sender, s->channel, s->epoch, s->sequence);

        if (looked != s->expected || accepted != s->expected)
            fail_msg("step %zu: expected %d, looked %d, accepted %d", i, s->expected, looked, accepted);
    }
    bf_replay_free(r);
}

static void test_window(void **state)
{
    static const struct step steps[] = {
        { "a", STATE, 1, 0, BF_REPLAY_TOO_OLD }, /* sequences start at 1 */
        { "a", STATE, 1, 5, BF_REPLAY_NEW },
        { "a", STATE, 1, 5, BF_REPLAY_DUPLICATE },
        { "a", STATE, 1, 3, BF_REPLAY_NEW }, /* late, but inside */
        { "a", STATE, 1, 3, BF_REPLAY_DUPLICATE },
        { "a", STATE, 1, 6, BF_REPLAY_NEW },
        { "a", STATE, 1, 5, BF_REPLAY_DUPLICATE },
        { "a", STATE, 1, 69, BF_REPLAY_NEW }, /* 6 is the last one inside now */
        { "a", STATE, 1, 6, BF_REPLAY_DUPLICATE },
        { "a", STATE, 1, 5, BF_REPLAY_TOO_OLD },
        { "a", STATE, 1, 7, BF_REPLAY_NEW },
        { "a", STATE, 1, 1000, BF_REPLAY_NEW }, /* far ahead: everything before is left of the window */
        { "a", STATE, 1, 69, BF_REPLAY_TOO_OLD },
        { "a", STATE, 1, 937, BF_REPLAY_NEW },
        { "a", STATE, 1, 936, BF_REPLAY_TOO_OLD },
        { "a", STATE, 1, UINT64_MAX, BF_REPLAY_NEW },
        { "a", STATE, 1, UINT64_MAX - 63, BF_REPLAY_NEW },
        { "a", STATE, 1, UINT64_MAX - 64, BF_REPLAY_TOO_OLD },
    };

    (void)state;
    play(steps, BF_COUNT_OF(steps), 4);
}

static void test_epochs(void **state)
{
    static const struct step steps[] = {
        { "a", STATE, 3, 50, BF_REPLAY_NEW },
        { "a", CMD, 3, 9, BF_REPLAY_NEW },
        { "a", STATE, 2, 51, BF_REPLAY_OLD_EPOCH },
        { "a", STATE, 4, 1, BF_REPLAY_NEW }, /* restarted: counts from 1 again */
        { "a", STATE, 3, 51, BF_REPLAY_OLD_EPOCH },
        { "a", CMD, 3, 10, BF_REPLAY_OLD_EPOCH }, /* on every channel */
        { "a", CMD, 4, 9, BF_REPLAY_NEW },
        { "a", STATE, 4, 1, BF_REPLAY_DUPLICATE },
    };

    (void)state;
    play(steps, BF_COUNT_OF(steps), 4);
}

static void test_channels_and_senders_are_apart(void **state)
{
    static const struct step steps[] = {
        { "a", STATE, 1, 500, BF_REPLAY_NEW },
        { "a", WILL, 1, 1, BF_REPLAY_NEW }, /* signed when the connection was made, 500 states ago */
        { "a", CMD, 1, 1, BF_REPLAY_NEW },
        { "b", STATE, 1, 500, BF_REPLAY_NEW },
        { "b", STATE, 1, 500, BF_REPLAY_DUPLICATE },
        { "c", STATE, 1, 1, BF_REPLAY_FULL }, /* never evicts a sender it knows */
        { "a", STATE, 1, 500, BF_REPLAY_DUPLICATE },
        { "a", 0, 1, 1, BF_REPLAY_FULL }, /* no such channel */
        { "a", 8, 1, 1, BF_REPLAY_FULL },
        { "../a", STATE, 1, 1, BF_REPLAY_FULL }, /* no such sender */
    };

    (void)state;
    play(steps, BF_COUNT_OF(steps), 2);
}

static void test_epoch_of(void **state)
{
    struct bf_replay *r;

    (void)state;
    assert_int_equal(bf_replay_new(&r, 2), 0);
    assert_int_equal(bf_replay_epoch(r, "a"), 0);
    bf_replay_check(r, "a", STATE, 7, 1);
    assert_int_equal(bf_replay_epoch(r, "a"), 0); /* looking changes nothing */
    bf_replay_accept(r, "a", STATE, 7, 1);
    assert_int_equal(bf_replay_epoch(r, "a"), 7);
    bf_replay_accept(r, "a", STATE, 6, 1);
    assert_int_equal(bf_replay_epoch(r, "a"), 7);

    bf_replay_accept(r, "a", STATE, 7, 40);
    bf_replay_accept(r, "a", STATE, 7, 30);
    assert_int_equal(bf_replay_highest(r, "a", STATE), 40);
    assert_int_equal(bf_replay_highest(r, "a", STATE + 1), 0);
    assert_int_equal(bf_replay_highest(r, "b", STATE), 0);
    bf_replay_accept(r, "a", STATE, 8, 2);
    assert_int_equal(bf_replay_highest(r, "a", STATE), 2);
    bf_replay_free(r);
}

static void test_many_senders(void **state)
{
    struct bf_replay *r;
    char name[16];

    (void)state;
    assert_int_equal(bf_replay_new(&r, 200), 0);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 200; i++) {
            snprintf(name, sizeof(name), "node-%u", i);
            assert_int_equal(bf_replay_accept(r, name, STATE, 1, 1), round == 0 ? BF_REPLAY_NEW : BF_REPLAY_DUPLICATE);
        }
    bf_replay_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_channels_and_senders_are_apart),
        cmocka_unit_test(test_epoch_of),
        cmocka_unit_test(test_many_senders),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
