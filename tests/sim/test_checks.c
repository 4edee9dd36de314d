/* Do the checks find what they are for? Each gets a world that violates it, made by hand, and one that does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bus/dsse.h"
#include "gateway/gateway_internal.h"
#include "gateway/intents.h"
#include "test_worlds.h"

#include "camera.pb-c.h"

#define S1 "01KDVDNCAMM4SPSM04GHYW90J1"
#define S2 "01KDVDNCAMM4SPSM04GHYW90J2"
#define NOW_US (10 * SEC)

static struct sim_node *camera(void)
{
    return sim_node_named("cam-1");
}

/* --- producers and listeners --- */

static void check_producer(const char *session, uint64_t until_us)
{
    struct sim_producer p = { .node = camera() };

    snprintf(p.session, sizeof p.session, "%s", session);
    sim.now_us = NOW_US;
    snprintf(camera()->grant.session, BF_ULID_SIZE, "%s", S1);
    camera()->grant.until_us = until_us;
    sim_producers = &p;
    sim_check();
    sim_producers = NULL;
}

static void test_producer_with_a_lease(void **state)
{
    (void)state;
    check_producer(S1, NOW_US + SEC);
    expect_none();
}

static void test_producer_beyond_its_lease(void **state)
{
    (void)state;
    check_producer(S1, NOW_US - SEC);
    expect_violation("beyond its lease");
}

static void test_producer_of_another_session(void **state)
{
    (void)state;
    check_producer(S2, NOW_US + SEC);
    expect_violation("its newest desired that counts says");
}

static void test_two_producers(void **state)
{
    (void)state;
    struct sim_producer first = { .node = camera(), .stopping = true };
    struct sim_producer second = { .node = camera(), .stopping = true, .next = &first };

    sim_producers = &second;
    sim_check();
    sim_producers = NULL;
    expect_violation("has two producers");
}

static void check_listeners(const char *second_session, uint64_t until_us)
{
    struct sim_node *a = sim_node_named("ingest-1"), *b = sim_node_named("ingest-2");
    struct sim_listener first = { .node = a, .session = S1, .port = 1 };
    struct sim_listener second = { .node = b, .session = second_session, .port = 2, .next = &first };

    sim.now_us = NOW_US;
    a->grant.until_us = b->grant.until_us = until_us;
    sim_listeners = &second;
    sim_check();
    sim_listeners = NULL;
}

static void test_listeners_with_leases(void **state)
{
    (void)state;
    check_listeners(S2, NOW_US + SEC);
    expect_none();
}

static void test_listener_beyond_its_lease(void **state)
{
    (void)state;
    check_listeners(S2, NOW_US - SEC);
    expect_violation("beyond its lease");
}

static void test_session_at_two_ingest_nodes(void **state)
{
    (void)state;
    check_listeners(S1, NOW_US + SEC);
    expect_violation("is open at");
}

static void test_one_passphrase_for_two_sessions(void **state)
{
    (void)state;
    struct sim_node *n = sim_node_named("ingest-1");
    struct sim_listener first = { .node = n, .session = S1, .passphrase = "secret-1", .stopping = true };
    struct sim_listener second = { .node = n, .session = S2, .passphrase = "secret-2", .next = &first };

    n->grant.until_us = NOW_US + SEC;
    sim_listeners = &second;
    sim_check();
    expect_none();
    snprintf(second.passphrase, sizeof second.passphrase, "%s", first.passphrase);
    sim_check();
    sim_listeners = NULL;
    expect_violation("have one passphrase");
}

/* --- what counts of what is delivered --- */

struct desired {
    uint8_t id;
    uint64_t epoch, generation;
    const char *session;
    bool for_another_start;
};

