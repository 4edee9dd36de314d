#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service/status.h"

static void counters_keep_their_last_value(void **state)
{
    (void)state;
    struct bf_status s = { 0 };

    assert_true(bf_status_count(&s, "frames", 1));
    assert_true(bf_status_count(&s, "drops", 0));
    assert_true(bf_status_count(&s, "frames", 9));
    assert_int_equal(s.n_counters, 2);
    assert_string_equal(s.counters[0].name, "frames");
    assert_int_equal(s.counters[0].value, 9);
}

static void counters_have_a_limit(void **state)
{
    (void)state;
    static char names[BF_STATUS_COUNTERS + 8][16];
    struct bf_status s = { 0 };
    struct bf_status_message m;
    uint8_t boot_id[16] = { 1 };

    for (size_t i = 0; i < BF_STATUS_COUNTERS + 8; i++) {
        snprintf(names[i], sizeof names[i], "name_%zu", i);
        assert_int_equal(bf_status_count(&s, names[i], i), i < BF_STATUS_OWN_COUNTERS);
    }
    bf_status_message_init(&m, &s, true, boot_id, "1", 5);
    for (size_t i = 0; i < BF_STATUS_COUNTERS; i++)
        bf_status_message_count(&m, "more", i);
    assert_int_equal(m.node.n_counters, BF_STATUS_COUNTERS);
}

static void a_failure_is_new_once_a_minute(void **state)
{
    (void)state;
    struct bf_status s = { 0 };

    assert_true(bf_status_fail(&s, "no_frames", "nothing for 3 s", 1000));
    assert_false(bf_status_fail(&s, "no_frames", "nothing for 3 s", 1500));
    assert_int_equal(s.failed_at_ms, 1000);
    assert_true(bf_status_fail(&s, "no_frames", "nothing for 9 s", 1600));
    assert_true(bf_status_fail(&s, "disk_full", "nothing for 9 s", 1700));
    assert_false(bf_status_fail(&s, "disk_full", "nothing for 9 s", 61699));
    assert_true(bf_status_fail(&s, "disk_full", "nothing for 9 s", 61700));
}

/* Not one state message is refused for a detail that is no UTF-8. */
static void a_detail_is_clean_text(void **state)
{
    (void)state;
    struct bf_status s = { 0 };
    char longer[700];
    memset(longer, 'd', sizeof longer);
    longer[sizeof longer - 1] = '\0';

    bf_status_fail(&s, "a",
                   "K\xc3\xbc"
                   "che\nb\xff",
                   1);
    assert_string_equal(s.detail, "K\xc3\xbc"
                                  "che?b?");
    bf_status_fail(&s, "a", longer, 1);
    assert_int_equal(strlen(s.detail), 512);
    memcpy(longer + 511, "\xc3\xbc", 2);
    bf_status_fail(&s, "a", longer, 1);
    assert_int_equal(strlen(s.detail), 512);
    assert_int_equal(s.detail[511], '?'); /* not half of a character */
}

static void lower_lease_epochs_are_stale(void **state)
{
    (void)state;
    struct bf_status s = { 0 };

    assert_int_equal(bf_status_observe(&s, 3, 10), 1);
    assert_int_equal(bf_status_observe(&s, 3, 10), 0);
    assert_int_equal(bf_status_observe(&s, 3, 11), 1);
    assert_int_equal(bf_status_observe(&s, 2, 12), -ESTALE);
    assert_int_equal(s.observed_generation, 11);
    assert_int_equal(s.lease_epoch, 3);
    assert_int_equal(bf_status_observe(&s, 4, 1), 1); /* another gateway counts from its own start */
    assert_int_equal(s.observed_generation, 1);
}

