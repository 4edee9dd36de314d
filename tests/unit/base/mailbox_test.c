#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mailbox.h"

struct item {
    unsigned thread, number;
};

static void items_come_out_in_order(void **state)
{
    (void)state;
    struct bf_mailbox *m = NULL;
    struct item item = { 7, 7 };
    assert_int_equal(bf_mailbox_new(&m, sizeof item, 3, NULL, NULL), 0);
    assert_int_equal(bf_mailbox_take(m, &item), -EAGAIN);
    assert_int_equal(item.thread, 7);

    for (unsigned round = 0; round < 5; round++) { /* the ring wraps */
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(bf_mailbox_put(m, &(struct item){ round, i }), 0);
        assert_int_equal(bf_mailbox_put(m, &(struct item){ round, 3 }), -ENOBUFS);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(bf_mailbox_take(m, &item), 0);
            assert_int_equal(item.thread, round);
            assert_int_equal(item.number, i);
        }
        assert_int_equal(bf_mailbox_put(m, &(struct item){ round, 9 }), 0);
        assert_int_equal(bf_mailbox_take(m, &item), 0);
        assert_int_equal(bf_mailbox_take(m, &item), -EAGAIN);
    }
    bf_mailbox_free(m);
    bf_mailbox_free(NULL);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    struct bf_mailbox *m = NULL;

    assert_int_equal(bf_mailbox_new(&m, 0, 3, NULL, NULL), -EINVAL);
    assert_int_equal(bf_mailbox_new(&m, 3, 0, NULL, NULL), -EINVAL);
    assert_int_equal(bf_mailbox_new(&m, SIZE_MAX / 2, 3, NULL, NULL), -EINVAL);
    assert_null(m);
}

static void wake(void *user)
{
    struct item item;
    struct bf_mailbox **m = user;
    assert_int_equal(bf_mailbox_take(*m, &item), 0); /* would not return if the lock were held */
}

static void wake_is_called_without_the_lock(void **state)
{
    (void)state;
    struct bf_mailbox *m = NULL;
    assert_int_equal(bf_mailbox_new(&m, sizeof(struct item), 1, wake, &m), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(bf_mailbox_put(m, &(struct item){ 0, i }), 0);
    bf_mailbox_free(m);
}

enum { THREADS = 4, EACH = 5000 };

struct shared {
    struct bf_mailbox *box;
    atomic_uint wakes;
};

struct producer {
    struct shared *shared;
    unsigned number;
};

static void count_wake(void *user)
{
    struct shared *shared = user;
    atomic_fetch_add(&shared->wakes, 1);
}

static void *produce(void *argument)
{
    struct producer *p = argument;
    for (unsigned i = 0; i < EACH;)
        if (bf_mailbox_put(p->shared->box, &(struct item){ p->number, i }) == 0)
            i++;
    return NULL;
}

/* Each thread's items keep their order, none is lost and none comes twice. */
static void threads_share_a_mailbox(void **state)
{
    (void)state;
    struct shared shared = { .wakes = 0 };
    struct producer producers[THREADS];
    pthread_t threads[THREADS];
    unsigned next[THREADS] = { 0 };
    assert_int_equal(bf_mailbox_new(&shared.box, sizeof(struct item), 64, count_wake, &shared), 0);

    for (unsigned t = 0; t < THREADS; t++) {
        producers[t] = (struct producer){ &shared, t };
        assert_int_equal(pthread_create(&threads[t], NULL, produce, &producers[t]), 0);
    }
    for (unsigned taken = 0; taken < THREADS * EACH;) {
        struct item item;
        if (bf_mailbox_take(shared.box, &item) < 0)
            continue;
        assert_true(item.thread < THREADS);
        assert_int_equal(item.number, next[item.thread]);
        next[item.thread]++;
        taken++;
    }
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(atomic_load(&shared.wakes), THREADS * EACH);
    bf_mailbox_free(shared.box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(wake_is_called_without_the_lock),
        cmocka_unit_test(threads_share_a_mailbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