/* The envelope is the caller's to free. */
static uint8_t *seal(const struct desired *d, size_t *ret_size)
{
    Belfry__V1__CameraDesired m = BELFRY__V1__CAMERA_DESIRED__INIT;
    Belfry__V1__CameraSession session = BELFRY__V1__CAMERA_SESSION__INIT;
    Belfry__V1__Header header = BELFRY__V1__HEADER__INIT;
    Belfry__V1__Lease lease = BELFRY__V1__LEASE__INIT;
    uint8_t id[16] = { d->id }, boot_id[16], payload[512], secret[BF_SECRET_KEY_SIZE] = { 1 };
    uint8_t *envelope = NULL;

    memcpy(boot_id, camera()->service.identity.boot_id, sizeof boot_id);
    boot_id[0] = (uint8_t)(boot_id[0] + d->for_another_start);
    header.message_id = (ProtobufCBinaryData){ sizeof id, id };
    header.recipient_boot_id = (ProtobufCBinaryData){ sizeof boot_id, boot_id };
    header.sender = (char *)(uintptr_t) "gateway-1";
    lease.epoch = d->epoch;
    lease.generation = d->generation;
    lease.lease_ms = SIM_LEASE_MS;
    session.session_id = (char *)(uintptr_t)d->session;
    m.header = &header;
    m.lease = &lease;
    m.session = &session;
    size_t payload_size = belfry__v1__camera_desired__pack(&m, payload);
    const char *type = bf_message_row(BF_MSG_CAMERA_DESIRED)->payload_type;
    assert_int_equal(bf_dsse_seal(type, payload, payload_size, secret, &envelope, ret_size), 0);
    return envelope;
}

static void deliver(const struct desired *d)
{
    size_t size;
    _cleanup_(bf_freep) uint8_t *envelope = seal(d, &size);

    sim_observe_desired(camera(), envelope, size);
}

static void expect_granted(const char *session)
{
    assert_string_equal(camera()->grant.session, session);
}

static void test_what_counts(void **state)
{
    (void)state;
    deliver(&(struct desired){ .id = 1, .epoch = 5, .generation = 7, .session = S1 });
    expect_granted(S1);
    deliver(&(struct desired){ .id = 2, .epoch = 4, .generation = 9, .session = S2 });
    expect_granted(S1); /* of a gateway that has been replaced */
    deliver(&(struct desired){ .id = 3, .epoch = 5, .generation = 6, .session = S2 });
    expect_granted(S1); /* overtaken */
    deliver(&(struct desired){ .id = 4, .epoch = 5, .generation = 8, .session = S2, .for_another_start = true });
    expect_granted(S1);
    deliver(&(struct desired){ .id = 5, .epoch = 5, .generation = 8, .session = S2 });
    expect_granted(S2);

    uint64_t until_us = camera()->grant.until_us;
    sim.now_us += SEC;
    deliver(&(struct desired){ .id = 5, .epoch = 5, .generation = 8, .session = S2 });
    assert_int_equal(camera()->grant.until_us, until_us); /* a duplicate renews nothing */
}

/* --- gateways and their answers --- */

static void test_order_before_its_intent(void **state)
{
    (void)state;
    struct sim_node *gateway = sim_node_named("gateway-1");
    size_t size;
    _cleanup_(bf_freep) uint8_t *envelope =
        seal(&(struct desired){ .id = 1, .epoch = 1, .generation = 1, .session = S1 }, &size);

    assert_int_equal(bf_replace_file(gateway->state_dir, BF_INTENTS_NAME, S1, strlen(S1), 0600), 0);
    sim_check_order(gateway, envelope, size);
    expect_none();
    assert_int_equal(bf_replace_file(gateway->state_dir, BF_INTENTS_NAME, S2, strlen(S2), 0600), 0);
    sim_check_order(gateway, envelope, size);
    expect_violation("which its intents do not name");
}