static void a_level_that_was_overtaken_is_passed_over(void **state)
{
    (void)state;
    const struct bf_lease_holder later = { .node = "gateway-1" };
    struct bf_status s = { 0 };

    assert_int_equal(bf_status_observe(&s, 3, 11), 1);
    assert_int_equal(bf_status_observe(&s, 3, 10), -EALREADY);
    assert_int_equal(s.observed_generation, 11);
    assert_int_equal(bf_status_observe(&s, 3, 11), 0); /* its heartbeat goes on */

    assert_int_equal(bf_status_claim(&s, 4, &later), 1);
    assert_int_equal(bf_status_observe(&s, 4, 2), 1);
}

static void an_epoch_belongs_to_one_process_of_one_gateway(void **state)
{
    (void)state;
    const struct bf_lease_holder one = { "gateway-1", { 1 } }, again = { "gateway-1", { 2 } },
                                 two = { "gateway-2", { 1 } };
    struct bf_status s = { .lease_epoch = 3 };

    assert_int_equal(bf_status_claim(&s, 2, &one), -ESTALE);
    assert_int_equal(bf_status_claim(&s, 3, &one), 1); /* kept by a version that did not ask whose it was */
    assert_int_equal(bf_status_claim(&s, 3, &one), 0);
    assert_int_equal(bf_status_claim(&s, 3, &two), -EEXIST);
    assert_int_equal(bf_status_claim(&s, 3, &again), -EEXIST);
    assert_string_equal(s.holder.node, "gateway-1");
    assert_int_equal(s.holder.boot_id[0], 1);
    assert_int_equal(bf_status_claim(&s, 4, &two), 1);
    assert_int_equal(bf_status_claim(&s, 3, &one), -ESTALE);
    assert_int_equal(s.lease_epoch, 4);
    assert_string_equal(s.holder.node, "gateway-2");
}

static void the_message_says_it_all(void **state)
{
    (void)state;
    struct bf_status s = { .observed_generation = 4, .lease_epoch = 2, .holder = { "gateway-1", { 0xcc } } };
    struct bf_status_message m;
    uint8_t boot_id[16] = { 0xaa, 0xbb };
    bf_status_count(&s, "frames", 5);

    bf_status_message_init(&m, &s, true, boot_id, "0.1.0", 1234);
    assert_null(m.node.last_error);
    bf_status_fail(&s, "no_frames", "nothing for 3 s", 777);
    bf_status_message_init(&m, &s, false, boot_id, "0.1.0", 1234);
    bf_status_message_count(&m, "refused_age", 6);

    uint8_t packed[512];
    size_t size = protobuf_c_message_pack(&m.node.base, packed);
    Belfry__V1__NodeStatus *node = belfry__v1__node_status__unpack(NULL, size, packed);
    assert_non_null(node);
    assert_false(node->online);
    assert_int_equal(node->boot_id.len, 16);
    assert_memory_equal(node->boot_id.data, boot_id, 16);
    assert_string_equal(node->version, "0.1.0");
    assert_int_equal(node->started_at_ms, 1234);
    assert_int_equal(node->observed_generation, 4);
    assert_int_equal(node->lease_epoch, 2);
    assert_string_equal(node->lease_holder, "gateway-1");
    assert_int_equal(node->lease_holder_boot_id.len, 16);
    assert_int_equal(node->lease_holder_boot_id.data[0], 0xcc);
    assert_string_equal(node->last_error->code, "no_frames");
    assert_string_equal(node->last_error->detail, "nothing for 3 s");
    assert_int_equal(node->last_error->at_ms, 777);
    assert_int_equal(node->n_counters, 2);
    assert_string_equal(node->counters[1]->name, "refused_age");
    assert_int_equal(node->counters[1]->value, 6);
    belfry__v1__node_status__free_unpacked(node, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_keep_their_last_value),
        cmocka_unit_test(counters_have_a_limit),
        cmocka_unit_test(a_failure_is_new_once_a_minute),
        cmocka_unit_test(a_detail_is_clean_text),
        cmocka_unit_test(an_epoch_belongs_to_one_process_of_one_gateway),
        cmocka_unit_test(lower_lease_epochs_are_stale),
        cmocka_unit_test(a_level_that_was_overtaken_is_passed_over),
        cmocka_unit_test(the_message_says_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