static void test_two_gateways_in_one_state_directory(void **state)
{
    (void)state;
    sim_end();
    sim_begin(1, false, SIM_GATEWAY_AND_STANDBY);
    sim_check();
    expect_none();
    sim_node_named("gateway-2")->alive = true;
    sim_check();
    sim_node_named("gateway-2")->alive = false;
    expect_violation("both order from one state directory");
}

static void answer(enum bf_call_kind kind, int status, const char *session, unsigned group, bool must_succeed)
{
    struct bf_call *call = bf_call_new(kind);

    snprintf(call->camera, sizeof call->camera, "cam-1");
    snprintf(call->session, sizeof call->session, "%s", session);
    snprintf(call->detail, sizeof call->detail, "%s", must_succeed ? "so it is" : "");
    call->status = status;
    sim_request_note(sim_node_named("gateway-1"), call, must_succeed, group);
    sim_check();
}

static void test_start_without_media(void **state)
{
    (void)state;
    sim_session_make(S1, "cam-1", false);
    answer(BF_CALL_START, 201, S1, 1, false);
    expect_violation("has no media");
}

static void test_refusal_without_a_reason(void **state)
{
    (void)state;
    answer(BF_CALL_STOP, 502, "", 1, false);
    expect_violation("without a reason");
}

static void test_refusal_though_all_is_well(void **state)
{
    (void)state;
    answer(BF_CALL_START, 503, "", 1, true);
    expect_violation("everything is well");
}

static void test_no_answer(void **state)
{
    (void)state;
    answer(BF_CALL_START, 0, "", 1, false);
    expect_none();
    sim.now_us += 60 * SEC;
    sim_check();
    expect_violation("has not been answered");
}

static void test_address_of_another_session(void **state)
{
    (void)state;
    start_camera_1();
    sim_session_make(S1, "cam-1", false)->parts = 1;
    answer(BF_CALL_START, 200, S1, 9, false);
    expect_violation("but its address leads to");
}

static void test_two_sessions_of_starts_at_once(void **state)
{
    (void)state;
    struct sim_session *live = start_camera_1(), *other = sim_session_make(S1, "cam-1", false);

    live->since_us = other->since_us = sim.now_us + 1;
    other->parts = 1;
    answer(BF_CALL_START, 200, live->id, 9, false);
    expect_none();
    answer(BF_CALL_START, 200, S1, 9, false);
    expect_violation("made two sessions");
}

/* The first of them was told of a session that has ended before the second came. */
static void test_session_that_was_there_before_starts_at_once(void **state)
{
    (void)state;
    const struct sim_session *live = start_camera_1();
    struct sim_session *next = sim_session_make(S1, "cam-1", false);

    next->since_us = sim.now_us + 1;
    next->parts = 1;
    answer(BF_CALL_START, 200, live->id, 9, false);
    answer(BF_CALL_START, 200, S1, 9, false);
    expect_violation("but its address leads to");
}

int main(void)
{
#define CHECK(test) cmocka_unit_test_setup_teardown(test, begin_world, end_world)
    const struct CMUnitTest tests[] = {
        CHECK(test_producer_with_a_lease),
        CHECK(test_producer_beyond_its_lease),
        CHECK(test_producer_of_another_session),
        CHECK(test_two_producers),
        CHECK(test_listeners_with_leases),
        CHECK(test_listener_beyond_its_lease),
        CHECK(test_session_at_two_ingest_nodes),
        CHECK(test_one_passphrase_for_two_sessions),
        CHECK(test_what_counts),
        CHECK(test_order_before_its_intent),
        CHECK(test_two_gateways_in_one_state_directory),
        CHECK(test_start_without_media),
        CHECK(test_refusal_without_a_reason),
        CHECK(test_refusal_though_all_is_well),
        CHECK(test_no_answer),
        CHECK(test_address_of_another_session),
        CHECK(test_two_sessions_of_starts_at_once),
        CHECK(test_session_that_was_there_before_starts_at_once),
    };
    return cmocka_run_group_tests(tests, enter_worlds, leave_worlds);
}
